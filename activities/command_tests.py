"""Running a stage's test command in the sandbox and reading its JUnit reports into a TestReport."""

import asyncio
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from activities.artifact_store import get_bytes, put_bytes
from activities.collected_tests import digest_of, seen_by
from activities.git import git
from activities.heartbeat import heartbeating
from activities.junit_report import TestResult, failure_of, read_results
from activities.junit_xml import UnreadableReport
from activities.log_artifact import put_log
from activities.process import Completed
from activities.result_file import MAXIMUM_BYTES, is_result, read_result
from activities.sandbox import WORKSPACE, Sandbox, run_sandboxed
from activities.stack_frames import RepositoryFiles, frames_in
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.testing import TestFailure, TestOutcome, TestReport
from regreen.pipeline_file import TestSection

_MAXIMUM_FAILURES = 50
_MAXIMUM_REPORTS = 5_000
_MAXIMUM_TOTAL_BYTES = 4 * MAXIMUM_BYTES


async def run_command_tests(
    copy: Path,
    sandbox: Sandbox,
    output: Path,
    section: TestSection,
    *,
    subject: str,
    node_ids: Sequence[str] = (),
    keep: bool = False,
    original: TestReport | None = None,
) -> TestReport:
    """Run the stage's command at the root of a checked-out workspace, and read what it reports.

    No command can be told to run single tests, so all of them run; with `node_ids` the report is
    about these only. Reports that lie there before the run are removed: only what this run writes
    counts. With `keep` reports and output go to the artifact store, with the `original` report of
    the unpatched source the digest covers the tests it could see.
    """
    pattern = section.report or ""
    tracked = (await git(["ls-files", "-z"], cwd=copy)).decode("utf-8", "replace")
    files = RepositoryFiles(tracked.split("\0"), [str(copy), WORKSPACE])
    _make_room(copy, pattern)
    done = await run_sandboxed(
        sandbox, section.command, output=output, timeout=section.timeout, subject=subject
    )
    documents: list[bytes] = []
    results: list[TestResult] = []
    problem = ""
    try:
        # A large report takes seconds, in which heartbeats must go on.
        documents = await heartbeating(asyncio.to_thread(_written, copy, pattern), subject)
        results = await heartbeating(asyncio.to_thread(read_results, documents, files), subject)
    except UnreadableReport as error:
        problem = f"{pattern}: {error}"
    outcome, detail = _outcome(section, done, documents, results, problem)
    if node_ids and results and not problem and not done.timed_out:
        results, outcome, detail = _narrowed(results, node_ids)
    failed = [result for result in results if result.outcome == "failed"]
    report = TestReport(
        outcome=outcome,
        total=len(results),
        passed=sum(result.outcome == "passed" for result in results),
        failed=len(failed),
        skipped=sum(result.outcome == "skipped" for result in results),
        failures=tuple(_failure(result, files, done) for result in failed[:_MAXIMUM_FAILURES])
        if outcome == "failed"
        else (),
        collected_digest=digest_of(await _seen(results, original, files)),
        seconds=round(done.seconds, 3),
        detail=detail if outcome in ("broken", "no_tests") else "",
    )
    if not keep:
        return report
    return report.model_copy(
        update={
            "log": await _stored(documents),
            "output": await put_log(output),
        }
    )


def _failure(result: TestResult, files: RepositoryFiles, done: Completed) -> TestFailure:
    failure = failure_of(result, files)
    if failure.phase != "collect" or failure.frames:
        return failure
    # Why a file did not load is often told on the output alone.
    printed = files.relative(done.tail(4000))
    return failure.model_copy(
        update={
            "message": f"{failure.message}\n{printed}"[:2000],
            "frames": frames_in(printed, files),
        }
    )


def _make_room(copy: Path, pattern: str) -> None:
    """Remove what is there in place of a report, and make the folder that it goes into."""
    for path in _matching(copy, pattern):
        path.unlink()
    folder = copy
    for part in Path(pattern).parent.parts:
        folder /= part
        if any(character in part for character in "*?["):
            break
        if not _is_within(copy, folder):
            return
        folder.mkdir(exist_ok=True)


