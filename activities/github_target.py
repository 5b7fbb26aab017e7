"""A GitHub release: a draft, its assets, and only then published, so that it can be immutable."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import requests
from github import GithubException, RateLimitExceededException, UnknownObjectException
from github.GitRelease import GitRelease
from github.GitReleaseAsset import GitReleaseAsset
from github.Repository import Repository
from packaging.version import Version
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_bytes
from activities.github_client import github_client, has_github_credentials
from activities.github_failures import limit_delay
from activities.release_target import check_allowed, conflict, refused, whole_release
from activities.under_way import to_its_end
from activities.workspace import private_folder
from regreen.contracts.publishing import TargetRequest
from regreen.contracts.receipts import TakenBack
from regreen.settings import Settings

_CHUNK = 1 << 20
_SECONDS = 60
_NOTES = 100_000
"""GitHub takes 125,000 characters."""

Result = TypeVar("Result")


class GithubTarget:
    """A release of one repository on GitHub. Its draft names the run that it belongs to."""

    stages = True

    def __init__(self, request: TargetRequest, settings: Settings) -> None:
        if not has_github_credentials(settings):
            raise ApplicationError(
                "GITHUB_TOKEN is not set; the release waits for it", type="TargetUnreachable"
            )
        self._request = request
        self._repository = request.target.repository or request.repository
        api = settings.github_api_url.rstrip("/")
        self.address = f"{api}/repos/{self._repository}"
        check_allowed(self.address, settings)
        self.name = request.target.label
        self.files = whole_release(request)
        self._mark = f"<!-- {request.run} -->"
        self._github = github_client(settings, seconds=_SECONDS)

    async def look_up(self) -> dict[str, str]:
        return await self._ask(self._look_up)

    async def write(self, name: str, path: Path) -> None:
        notes = (await get_bytes(self._request.notes)).decode("utf-8", "replace")
        await self._ask(lambda: self._write(name, path, notes))

    async def check(self, name: str, path: Path) -> None:
        pass

    async def finish(self) -> bool:
        return await self._ask(self._publish)

    async def fetch(self, name: str, path: Path) -> None:
        await self._ask(lambda: self._fetch(name, path))

    async def discard(self) -> str:
        return await self._ask(self._discard)

    async def withdraw(self) -> TakenBack:
        try:
            return await self._ask(self._withdraw)
        except ApplicationError as error:
            cause = error.__cause__
            limited = isinstance(cause, RateLimitExceededException)
            if isinstance(cause, GithubException) and cause.status == 403 and not limited:
                # An archived repository, say, or a token without the right: waiting mends neither.
                raise refused(error.message) from cause
            raise

    def _look_up(self) -> dict[str, str]:
        repository = self._opened()
        self._check_tag(repository)
        release = self._found(repository)
        if release is None:
            return {}
        there = {}
        for asset in release.get_assets():
            if asset.name not in self.files:
                raise conflict(f"{self.address}: release {release.tag_name} holds {asset.name}")
            if asset.state != "uploaded":
                # An upload that was cut off; GitHub takes the name again only when it is gone.
                asset.delete_asset()
                continue
            there[asset.name] = _digest(asset)
        return there

    def _write(self, name: str, path: Path, notes: str) -> None:
        repository = self._opened()
        release = self._found(repository) or self._drafted(repository, notes)
        if not release.draft:
            raise conflict(f"{self.address}: release {release.tag_name} is there without {name}")
        try:
            release.upload_asset(str(path), content_type="application/octet-stream", name=name)
        except GithubException as error:
            if error.status != 422:
                raise
            # The name is taken: an earlier try stored it. Its digest is compared next.

    def _publish(self) -> bool:
        release = self._found(self._opened())
        if release is None or not release.draft:
            return False
        release.update_release(
            release.name,
            release.body,
            draft=False,
            prerelease=release.prerelease,
            target_commitish=self._request.commit,
        )
        return True

    def _fetch(self, name: str, path: Path) -> None:
        release = self._opened().get_release(self._request.tag)
        found = {asset.name: asset for asset in release.get_assets()}
        if name not in found:
            raise ApplicationError(f"{self.address} lacks {name}", type="TargetIncomplete")
        found[name].download_asset(str(path), chunk_size=_CHUNK)

    def _discard(self) -> str:
        drafts = [each for each in self._own(self._opened()) if each.draft]
        for draft in drafts:
            draft.delete_release()
        return "draft deleted" if drafts else "nothing was staged"

    def _withdraw(self) -> TakenBack:
        release = self._found(self._opened())
        if release is None:
            return TakenBack(target=self.name, done="there is no release")
        if release.draft:
            return TakenBack(target=self.name, done=self._discard())
        note = "> **Withdrawn.** Do not use this release.\n\n"
        body = release.body or ""
        if not body.startswith(note) or not release.prerelease:
            release.update_release(
                f"{self._request.version} (withdrawn)",
                note + body.removeprefix(note),
                draft=False,
                prerelease=True,
                make_latest="false",
            )
        return TakenBack(
            target=self.name,
            done="marked as withdrawn and as a pre-release",
            left=tuple(self.files),
        )

    def _opened(self) -> Repository:
        return self._github.get_repo(self._repository)

    def _check_tag(self, repository: Repository) -> None:
        try:
            found = repository.get_git_ref(f"tags/{self._request.tag}").object
        except UnknownObjectException:
            return
        commit = found.sha
        if found.type == "tag":
            commit = repository.get_git_tag(found.sha).object.sha
        if commit != self._request.commit:
            raise conflict(
                f"{self.address}: tag {self._request.tag} is at {commit}, "
                f"the release is of {self._request.commit}"
            )

    def _drafted(self, repository: Repository, notes: str) -> GitRelease:
        version = self._request.version
        return repository.create_git_release(
            self._request.tag,
            name=version,
            message=f"{notes[:_NOTES]}\n{self._mark}\n",
            draft=True,
            prerelease=Version(version).is_prerelease,
            target_commitish=self._request.commit,
        )

    def _found(self, repository: Repository) -> GitRelease | None:
        """The published release of the tag, or else this run's draft of it."""
        releases = [each for each in repository.get_releases() if self._is_ours(each)]
        published = next((each for each in releases if not each.draft), None)
        # A draft whose creation was answered too late is one too many.
        own = sorted((each for each in releases if each.draft), key=lambda each: each.id)
        for extra in own if published else own[1:]:
            extra.delete_release()
        return published or next(iter(own), None)

    def _is_ours(self, release: GitRelease) -> bool:
        same = release.tag_name == self._request.tag
        return same and (not release.draft or self._mark in (release.body or ""))

    def _own(self, repository: Repository) -> list[GitRelease]:
        return [each for each in repository.get_releases() if self._is_ours(each)]

    async def _ask(self, question: Callable[[], Result]) -> Result:
        try:
            return await to_its_end(asyncio.to_thread(question))
        except GithubException as error:
            raise self._explained(error) from error
        except requests.RequestException as error:
            raise ApplicationError(
                f"{self.address}: {type(error).__name__}", type="TargetUnreachable"
            ) from error

    def _explained(self, error: GithubException) -> ApplicationError:
        said = error.data.get("message", "") if isinstance(error.data, dict) else ""
        message = f"{self.address} answered {error.status}: {said or type(error).__name__}"[:500]
        if error.status in (404, 422):
            return refused(message)
        return ApplicationError(
            message, type="TargetUnreachable", next_retry_delay=limit_delay(error)
        )


def _digest(asset: GitReleaseAsset) -> str:
    if asset.digest:
        return asset.digest.removeprefix("sha256:")
    # GitHub tells no digest of assets that are older than June 2025.
    with private_folder() as folder:
        path = folder / "asset"
        asset.download_asset(str(path), chunk_size=_CHUNK)
        return hashlib.sha256(path.read_bytes()).hexdigest()
