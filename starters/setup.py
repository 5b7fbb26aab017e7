"""Setting up: the pipeline file's schema, tools, and a check of everything."""

import asyncio
from typing import Any

from rich.table import Table
from rich.text import Text

from activities.sandbox import isolation
from regreen.errors import EXIT_FAILED, EXIT_OK, UnreachableError
from regreen.pipeline_file import Pipeline
from regreen.settings import Settings
from regreen.tools.catalogue import TOOLS
from regreen.tools.install import install
from regreen.tools.locate import find, version
from starters.console import errors, output, print_json
from workers.connection import configured_address, connect


def schema() -> int:
    """Print the JSON Schema of regreen.yaml."""
    document = Pipeline.model_json_schema()
    print_json({"$schema": "https://json-schema.org/draft/2020-12/schema"} | document)
    return EXIT_OK


def install_tools(names: list[str] | None) -> int:
    """Install tools; a tool that this machine cannot have is told and is no failure."""
    failed = False
    for result in install(names or None, lambda line: None):
        style = {"failed": "red", "unavailable": "yellow"}.get(result.state, "")
        errors.print(f"{result.name}: {result.detail}", style=style, markup=False, soft_wrap=True)
        failed = failed or result.state == "failed"
    return EXIT_FAILED if failed else EXIT_OK


async def doctor(*, json: bool, settings: Settings) -> int:
    """Print each tool with its version, what needs it, and how to get it; sandbox; connection."""
    rows = await asyncio.gather(*(asyncio.to_thread(_check, tool.name) for tool in TOOLS))
    isolated = isolation()
    checks = [
        {
            "check": "sandbox",
            "ok": isolated.kind == "bubblewrap",
            "detail": isolated.reason or "bubblewrap",
        },
        await _check_temporal(settings),
    ]
    required = {tool.name for tool in TOOLS if tool.required}
    missing = [row for row in rows if row["path"] is None and row["name"] in required]
    code = EXIT_FAILED if missing or not checks[1]["ok"] else EXIT_OK
    if json:
        print_json({"tools": rows, "checks": checks})
        return code
    table = Table(box=None, pad_edge=False)
    for column in ("tool", "version", "needed by", "how to get it"):
        table.add_column(column, overflow="fold")
    for row in rows:
        found = row["path"] is not None
        shown = Text(row["version"] or "found", style="green") if found else Text("missing", "red")
        table.add_row(row["name"], shown, row["needed_by"], "" if found else row["way_out"])
    output.print(table)
    output.print()
    for check in checks:
        mark = Text("ok     ", "green") if check["ok"] else Text("missing", "red")
        output.print(Text.assemble(mark, f" {check['check']}: {check['detail']}"), soft_wrap=True)
    return code


def _check(name: str) -> dict[str, Any]:
    tool = next(tool for tool in TOOLS if tool.name == name)
    path = find(name)
    return {
        "name": name,
        "path": None if path is None else str(path),
        "version": None if path is None else version(name, path),
        "purpose": tool.purpose,
        "needed_by": ", ".join(tool.stages),
        "way_out": tool.way_out,
    }


async def _check_temporal(settings: Settings) -> dict[str, Any]:
    address = configured_address()
    if address is None:
        detail = f"embedded server, state in {settings.state}"
        return {"check": "temporal", "ok": True, "detail": detail}
    try:
        await connect("starter")
    except UnreachableError as error:
        return {"check": "temporal", "ok": False, "detail": str(error)}
    return {"check": "temporal", "ok": True, "detail": f"answers at {address}"}
