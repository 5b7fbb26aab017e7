"""What the documents in a release folder say, and whether they agree with each other."""

from collections.abc import Collection
from pathlib import Path

from activities.bill_consistency import bills_problem
from activities.release_waivers import WAIVERS, waivers_problem
from activities.syft import CYCLONEDX_SUFFIX, SPDX_SUFFIX


def content_problems(
    directory: Path, listed: dict[str, str], whole: Collection[str]
) -> dict[str, str]:
    """What is wrong with documents, by file, in one line each.

    `listed` are the folder's files with their digests, `whole` those that have them.
    """
    problems = {}
    for path in whole:
        if not path.endswith(SPDX_SUFFIX):
            continue
        other = path.removesuffix(SPDX_SUFFIX) + CYCLONEDX_SUFFIX
        if other in whole:
            problems[path] = bills_problem(directory / other, directory / path)
    if WAIVERS in whole:
        problems[WAIVERS] = waivers_problem(directory / WAIVERS, listed)
    return problems
