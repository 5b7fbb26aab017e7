"""The guard's rules for sources in other languages: patterns over tokens, cautiously.

They know no scopes and no types. What they watch is written in one form first: without comments and
blanks, texts joined, so that a line break or a `+` hides nothing.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.healing.guard_change import ChangedFile, line_after
from activities.healing.guard_language_names import (
    LANGUAGE_ASSERTIONS,
    LANGUAGE_COMMENTS,
    LANGUAGE_PATTERNS,
    LANGUAGE_TEXTS,
)
from activities.healing.guard_literals import canonical, is_empty, is_telling, plain_text
from activities.healing.guard_module import Finding
from activities.healing.guard_paths import is_test_path
from activities.healing.guard_tokens import Token, family_of, joined_texts, tokens
from regreen.contracts.healing import Refusal

_LIMIT = re.compile(r"time_?out|deadline|retries|max_?attempts|max_?wait|patience", re.IGNORECASE)
# Behind a test for an empty or missing value a constant is an answer like any other.
_NOTHING = re.compile(
    r"if ?\(?(?:![\w.]+|[\w.]+(?:===?|<=)(?:0|null|nil|undefined|\"\")|[\w.]+\.isEmpty\(\))"
)
_ENTRY = re.compile(r"[{,]\"?\w+\"?:$")
_DONE = re.compile(r"(?:TODO|FIXME|XXX|HACK|BUG)\b", re.IGNORECASE)


_BEFORE_ANSWERS = {"=>", ">", "?", ":", "|", "(", "=", "->", "yield", "["}
_AFTER_ANSWERS = {";", "}", ")", ":", ",", "", "]"}


@dataclass(frozen=True)
class _Source:
    """A source in one form, with the line of every character of it."""

    code: str
    lines: list[int]
    parts: list[Token]
    comments: list[Token]


def is_source(path: str) -> bool:
    """Whether these rules read a file."""
    return bool(family_of(path))


def check_source(change: ChangedFile, expectations: Sequence[str]) -> list[Refusal]:
    """Refuse what the new text of a source adds or loses; empty when all of it is allowed."""
    family = family_of(change.path)
    try:
        text = (change.after or b"").decode("utf-8")
    except UnicodeDecodeError:
        reason = "the file is not UTF-8 text"
        return [Refusal(rule="binary-file", path=change.path, line=0, reason=reason)]
    old_text = (change.before or b"").decode("utf-8", "replace")
    before, after = _read(old_text, family), _read(text, family)
    is_test = is_test_path(change.path)
    findings = [
        *_added(before, after, family),
        *_raised_limits(before, after),
        *_lost_comments(before, after, old_text.splitlines(), text.splitlines()),
        *_lost_assertions(before, after, old_text.splitlines(), text.splitlines()),
        *(() if is_test else _copied(before, after, expectations)),
    ]
    return [
        Refusal(rule=each.rule, path=change.path, line=each.line, reason=each.reason)
        for each in findings
    ]


def _read(text: str, family: str) -> _Source:
    everything = tokens(text, family)
    parts = joined_texts(everything)
    code: list[str] = []
    lines: list[int] = []
    previous = Token("sign", "", 1)
    for token in parts:
        written = f'"{token.text}"' if token.kind == "text" else token.text
        if token.kind in {"word", "number"} and previous.kind in {"word", "number"}:
            written = " " + written
        code.append(written)
        lines += [token.line] * len(written)
        previous = token
    comments = [token for token in everything if token.kind == "comment"]
    return _Source("".join(code), lines, parts, comments)


def _watched(source: _Source, family: str) -> Iterator[Finding]:
    for rule, families in LANGUAGE_PATTERNS.items():
        for pattern in (*families.get("any", ()), *families.get(family, ())):
            for match in re.finditer(pattern, source.code):
                # An empty catch may hold a comment; where it stands is its beginning.
                shown = match[0].strip()
                reason = f"new `{shown:.60}`"
                line = source.lines[min(match.start(), len(source.lines) - 1)]
                yield Finding(rule, re.sub(r"\d+", "0", shown), line, reason)
    for token in source.parts:
        for rule, pattern in LANGUAGE_TEXTS.items():
            if token.kind == "text" and re.search(pattern, token.text):
                yield Finding(rule, token.text, token.line, f"new text {token.text!r:.60}")
    for comment in source.comments:
        silencing = re.search(LANGUAGE_COMMENTS, comment.text, re.IGNORECASE)
        if silencing:
            reason = f"the comment `{silencing[0]}` silences a tool"
            yield Finding("suppressed-warning", silencing[0].lower(), comment.line, reason)


def _added(before: _Source, after: _Source, family: str) -> Iterator[Finding]:
    old = list(_watched(before, family))
    new = list(_watched(after, family))
    excess = Counter((each.rule, each.key) for each in new)
    excess -= Counter((each.rule, each.key) for each in old)
    for each in reversed(new):
        if excess[each.rule, each.key] > 0:
            excess[each.rule, each.key] -= 1
            yield each


def _raised_limits(before: _Source, after: _Source) -> Iterator[Finding]:
    old, new = _limits(before), _limits(after)
    for name, values in new.items():
        gone = Counter(value for value, _ in old[name]) - Counter(value for value, _ in values)
        fresh = Counter(value for value, _ in values) - Counter(value for value, _ in old[name])
        for value, line in values:
            if fresh[value] > 0 and gone and value > max(gone):
                reason = f"{name} grows from {max(gone):g} to {value:g}"
                yield Finding("longer-timeout", name, line, reason)


def _limits(source: _Source) -> defaultdict[str, list[tuple[float, int]]]:
    found: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for match in re.finditer(r'(\w+)"?(?:[:=(]+|\s)(-?[\d_.]+(?:\*[\d_.]+)*)', source.code):
        if _LIMIT.search(match[1]):
            number = 1.0
            for factor in match[2].split("*"):
                plain = factor.replace("_", "").rstrip(".")
                number *= float(plain) if re.fullmatch(r"-?\d+(\.\d+)?", plain) else 1.0
            found[match[1]].append((number, source.lines[match.start(2)]))
    return found


def _lost_comments(
    before: _Source, after: _Source, old: list[str], new: list[str]
) -> Iterator[Finding]:
    old_texts = Counter(each.text for each in before.comments)
    new_texts = Counter(each.text for each in after.comments)
    lost, gained = old_texts - new_texts, new_texts - old_texts
    missing = lost.total() - gained.total()
    for comment in before.comments:
        if missing > 0 and lost[comment.text] > 0 and not _DONE.match(comment.text):
            lost[comment.text] -= 1
            missing -= 1
            reason = f"the comment `{comment.text:.60}` disappears"
            yield Finding("lost-comment", "", line_after(old, new, comment.line), reason)


def _lost_assertions(
    before: _Source, after: _Source, old: list[str], new: list[str]
) -> Iterator[Finding]:
    left = Counter(text for text, _ in _assertions(after))
    for text, line in _assertions(before):
        left[text] -= 1
        if left[text] < 0:
            reason = f"`{text:.80}` is removed or changed"
            yield Finding("removed-assertion", text, line_after(old, new, line), reason)


def _assertions(source: _Source) -> Iterator[tuple[str, int]]:
    for match in re.finditer(LANGUAGE_ASSERTIONS, source.code):
        end = re.compile(r"[;}\n]").search(source.code, match.end())
        text = source.code[match.start() : end.start() if end else len(source.code)]
        yield text, source.lines[match.start()]


def _copied(before: _Source, after: _Source, expectations: Sequence[str]) -> Iterator[Finding]:
    """New constants of the failing test right where a function answers or compares."""
    expected = {plain_text(text) for text in expectations} - {""}
    known = Counter(_constants(before))
    answered = Counter(value for value, _, _, _ in _answers(before))
    computed = _computed(after) - _computed(before)
    words = sum(
        1 for value, _, _, _ in _answers(before) if value and not value.replace(".", "").isdigit()
    )
    entries = any(_ENTRY.search(guard) for _, _, _, guard in _answers(before))
    for value, line, pinned, guard in _answers(after):
        answered[value] -= 1
        if value not in expected or answered[value] >= 0:
            continue
        odd = [each for each in pinned if each in expected and not is_empty(each)]
        is_word = not value.replace(".", "").isdigit()
        falls_back = _NOTHING.search(guard) or guard.endswith(("??", "||"))
        if is_word and not odd and (falls_back or words >= 2):
            continue
        if entries and _ENTRY.search(guard):
            continue
        replaces = _answer_count(after) <= _answer_count(before)
        in_place = computed < 0 and not is_empty(value)
        is_copy = is_telling(value) and not known[value] and not replaces
        if is_copy or in_place or (odd and not is_empty(value)):
            reason = f"{value!r:.60} comes from the failing test"
            yield Finding("copied-literal", value, line, reason)


def _computed(source: _Source) -> int:
    """How many answers are worked out."""
    parts = source.parts
    found = 0
    for place, token in enumerate(parts[:-1]):
        arrow = token.text == ">" and place > 0 and parts[place - 1].text == "="
        follows = parts[place + 1]
        if (token.text == "return" or arrow) and follows.text not in {"{", ";", "}"}:
            end = parts[place + 2].text if place + 2 < len(parts) else ""
            is_constant = follows.kind in {"text", "number"} and end in _AFTER_ANSWERS
            found += not is_constant
    return found


def _constants(source: _Source) -> Iterator[str]:
    for token in source.parts:
        if token.kind in {"text", "number"}:
            yield canonical(
                token.text.rstrip("nfFdDlLuU") if token.kind == "number" else token.text
            )


def _answer_count(source: _Source) -> int:
    return sum(1 for _ in _answers(source))


def _answers(source: _Source) -> Iterator[tuple[str, int, list[str], str]]:
    """Constants that are returned, or stand alone after an arrow, `?`, `:`, `??` or `||`."""
    parts = source.parts
    for place, token in enumerate(parts):
        if token.kind not in {"text", "number"} or place == 0:
            continue
        previous = parts[place - 1].text
        follows = parts[place + 1].text if place + 1 < len(parts) else ""
        begins = previous in _BEFORE_ANSWERS and follows in _AFTER_ANSWERS
        if begins or previous == "return":
            context = parts[max(0, place - 12) : place]
            pinned = [
                canonical(each.text)
                for each in context
                if each.kind in {"text", "number"} and not is_empty(canonical(each.text))
            ]
            compares = any(each.text in {"=", "case", "when", "?", "{"} for each in context)
            guard = "".join(_written(each) for each in context)
            yield canonical(token.text), token.line, pinned if compares else [], guard


def _written(token: Token) -> str:
    return f'"{token.text}"' if token.kind == "text" else token.text
