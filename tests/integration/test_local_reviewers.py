"""Who may decide about a repository on this disk, which knows authors but no accounts."""

import subprocess
from pathlib import Path

import pytest

from activities.artifact_store import put_bytes
from activities.reviewer_check import check_reviewer
from regreen.contracts.reviewer import ReviewerQuestion

PATCH = b"""\
diff --git a/shop.py b/shop.py
--- a/shop.py
+++ b/shop.py
@@ -1 +1 @@
-price = 1
+price = 2
"""


@pytest.fixture
def repository(tmp_path: Path, own_state: Path) -> Path:
    folder = tmp_path / "shop"
    who = ["-c", "user.name=Ada Byron", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "init", "-q", folder], check=True)
    commit = ["git", *who, "commit", "-q", "--allow-empty", "-m", "begin"]
    subprocess.run(commit, cwd=folder, check=True)
    return folder


def _question(repository: Path, reviewer: str, **more: object) -> ReviewerQuestion:
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository, text=True)
    known = {"repository": "local/shop", "location": str(repository), "commit": head.strip()}
    return ReviewerQuestion.model_validate(known | {"reviewer": reviewer} | more)


async def test_everybody_may_where_no_policy_says_otherwise(repository: Path) -> None:
    assert (await check_reviewer(_question(repository, "Ada Byron"))).refused == ""


@pytest.mark.parametrize("name", ["Ada Byron", "ada byron", "ADA@example.org"])
async def test_an_author_may_not_where_authors_are_refused(repository: Path, name: str) -> None:
    answer = await check_reviewer(_question(repository, name, author_refused=True))

    assert answer.refused == f"{name} made the commit, and `approval.author` is refused"


async def test_nobody_may_where_the_forge_cannot_be_asked(repository: Path) -> None:
    question = _question(repository, "mallory", location="https://gitlab.example/acme/shop.git")

    answer = await check_reviewer(question)

    assert answer.refused == (
        "nobody can be asked who may write to local/shop: no credentials for it"
    )


async def test_others_may_where_authors_are_refused(repository: Path) -> None:
    answer = await check_reviewer(_question(repository, "Grace", author_refused=True))

    assert answer.refused == ""


async def test_owners_that_nobody_can_tell_are_nobody(repository: Path) -> None:
    patch = await put_bytes("one.patch", PATCH)

    answer = await check_reviewer(_question(repository, "Grace", owners_of_patched=[patch]))

    assert answer.refused == (
        "`approval.code_owners` needs a forge that knows accounts; this one is local"
    )
