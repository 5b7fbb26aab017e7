"""What JUnit reports say about tests, whatever tool wrote them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from activities.junit_xml import TestCase, read_cases
from activities.stack_frames import RepositoryFiles, frames_in, without_frames
from regreen.contracts.testing import TestFailure
from regreen.printable import printable

# Node's test runner gives the kind of the test as its class.
_NO_CLASS = {"", "test", "suite"}
_EXCEPTION = re.compile(
    r"(?:^|\s|\[)(?:[\w$]+[.\\:]+)*((?:[A-Z][\w$]*)?(?:Error|Exception|Failure))\b"
)
# Go and PHPUnit say first which test it is.
_NOISE = re.compile(
    r"^(?:\s*(?:=== RUN|=== PAUSE|=== CONT|--- FAIL).*|[\w\\]+::\w+(?: with data set .*)?)(?:\n|$)",
    re.MULTILINE,
)
_LONGEST_NAME = 500
_LONGEST_SEARCHED = 20_000
_NOT_BUILT = re.compile(r"\[(?:build|setup) failed\]")


@dataclass(frozen=True)
class TestResult:
    """One test of a run."""

    __test__ = False

    node_id: str
    """`file::class::name` as far as the report tells, the same in every run of a tree.

    It is without `::` where it stands for tests that could not be found: a file or a package that
    did not load.
    """
    outcome: Literal["passed", "failed", "skipped"]
    case: TestCase


def read_results(documents: Sequence[bytes], files: RepositoryFiles) -> list[TestResult]:
    """The tests of one run's reports, in their order.

    Raises UnreadableReport when one of them is none.
    """
    known: dict[str, int] = {}
    results = []
    for document in documents:
        for case in read_cases(document):
            # On one line, and without what would steer a terminal.
            name = " ".join(printable(_name(case, files)).split())[:_LONGEST_NAME]
            known[name] = known.get(name, 0) + 1
            node_id = name if known[name] == 1 else f"{name}#{known[name]}"
            results.append(TestResult(node_id, _outcome(case), case))
    return results


def failure_of(result: TestResult, files: RepositoryFiles) -> TestFailure:
    """How a failed test failed."""
    problem = result.case.problem
    assert problem is not None, "only what failed has a failure"
    text = printable(files.relative(problem.text)).strip("\n")
    detail = _NOISE.sub("", without_frames(text)).strip()
    message = _on_one_line(printable(files.relative(problem.message)).strip(), detail)
    if not detail.startswith(message) and not (detail and message == "Failed"):
        detail = f"{message}\n{detail}".strip()
    return TestFailure(
        node_id=result.node_id,
        phase="call" if "::" in result.node_id else "collect",
        exception=_exception(problem.kind, f"{message}\n{text}"),
        message=(detail or problem.kind or "failed")[:2000],
        frames=frames_in(problem.text, files),
        output=printable(result.case.output).strip("\n")[-2000:],
    )


def _on_one_line(message: str, text: str) -> str:
    """The message with spaces between its lines, which some reporters glue to each other."""
    letters = "".join(message[:_LONGEST_NAME].split())
    if not letters or "\n" in message:
        return message
    found = re.search(r"\s*".join(map(re.escape, letters)), text[:_LONGEST_SEARCHED])
    return " ".join(found[0].split()) if found else message


def _outcome(case: TestCase) -> Literal["passed", "failed", "skipped"]:
    # A failing test that is marked as work to do is skipped, too: it is no failure of its run.
    if case.skipped:
        return "skipped"
    return "failed" if case.problem else "passed"


def _name(case: TestCase, files: RepositoryFiles) -> str:
    if _stands_for_others(case, files):
        name = case.name if case.whole_suite or files.has(case.name) else case.class_name
        return files.relative(name or case.name or "suite").replace("::", ":")
    parts = [files.find(case.file) or case.file]
    parts += case.suites if case.class_name in _NO_CLASS else [case.class_name]
    told = [files.relative(part) for part in parts if part]
    return "::".join([*(told or ["test"]), files.relative(case.name) or "(without a name)"])


def _stands_for_others(case: TestCase, files: RepositoryFiles) -> bool:
    problem = case.problem
    if problem is None or case.skipped:
        return False
    if case.whole_suite or problem.message == "collection failure":
        return True
    return files.has(case.name) or bool(_NOT_BUILT.search(problem.message + problem.text))


def _exception(kind: str, text: str) -> str:
    name = re.split(r"[.\\:]", kind)[-1]
    if name.isidentifier() and name[:1].isupper():
        return name
    found = _EXCEPTION.findall(text)
    # The cause comes last, after the errors that wrap it.
    telling = [each for each in found if each != "Error"] or found
    return str(telling[-1]) if telling else ""
