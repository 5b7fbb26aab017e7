"""A real Chromium for the tests that look at pages, installed once into the environment.

The npm package `@sparticuz/chromium` (MIT; Chromium itself BSD) holds the browser with the
libraries that it needs, so that no system package is needed.
"""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from activities.file_lock import file_lock

_PACKAGE = "@sparticuz/chromium"
_VERSION = "147.0.0"
_INTEGRITY = (
    "4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ=="
)
_PARTS = ("chromium", "al2023.tar", "swiftshader.tar", "fonts.tar")
_ARGUMENTS = (
    # Tests may run as root, and a page here is only what the server under test serves.
    "--no-sandbox",
    "--no-zygote",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_INFLATE = (
    "const [zlib, fs] = [require('zlib'), require('fs')];"
    "const [from, to] = process.argv.slice(1);"
    "fs.createReadStream(from).pipe(zlib.createBrotliDecompress()).pipe(fs.createWriteStream(to));"
)


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium that reaches nothing but loopback."""
    folder = await _installed()
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "HOME": home,
            "PATH": os.environ["PATH"],
            "FONTCONFIG_PATH": str(folder / "fonts"),
            "LD_LIBRARY_PATH": f"{folder / 'lib'}:{folder}",
        }
        async with async_playwright() as playwright:
            started = await playwright.chromium.launch(
                executable_path=folder / "chromium",
                args=[*_ARGUMENTS, "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"],
                env=dict(environment),
            )
            try:
                yield started
            finally:
                await started.close()


# Temporal's web UI measures, now and then, an element that it has just taken off the page.
_GONE = "Failed to execute 'getComputedStyle' on 'Window': parameter 1 is not of type 'Element'"


@contextlib.asynccontextmanager
async def page(of: Browser, width: int = 1400, height: int = 900) -> AsyncIterator[Page]:
    """A page of its own; an error in the page's scripts fails the test."""
    context = await of.new_context(viewport={"width": width, "height": height})
    opened = await context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield opened
        assert [error for error in errors if _GONE not in error] == [], errors
    finally:
        await context.close()


async def _installed() -> Path:
    place = Path(sys.prefix) / f"chromium-{_VERSION}"
    async with file_lock(place.with_suffix(".lock"), "Chromium"):
        if not place.is_dir():
            with tempfile.TemporaryDirectory(dir=place.parent) as made:
                _install(Path(made))
                (Path(made) / "ready").replace(place)
    return place


def _install(folder: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    assert npm and node, "tests in a browser need Node.js with npm"
    packed = subprocess.run(
        [npm, "pack", "--json", f"{_PACKAGE}@{_VERSION}"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=240,
    )
    archive = folder / json.loads(packed.stdout)[0]["filename"]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert digest == _INTEGRITY, f"{archive.name} has sha512 {digest}"
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    ready = folder / "ready"
    ready.mkdir()
    for part in _PARTS:
        source = folder / "package" / "bin" / f"{part}.br"
        target = (ready if part == "chromium" else folder) / part
        subprocess.run([node, "-e", _INFLATE, source, target], check=True, timeout=120)
        if part != "chromium":
            with tarfile.open(target) as content:
                content.extractall(ready, filter="data")
    (ready / "chromium").chmod(0o755)
