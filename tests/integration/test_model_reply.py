"""Replies become patches of a workspace, and hostile or clumsy ones a reason in one line."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes, put_bytes
from activities.model_prompt import ReadReply, ReplyRequest, read_model_reply
from regreen.pipeline_file import Pipeline
from tests.integration.gate_repository import Files, stage_request

pytestmark = pytest.mark.usefixtures("own_state")

FILES: Files = {
    "shop.py": "PRICE = 3\n",
    "docs/notes.txt": "notes\n",
    ".gitignore": "*.log\n",
    "loop.py": Path("loop.py"),
    "link.py": Path("shop.py"),
}


async def read(folder: Path, text: str, malformed: str = "") -> ReadReply:
    stage = await stage_request(folder / "repository", "unit", Pipeline(), [FILES])
    request = ReplyRequest(
        **dict(stage),
        reply=await put_bytes("reply.txt", text.encode()),
        malformed=malformed,
        name="unit-attempt-1.patch",
    )
    return await ActivityEnvironment().run(read_model_reply, request)


def block(path: str, old: str, new: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


async def test_a_reply_is_a_patch_and_an_explanation(tmp_path: Path) -> None:
    text = "The price\x1b[31m is wrong.\n\n" + block("shop.py", "PRICE = 3", "PRICE = 2")
    found = await read(tmp_path, text)
    assert (found.malformed, found.explanation) == ("", "The price is wrong.")
    assert found.patch is not None
    assert found.patch.name == "unit-attempt-1.patch"
    assert "+PRICE = 2" in (await get_bytes(found.patch)).decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no `<<<<<<< SEARCH` block"),
        (block("../outside.py", "", "x = 1"), "leaves the repository"),
        (block(".git/hooks/post-checkout", "", "#!/bin/sh"), "in git's own folder"),
        (block("shop.py/more.py", "", "x = 1"), "shop.py/more.py"),
        (block("docs", "notes", "x"), "SEARCH block needs the file's path"),
        (block("docs/", "notes", "x"), "docs"),
        (block("a" * 300 + ".py", "", "x = 1"), "cannot be"),
        (block("a/" * 3_000 + "b.py", "", "x = 1"), "cannot be"),
        (block("debug.log", "", "kept by nobody"), "change nothing that git keeps"),
        (block("x" * 90_000 + ".py", "", "x = 1"), "cannot be"),
        (block("loop.py", "", "x = 1"), "symbolic link"),
        (block("link.py", "PRICE = 3", "PRICE = 2"), "symbolic link"),
        (block("shop.py", "PRICE = 3\n" * 2_500, ""), "more than 2,000 lines"),
        (block("shop.py", "PRICE = 4", "PRICE = 2"), "are not in the file"),
    ],
)
async def test_a_reply_that_cannot_be_used_is_one_line_for_model_and_person(
    tmp_path: Path, text: str, reason: str
) -> None:
    found = await read(tmp_path, text)
    assert found.patch is None
    assert reason in found.malformed
    assert found.malformed in found.feedback
    assert len(found.malformed) <= 300
    assert "\n" not in found.malformed
    assert not list(tmp_path.rglob("outside.py"))


async def test_what_the_service_says_of_the_reply_goes_first(tmp_path: Path) -> None:
    text = block("shop.py", "PRICE = 3", "PRICE = 2")
    found = await read(tmp_path, text, malformed="the reply is incomplete: max_output_tokens")
    assert found.patch is None
    assert found.malformed == "the reply is incomplete: max_output_tokens"
