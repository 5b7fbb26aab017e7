"""An announcement as the JSON of a Slack incoming webhook.

Limits and markup: docs.slack.dev/reference/block-kit/composition-objects/text-object and
docs.slack.dev/messaging/formatting-message-text.
"""

import re
from typing import Any
from urllib.parse import quote

from activities.announcement_text import Message, Part, joined
from regreen.contracts.announcement import Colour

MOST_TEXT = 3000
_COLOURS: dict[Colour, str] = {"green": "#2eb67d", "red": "#e01e5a", "amber": "#ecb22e"}
# They are formatting only beside something else than this sign, which nobody sees.
_FORMATTING = re.compile(r"([*_~])")
_UNSEEN = "\u200b"


def slack_message(message: Message) -> dict[str, Any]:
    """Title as the message's text, which phones show; the rest beside a bar in its colour."""
    blocks = [_section(joined([_line(line) for line in message.lines], MOST_TEXT))]
    if message.stages:
        stages = [f"{_escaped(how)} {_code(name)}" for name, how in message.stages]
        blocks.append(_section(joined(stages, MOST_TEXT)))
    return {
        "text": _line(message.title),
        "attachments": [{"color": _COLOURS[message.colour], "blocks": blocks}],
    }


def _section(text: str) -> dict[str, Any]:
    # Verbatim: addresses and names of channels in the text stay text.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _line(parts: list[Part]) -> str:
    return " ".join(_part(part) for part in parts if part.text)


def _part(part: Part) -> str:
    if part.kind == "code":
        return _code(part.text)
    if part.kind == "link":
        return f"<{_escaped(quote(part.url, safe=':/?&=#%+~,;'))}|{_words(part.text)}>"
    return _words(part.text)


def _code(text: str) -> str:
    content = _escaped(text.replace("`", "'"))
    return f"`{content}`"


def _words(text: str) -> str:
    return _FORMATTING.sub(rf"{_UNSEEN}\1{_UNSEEN}", _escaped(text.replace("`", "'")))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
