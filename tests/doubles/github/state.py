"""What the double of GitHub remembers, and how it tells it."""

import hashlib
from dataclasses import dataclass, field
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

    def user_json(self) -> dict[str, Any]:
        """The one account there is."""
        url = f"{self.address}/users/regreen"
        lists = (
            "events_url followers_url following_url gists_url html_url organizations_url "
            "received_events_url repos_url starred_url subscriptions_url url avatar_url"
        )
        return {
            "login": "regreen",
            "id": 1,
            "node_id": "U_1",
            "gravatar_id": "",
            "type": "Bot",
            "site_admin": False,
            **dict.fromkeys(lists.split(), url),
        }
