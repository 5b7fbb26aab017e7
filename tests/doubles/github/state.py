"""What the double of GitHub remembers, and how it tells it."""

import hashlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NOW = "2026-11-25T10:00:00Z"


@dataclass
class Asset:
    """A file of a release."""

    id: int
    release: int
    name: str
    content: bytes
    content_type: str
    state: str = "uploaded"


@dataclass
class Release:
    """A release or a draft of one."""

    id: int
    tag_name: str
    target_commitish: str
    name: str
    body: str
    draft: bool
    prerelease: bool


@dataclass
class Tag:
    """An annotated tag."""

    sha: str
    name: str
    commit: str


@dataclass
class Pull:
    """A pull request."""

    number: int
    title: str
    body: str
    head: str
    """Name of its branch."""
    base: str
    draft: bool
    author: str = "regreen"
    state: str = "open"
    head_repository: str = ""
    merged_by: str = ""
    merge_commit: str = ""
    updated_at: str = _NOW
    """When it was merged, too."""


@dataclass
class Remark:
    """A comment on a pull request."""

    id: int
    pull: int
    author: str
    body: str


@dataclass
class PullReview:
    """A review of a pull request."""

    id: int
    pull: int
    author: str
    state: str
    commit: str
    body: str = ""
    submitted_at: str = _NOW


@dataclass
class Delivery:
    """A delivery of the repository's webhook."""

    id: int
    guid: str
    event: str
    status_code: int
    payload: dict[str, Any]
    delivered_at: str = _NOW
    hook: int = 7


@dataclass
class State:
    """One repository. Tests read it and change it; the double's operations do the same."""

    address: str = ""
    """The API's base URL."""
    repository: str = ""
    refs: dict[str, str] = field(default_factory=dict)
    """Reference without `refs/` to the commit, or to an annotated tag's object."""
    tags: dict[str, Tag] = field(default_factory=dict)
    """Annotated tags by their object's hash."""
    releases: dict[int, Release] = field(default_factory=dict)
    assets: dict[int, Asset] = field(default_factory=dict)
    immutable: bool = True
    """Whether a published release's tag and assets are locked."""
    numbers: int = 0
    token: str = "of-the-test"
    """What API and git want."""
    installation_keys: dict[int, str] = field(default_factory=dict)
    """Public keys of apps, by the installation whose token they may ask for."""
    git: Path | None = None
    """The bare repository that git is served from."""
    pulls: dict[int, Pull] = field(default_factory=dict)
    drafts: bool = True
    """Whether the plan has draft pull requests."""
    remarks: list[Remark] = field(default_factory=list)
    reviews: list[PullReview] = field(default_factory=list)
    check_runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)
    """What accounts may do, by login."""
    authors: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """Logins of a commit's author and committer."""
    contents: dict[str, str] = field(default_factory=dict)
    """Files of the default branch."""
    teams: dict[str, set[str]] = field(default_factory=dict)
    """Members by `organization/team`."""
    deliveries: list[Delivery] = field(default_factory=list)
    """Of the hook, the newest first."""
    pushes: list[dict[str, Any]] = field(default_factory=list)
    """The repository's activity, the newest first."""

    def commit_of(self, name: str) -> str:
        """The commit that a branch or hash names; empty when there is none."""
        if self.git is None:
            return name if name in self.authors else ""
        command = [
            "git",
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{name}^{{commit}}",
        ]
        found = subprocess.run(command, cwd=self.git, capture_output=True, text=True, check=False)
        return found.stdout.strip()

    def next_number(self) -> int:
        """A new identifier."""
        self.numbers += 1
        return self.numbers

    def assets_of(self, release: int) -> list[Asset]:
        """A release's files, in the order of their upload."""
        return [asset for asset in self.assets.values() if asset.release == release]

    def release_json(self, release: Release) -> dict[str, Any]:
        """A release as GitHub tells it."""
        base = f"{self.address}/repos/{self.repository}"
        url = f"{base}/releases/{release.id}"
        return {
            "id": release.id,
            "node_id": f"RE_{release.id}",
            "url": url,
            "html_url": f"{self.address}/{self.repository}/releases/tag/{release.tag_name}",
            "assets_url": f"{url}/assets",
            "upload_url": f"{url}/assets{{?name,label}}",
            "tarball_url": None,
            "zipball_url": None,
            "tag_name": release.tag_name,
            "target_commitish": release.target_commitish,
            "name": release.name,
            "body": release.body,
            "draft": release.draft,
            "prerelease": release.prerelease,
            "immutable": self.immutable and not release.draft,
            "created_at": _NOW,
            "published_at": None if release.draft else _NOW,
            "author": self.user_json(),
            "assets": [self.asset_json(asset) for asset in self.assets_of(release.id)],
        }

    def asset_json(self, asset: Asset) -> dict[str, Any]:
        """A release's file as GitHub tells it."""
        base = f"{self.address}/repos/{self.repository}"
        return {
            "id": asset.id,
            "node_id": f"RA_{asset.id}",
            "url": f"{base}/releases/assets/{asset.id}",
            "browser_download_url": f"{base}/releases/assets/{asset.id}",
            "name": asset.name,
            "label": "",
            "state": asset.state,
            "content_type": asset.content_type,
            "size": len(asset.content),
            "digest": f"sha256:{hashlib.sha256(asset.content).hexdigest()}",
            "download_count": 0,
            "created_at": _NOW,
            "updated_at": _NOW,
            "uploader": self.user_json(),
        }

    def reference_json(self, name: str) -> dict[str, Any]:
        """A reference as GitHub tells it."""
        base = f"{self.address}/repos/{self.repository}/git"
        sha = self.refs[name]
        kind = "tag" if sha in self.tags else "commit"
        return {
            "ref": f"refs/{name}",
            "node_id": f"REF_{name}",
            "url": f"{base}/refs/{name}",
            "object": {"type": kind, "sha": sha, "url": f"{base}/{kind}s/{sha}"},
        }

    def user_json(self, login: str = "regreen") -> dict[str, Any]:
        """An account as GitHub tells it."""
        url = f"{self.address}/users/{login}"
        lists = (
            "events_url followers_url following_url gists_url html_url organizations_url "
            "received_events_url repos_url starred_url subscriptions_url url avatar_url"
        )
        return {
            "login": login,
            "id": 1,
            "node_id": "U_1",
            "gravatar_id": "",
            "type": "Bot" if login == "regreen" else "User",
            "site_admin": False,
            **dict.fromkeys(lists.split(), url),
        }
