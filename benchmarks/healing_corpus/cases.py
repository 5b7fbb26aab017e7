"""Cases: bugs that the package's tests notice, chosen by seed and remembered."""

import asyncio
import dataclasses
import difflib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.artifact_store import get_bytes
from activities.environment import ensure_environment
from activities.pytest_run import run_pytest
from activities.test_stage import run_tests
from activities.workspace import private_folder
from benchmarks.healing_corpus.injector import in_order, injector_digest, mutations
from benchmarks.healing_corpus.mutation import TIERS, Mutation
from benchmarks.healing_corpus.packages import Package
from benchmarks.healing_corpus.pristine import as_source, corpus_digest
from regreen.contracts.run import SourceFetched, StageRequest
from regreen.contracts.source import Workspace
from regreen.contracts.testing import TestReport
from regreen.pipeline_file import TestSection

STAGE = "unit"
_SLACK_SECONDS = 30.0
_SLOWER = 4.0
_MOST_TRIALS = 12


@dataclass(frozen=True)
class Case:
    """One bug in one package."""

    package: str
    seed: int
    number: int
    mutation: Mutation

    @property
    def name(self) -> str:
        """Such as `toolz-1-004`."""
        return f"{self.package}-{self.seed}-{self.number:03}"

    @property
    def digest(self) -> str:
        """Changes when the same name stands for another bug."""
        text = json.dumps([dataclasses.asdict(self.mutation), corpus_digest()])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def write(self, tree: Path) -> None:
        """Put the bug into a copy of the pristine tree."""
        path = tree / self.mutation.path
        path.write_bytes(self.mutation.applied(path.read_bytes()))

    def diff(self, pristine: Path) -> str:
        """The bug for a person's eyes."""
        before = (pristine / self.mutation.path).read_bytes()
        lines = difflib.unified_diff(
            before.decode().splitlines(keepends=True),
            self.mutation.applied(before).decode().splitlines(keepends=True),
            f"a/{self.mutation.path}",
            f"b/{self.mutation.path}",
        )
        return "".join(lines)


@dataclass(frozen=True)
class Baseline:
    """The package without a bug."""

    fetched: SourceFetched
    report: TestReport
    executed: dict[str, list[int]]
    """Lines that the tests execute, by file."""


async def baseline(package: Package, pristine: Path) -> Baseline:
    """Run the package's own tests on the package as it is; they must be green."""
    with private_folder() as folder:
        tree = folder / package.name
        await asyncio.to_thread(shutil.copytree, pristine, tree)
        fetched = await as_source(tree, package.name)
    report = await run_tests(
        StageRequest(
            stage=STAGE,
            workspace=Workspace(source=fetched.source),
            pipeline=fetched.pipeline,
        )
    )
    if report.outcome != "passed" or report.coverage is None:
        first = report.failures[0].node_id if report.failures else report.detail
        raise RuntimeError(f"{package.name} is not green without a bug: {first}")
    measured = json.loads(await get_bytes(report.coverage))
    executed = {path: each["executed_lines"] for path, each in measured["files"].items()}
    return Baseline(fetched, report, executed)


def section(found: Baseline) -> TestSection:
    """The test stage with a time limit that a bug which hangs meets soon."""
    limit = _SLACK_SECONDS + _SLOWER * found.report.seconds
    return TestSection(timeout=limit)


async def prepare_cases(
    package: Package,
    pristine: Path,
    found: Baseline,
    *,
    seed: int,
    count: int,
    cache: Path,
    tell: Callable[[str], None],
) -> list[Case]:
    """The first `count` cases of a package and seed; fewer when it has no room for more.

    Tiers take turns. Whether a bug is noticed is found by running the tests, and remembered in
    `cache`.
    """
    remembered = _Remembered(cache, package.name, seed)
    sources = _sources(package, pristine, found)
    every = [
        mutation
        for path, data in sources.items()
        for mutation in await asyncio.to_thread(mutations, path, data, found.executed[path])
    ]
    orders = {tier: in_order(sources, every, tier, seed, package.name) for tier in TIERS}
    cases: list[Case] = []
    while orders and len(cases) < count:
        for tier in list(orders):
            if len(cases) == count:
                break
            mutation = await _next_noticed(orders[tier], package, pristine, found, remembered, tell)
            if mutation is None:
                del orders[tier]
                continue
            cases.append(Case(package.name, seed, len(cases) + 1, mutation))
    return cases


