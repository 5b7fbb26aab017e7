"""The documents of a commit that a release's checklist asks for.

Of the commit as it was fetched: a heal cannot write a changelog, a migration guide or a plan.
"""

import hashlib
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from packaging.version import Version

from activities.git import git
from activities.versioning import spelled
from regreen.contracts.release_plan import ReleaseDocument
from regreen.pipeline_file import ChecklistSection

_CHANGELOG = re.compile(r"(changelog|changes|history|news)(\.(md|rst|txt|adoc))?", re.IGNORECASE)
_PATH = re.compile(r"[\w][\w./-]*\w")
_TEXTS = (".md", ".rst", ".txt", ".adoc", ".html")
_MOST_BYTES = 4 << 20

_Item = Literal["changelog", "migration", "rollback"]


async def release_documents(
    repository: Path,
    commit: str,
    section: ChecklistSection,
    version: Version,
    breaking: Sequence[str],
    changed: Sequence[str],
) -> tuple[ReleaseDocument, ...]:
    """Those that the release needs, each with its digest or with what is wrong.

    `breaking` says what breaks, `changed` are the paths that differ from the last release.
    A repository without a changelog needs none: the release notes are it. Files above 4 MiB are
    not read, as if they were not there.
    """
    listed = await git(["ls-tree", "-r", "-l", "-z", commit], cwd=repository)
    files = {}
    for entry in listed.decode("utf-8", "replace").split("\0"):
        if entry.startswith("100"):
            about, _, path = entry.partition("\t")
            _, _, blob, size = about.split()
            if int(size) <= _MOST_BYTES:
                files[path] = blob
    tree = _Tree(repository, files)
    found = [await _changelog(tree, version)]
    if breaking:
        found.append(await _migration(tree, section.migration, breaking, changed))
    if section.rollback is not None:
        found.append(await _rollback(tree, section.rollback))
    return tuple(document for document in found if document is not None)


class _Tree:
    """The regular files of a commit."""

    def __init__(self, repository: Path, files: dict[str, str]) -> None:
        self._repository, self.files = repository, files

    async def read(self, path: str) -> bytes:
        """What is in the file."""
        return await git(["cat-file", "blob", self.files[path]], cwd=self._repository)

    async def document(self, item: _Item, path: str, problem: str = "") -> ReleaseDocument:
        """The file as a document, with its digest."""
        digest = hashlib.sha256(await self.read(path)).hexdigest()
        return ReleaseDocument(item=item, path=path, sha256=digest, problem=problem)


async def _changelog(tree: _Tree, version: Version) -> ReleaseDocument | None:
    paths = sorted(path for path in tree.files if _CHANGELOG.fullmatch(path))
    for path in paths:
        text = (await tree.read(path)).decode("utf-8", "replace")
        if _mentions(text, version):
            return await tree.document("changelog", path)
    if not paths:
        return None
    wanted = f"{paths[0]} does not mention {version.base_version}"
    return await tree.document("changelog", paths[0], wanted)


def _mentions(text: str, version: Version) -> bool:
    # The entry of a pre-release is often the one of the release that it becomes, not the reverse.
    for wanted in (str(version), spelled(version, python=False), version.base_version):
        number = re.escape(wanted)
        if re.search(rf"(?<![\w.])v?{number}(?!\w|\.\w|-(?:dev|alpha|beta|rc)\b)", text):
            return True
    return False


async def _migration(
    tree: _Tree, pattern: str | None, breaking: Sequence[str], changed: Sequence[str]
) -> ReleaseDocument:
    if pattern is not None:
        for path in changed:
            if path in tree.files and fnmatchcase(path, pattern):
                return await tree.document("migration", path)
    for text in breaking:
        for name in _PATH.findall(text):
            # What breaks is often named by its own file, which is no guide.
            if name in tree.files and name.lower().endswith(_TEXTS):
                return await tree.document("migration", name)
    where = f"no file of {pattern} has changed, and " if pattern else ""
    problem = f"the release breaks something, {where}no `BREAKING CHANGE:` names a migration guide"
    return ReleaseDocument(item="migration", problem=problem)


async def _rollback(tree: _Tree, path: str) -> ReleaseDocument:
    if path not in tree.files:
        return ReleaseDocument(item="rollback", path=path, problem=f"{path} is not in the commit")
    if not (await tree.read(path)).strip():
        return await tree.document("rollback", path, f"{path} is empty")
    return await tree.document("rollback", path)
