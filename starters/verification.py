"""`regreen verify`: a release folder, checked offline."""

from pathlib import Path

from rich.table import Table

from activities.release_verification import verify_release
from regreen.errors import EXIT_FAILED, EXIT_OK, UsageError
from starters.console import output, print_json


async def verify(directory: Path, *, json: bool) -> int:
    """Print what was checked of each file; returns 1 when anything is wrong."""
    if not directory.is_dir():
        raise UsageError(f"{directory}: no such folder")
    report = verify_release(directory)
    if json:
        print_json(report.model_dump(mode="json"))
        return EXIT_OK if report.ok else EXIT_FAILED
    table = Table(box=None, pad_edge=False)
    for column in ("file", "digest", "signature", "detail"):
        table.add_column(column, overflow="fold")
    for row in report.rows:
        table.add_row(row.path, row.digest, row.signature, row.detail)
    output.print(table)
    output.print(
        "verified" if report.ok else "NOT VERIFIED", style="green" if report.ok else "bold red"
    )
    return EXIT_OK if report.ok else EXIT_FAILED
