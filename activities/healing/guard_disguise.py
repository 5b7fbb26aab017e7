"""Guard rule `disguised-text`: text that says something else than what a reviewer sees."""

import io
import re
import tokenize
import unicodedata
from collections import Counter
from collections.abc import Iterator

from activities.healing.guard_change import ChangedFile
from regreen.contracts.healing import Refusal

_TURNS = "\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c"
_INVISIBLE = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2064\u3164\ufeff\uffa0"
_JOINERS = "\u200c\u200d"
_BREAKS = "\x0b\x0c\x1c-\x1f\x85\u2028\u2029"
_HIDDEN_IN_PROSE = re.compile(f"[{_TURNS}]")
_HIDDEN_IN_CODE = re.compile(
    f"[{_TURNS}{_INVISIBLE}{_BREAKS}]|(?<![^\x00-\x7f])[{_JOINERS}]|\r(?!\n)"
)
_NAME = re.compile(r"[^\W\d]\w*")
_QUOTED = re.compile(r"//.*|/\*.*|'[^']*'|\"[^\"]*\"|`[^`]*`")
# Letters of other alphabets that are drawn like Latin ones.
_ALIKE = set("\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u0501\u04bb\u051b\u051d")
_ALIKE |= set(
    "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425"
)
_ALIKE |= set(
    "\u03bf\u03bd\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7"
)
_ENCODINGS = {"utf-8", "utf-8-sig", "ascii", "iso-8859-1"}


def check_disguise(change: ChangedFile, is_code: bool, is_python: bool) -> list[Refusal]:
    """Refuse new characters that hide or turn text, look-alike names, and unusual encodings."""
    found = list(_declared(change)) if is_python else []
    before = _text(change.before, is_python)
    after = _text(change.after, is_python)
    hidden = _HIDDEN_IN_CODE if is_code else _HIDDEN_IN_PROSE
    known = Counter(hidden.findall(before))
    known_names = {name for name, _ in _names(before, is_python)} if is_code else set()
    for number, line in enumerate(after.split("\n"), start=1):
        # The mark that may stand at the very beginning is no part of the text.
        text = line.removeprefix("\ufeff") if number == 1 else line
        for character in hidden.findall(text):
            known[character] -= 1
            if known[character] < 0:
                shown = unicodedata.name(character, f"U+{ord(character):04X}")
                found.append(_refuse(change, number, f"holds the hidden character {shown}"))
    for name, number in _names(after, is_python) if is_code else ():
        if name not in known_names and _is_strange(name):
            shown = name.encode("ascii", "backslashreplace").decode()
            found.append(_refuse(change, number, f"{shown} looks like another name"))
    return found


def _refuse(change: ChangedFile, line: int, reason: str) -> Refusal:
    last = len((change.after or b"").splitlines())
    return Refusal(rule="disguised-text", path=change.path, line=min(line, last), reason=reason)


def _declared(change: ChangedFile) -> Iterator[Refusal]:
    old, new = _encoding(change.before), _encoding(change.after)
    if new != old and new not in _ENCODINGS:
        yield _refuse(change, 1, f"declares the encoding {new}, in which text can hide")


def _encoding(content: bytes | None) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(content or b"").readline)[0]
    except SyntaxError:
        return "utf-8"


def _text(content: bytes | None, is_python: bool) -> str:
    encoding = _encoding(content) if is_python else "utf-8"
    try:
        return (content or b"").decode(encoding if encoding in _ENCODINGS else "utf-8", "replace")
    except LookupError:
        return (content or b"").decode("utf-8", "replace")


def _names(text: str, is_python: bool) -> Iterator[tuple[str, int]]:
    """Names that are not plain ASCII, with their lines; not what stands in texts and comments."""
    if text.isascii():
        return
    if not is_python:
        for number, line in enumerate(text.split("\n"), start=1):
            for name in _NAME.findall(_QUOTED.sub("", line)):
                if not name.isascii():
                    yield name, number
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and not token.string.isascii():
                yield token.string, token.start[0]
    except (tokenize.TokenError, SyntaxError):
        return


def _is_strange(name: str) -> bool:
    """Whether a name mixes alphabets, or is read or drawn like another one."""
    alphabets = {_alphabet(character) for character in name if character.isalpha()}
    alike = all(letter.isascii() or letter in _ALIKE for letter in name)
    folded = unicodedata.normalize("NFKC", name).isascii()
    return alike or folded or len(alphabets - {"OTHER"}) > 1


def _alphabet(character: str) -> str:
    first, *_ = unicodedata.name(character, "OTHER").split(" ")
    return first if first in {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"} else "OTHER"
