"""Whether a patch is right, judged without the healer: by the original, on random inputs."""

import asyncio
import dataclasses
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from activities.environment import ensure_environment
from activities.git import git
from activities.pytest_run import run_pytest, test_sandbox
from activities.sandbox import inside, run_sandboxed
from activities.workspace import private_folder
from benchmarks.healing_corpus.cases import Baseline, Case, section
from benchmarks.healing_corpus.changed_functions import (
    Target,
    changed_functions,
    same_program,
)
from regreen.contracts.source import Workspace

_PLUGIN = Path(__file__).with_name("regreen_replay")
_VARIANTS = 40
_MOST_CALLS = 60
_LEAST_INPUTS = 5
_QUICK_SECONDS = 0.1
_REPLAY_SECONDS = 180.0
# An argument that the original refuses in this way lies outside of what it is for.
_OUTSIDE = frozenset({"TypeError", "AttributeError", "NameError", "RecursionError", "MemoryError"})

Correctness = Literal[
    "identical",  # the same syntax trees as the original
    "equivalent",  # the changed functions agreed on every comparable input
    "different",  # they did not agree on one
    "undecided",  # too few comparable inputs to say; counts as not correct
    "red",  # the package's tests are not all green
]
CORRECT: tuple[Correctness, ...] = ("identical", "equivalent")


@dataclass(frozen=True)
class Judgement:
    """What the judge says of a patch."""

    correctness: Correctness
    inputs: int = 0
    """Different inputs on which original and patched program were compared."""
    detail: str = ""
    """For `different`, an input and both outcomes; for others, why."""


async def judge(case: Case, pristine: Path, found: Baseline, patch: bytes) -> Judgement:
    """Compare the patched package with the original."""
    with private_folder() as folder:
        patched = folder / "patched"
        await asyncio.to_thread(shutil.copytree, pristine, patched)
        case.write(patched)
        await git(["init", "--quiet"], cwd=patched)
        await git(["apply", "--whitespace=nowarn", "-"], cwd=patched, data=patch)
        await asyncio.to_thread(shutil.rmtree, patched / ".git")
        workspace = Workspace(source=found.fetched.source)
        environment = await ensure_environment(workspace, found.fetched.pipeline, patched)
        results = folder / "suite"
        results.mkdir()
        report = await run_pytest(
            patched, environment, results, section(found), subject=f"{case.name}: whole suite"
        )
        same_tests = report.collected_digest == found.report.collected_digest
        if report.outcome != "passed" or not same_tests:
            return Judgement("red", detail=report.detail or f"{report.failed} tests fail")
        before, after = _python_files(pristine), _python_files(patched)
        if same_program(before, after):
            return Judgement("identical")
        original = folder / "original"
        await asyncio.to_thread(shutil.copytree, pristine, original)
        replays = _Replays(environment, folder, changed_functions(before, after))
        calls = await replays.count(original)
        selected = spread(calls, _MOST_CALLS)
        if not selected:
            return Judgement("undecided", detail="the tests call none of the changed functions")
        first = await replays.run(original, selected)
        again = await replays.run(original, selected)
        other = await replays.run(patched, selected)
    return compare(first, again, other)


def _python_files(tree: Path) -> dict[str, bytes]:
    return {
        path.relative_to(tree).as_posix(): path.read_bytes() for path in sorted(tree.rglob("*.py"))
    }


Call = tuple[str, str, str, int]
"""Test, file, function, and the number of the call within the test."""


