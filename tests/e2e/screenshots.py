"""Take the pictures of Temporal's web UI in the docs: `make screenshots`.

The example shop is healed, approved in the browser and released. A page that lacks what its
picture is to show ends it with an error, and the old pictures stay.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.e2e.browser import browser, page
from tests.e2e.regreen_program import PROJECT, Program, wait_until
from tests.e2e.storefront import storefront
from tests.e2e.temporal_pages import (
    choose_columns,
    fill_signal,
    open_details,
    open_runs,
    open_timeline,
    send_signal,
)

_IMAGES = PROJECT / "docs" / "images"
_ROW = ("RegreenState", "released", "RegreenPullRequest", "#1")
_LAST = ("waiting for approval", "release v0.2.0")


async def take(folder: Path) -> None:
    """Take every picture into a folder; raises AssertionError for a page that lacks something."""
    program = Program(folder, folder / "state", {})
    repository = storefront(folder / "storefront")
    with program.start("up"):
        wait_until((program.state / "server.json").exists, "the server")
        run = program.run("run", str(repository), "--json", timeout=400).document
        pages = run["ui"].partition("/workflows/")[0]
        async with browser() as chromium, page(chromium) as tab:
            await _waiting(tab, folder, run)
            wait_until(lambda: _state(program, run) == "released", "the release", 200)
            await _released(tab, folder, run, pages)


async def _waiting(tab: Page, folder: Path, run: Any) -> None:
    await open_details(
        tab, run["ui"], "waiting for approval of #1 to release v0.2.0", "regreen approve", "healed"
    )
    await tab.screenshot(path=folder / "temporal-ui-waiting.png")
    approval = {"reviewer": "Ada", "decision": "approve", "comment": "read the diff"}
    await fill_signal(tab, run["ui"], "review", json.dumps(approval))
    await tab.screenshot(path=folder / "temporal-ui-review.png")
    await send_signal(tab, run["ui"], "review", json.dumps(approval))


async def _released(tab: Page, folder: Path, run: Any, pages: str) -> None:
    await tab.set_viewport_size({"width": 1800, "height": 600})
    await choose_columns(tab)
    await open_runs(tab, pages, "WorkflowType%3D%22PipelineWorkflow%22", *_ROW)
    await tab.screenshot(path=folder / "temporal-ui-runs.png")
    await tab.set_viewport_size({"width": 1400, "height": 1500})
    await open_timeline(tab, run["ui"], "git fetch main", "unit tests", *_LAST)
    await tab.get_by_text(_LAST[1]).first.scroll_into_view_if_needed()
    await tab.screenshot(path=folder / "temporal-ui-timeline.png")


def _state(program: Program, run: Any) -> str:
    return str(program.run("status", run["run_id"], "--json").document["state"])


def main() -> None:
    """Take all pictures, and only then put them in the place of the old ones."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(take(Path(folder)))
        for picture in sorted(Path(folder).glob("temporal-ui-*.png")):
            shutil.copyfile(picture, _IMAGES / picture.name)
            print(picture.name)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
