"""Who may decide on GitHub: permission, authors, code owners. What cannot be seen refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.reviewer_check import check_reviewer
from regreen.contracts.reviewer import ReviewerQuestion
from tests.e2e.plain_repository import git
from tests.integration.forge_places import ForgePlace, forge_of_kind

pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ForgePlace]:
    with forge_of_kind("github", monkeypatch, tmp_path) as place:
        place.github.state.permissions = {"ada": "write", "bob": "admin", "eve": "read"}
        yield place


async def _refused(forge: ForgePlace, reviewer: str, **asked: object) -> str:
    question = ReviewerQuestion(
        repository=forge.name,
        location=forge.location,
        commit=git(forge.own, "rev-parse", "HEAD"),
        reviewer=reviewer,
    ).model_copy(update=asked)
    return (await ActivityEnvironment().run(check_reviewer, question)).refused


@pytest.mark.parametrize(
    ("reviewer", "refused"),
    [
        ("ada", ""),
        ("bob", ""),
        ("ADA", ""),
        ("eve", "eve may not write to example/shop"),
        ("nobody", "nobody may not write to example/shop"),
        ("", "`` is no account of GitHub"),
        ("../../orgs/x", "`../../orgs/x` is no account of GitHub"),
        ("ada\n", ""),
    ],
)
async def test_who_may_write_may_decide(reviewer: str, refused: str, forge: ForgePlace) -> None:
    assert await _refused(forge, reviewer) == refused


async def test_for_a_local_repository_everybody_may(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with forge_of_kind("local", monkeypatch, tmp_path) as place:
        assert await _refused(place, "anybody") == ""


@pytest.mark.parametrize(
    ("logins", "words"),
    [
        (("ada", "bob"), "ada is the author of commit"),
        (("bob", "Ada"), "ada is the committer of commit"),
        (("bob", "web-flow"), ""),
        ((None, "bob"), "the author of commit"),
        (("bob", None), "belongs to no account"),
    ],
)
async def test_who_wrote_the_commit_may_not_when_asked(
    logins: tuple[str | None, str | None], words: str, forge: ForgePlace
) -> None:
    forge.github.state.authors[git(forge.own, "rev-parse", "HEAD")] = logins

    refused = await _refused(forge, "ada", author_refused=True)

    assert words in refused
    assert bool(refused) is bool(words)
    assert await _refused(forge, "ada") == ""


@pytest.mark.parametrize("place", [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"])
async def test_only_code_owners_may_when_asked(place: str, forge: ForgePlace) -> None:
    forge.github.state.contents[place] = "*.py @ada\nfree.py\n"

    assert await _refused(forge, "ada", owners_of=("a.py",)) == ""
    assert await _refused(forge, "bob", owners_of=("free.py", "notes.md")) == ""
    refused = await _refused(forge, "bob", owners_of=("notes.md", "a.py"))
    assert refused.startswith("a.py is owned by @ada")


async def test_the_first_place_counts(forge: ForgePlace) -> None:
    forge.github.state.contents |= {
        ".github/CODEOWNERS": "* @ada",
        "CODEOWNERS": "* @bob",
    }

    assert await _refused(forge, "ada", owners_of=("a.py",)) == ""


async def test_teams_own_through_their_members(forge: ForgePlace) -> None:
    state = forge.github.state
    state.contents["CODEOWNERS"] = "* @example/builders ops@example.org"
    state.teams["example/builders"] = {"ada"}

    assert await _refused(forge, "ada", owners_of=("a.py",)) == ""
    refused = await _refused(forge, "bob", owners_of=("a.py",))
    assert refused.startswith("a.py is owned by ops@example.org, and the token cannot see")
    forge.github.denied.add("teams/get-membership-for-user-in-org")
    refused = await _refused(forge, "ada", owners_of=("a.py",))
    assert "@example/builders, ops@example.org, and the token cannot see" in refused


async def test_a_forge_that_does_not_answer_is_asked_again(forge: ForgePlace) -> None:
    forge.github.fails.append(("repos/get-collaborator-permission-level", "before"))

    with pytest.raises(ApplicationError) as raised:
        await _refused(forge, "ada")

    assert not raised.value.non_retryable
    assert await _refused(forge, "ada") == ""
