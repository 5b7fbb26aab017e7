"""Which forge a repository is on, told by its address and the credentials of the publisher."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from temporalio.exceptions import ApplicationError

from activities.git import git
from activities.github_client import ask, github_client, has_github_credentials
from regreen.settings import Settings, load_settings

_NAME = r"(?!\.{1,2}(?:/|$))[\w.-]+"
_PATH = re.compile(rf"/?({_NAME})/({_NAME}?)(?:\.git)?(?:/.*)?")
_SECURE_SHELL = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)")


async def github_of(location: str, commit: str) -> str | None:
    """`owner/name` on GitHub of the repository at a location, or None when it is local.

    A clone URL is looked at. Of a repository on disk it is its remote `origin`, and the commit
    must be there, so that nothing gets to GitHub that its owner has not pushed.
    """
    settings = load_settings()
    if not has_github_credentials(settings):
        return None
    path = Path(location)
    if not path.is_dir():
        return github_repository(location, settings)
    try:
        origin = await git(["remote", "get-url", "origin"], cwd=path)
    except ApplicationError:
        return None
    name = github_repository(origin.decode("utf-8", "replace").strip(), settings)
    return name if name and await _has(name, commit, settings) else None


def github_repository(address: str, settings: Settings) -> str | None:
    """`owner/name` when an address is that of a repository below GITHUB_SERVER_URL or of its page.

    Over https as over ssh, which has the same host and a port of its own.
    """
    server = urlsplit(settings.github_server_url.rstrip("/"))
    shell = _SECURE_SHELL.fullmatch(address)
    if shell and "://" not in address:
        host, path = shell["host"].lower(), f"/{shell['path']}"
    else:
        try:
            url = urlsplit(address)
            port = url.port
        except ValueError:
            return None
        if url.scheme not in ("ssh", server.scheme):
            return None
        if url.scheme == server.scheme and port != server.port:
            return None
        host, path = url.hostname or "", url.path
    if host != server.hostname or not path.startswith(f"{server.path}/"):
        return None
    found = _PATH.fullmatch(path.removeprefix(server.path))
    return f"{found[1]}/{found[2]}" if found else None


async def _has(name: str, commit: str, settings: Settings) -> bool:
    repository = github_client(settings).get_repo(name)
    subject = f"commit {commit[:12]} of {name}"
    try:
        await ask(subject, lambda: repository.get_commit(commit).commit)
    except ApplicationError as error:
        if error.type in ("ForgeRefused", "ForgeDenied"):
            return False
        raise
    return True
