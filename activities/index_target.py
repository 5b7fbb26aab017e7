"""Wheels and source distributions on a Python package index, uploaded by twine."""

import os
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpx2
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from temporalio.exceptions import ApplicationError

from activities.process import run_process
from activities.release_target import check_allowed, refused
from activities.workspace import private_folder
from regreen.contracts.publishing import TargetRequest
from regreen.contracts.receipts import TakenBack
from regreen.contracts.release import ReleaseFile
from regreen.inherited_variables import NETWORK_VARIABLES
from regreen.settings import Settings

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_UPLOAD_SECONDS = 300.0
_PASSES = (401, 408, 425, 429, 500, 502, 503, 504)
"""Answers after which another try may go well: a token can be renewed."""


class IndexTarget:
    """Packages on an index. What is there stays there: a version can be yanked, not replaced."""

    stages = False

    def __init__(self, request: TargetRequest, settings: Settings) -> None:
        if not request.target.url or not request.target.simple:
            raise refused("release.targets: a target of kind index needs `url` and `simple`")
        self._upload = request.target.url
        check_allowed(self._upload.rstrip("/"), settings)
        self.name = request.target.label
        self.files = {
            file.path: file for file in request.files if file.path.endswith((".whl", ".tar.gz"))
        }
        if not self.files:
            raise refused(f"nothing for {self.name}: no wheel and no source distribution was built")
        self._project = _project(next(iter(self.files.values())))
        self._version = request.version
        self.address = f"{request.target.simple.rstrip('/')}/{self._project}/"
        self._username, self._password = settings.twine_username, settings.twine_password

    async def look_up(self) -> dict[str, str]:
        listed = await self._listed()
        there = {}
        for name in self.files:
            if name not in listed:
                continue
            digest = listed[name].digest
            if not digest:
                raise refused(f"{self.address} tells no sha256 of {name}")
            there[name] = digest
        return there

    async def check(self, name: str, path: Path) -> None:
        code, said = await _twine(["check", str(path)], f"twine check {name}", {})
        if code < 0:
            raise ApplicationError(f"twine check {name}: killed", type="TargetUnreachable")
        if code != 0:
            raise refused(f"twine check {name}: {said}"[:500])

    async def write(self, name: str, path: Path) -> None:
        variables = {"TWINE_REPOSITORY_URL": self._upload}
        if self._username:
            variables["TWINE_USERNAME"] = self._username
        if self._password is not None:
            variables["TWINE_PASSWORD"] = self._password.get_secret_value()
        options = ["--non-interactive", "--disable-progress-bar", "--config-file", "/dev/null"]
        code, said = await _twine(
            ["upload", *options, str(path)], f"twine upload {name}", variables
        )
        if code == 0 or name in await self.look_up():
            # An index that fails after it stored has stored; the digest decides what it holds.
            return
        if "InvalidDistribution" in said:
            raise refused(f"twine upload {name}: {said}"[:500])
        raise ApplicationError(f"twine upload {name}: {said}"[:500], type="TargetUnreachable")

    async def finish(self) -> bool:
        return False

    async def fetch(self, name: str, path: Path) -> None:
        listed = await self._listed()
        if name not in listed:
            raise ApplicationError(f"{self.address} lacks {name}", type="TargetUnreachable")
        response = await _get(listed[name].url)
        path.write_bytes(response.content)

    async def discard(self) -> str:
        return "nothing was staged"

    async def withdraw(self) -> TakenBack:
        auth = None
        if self._username and self._password is not None:
            auth = httpx2.BasicAuth(self._username, self._password.get_secret_value())
        data = {":action": "remove_pkg", "name": self._project, "version": self._version}
        async with httpx2.AsyncClient(auth=auth, timeout=60.0) as client:
            try:
                status = (await client.post(self._upload, data=data)).status_code
            except httpx2.HTTPError as error:
                raise ApplicationError(
                    f"{self._upload}: {error or type(error).__name__}", type="TargetUnreachable"
                ) from error
        if status in _PASSES:
            raise ApplicationError(
                f"{self._upload} answered {status} to `remove_pkg`", type="TargetUnreachable"
            )
        listed = await self._listed()
        there = {name: listed[name] for name in self.files if name in listed}
        left = tuple(name for name, file in there.items() if not file.yanked)
        release = f"{self._project} {self._version}"
        if left:
            done = f"yank {release} by hand: the index answered {status} to `remove_pkg`"
        else:
            done = f"{release} {'yanked' if there else 'deleted'}"
        return TakenBack(target=self.name, done=done, left=left)

    async def _listed(self) -> dict[str, "_Listed"]:
        response = await _get(self.address)
        if response.status_code == 404:
            return {}
        if "json" in response.headers.get("content-type", ""):
            return {
                str(file["filename"]): _Listed(
                    urljoin(self.address, file["url"]),
                    str(file.get("hashes", {}).get("sha256", "")),
                    bool(file.get("yanked")),
                )
                for file in response.json()["files"]
            }
        page = _Page(self.address)
        page.feed(response.text)
        return page.files


class _Listed:
    def __init__(self, url: str, digest: str, yanked: bool) -> None:
        self.url, self.digest, self.yanked = url, digest, yanked


class _Page(HTMLParser):
    """A project's page by PEP 503."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.files: dict[str, _Listed] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag != "a" or not (href := given.get("href")):
            return
        url = urlsplit(urljoin(self._address, href))
        kind, _, digest = url.fragment.partition("=")
        self.files[unquote(url.path.rpartition("/")[2])] = _Listed(
            url._replace(fragment="").geturl(),
            digest if kind == "sha256" else "",
            "data-yanked" in given,
        )


async def _twine(words: list[str], subject: str, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run twine; its exit code, negative when a signal ended it, and its errors or last line."""
    inherited = {key: os.environ[key] for key in NETWORK_VARIABLES if key in os.environ}
    with private_folder() as folder:
        ended = await run_process(
            [sys.executable, "-m", "twine", *words],
            output=folder / "twine.log",
            timeout=_UPLOAD_SECONDS,
            subject=subject,
            env={**inherited, **variables, "HOME": str(folder), "NO_COLOR": "1"},
            cwd=folder,
        )
        said = [line.strip() for line in ended.tail().splitlines() if line.strip()]
    errors = [line for line in said if "ERROR" in line or "Error" in line]
    return ended.code, " ".join(errors or said[-1:])


async def _get(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60.0, follow_redirects=True) as client:
        try:
            response = await client.get(url, headers={"Accept": _ACCEPT})
        except httpx2.HTTPError as error:
            raise ApplicationError(
                f"{url}: {error or type(error).__name__}", type="TargetUnreachable"
            ) from error
    if response.status_code not in (200, 404):
        raise ApplicationError(
            f"GET {url} answered {response.status_code}", type="TargetUnreachable"
        )
    return response


def _project(file: ReleaseFile) -> str:
    parse = parse_wheel_filename if file.path.endswith(".whl") else parse_sdist_filename
    return canonicalize_name(parse(file.path)[0])
