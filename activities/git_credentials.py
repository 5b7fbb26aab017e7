"""The token for git, which gets it in its environment and for one server only."""

import base64
from urllib.parse import urlsplit

from activities.github_client import ask, github_client, github_token, has_github_credentials
from regreen.settings import Settings


async def git_credentials(address: str, settings: Settings) -> dict[str, str]:
    """Variables with which git reaches an address below GITHUB_SERVER_URL; none for another one.

    A header for that server: in no argument and no address, so in no error message either. The
    user's own credential helpers are not asked.
    """
    server = settings.github_server_url.rstrip("/")
    below = address.startswith(f"{server}/") and urlsplit(address).scheme in ("http", "https")
    if not below or not has_github_credentials(settings):
        return {}
    client = github_client(settings)
    token = await ask("token for git", lambda: github_token(client))
    pair = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{server}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {pair}",
    }