def _matching(copy: Path, pattern: str) -> list[Path]:
    """The files and links that the pattern means, none of them reached through a link out."""
    return sorted(
        path
        for path in copy.glob(pattern)
        if (path.is_symlink() or path.is_file()) and _is_within(copy, path.parent)
    )


def _is_within(copy: Path, folder: Path) -> bool:
    return folder.resolve().is_relative_to(copy.resolve())


def _written(copy: Path, pattern: str) -> list[bytes]:
    """The reports that the run wrote. Raises UnreadableReport for what cannot be taken for one."""
    paths = [path for path in _matching(copy, pattern) if is_result(path)]
    if len(paths) > _MAXIMUM_REPORTS:
        raise UnreadableReport(f"{len(paths)} files; at most {_MAXIMUM_REPORTS} are read")
    documents: list[bytes] = []
    for path in paths:
        data = read_result(path)
        if data is None or sum(map(len, documents)) + len(data) > _MAXIMUM_TOTAL_BYTES:
            limit = f"{MAXIMUM_BYTES >> 20} MiB, or all together than {_MAXIMUM_TOTAL_BYTES >> 20}"
            raise UnreadableReport(f"{path.name} is larger than {limit}")
        documents.append(data)
    return documents


def _outcome(
    section: TestSection,
    done: Completed,
    documents: Sequence[bytes],
    results: Sequence[TestResult],
    problem: str,
) -> tuple[TestOutcome, str]:
    tool = section.tool
    ended = f"{tool} ended with exit code {done.code}"
    lines = done.tail().strip().splitlines() or ["no output"]
    last = ([line for line in lines if "rror" in line] or lines)[-1][:300]
    if done.timed_out:
        return "broken", f"{tool} did not end within {section.timeout:g} s"
    if problem:
        return "broken", problem
    if not documents:
        return "broken", f"{ended} and wrote no report at {section.report}: {last}"
    if any(result.outcome == "failed" for result in results):
        return "failed", ""
    if not results:
        return "no_tests", f"{ended} and its report names no tests"
    if done.code != 0:
        return "broken", f"{ended}, though no test in its report failed: {last}"
    if all(result.outcome == "skipped" for result in results):
        return "no_tests", f"all {len(results)} tests were skipped"
    return "passed", ""


def _narrowed(
    results: Sequence[TestResult], node_ids: Sequence[str]
) -> tuple[list[TestResult], TestOutcome, str]:
    """Only these tests, and how they ended whatever the others did."""
    chosen = [result for result in results if result.node_id in set(node_ids)]
    reported = {result.node_id for result in chosen}
    # What stood for tests that could not be found is gone once they are; a test is never gone.
    gone = [name for name in node_ids if "::" in name and name not in reported]
    if gone:
        detail = f"{len(gone)} of {len(node_ids)} tests are not in the report, first {gone[0]}"
        return chosen, "broken", detail
    red = any(result.outcome == "failed" for result in chosen)
    return chosen, "failed" if red else "passed", ""


async def _seen(
    results: Sequence[TestResult], original: TestReport | None, files: RepositoryFiles
) -> list[str]:
    node_ids = [result.node_id for result in results if "::" in result.node_id]
    if original is None or all(failure.phase != "collect" for failure in original.failures):
        return node_ids
    if original.log is None:
        return seen_by(original, node_ids)
    # Reports often do not say in which file a test is, so the tests of a file that could not be
    # loaded are known only as those that the original run did not have.
    known = read_results(_documents(await get_bytes(original.log)), files)
    names = {result.node_id for result in known}
    return [node_id for node_id in node_ids if node_id in names]


async def _stored(documents: Sequence[bytes]) -> ArtifactRef | None:
    if len(documents) < 2:
        return await put_bytes("junit.xml", documents[0], "application/xml") if documents else None
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, document in enumerate(documents, start=1):
            archive.writestr(zipfile.ZipInfo(f"junit-{number:04}.xml"), document)
    return await put_bytes("junit.zip", packed.getvalue(), "application/zip")


def _documents(stored: bytes) -> list[bytes]:
    if not stored.startswith(b"PK"):
        return [stored]
    with zipfile.ZipFile(io.BytesIO(stored)) as archive:
        return [archive.read(name) for name in archive.namelist()]
