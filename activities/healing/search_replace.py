"""Reading a model's SEARCH/REPLACE blocks, and applying them to files.

A block is the file's path alone on a line, then `<<<<<<< SEARCH`, the old lines, `=======`, the new
lines, `>>>>>>> REPLACE`, with or without a code fence around it. Plain functions; no file is read
or written here.
"""

import difflib
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_SEARCH = re.compile(r"\s{0,3}<{5,9} ?SEARCH\s*")
_DIVIDER = re.compile(r"={7}\s*")
_REPLACE = re.compile(r"\s{0,3}>{5,9} ?REPLACE\s*")
_FENCE = re.compile(r"\s{0,3}(?:`{3,}|~{3,})\s*[\w.+#-]*\s*")
_PATH = re.compile(r"[\w.@+()\[\]/-]+")
_QUOTED_PATH = re.compile(r"(?P<mark>\*\*|`|\*)(?P<path>[\w.@+()\[\]/: -]+?):?(?P=mark)")
_LABEL = re.compile(
    r"(?:#+\s*|[-*]\s+|\d+[.)]\s+)?(?:(?:file|path)(?:name)?\s*:\s*)?", re.IGNORECASE
)


_MOST_LINES = 2_000


class MalformedReply(Exception):
    """A reply that cannot be used as edits. The message is one line that tells the model why."""


@dataclass(frozen=True)
class Block:
    """One replacement of lines in one file. No search lines: a new file."""

    path: str
    search: tuple[str, ...]
    replace: tuple[str, ...]


@dataclass(frozen=True)
class Reply:
    """A reply taken apart."""

    explanation: str
    blocks: tuple[Block, ...]


