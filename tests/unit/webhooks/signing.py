"""Signing deliveries as the providers do."""

import base64
import hashlib
import hmac

from regreen.contracts.forge_event import Provider

SECRETS: dict[Provider, tuple[str, ...]] = {
    "github": ("the-github-secret", "the-next-github-secret"),
    "gitlab": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "the-older-gitlab-token"),
    "bitbucket": ("the-bitbucket-secret",),
    "azure": ("azure:the-azure-password",),
}
NOW = 1614265330.0
_EVENT_HEADERS = {
    "github": "X-GitHub-Event",
    "gitlab": "X-Gitlab-Event",
    "bitbucket": "X-Event-Key",
}


def signed_headers(
    provider: Provider, event: str, body: bytes, *, secret: str | None = None, now: float = NOW
) -> dict[str, str]:
    """The headers of a delivery, signed with the provider's first secret or the given one."""
    key = SECRETS[provider][0] if secret is None else secret
    headers = {"Content-Type": "application/json"}
    if provider in _EVENT_HEADERS:
        headers[_EVENT_HEADERS[provider]] = event
    digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    if provider == "github":
        headers |= {"X-GitHub-Delivery": "72d3162e", "X-Hub-Signature-256": f"sha256={digest}"}
    elif provider == "bitbucket":
        headers |= {"X-Request-UUID": "a1b2", "X-Hub-Signature": f"sha256={digest}"}
    elif provider == "azure":
        headers["Authorization"] = f"Basic {base64.b64encode(key.encode()).decode()}"
    elif key.startswith("whsec_"):
        moment = str(int(now))
        raw = base64.b64decode(key.removeprefix("whsec_"))
        signed = hmac.new(raw, f"msg_1.{moment}.".encode() + body, hashlib.sha256).digest()
        headers |= {
            "X-Gitlab-Event-UUID": "13792a34",
            "webhook-id": "msg_1",
            "webhook-timestamp": moment,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
    else:
        headers["X-Gitlab-Token"] = key
    return headers
