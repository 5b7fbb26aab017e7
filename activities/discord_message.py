"""An announcement as the JSON of Discord's "Execute Webhook".

Limits: docs.discord.com/developers/resources/message, "Embed Limits".
"""

import re
from typing import Any
from urllib.parse import quote

from activities.announcement_text import Message, Part, cut, joined
from regreen.contracts.announcement import Colour

_TITLE, _DESCRIPTION = 256, 4096
_FIELDS = 25
_ALL = 6000
_COLOURS: dict[Colour, int] = {"green": 0x2EB67D, "red": 0xE01E5A, "amber": 0xECB22E}
_MARKUP = re.compile(r"([\\*_~`|>#\[\]()<:-])")
_UNSEEN = "\u200b"


def discord_message(message: Message) -> dict[str, Any]:
    """One embed with a field for each stage; nobody in the channel is called by it."""
    # Escaped text is at most twice as long, and is not to be cut between a sign and its escape.
    title = _words(cut(" ".join(part.text for part in message.title), _TITLE // 2))
    fields = [
        {"name": _words(cut(name, 40)) or "?", "value": _words(cut(how, 40)), "inline": True}
        for name, how in message.stages[:_FIELDS]
    ]
    used = len(title) + sum(len(f"{each['name']}{each['value']}") for each in fields)
    embed: dict[str, Any] = {
        "title": title,
        "description": joined(
            [_line(line) for line in message.lines], min(_DESCRIPTION, _ALL - used)
        ),
        "color": _COLOURS[message.colour],
        "fields": fields,
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _line(parts: list[Part]) -> str:
    return " ".join(_part(part) for part in parts if part.text)


def _part(part: Part) -> str:
    if part.kind == "code":
        content = part.text.replace("`", "'").replace("@", f"@{_UNSEEN}")
        return f"`{content}`"
    if part.kind == "link":
        return f"[{_words(part.text)}]({quote(part.url, safe=':/?&=#%+~,;')})"
    return _words(part.text)


def _words(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text).replace("@", f"@{_UNSEEN}")
