"""Slack, Discord and a plain webhook on loopback, strict about what they take.

Slack: docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
docs.slack.dev/reference/messaging/attachments and, for blocks and text objects, the reference of
Block Kit beside it. Discord: docs.discord.com/developers/resources/webhook#execute-webhook and
docs.discord.com/developers/resources/message#embed-object-embed-limits.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.doubles.loopback import LoopbackHandler, address_of, served

Service = Literal["slack", "discord", "webhook"]
SECRETS = {
    "slack": "/services/T00000000/B00000000/slack-secret",
    "discord": "/api/webhooks/223704706495545344/discord-secret",
    "webhook": "/hooks/webhook-secret",
}


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    """Never answer; wait until the client goes away."""
    taken: bool = False
    """The message is shown all the same."""


@dataclass(frozen=True)
class Shown:
    """A message that was taken; names of headers in lower case."""

    service: Service
    body: dict[str, Any]
    headers: Mapping[str, str]


@dataclass
class Chat:
    """The running doubles."""

    addresses: dict[Service, str]
    shown: list[Shown] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Why messages did not have the documented form; a test that is not about that wants none."""
    faults: dict[Service, list[Fault]] = field(default_factory=dict)
    """Each is used up by one request."""
    requests: list[Service] = field(default_factory=list)

    def bodies(self, service: Service) -> list[dict[str, Any]]:
        """What a service has shown, in order."""
        return [each.body for each in self.shown if each.service == service]


def slack_problem(body: Any) -> str:
    """What Slack would not take of a message; empty when it takes it."""
    if not isinstance(body, dict) or set(body) - {"text", "blocks", "attachments"}:
        return "invalid_payload: unknown keys"
    text, attachments = body.get("text", ""), body.get("attachments", [])
    if not text and not body.get("blocks") and not attachments:
        return "no_text"
    if not isinstance(text, str) or len(text) > 40_000:
        return "msg_too_long"
    if len(attachments) > 100:
        return "too_many_attachments"
    blocks = list(body.get("blocks", []))
    for each in attachments:
        if set(each) - {"color", "fallback", "blocks"}:
            return "invalid_attachments"
        if not re.fullmatch("#[0-9a-f]{6}|good|warning|danger", each.get("color", "good")):
            return "invalid_attachments: color"
        blocks += each.get("blocks", [])
    if len(blocks) > 50:
        return "invalid_blocks: more than 50"
    return next((problem for block in blocks if (problem := _block_problem(block))), "")


def _block_problem(block: dict[str, Any]) -> str:
    if block.get("type") != "section" or set(block) - {"type", "text", "fields", "block_id"}:
        return "invalid_blocks: type"
    texts = [block["text"]] if "text" in block else []
    texts += block.get("fields", [])
    if not texts or len(block.get("fields", [])) > 10:
        return "invalid_blocks: text or fields"
    for text in texts:
        only = {"mrkdwn": "verbatim", "plain_text": "emoji"}.get(text.get("type"), "")
        if not only or set(text) - {"type", "text", only}:
            return "invalid_blocks: text object"
        if not 1 <= len(text["text"]) <= (3000 if text is block.get("text") else 2000):
            return "invalid_blocks: length of a text"
    return ""


def discord_problem(body: Any) -> str:
    """What Discord would not take of a message; empty when it takes it."""
    known = {"content", "username", "avatar_url", "tts", "embeds", "allowed_mentions", "flags"}
    if not isinstance(body, dict) or set(body) - known:
        return "unknown keys"
    embeds = body.get("embeds", [])
    if not body.get("content") and not embeds:
        return "Cannot send an empty message"
    if len(body.get("content", "")) > 2000 or len(embeds) > 10:
        return "content or embeds too long"
    mentions = body.get("allowed_mentions", {})
    if set(mentions) - {"parse", "roles", "users", "replied_user"}:
        return "allowed_mentions: unknown keys"
    if not set(mentions.get("parse", [])) <= {"roles", "users", "everyone"}:
        return "allowed_mentions.parse"
    if sum(_length(embed) for embed in embeds) > 6000:
        return "embeds: more than 6000 characters"
    return next((problem for embed in embeds if (problem := _embed_problem(embed))), "")


def _length(embed: dict[str, Any]) -> int:
    fields = sum(len(each["name"]) + len(each["value"]) for each in embed.get("fields", []))
    return len(embed.get("title", "")) + len(embed.get("description", "")) + fields


def _embed_problem(embed: dict[str, Any]) -> str:
    if set(embed) - {"title", "description", "url", "color", "fields"}:
        return "embed: unknown keys"
    if len(embed.get("title", "")) > 256 or len(embed.get("description", "")) > 4096:
        return "embed: title or description too long"
    color = embed.get("color", 0)
    if type(color) is not int or not 0 <= color <= 0xFFFFFF:
        return "embed.color"
    fields = embed.get("fields", [])
    if len(fields) > 25:
        return "embed.fields: more than 25"
    for each in fields:
        if set(each) - {"name", "value", "inline"}:
            return "embed.fields: unknown keys"
        if not (1 <= len(each["name"]) <= 256 and 1 <= len(each["value"]) <= 1024):
            return "embed.fields: length"
    return ""


@contextmanager
def chat() -> Iterator[Chat]:
    """Serve all three on a free loopback port until the block ends."""
    stopping = threading.Event()
    lock = threading.Lock()

    class Handler(LoopbackHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            content = self.content()
            service = next((name for name, path in SECRETS.items() if path == parts.path), None)
            if service is None:
                self.reply(404, b"no_service")
                return
            with lock:
                running.requests.append(service)  # type: ignore[arg-type]
                faults = running.faults.get(service, [])  # type: ignore[call-overload]
                fault = faults.pop(0) if faults else None
                if fault is None or fault.taken:
                    problem = self._take(service, content)
            if fault is not None and fault.hangs:
                self.client_leaves(stopping.is_set)
            elif fault is not None:
                self.reply(fault.status, b"trouble", fault.headers)
            elif problem:
                self.reply(400, problem.encode())
            elif service == "discord" and parse_qs(parts.query).get("wait") != ["true"]:
                self.reply(204)
            else:
                answer = {"slack": b"ok", "discord": b'{"id": "1"}', "webhook": b""}
                self.reply(200, answer[service])

        def _take(self, service: Any, content: bytes) -> str:
            body = json.loads(content)
            problems = {"slack": slack_problem, "discord": discord_problem}
            problem = problems[service](body) if service in problems else ""
            if self.headers.get("content-type") != "application/json":
                problem = "content-type"
            headers = {name.lower(): value for name, value in self.headers.items()}
            if problem:
                running.refused.append(f"{service}: {problem}")
            else:
                running.shown.append(Shown(service, body, headers))
            return problem

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = address_of(server)
    running = Chat({name: f"{base}{path}" for name, path in SECRETS.items()})  # type: ignore[misc]
    with served(server):
        try:
            yield running
        finally:
            stopping.set()
