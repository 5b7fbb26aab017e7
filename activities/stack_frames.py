"""Places of a repository in the stack traces of common languages."""

import itertools
import posixpath
import re
from collections.abc import Collection, Iterator, Sequence

from regreen.contracts.testing import Frame

_NUMBER = r"(?P<line>\d{1,7})"
_PATH = r"(?P<path>[^\s()\"'`|<>:]+)"
# From the most telling to the barest; the first that fits a line counts.
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf'^\s*File "(?P<path>[^"]+)", line {_NUMBER}(?:, in (?P<function>\S+))?',  # Python
        rf"^\s*at (?:[\w.@-]+/)*(?P<owner>(?:\w+\.)*)[\w$]+\.(?P<function>[\w$<>]+)"
        rf"\((?P<path>\w+\.(?:java|kt|kts|scala|groovy)):{_NUMBER}\)",  # Java and its kin
        rf"^\s*at (?P<function>.+?) in (?P<path>.+?):line {_NUMBER}",  # .NET
        # JavaScript
        rf"^\s*at (?:async )?(?P<function>[^(]+?) \((?:file://)?(?P<path>[^():]+):{_NUMBER}(?::\d+)?"
        r"\)",
        rf"^\s*(?:at|❯) (?:async )?(?:(?P<function>\S+) )?(?:file://)?{_PATH}:{_NUMBER}:\d+",
        rf"^\s*#\d+ (?P<path>[^()]+)\({_NUMBER}\): (?P<function>[^\s(]+)",  # PHP
        rf"^\s*(?:# |from )?{_PATH}:{_NUMBER}:in [`'](?P<function>[^']+)'",  # Ruby
        rf"(?:^|[\s(])(?:file://)?{_PATH}:{_NUMBER}\b",  # Go, Rust, PHP, pytest and others
    )
)
_CAUSE = re.compile(r"^\s*(?:\[?cause\]?:|Caused by:)", re.MULTILINE)
_MOST_LINES = 500
_LONGEST_LINE = 400
_MOST_FRAMES = 50


class RepositoryFiles:
    """The files of a repository, found by whatever a stack trace calls them."""

    def __init__(self, paths: Collection[str], roots: Sequence[str] = ()) -> None:
        """`paths` are relative to the root; `roots` are the names that the root itself goes by."""
        self._paths = frozenset(paths)
        self._roots = tuple(f"{root.rstrip('/')}/" for root in roots)
        self._named: dict[str, list[str]] = {}
        for path in sorted(self._paths):
            self._named.setdefault(posixpath.basename(path), []).append(path)

    def has(self, name: str) -> bool:
        """Whether this is the full name of one of the files."""
        return self.relative(name) in self._paths

    def find(self, name: str) -> str:
        """The path of the file that is meant; empty when it is none of them, or not clear."""
        name = self.relative(name.removeprefix("file://").replace("\\", "/"))
        plain = posixpath.normpath(name) if name else ""
        if plain in self._paths:
            return plain
        if plain.startswith(("/", "..")) or not plain:
            return ""
        # Java names a file without its source folder, Go without that of its package.
        ending = [
            path
            for path in self._named.get(posixpath.basename(plain), ())
            if path.endswith(f"/{plain}")
        ]
        return ending[0] if len(ending) == 1 else ""

    def relative(self, text: str) -> str:
        """The text without the root's name, so that it is the same in every workspace."""
        for root in self._roots:
            text = text.replace(f"file://{root}", "").replace(root, "")
        return text


def frames_in(text: str, files: RepositoryFiles) -> tuple[Frame, ...]:
    """The places of the repository that a stack trace names, the innermost last.

    Python names the innermost call last, all others first; an error's cause comes after the error
    and lies further in.
    """
    starts = [0, *(match.start() for match in _CAUSE.finditer(text)), len(text)]
    found: dict[tuple[str, int], Frame] = {}
    for start, end in itertools.pairwise(starts):
        part = list(_frames(text[start:end], files))
        if not any(frame.path.endswith(".py") for frame in part):
            part.reverse()
        for frame in part:
            found.setdefault((frame.path, frame.line), frame)
    return tuple(found.values())[-_MOST_FRAMES:]


def without_frames(text: str) -> str:
    """The text without the lines that only tell a place in a call stack."""
    return "\n".join(line for line in text.splitlines() if not re.match(r"\s*(?:at|❯|#\d+) ", line))


def _frames(text: str, files: RepositoryFiles) -> Iterator[Frame]:
    for line in text.splitlines()[:_MOST_LINES]:
        for form in _FORMS:
            match = form.search(line[:_LONGEST_LINE])
            if match is None:
                continue
            groups = match.groupdict()
            owner = (groups.get("owner") or "").replace(".", "/")
            path = files.find(owner + groups["path"])
            if path and int(groups["line"]) > 0 and "node_modules/" not in path:
                function = (groups.get("function") or "").strip()[:200]
                yield Frame(path=path, line=int(groups["line"]), function=function)
                break