def parse_reply(text: str) -> Reply:
    """Take a reply apart into what it says and its blocks, in order.

    A block without a path of its own, right behind another, belongs to the same file. Raises
    MalformedReply when there is no block, one does not end, or one names no usable path.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    blocks: list[Block] = []
    said: list[str] = []
    start = position = 0
    while position < len(lines):
        if not _SEARCH.fullmatch(lines[position]):
            position += 1
            continue
        before = lines[start:position]
        path, kept = _find_path(before, blocks[-1].path if blocks else "")
        said += kept
        block, position = _read_block(lines, position, path)
        blocks.append(block)
        start = position = _skip_fence(lines, position)
    if not blocks:
        raise MalformedReply("the reply holds no `<<<<<<< SEARCH` block")
    said += lines[start:]
    return Reply("\n".join(said).strip(), tuple(blocks))


def apply_blocks(blocks: Sequence[Block], read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """The new content of every file that the blocks change; later blocks see what earlier ones did.

    `read` gives a file's bytes, None when there is no such file. Old lines are looked for exactly,
    then without trailing blanks, then with all of them indented by the same amount; they must be
    found once. Line endings, encoding, a missing final newline and all bytes outside the replaced
    lines stay. Raises MalformedReply with the file and the first line looked for.
    """
    contents: dict[str, bytes] = {}
    originals: dict[str, bytes | None] = {}
    for block in blocks:
        if block.path not in originals:
            originals[block.path] = read(block.path)
        current = contents.get(block.path, originals[block.path])
        contents[block.path] = _apply(block, current)
    changed = {path: data for path, data in contents.items() if data != originals[path]}
    if not changed:
        raise MalformedReply("the blocks change nothing: SEARCH and REPLACE say the same")
    return changed


def _find_path(before: list[str], previous: str) -> tuple[str, list[str]]:
    remaining = len(before)
    while remaining and (
        not before[remaining - 1].strip() or _FENCE.fullmatch(before[remaining - 1])
    ):
        remaining -= 1
    if not remaining:
        if previous:
            return previous, []
        raise MalformedReply("the first SEARCH block has no line with the file's path before it")
    line = before[remaining - 1].strip()
    path = _path_in(line)
    if not path:
        raise MalformedReply(
            f"a SEARCH block needs the file's path alone on the line before it, not `{line[:80]}`"
        )
    kept = before[: remaining - 1]
    while kept and (_FENCE.fullmatch(kept[-1]) or not kept[-1].strip()):
        kept.pop()
    return path, kept


def _path_in(line: str) -> str:
    bare = _LABEL.sub("", line, count=1).strip().removesuffix(":")
    if bare.startswith("**`") and bare.endswith("`**"):
        bare = bare[2:-2]
    quoted = _QUOTED_PATH.fullmatch(bare)
    path = _LABEL.sub("", quoted["path"], count=1) if quoted else bare
    if not quoted and not _is_path_text(path):
        return ""
    path = path.removeprefix("./")
    if path.startswith("/") or re.match(r"\w:", path) or ".." in path.split("/"):
        raise MalformedReply(f"the path `{path[:80]}` leaves the repository")
    # Before the guard sees an edit it is written, and git reads commands from its own folder.
    if any(part.lower().rstrip(" .") == ".git" for part in path.split("/")):
        raise MalformedReply(f"the path `{path[:80]}` lies in git's own folder")
    return path


def _is_path_text(text: str) -> bool:
    return bool(_PATH.fullmatch(text)) and ("/" in text or "." in text.strip("."))


def _read_block(lines: list[str], position: int, path: str) -> tuple[Block, int]:
    parts: list[list[str]] = [[], []]
    part = 0
    for number in range(position + 1, len(lines)):
        line = lines[number]
        if _SEARCH.fullmatch(line):
            raise MalformedReply(f"{path}: a block begins inside another; end it with REPLACE")
        if _DIVIDER.fullmatch(line):
            if part:
                raise MalformedReply(f"{path}: a block has more than one `=======`")
            part = 1
        elif _REPLACE.fullmatch(line):
            if not part:
                raise MalformedReply(f"{path}: a block has no `=======` between old and new lines")
            return Block(path, tuple(parts[0]), tuple(parts[1])), number + 1
        else:
            parts[part].append(line)
        if len(parts[0]) + len(parts[1]) > _MOST_LINES:
            raise MalformedReply(f"{path}: a block has more than {_MOST_LINES:,} lines")
    raise MalformedReply(f"{path}: the last block does not end with `>>>>>>> REPLACE`")


def _skip_fence(lines: list[str], position: int) -> int:
    if position < len(lines) and re.fullmatch(r"\s{0,3}(?:`{3,}|~{3,})\s*", lines[position]):
        return position + 1
    return position


def _apply(block: Block, content: bytes | None) -> bytes:
    if not any(line.strip() for line in block.search):
        if content:
            raise MalformedReply(f"{block.path} exists, so its SEARCH part must not be empty")
        return "".join(f"{line}\n" for line in block.replace).encode()
    if content is None:
        raise MalformedReply(f"{block.path} does not exist in the repository")
    encoding = _encoding(block.path, content)
    raw = [line for line in re.split(rb"(?<=\n)", content) if line]
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    if mark:
        raw[0] = raw[0].removeprefix(mark)
    texts = [line.rstrip(b"\r\n").decode(encoding, "surrogateescape") for line in raw]
    start, shift = _locate(block, texts)
    end = start + len(block.search)
    replaced = _replacement(block, raw[start:end], shift, encoding, _line_ending(raw))
    return mark + b"".join([*raw[:start], *replaced, *raw[end:]])


def _encoding(path: str, content: bytes) -> str:
    if path.endswith((".py", ".pyi")):
        try:
            found, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        except SyntaxError:
            return "latin-1"
        return "utf-8" if found == "utf-8-sig" else found
    return "utf-8"


def _line_ending(raw: list[bytes]) -> bytes:
    windows = sum(line.endswith(b"\r\n") for line in raw)
    return b"\r\n" if windows * 2 > len(raw) else b"\n"


@dataclass(frozen=True)
class _Shift:
    """Blanks that the file has before its lines and the reply has not, or the other way round."""

    added: str = ""
    removed: str = ""

    def apply(self, line: str) -> str:
        if not line.strip():
            return line.strip()
        bare = line.removeprefix(self.removed) if line.startswith(self.removed) else line.lstrip()
        return self.added + bare


def _locate(block: Block, texts: list[str]) -> tuple[int, _Shift | None]:
    for matcher in (_exact, _without_trailing_blanks, _indented):
        found = list(_matches(block.search, texts, matcher))
        if len(found) > 1:
            raise MalformedReply(
                f"{block.path}: the {len(block.search)} SEARCH line(s) beginning with"
                f" `{_first(block)}` are found {len(found)} times; add lines around them"
            )
        if found:
            return found[0]
    raise MalformedReply(
        f"{block.path}: the SEARCH lines beginning with `{_first(block)}` are not in the file;"
        " copy them from it exactly"
    )


def _first(block: Block) -> str:
    return next((line.strip() for line in block.search if line.strip()), "")[:80]


_Matcher = Callable[[Sequence[str], Sequence[str]], _Shift | bool | None]


def _matches(
    search: tuple[str, ...], texts: list[str], matcher: _Matcher
) -> Iterator[tuple[int, _Shift | None]]:
    for start in range(len(texts) - len(search) + 1):
        shift = matcher(search, texts[start : start + len(search)])
        if shift:
            yield start, shift if isinstance(shift, _Shift) else None


def _exact(search: Sequence[str], window: Sequence[str]) -> bool:
    return all(a == b for a, b in zip(search, window, strict=True))


def _without_trailing_blanks(search: Sequence[str], window: Sequence[str]) -> bool:
    return all(a.rstrip() == b.rstrip() for a, b in zip(search, window, strict=True))


def _indented(search: Sequence[str], window: Sequence[str]) -> _Shift | None:
    shift: _Shift | None = None
    for wanted, there in zip(search, window, strict=True):
        if wanted.strip() != there.strip():
            return None
        if not wanted.strip():
            continue
        wide, narrow = there.rstrip(), wanted.rstrip()
        if wide.endswith(narrow):
            found = _Shift(added=wide.removesuffix(narrow))
        elif narrow.endswith(wide):
            found = _Shift(removed=narrow.removesuffix(wide))
        else:
            return None
        if shift is not None and found != shift:
            return None
        shift = found
    return shift


def _replacement(
    block: Block, old: list[bytes], shift: _Shift | None, encoding: str, ending: bytes
) -> list[bytes]:
    # Lines that the block repeats keep their bytes: their blanks and their ending.
    wanted = [line.rstrip() for line in block.search]
    new = [line.rstrip() if line.rstrip() in wanted else line for line in block.replace]
    matcher = difflib.SequenceMatcher(None, wanted, new, autojunk=False)
    result: list[bytes] = []
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            result += [
                line.rstrip(b"\r\n") + (_ending_of(line) or ending)
                for line in old[old_start:old_end]
            ]
            continue
        for line in block.replace[new_start:new_end]:
            text = shift.apply(line) if shift else line
            try:
                result.append(text.encode(encoding, "surrogateescape") + ending)
            except UnicodeEncodeError as error:
                raise MalformedReply(
                    f"{block.path}: `{line.strip()[:80]}` cannot be written in {encoding}"
                ) from error
    if result and not _ending_of(old[-1]):
        result[-1] = result[-1].rstrip(b"\r\n")
    return result


def _ending_of(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]
