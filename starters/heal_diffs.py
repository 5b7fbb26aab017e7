"""Showing what heals changed."""

import sys

from rich.syntax import Syntax

from activities.artifact_store import get_bytes
from regreen.contracts.run import RunReport
from regreen.printable import printable
from starters.console import output


async def print_attempts(report: RunReport, *, only_healed: bool = False) -> None:
    """Print heal attempts with their verdicts and diffs to standard output."""
    for stage in report.stages:
        for attempt in stage.attempts:
            if only_healed and attempt.verdict != "healed":
                continue
            output.print(
                f"\n{stage.name}, attempt {attempt.number} ({attempt.healer}, "
                f"{attempt.seconds:.1f} s): {attempt.verdict}: {attempt.reason}",
                style="bold",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            if attempt.explanation and attempt.explanation != attempt.reason:
                explanation = printable(attempt.explanation)
                output.print(explanation, markup=False, highlight=False, soft_wrap=True)
            if attempt.patch is not None:
                patch = printable((await get_bytes(attempt.patch)).decode("utf-8", "replace"))
                if output.is_terminal:
                    output.print(Syntax(patch, "diff", background_color="default", word_wrap=True))
                else:
                    output.print(patch, markup=False, highlight=False, soft_wrap=True)


def print_diff(diff: bytes) -> None:
    """Print a diff to standard output: in colour on a terminal, to the byte elsewhere."""
    if not diff:
        return
    if output.is_terminal:
        text = printable(diff.decode("utf-8", "replace"))
        output.print(Syntax(text, "diff", background_color="default", word_wrap=True))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(diff)
    sys.stdout.buffer.flush()
