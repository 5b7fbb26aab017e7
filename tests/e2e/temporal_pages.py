"""The pages of Temporal's web UI on which people watch and steer runs. What is missing fails."""

import json

from playwright.async_api import FrameLocator, Page, expect

COLUMNS = (
    "Status",
    "Workflow ID",
    "RegreenRef",
    "RegreenState",
    "RegreenStage",
    "RegreenHealAttempts",
    "RegreenPullRequest",
    "Start",
)
_MILLISECONDS = 20_000


async def open_timeline(page: Page, run: str, *events: str) -> None:
    """Open a run's timeline, at the address that the command line prints, and see these events."""
    await page.goto(run, wait_until="domcontentloaded")
    for event in events:
        await _see(page.get_by_text(event, exact=False).first)


async def open_details(page: Page, run: str, *texts: str) -> FrameLocator:
    """Open what a run says of itself, and see these texts; the details are a frame of their own."""
    await page.goto(_tab(run, "user-metadata"), wait_until="domcontentloaded")
    await _see(page.get_by_text("Current Details"))
    await page.keyboard.press("r")
    shown = page.frame_locator("iframe").last
    for text in texts:
        await _see(shown.get_by_text(text, exact=False).first)
    return shown


async def choose_columns(page: Page) -> None:
    """Let the list show what `docs/operations.md` advises; the UI keeps it in the browser."""
    columns = json.dumps({"default": [{"label": label} for label in COLUMNS]})
    key = json.dumps("namespace-workflow-table-columns")
    await page.add_init_script(f"localStorage.setItem({key}, {json.dumps(columns)})")


async def open_runs(page: Page, pages: str, query: str, *texts: str) -> None:
    """Open the list of the workflows that a query finds, and see these texts."""
    await page.goto(f"{pages}/workflows?query={query}", wait_until="domcontentloaded")
    for text in texts:
        await _see(page.get_by_text(text, exact=False).first)


async def open_relationships(page: Page, run: str, *children: str) -> None:
    """Open a run's relations, and see its child workflows."""
    await page.goto(_tab(run, "relationships"), wait_until="domcontentloaded")
    for child in children:
        await _see(page.get_by_text(child, exact=False).first)


async def see_result(page: Page, run: str, text: str) -> None:
    """Open a run that has ended, and see a text in its result or error."""
    await page.goto(run, wait_until="domcontentloaded")
    await _see(page.locator("main").get_by_text(text, exact=False).first)


async def fill_signal(page: Page, run: str, name: str, data: str) -> None:
    """Open the form for a signal, choose it from those that the run offers, type its input."""
    await page.goto(run, wait_until="domcontentloaded")
    await page.get_by_role("button", name="More Actions").click()
    await page.get_by_role("menuitem", name="Send a Signal").click()
    form = page.get_by_role("dialog")
    await form.get_by_test_id("signal-select").locator("xpath=..").click()
    await page.get_by_role("option", name=name).click()
    await expect(form.get_by_role("button", name=name)).to_be_visible(timeout=_MILLISECONDS)
    editor = form.get_by_label("Data")
    await editor.click()
    # All at once, since the editor closes brackets and quotes that are typed.
    await page.keyboard.insert_text(data)
    # It lays the text out when it is left, and the form moves with it.
    await form.get_by_text("Encoding").click()
    await expect(editor).not_to_contain_text(data, timeout=_MILLISECONDS)


async def send_signal(page: Page, run: str, name: str, data: str) -> None:
    """Send a signal from the UI's form."""
    await fill_signal(page, run, name, data)
    await page.get_by_role("dialog").get_by_role("button", name="Submit").click()
    await expect(page.get_by_role("dialog")).to_be_hidden(timeout=_MILLISECONDS)


def _tab(run: str, tab: str) -> str:
    return f"{run.removesuffix('/timeline')}/{tab}"


async def _see(what: object) -> None:
    await expect(what).to_be_visible(timeout=_MILLISECONDS)  # type: ignore[arg-type]
