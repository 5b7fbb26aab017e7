"""Every kind of place that a release is published to, for tests that hold for all of them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest

from activities.artifact_store import put_bytes
from activities.publishing import publish_on_target
from activities.release_folder import (
    draft_release_folder,
    publish_release_folder,
    release_directory,
    write_checksums,
)
from regreen.contracts.checklist import ChecklistItem
from regreen.contracts.publishing import TargetRequest
from regreen.contracts.release import ChecksumRequest, FolderRequest, ReleaseFile
from regreen.pipeline_file import TargetSection
from tests.doubles.github.server import github_double
from tests.doubles.github.state import Asset, Release
from tests.doubles.http_folder import http_folder
from tests.doubles.package_index import PASSWORD, USERNAME, package_index
from tests.met_checklist import met_checklist

REPOSITORY, VERSION, COMMIT = "example/shop", "1.0.0", "a" * 40
WHEEL = f"shop-{VERSION}-py3-none-any.whl"


async def release_request(target: TargetSection, wheel: bytes | None = None) -> TargetRequest:
    """An unsigned release of one wheel, its notes and its checklist."""
    unsigned = ChecklistItem(name="signatures", state="off", detail="signed elsewhere")
    contents = {
        WHEEL: wheel or wheel_of("shop", VERSION),
        "RELEASE_NOTES.md": b"# shop 1.0.0\n",
        "checklist.json": met_checklist(unsigned).model_dump_json().encode(),
    }
    files = [
        ReleaseFile(path=name, content=await put_bytes(name, content))
        for name, content in contents.items()
    ]
    sums = await write_checksums(ChecksumRequest(files=tuple(files)))
    files.append(ReleaseFile(path="SHA256SUMS", content=sums))
    return TargetRequest(
        run="pipeline/example/shop/a",
        target=target,
        repository=REPOSITORY,
        version=VERSION,
        tag=f"v{VERSION}",
        commit=COMMIT,
        notes=files[1].content,
        files=tuple(files),
    )


def wheel_of(name: str, version: str, metadata: str = "2.1") -> bytes:
    """The smallest wheel that an index takes; equal arguments give equal bytes."""
    buffer, info = BytesIO(), f"{name}-{version}.dist-info"
    parts = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: {metadata}\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with ZipFile(buffer, "w") as archive:
        for path, text in parts.items():
            archive.writestr(ZipInfo(path), text)
    return buffer.getvalue()


@contextmanager
def place_of(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator["Place"]:
    """Open a place of a kind; the publisher may write to it."""
    match kind:
        case "folder":
            monkeypatch.setenv("REGREEN_RELEASES", str(tmp_path / "releases"))
            yield Place(kind, TargetSection(kind="http"), None)
        case "github":
            with github_double(REPOSITORY) as double:
                monkeypatch.setenv("GITHUB_API_URL", double.address)
                monkeypatch.setenv("GITHUB_TOKEN", "of-the-test")
                monkeypatch.setenv("REGREEN_PUBLISH_TO", double.address)
                yield Place(kind, TargetSection(kind="github"), double)
        case "http":
            with http_folder() as folder:
                monkeypatch.setenv("REGREEN_PUBLISH_TO", folder.address)
                monkeypatch.setenv("REGREEN_HTTP_AUTHORIZATION", folder.authorization)
                yield Place(kind, TargetSection(kind="http", url=folder.address), folder)
        case _:
            with package_index(tmp_path / "index") as index:
                monkeypatch.setenv("REGREEN_PUBLISH_TO", index.url)
                monkeypatch.setenv("TWINE_USERNAME", USERNAME)
                monkeypatch.setenv("TWINE_PASSWORD", PASSWORD)
                section = TargetSection(kind="index", url=index.url, simple=index.simple)
                yield Place(kind, section, index)


@dataclass
class Place:
    """A place that is open, and what a test can do to it from outside."""

    kind: str
    section: TargetSection
    double: Any
    """The double, or the real server; None for the folder."""

    async def publish(self, request: TargetRequest) -> bool:
        """Publish as the release does; whether it was adopted."""
        if self.kind != "folder":
            return (await publish_on_target(request)).adopted
        folder = _folder_request(request)
        await draft_release_folder(folder)
        return (await publish_release_folder(folder)).adopted

    def there(self, request: TargetRequest) -> dict[str, str]:
        """SHA-256 of each file that users see, by name."""
        match self.kind:
            case "folder":
                place = release_directory(_folder_request(request))
                found = {path.name: path.read_bytes() for path in place.glob("*")}
            case "github":
                state = self.double.state
                shown = [each for each in state.releases.values() if not each.draft]
                found = {a.name: a.content for each in shown for a in state.assets_of(each.id)}
            case "http":
                found = {path.rpartition("/")[2]: data for path, data in self.double.files.items()}
            case _:
                found = {path.name: path.read_bytes() for path in self.double.folder.iterdir()}
        return {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}

    def put(self, request: TargetRequest, name: str, content: bytes) -> None:
        """Publish one file past Regreen."""
        match self.kind:
            case "folder":
                place = release_directory(_folder_request(request))
                place.mkdir(parents=True)
                (place / name).write_bytes(content)
                digest = hashlib.sha256(content).hexdigest()
                (place / "SHA256SUMS").write_text(f"{digest}  {name}\n")
            case "github":
                state = self.double.state
                number, asset = state.next_number(), state.next_number()
                state.refs[f"tags/{request.tag}"] = request.commit
                state.releases[number] = Release(
                    number, request.tag, request.commit, "1.0.0", "", False, False
                )
                state.assets[asset] = Asset(asset, number, name, content, "text/plain")
            case "http":
                address = f"/{request.repository}/{request.version}/{name}"
                self.double.files[address] = content
            case _:
                (self.double.folder / name).write_bytes(content)

    def fail(self, moment: str) -> None:
        """Make the next write answer with an error, `before` or `after` it is done."""
        if self.kind == "github":
            self.double.fails.append(("repos/upload-release-asset", moment))
        else:
            self.double.fails.append(moment)

    def wanted(self, request: TargetRequest) -> dict[str, str]:
        """SHA-256 of what the place holds of a release, by name."""
        files = {file.path: file.content.sha256 for file in request.files}
        return {WHEEL: files[WHEEL]} if self.kind == "index" else files


def _folder_request(request: TargetRequest) -> FolderRequest:
    return FolderRequest(
        run=request.run,
        repository=request.repository,
        version=request.version,
        files=request.files,
    )
