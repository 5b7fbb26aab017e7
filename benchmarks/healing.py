"""How many bugs in well-known packages the search healer heals, how many rightly, how fast.

    python -m benchmarks.healing [--set development|held-out|both] [--packages NAME …]
                                 [--cases N] [--seed N] [--seconds S] [--jobs N] [--json FILE]
    python -m benchmarks.healing --show CASE
    python -m benchmarks.healing --rate-only

Downloads go to `.benchmark/`, and so do the results: a run that was interrupted goes on where it
was; cases that the same engine has finished are not run again. `docs/healing-benchmark.md` says
what is measured. Progress on standard error, the report in Markdown on standard output.
Exit codes: 0 measured or shown, 2 could not run.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from benchmarks.healing_corpus.candidate_rate import candidate_rate
from benchmarks.healing_corpus.cases import Baseline, Case, baseline, prepare_cases
from benchmarks.healing_corpus.heal_case import Healed, heal
from benchmarks.healing_corpus.judge import judge
from benchmarks.healing_corpus.packages import PACKAGES, Package, package_named
from benchmarks.healing_corpus.pristine import ROOT, prepare
from benchmarks.healing_corpus.report import document, markdown
from benchmarks.healing_corpus.results import (
    Result,
    ResultStore,
    engine_digest,
    judge_digest,
    key_of,
    result_of,
)
from regreen.errors import UsageError
from regreen.settings import load_settings

CACHE = ROOT / ".benchmark"
_SEARCH_SEED = 0
_RATE_SECONDS = 30.0


@dataclass(frozen=True)
class Prepared:
    """A package with its cases."""

    package: Package
    pristine: Path
    found: Baseline
    cases: list[Case]


async def prepare_package(
    package: Package, trees: Path, seed: int, count: int, tell: Callable[[str], None]
) -> Prepared:
    """Run the package's tests without a bug and choose its cases."""
    pristine = trees / package.name
    found = await baseline(package, pristine)
    hidden = package.part == "held-out"
    cases = await prepare_cases(
        package,
        pristine,
        found,
        seed=seed,
        count=count,
        cache=CACHE,
        tell=(lambda _: None) if hidden else tell,
    )
    tell(f"{package.name}: {len(cases)} cases, suite {found.report.seconds:.1f} s")
    return Prepared(package, pristine, found, cases)


async def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Heal and judge every chosen case that is not finished yet, and give the figures."""
    store = ResultStore(CACHE / "results.jsonl")
    limits = {
        "cases": chosen.cases,
        "seed": chosen.seed,
        "seconds": chosen.seconds,
        "jobs": chosen.jobs,
        "cores": os.cpu_count(),
        "engine": engine_digest(),
        "judge": judge_digest(),
    }
    rates = await candidate_rate(_RATE_SECONDS)
    if chosen.rate_only:
        return document([], rates, limits, reveal=False)
    trees = prepare(CACHE)
    prepared = [
        await prepare_package(package, trees, chosen.seed, chosen.cases, say)
        for package in chosen.packages
    ]
    # In turns, so that a run that is interrupted has seen every package.
    every = [(each, case) for each in prepared for case in each.cases]
    every.sort(key=lambda pair: pair[1].number)
    turn = asyncio.Semaphore(chosen.jobs)
    results: list[Result] = []

    async def finish(each: Prepared, case: Case) -> None:
        async with turn:
            try:
                result = await finished(each, case, store, chosen)
            except Exception as error:
                # Trouble of the machine or of the engine: not healed, and tried again next time.
                lost = Healed(None, f"error: {error}", 1, (), 0, 0.0, 0.0)
                result = result_of(case, "", lost, None)
                say(f"{case.name}: {type(error).__name__}: {error}")
            results.append(result)
            verdict = result.correctness or "not healed"
            say(f"{len(results)}/{len(every)} {case.name} ({case.mutation.tier}): {verdict}, "
                f"{result.seconds:.1f} s, {result.candidates} candidates")  # fmt: skip

    await asyncio.gather(*(finish(each, case) for each, case in every))
    results.sort(key=lambda each: each.case)
    return document(results, rates, limits, reveal=chosen.reveal_held_out)


async def finished(
    each: Prepared, case: Case, store: ResultStore, chosen: argparse.Namespace
) -> Result:
    """The case's result: remembered, judged again where only the judge is new, or made."""
    key = key_of(case, chosen.seconds, _SEARCH_SEED)
    known = None if chosen.fresh else store.get(key)
    if known is not None and known.judge == judge_digest():
        return known
    if known is not None:
        judgement = None
        if known.healed:
            judgement = await judge(case, each.pristine, each.found, known.patch.encode())
        result = replace(
            known,
            judge=judge_digest(),
            correctness=judgement.correctness if judgement else None,
            inputs=judgement.inputs if judgement else 0,
            detail=judgement.detail if judgement else "",
        )
    else:
        healed = await heal(
            case,
            each.pristine,
            each.found,
            seconds=chosen.seconds,
            seed=_SEARCH_SEED,
            tell=lambda line: show_live(f"{case.name}: {line}"),
        )
        judgement = None
        if healed.patch is not None:
            judgement = await judge(case, each.pristine, each.found, healed.patch)
        result = result_of(case, key, healed, judgement)
    store.add(result)
    return result


