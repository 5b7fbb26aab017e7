"""Messages for Slack and Discord: whatever a repository is called, it stays text within limits."""

import re
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.announcement_text import cleaned, message_of, plain_text, plain_title
from activities.discord_message import discord_message
from activities.slack_message import slack_message
from regreen.contracts.announcement import (
    AnnouncedPullRequest,
    AnnouncedStage,
    Announcement,
    AnnouncementKind,
)
from tests.doubles.chat import discord_problem, slack_problem

ATTACKS = (
    "<!channel> <!here> <!everyone> <@U012AB3CD> <#C012AB3CD>",
    "<https://evil.example|click here>",
    "@everyone @here <@223704706495545344> <@&1> <#2>",
    "[click here](https://evil.example) https://evil.example",
    "`</code>` ``` *bold* _under_ ~gone~ ||spoiler|| # heading > quote",
    "two\nlines\r\nand\x1b[31m colour\x00 \u202eright to left",
    "token ghp_0123456789abcdefghij0123456789abcdef",
    "&lt;!channel&gt; &amp; \\<!channel>",
)


def _announcement(kind: AnnouncementKind, text: str) -> Announcement:
    return Announcement(
        key="run-1/last",
        kind=kind,
        colour="red",
        repository=text,
        ref=text,
        commit="c" * 40,
        run=f"pipeline/{text}/c",
        run_id="run-1",
        reason=text,
        stage=text if kind in ("failed", "healed") else "",
        tests=(text,) * 5,
        more_tests=3,
        pull_request=AnnouncedPullRequest(number=1, branch=text, url=f"https://forge/{text}"),
        version=text,
        commands=(f"regreen approve {text}",),
        stages=tuple(
            AnnouncedStage(name=text, state="failed", seconds=1.5, attempts=2) for _ in range(30)
        ),
    )


def _messages(kind: AnnouncementKind, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    page = "https://ui.example/namespaces/default/workflows/x/y/timeline"
    message = message_of(cleaned(_announcement(kind, text)), page)
    return slack_message(message), discord_message(message)


def _slack_texts(body: dict[str, Any]) -> list[str]:
    [attachment] = body["attachments"]
    return [body["text"], *(block["text"]["text"] for block in attachment["blocks"])]


def _discord_texts(body: dict[str, Any]) -> list[str]:
    [embed] = body["embeds"]
    fields = [each[part] for each in embed["fields"] for part in ("name", "value")]
    return [embed["title"], embed["description"], *fields]


def _unescaped(text: str) -> str:
    """The text without code and without what a backslash makes plain, as Discord reads it."""
    return re.sub(r"\\[^0-9A-Za-z\s]|`[^`\n]+`", "", text)


def _holds_no_markup(slack: dict[str, Any], discord: dict[str, Any]) -> None:
    for text in _slack_texts(slack):
        # The only thing in angle brackets is a link of ours.
        rest = re.sub(r"<https://(ui\.example|forge)/[^<>|]*\|[\w #]+>", "", text)
        assert "<" not in rest and ">" not in rest
        assert not re.search(r"&(?!amp;|lt;|gt;)", rest)
        assert text.count("`") % 2 == 0
    for text in _discord_texts(discord):
        assert not re.search(r"@(?!\u200b)", text)
        plain = re.sub(r"\[[\w \\#]+\]\(https://(ui\.example|forge)/[^()\s]*\)", "", text)
        assert not re.search(r"[\\*_~`|>\[\]()<:#]", _unescaped(plain))
    assert discord["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize("kind", [kind for kind in get_args(AnnouncementKind) if kind != "stage"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_stays_text(kind: AnnouncementKind, attack: str) -> None:
    slack, discord = _messages(kind, attack)
    assert (slack_problem(slack), discord_problem(discord)) == ("", "")
    _holds_no_markup(slack, discord)
    for text in (*_slack_texts(slack), *_discord_texts(discord)):
        assert "ghp_" not in text
        assert all(sign.isprintable() or sign in "\n\u200b" for sign in text)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from([kind for kind in get_args(AnnouncementKind) if kind != "stage"]),
    text=st.text(min_size=1, max_size=700) | st.text("<>&`*_~|@[]()\\#:", min_size=1, max_size=700),
)
def test_any_text_is_taken_and_stays_text(kind: AnnouncementKind, text: str) -> None:
    slack, discord = _messages(kind, text)
    assert (slack_problem(slack), discord_problem(discord)) == ("", "")
    _holds_no_markup(slack, discord)


def test_the_summary_has_every_stage_with_state_and_seconds() -> None:
    stages = (
        AnnouncedStage(name="build", state="passed", seconds=12.34),
        AnnouncedStage(name="unit", state="failed", seconds=3, attempts=8),
        AnnouncedStage(name="release", state="skipped"),
        AnnouncedStage(name="never", state=None),
    )
    told = _announcement("failed", "shop").model_copy(update={"stages": stages})
    message = message_of(told, None)
    assert message.stages == [
        ("build", "🟢 passed, 12.3 s"),
        ("unit", "🔴 failed, 3.0 s, 8 attempts"),
        ("release", "⚪ skipped"),
    ]
    assert "`build`" in _slack_texts(slack_message(message))[2]
    assert len(discord_message(message)["embeds"][0]["fields"]) == 3


def test_a_failure_reads_well_without_markup() -> None:
    told = Announcement(
        key="1/failed",
        kind="failed",
        colour="red",
        repository="acme/shop",
        ref="main",
        commit="c0ffee",
        run="pipeline/acme/shop/c0ffee",
        run_id="1",
        stage="unit",
        reason="7 tests failing each time, not healed in 8 attempts",
        tests=("tests/test_prices.py::test_total",),
        more_tests=6,
        seconds=61.2,
    )
    message = message_of(told, None)
    assert plain_title(message) == "🔴 Regreen: failed acme/shop main"
    assert plain_text(message).splitlines() == [
        "ref main commit c0ffee",
        "stage unit 7 tests failing each time, not healed in 8 attempts",
        "fails: tests/test_prices.py::test_total",
        "and 6 more",
        "regreen show pipeline/acme/shop/c0ffee after 61 s",
    ]
