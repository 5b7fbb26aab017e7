"""The storefront's line by a shell script and by Regreen, with the same tools, interleaved.

    python -m benchmarks.line [--rounds N] [--json] [--maximum-ratio R]

Every round runs three variants on repositories that are alike but for one empty commit: the shell
script, Regreen one stage after another, Regreen with its overlaps; the order changes from round to
round. One embedded server serves them all. A first round warms the caches and is not counted.
Exit codes: 0 measured, 1 the sequential ratio is above `--maximum-ratio`, 2 could not run.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figures, Round, table
from benchmarks.memory import resident_megabytes
from benchmarks.regreen_run import run_regreen
from benchmarks.shell_run import run_shell
from benchmarks.storefront_repository import make_base, make_copy
from regreen.errors import UnreachableError, UsageError
from starters.run_command import use_state
from workers.embedded import temporal

_VARIANTS = ("shell", "sequential", "overlapped")


async def measure(folder: Path, rounds: int) -> Figures:
    """Run the warm-up and the rounds with everything they need below `folder`."""
    base = folder / "storefront"
    make_base(base)
    settings = use_state(folder / "state")
    measured: list[Round] = []
    load: list[float] = []
    async with temporal(settings) as connection:
        if not connection.hosting:
            raise UsageError("a Temporal server is configured; unset TEMPORAL_ADDRESS to measure")
        for number in range(rounds + 1):
            found = Round()
            first = number % len(_VARIANTS)
            for variant in (*_VARIANTS[first:], *_VARIANTS[:first]):
                repository = folder / f"{variant}-{number}"
                make_copy(base, repository)
                load.append(os.getloadavg()[0])
                if variant == "shell":
                    found.shell = await run_shell(repository, folder / "shell", number)
                else:
                    alone = variant == "sequential"
                    run = await run_regreen(
                        connection.client, settings, repository, step_by_step=alone
                    )
                    found.regreen[variant] = run
                shutil.rmtree(repository)
            name = f"round {number} of {rounds}" if number else "warm-up"
            print(f"{name}: {found.seconds()}", file=sys.stderr, flush=True)
            if number:
                measured.append(found)
        memory = resident_megabytes()
    return Figures(tuple(measured), memory, tuple(load))


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.line", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--maximum-ratio", type=float, help="fail above this sequential ratio")
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error("--rounds must be at least 1")
    with tempfile.TemporaryDirectory(prefix="regreen-benchmark-") as folder:
        try:
            figures = asyncio.run(measure(Path(folder), chosen.rounds))
        except (UnreachableError, UsageError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    document = figures.document()
    print(json.dumps(document, indent=1) if chosen.json else table(document))
    limit = chosen.maximum_ratio
    return int(limit is not None and figures.sequential_ratio > limit)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK can crash the interpreter's regular end.
    os._exit(status)