@dataclass
class _Replays:
    """Runs of the package's tests in which the changed functions are watched."""

    environment: Path
    folder: Path
    targets: Sequence[Target]
    _runs: int = 0

    async def count(self, tree: Path) -> list[Call]:
        """The calls that the tests make, at most a few for each test and function."""
        records = await self._pytest(tree, None, ())
        return [(each["test"], *each["target"], each["number"]) for each in records]

    async def run(self, tree: Path, selected: Sequence[Call]) -> list[dict[str, Any]]:
        """The outcomes of the selected calls and of random inputs near theirs."""
        tests = tuple(dict.fromkeys(call[0] for call in selected))
        return await self._pytest(tree, list(selected), tests)

    async def _pytest(
        self, tree: Path, selected: list[Call] | None, tests: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        self._runs += 1
        results = self.folder / f"replay-{self._runs}"
        shutil.copytree(
            _PLUGIN, results / _PLUGIN.name, ignore=shutil.ignore_patterns("__pycache__")
        )
        sandbox = test_sandbox(tree, self.environment, results)
        output = results / "outcomes.jsonl"
        plan = {
            "targets": self.targets,
            "selected": selected,
            "variants": _VARIANTS,
            "output": inside(sandbox, output),
        }
        (results / "plan.json").write_text(json.dumps(plan), "utf-8")
        path = f"{sandbox.variables['PYTHONPATH']}:{inside(sandbox, results)}"
        more = {"PYTHONPATH": path, "REGREEN_REPLAY": inside(sandbox, results / "plan.json")}
        sandbox = dataclasses.replace(sandbox, variables={**sandbox.variables, **more})
        python = f"{inside(sandbox, self.environment)}/bin/python"
        await run_sandboxed(
            sandbox,
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            + ["-p", f"{_PLUGIN.name}.plugin", *tests],
            output=results / "pytest.txt",
            timeout=_REPLAY_SECONDS,
            subject="replay",
        )
        # It is written by what runs in the sandbox: a line may be anything.
        if not output.is_file() or output.is_symlink():
            return []
        return list(_records(output.read_text("utf-8", "replace").splitlines()))


def _records(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict):
            yield record


def spread(calls: Sequence[Call], most: int) -> list[Call]:
    """At most `most` calls, evenly over the functions and over the tests of each."""
    by_function: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        by_function.setdefault(call[1:3], []).append(call)
    chosen: list[Call] = []
    for each in by_function.values():
        share = max(1, most // len(by_function))
        step = max(1.0, len(each) / share)
        chosen += [each[int(number * step)] for number in range(min(share, len(each)))]
    return chosen[:most]


def compare(
    first: Sequence[Mapping[str, Any]],
    again: Sequence[Mapping[str, Any]],
    other: Sequence[Mapping[str, Any]],
) -> Judgement:
    """Judge from two replays of the original and one of the patched package.

    What the original does not do twice is left out, and so are edited inputs that it refuses with
    a TypeError or the like.
    """
    repeated, patched = _by_call(again), _by_call(other)
    inputs: set[str] = set()
    for call, record in _by_call(first).items():
        twin, counterpart = repeated.get(call), patched.get(call)
        if twin is None or counterpart is None or not _comparable(record, twin, counterpart):
            continue
        inputs.add(f"{record['target']} {record['input']}")
        if _behaviour(record) != _behaviour(counterpart):
            detail = f"{record['target'][1]}: {record['shown_input']}: "
            detail += f"{_shown(record)} became {_shown(counterpart)}"
            return Judgement("different", len(inputs), detail)
    if len(inputs) < _LEAST_INPUTS:
        return Judgement("undecided", len(inputs), "too few comparable inputs")
    return Judgement("equivalent", len(inputs))


def _by_call(records: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    return {
        (each["test"], *each["target"], each["number"], each["variant"]): each for each in records
    }


def _comparable(
    record: Mapping[str, Any], twin: Mapping[str, Any], other: Mapping[str, Any]
) -> bool:
    if record["input"] != other["input"] or record["input"] != twin["input"]:
        return False
    if record["kind"] not in ("value", "raise") or _behaviour(record) != _behaviour(twin):
        return False
    if record["variant"] and not _OUTSIDE.isdisjoint(record["raised"]):
        return False
    if other["kind"] == "too long":
        # A busy machine is slow as well; what took next to no time before is not.
        return float(max(record["seconds"], twin["seconds"])) < _QUICK_SECONDS
    return bool(other["kind"] != "unknown")


def _behaviour(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is compared: of an exception that an edited input raises, the class is enough."""
    if record["kind"] == "raise":
        text = "" if record["variant"] else record["result"]
        return ("raise", record["raised"], text, record["arguments"])
    return (record["kind"], record.get("result"), record.get("arguments"))


def _shown(record: Mapping[str, Any]) -> str:
    if record["kind"] == "too long":
        return "no end"
    return f"{record['shown_result']} (arguments then {record['shown_arguments']})"
