"""What lies in a release folder, and what its `SHA256SUMS` lists."""

import os
import re
import stat
from pathlib import Path, PurePosixPath

from activities.cosign import BUNDLE_SUFFIX
from activities.release_folder import SUMS

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_SUMS_BYTES = 1 << 20


def listed_files(directory: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Digest of each file that SHA256SUMS lists, and what is wrong with the list itself."""
    sums = directory / SUMS
    if not is_regular(sums) or sums.stat().st_size > _SUMS_BYTES:
        return {}, [(SUMS, "is missing, or not a regular file of at most 1 MiB")]
    listed: dict[str, str] = {}
    problems = []
    for number, line in enumerate(sums.read_bytes().decode("utf-8", "replace").split("\n"), 1):
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            problems.append((SUMS, f"line {number} is not a digest, two spaces and a path"))
        elif not _inside(match[2]):
            problems.append((match[2], f"line {number} of {SUMS} leads out of the folder"))
        elif match[2] in listed:
            problems.append((match[2], f"line {number} of {SUMS} lists it a second time"))
        else:
            listed[match[2]] = match[1]
    return listed, problems


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    plain = path.isprintable() and "\\" not in path and path == "/".join(parts)
    return plain and path not in (SUMS, f"{SUMS}{BUNDLE_SUFFIX}") and ".." not in parts


def folder_entries(directory: Path) -> set[str]:
    """Everything in the folder that is not itself a folder; links are not followed."""
    found = set()
    for base, folders, files in os.walk(directory, followlinks=False):
        links = [name for name in folders if (Path(base) / name).is_symlink()]
        for name in [*files, *links]:
            found.add((Path(base) / name).relative_to(directory).as_posix())
    return found


def is_regular(path: Path) -> bool:
    """Whether it is a file and no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