async def _next_noticed(
    order: Iterator[Mutation],
    package: Package,
    pristine: Path,
    found: Baseline,
    remembered: "_Remembered",
    tell: Callable[[str], None],
) -> Mutation | None:
    for _ in range(_MOST_TRIALS):
        mutation = next(order, None)
        if mutation is None:
            return None
        verdict = remembered.get(mutation)
        if verdict is None:
            verdict = await _verdict(mutation, package, pristine, found)
            remembered.add(mutation, verdict)
            place = f"{mutation.path}:{mutation.line}"
            tell(f"{package.name}: {mutation.tier} {mutation.pattern} at {place}: {verdict}")
        if verdict == "noticed":
            return mutation
    return None


async def _verdict(mutation: Mutation, package: Package, pristine: Path, found: Baseline) -> str:
    """`noticed`, or why the bug makes no case."""
    with private_folder() as folder:
        tree, results = folder / "workspace", folder / "results"
        await asyncio.to_thread(shutil.copytree, pristine, tree)
        results.mkdir()
        path = tree / mutation.path
        path.write_bytes(mutation.applied(path.read_bytes()))
        workspace = Workspace(source=found.fetched.source)
        environment = await ensure_environment(workspace, found.fetched.pipeline, tree)
        report = await run_pytest(
            tree,
            environment,
            results,
            section(found),
            subject=f"{package.name}: bug",
        )
    if report.outcome == "passed":
        return "not noticed"
    if report.outcome != "failed":
        return f"{report.outcome}: {report.detail[:80]}"
    if not report.finished:
        return "hangs or ends the test process"
    if all(each.phase == "collect" for each in report.failures):
        return "only collection fails"
    if report.total < found.report.total // 2:
        return "most tests are not collected"
    return "noticed"


def _sources(package: Package, pristine: Path, found: Baseline) -> dict[str, bytes]:
    """The package's own executed files, tests left out."""
    tests = [pristine / name for name in package.tests]
    chosen = {}
    for name in package.sources:
        root = pristine / name
        for file in [root] if root.is_file() else sorted(root.rglob("*.py")):
            path = file.relative_to(pristine).as_posix()
            is_test = any(file.is_relative_to(each) for each in tests)
            if not is_test and "tests" not in file.parts and path in found.executed:
                chosen[path] = file.read_bytes()
    return chosen


class _Remembered:
    """Which bugs the tests noticed, kept in a file for each package, seed and injector."""

    def __init__(self, cache: Path, package: str, seed: int) -> None:
        key = f"{package}-{seed}-{corpus_digest()}-{injector_digest()}"
        self._file = cache / "cases" / f"{key}.json"
        self._verdicts: dict[str, Any] = {}
        if self._file.is_file():
            self._verdicts = json.loads(self._file.read_text("utf-8"))

    def get(self, mutation: Mutation) -> str | None:
        """The verdict, if the bug was tried before."""
        return self._verdicts.get(_key(mutation))

    def add(self, mutation: Mutation, verdict: str) -> None:
        """Remember a verdict at once, so that an interrupted run loses nothing."""
        self._verdicts[_key(mutation)] = verdict
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(self._verdicts, indent=1), "utf-8")
        partial.replace(self._file)


def _key(mutation: Mutation) -> str:
    return f"{mutation.path}:{mutation.start}-{mutation.end}:{mutation.replacement}"