async def show(name: str, reveal: bool) -> str:
    """A case's bug, and what the healer and the judge made of it."""
    package_name, _, rest = name.rpartition("-")[0].rpartition("-")
    number = name.rpartition("-")[2]
    try:
        package = package_named(package_name)
        seed, position = int(rest), int(number)
    except (KeyError, ValueError) as error:
        raise UsageError(f"no case {name!r}; a case is named like toolz-1-004") from error
    if package.part == "held-out" and not reveal:
        raise UsageError(
            f"{package.name} is held out: whoever reads its cases can no longer develop the healer "
            "without bias; --reveal-held-out shows them all the same"
        )
    prepared = await prepare_package(package, prepare(CACHE), seed, position, say)
    if len(prepared.cases) < position:
        raise UsageError(f"{package.name} has {len(prepared.cases)} cases")
    case = prepared.cases[position - 1]
    lines = [f"{case.name}: tier {case.mutation.tier}, {case.mutation.pattern}"]
    lines.append(case.diff(prepared.pristine))
    for result in ResultStore(CACHE / "results.jsonl").of_case(name):
        lines.append(
            f"healed: {result.healed} after {result.seconds} s, {result.rounds} rounds, "
            f"{result.candidates} candidates: {result.reason}"
        )
        lines += [f"refused before: {each}" for each in result.refused]
        lines.append(result.patch)
        if result.correctness:
            lines.append(f"judged {result.correctness} on {result.inputs} inputs {result.detail}")
    return "\n".join(lines)


def say(line: str) -> None:
    """Progress that stays."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{clear}{line}", file=sys.stderr, flush=True)


def show_live(line: str) -> None:
    """Progress that the next line replaces; on a terminal only."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{line[:width]}", end="", file=sys.stderr, flush=True)


def parsed() -> argparse.Namespace:
    """The command line, checked; `packages` are Package objects."""
    parser = argparse.ArgumentParser(prog="benchmarks.healing", description=__doc__.split("\n")[0])
    parser.add_argument("--set", choices=("development", "held-out", "both"), default="both")
    names = [package.name for package in PACKAGES]
    parser.add_argument("--packages", nargs="+", choices=names, metavar="NAME", help="only these")
    parser.add_argument("--cases", type=int, default=10, help="bugs for each package (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the injector (default 1)")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each (default 120)")
    parser.add_argument("--jobs", type=int, default=1, help="cases at a time (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--fresh", action="store_true", help="heal finished cases again")
    parser.add_argument("--rate-only", action="store_true", help="only candidates a second")
    parser.add_argument("--show", metavar="CASE", help="print a case, its patch and its verdict")
    parser.add_argument("--reveal-held-out", action="store_true", help="print held-out cases too")
    chosen = parser.parse_args()
    if chosen.cases < 1 or chosen.jobs < 1 or chosen.seconds <= 0:
        parser.error("--cases, --jobs and --seconds must be positive")
    chosen.packages = [
        package
        for package in PACKAGES
        if (chosen.packages is None or package.name in chosen.packages)
        and chosen.set in ("both", package.part)
    ]
    if not chosen.packages:
        parser.error("no package is in that set")
    return chosen


def joined() -> IO[str]:
    """The folder's lock, held while it is used; the first to come removes the trees of old runs."""
    CACHE.mkdir(exist_ok=True)
    lock = (CACHE / "lock").open("w")
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(load_settings().cache / "workspaces", ignore_errors=True)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def main() -> int:
    """Measure or show; returns the exit code."""
    chosen = parsed()
    os.environ["REGREEN_STATE"] = str(CACHE / "state")
    kept = joined()
    try:
        if chosen.show:
            print(asyncio.run(show(chosen.show, chosen.reveal_held_out)))
            return 0
        found = asyncio.run(measure(chosen))
    except (UsageError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        kept.close()
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(markdown(found))
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK can crash the interpreter's regular end.
    os._exit(status)
