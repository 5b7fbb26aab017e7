"""What GitHub asks of its adapter beyond the contract: tokens, limits, lost answers, forgeries."""

import base64
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import git as git_activity
from activities.forge import github_repository
from activities.pull_request import comment_on_pull_request, decide_pull_request
from activities.source import SourceRequest, fetch_source
from regreen.contracts.pull_request import Comment, PullRequestDecision
from regreen.contracts.run import PullRequest
from regreen.settings import Settings
from tests.doubles.github.request import Answer
from tests.e2e.plain_repository import git
from tests.integration.forge_places import BRANCH, ForgePlace, forge_of_kind, publish

pytestmark = pytest.mark.usefixtures("own_state")


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ForgePlace]:
    with forge_of_kind("github", monkeypatch, tmp_path) as place:
        yield place


async def _tell(forge: ForgePlace, made: PullRequest) -> None:
    comment = Comment(pull_request=made, repository=forge.name, key="one", text="Please look.")
    await ActivityEnvironment().run(comment_on_pull_request, comment)


async def _decide(forge: ForgePlace, made: PullRequest, state: str) -> None:
    decision = PullRequestDecision(
        pull_request=made, repository=forge.name, state=state, text=state, key="decision"
    )
    await ActivityEnvironment().run(decide_pull_request, decision)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/example/shop.git", "example/shop"),
        ("https://github.com/example/shop", "example/shop"),
        ("https://github.com/example/shop/pull/7", "example/shop"),
        ("https://someone:secret@github.com/example/shop.git", "example/shop"),
        ("https://GitHub.com/example/shop.js.git", "example/shop.js"),
        ("git@github.com:example/shop.git", "example/shop"),
        ("ssh://git@github.com:22/example/shop.git", "example/shop"),
        ("https://github.com.example.org/example/shop", None),
        ("https://example.org/github.com/example/shop", None),
        ("http://github.com/example/shop", None),
        ("https://github.com:8443/example/shop", None),
        ("https://github.com/../shop", None),
        ("https://github.com/example", None),
        ("git@gitlab.com:example/shop.git", None),
        ("/srv/github.com:example/shop", None),
        ("https://[broken/example/shop", None),
        ("https://github.com:port/example/shop", None),
    ],
)
def test_which_addresses_are_on_github(address: str, name: str | None) -> None:
    assert github_repository(address, Settings()) == name


async def test_a_copy_on_disk_is_on_github_when_its_commit_is(
    forge: ForgePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(forge.own, "remote", "add", "origin", forge.location)
    forge.location = str(forge.own)
    assert (await forge.fetch()).forge == "github"

    made = await publish(await forge.content())
    assert forge.tip(made.branch) == made.head

    (forge.own / "b.py").write_text("B = 3\n")
    git(forge.own, "commit", "--quiet", "--all", "--message", "feat: not pushed")
    assert (await forge.fetch()).forge == "local"
    local = await publish(await forge.content("pipeline/shop/2"))
    assert local.url.startswith("file:")
    assert forge.numbers() == [made.number]

    monkeypatch.delenv("GITHUB_TOKEN")
    git(forge.own, "checkout", "--quiet", "HEAD^")
    assert (await forge.fetch()).forge == "local"


async def test_a_draft_into_the_ref_that_the_run_is_about(forge: ForgePlace) -> None:
    made = await publish(await forge.content())

    pull = forge.github.state.pulls[made.number]
    assert (pull.draft, pull.base, pull.head) == (True, "main", BRANCH)
    assert made.url == f"{forge.github.address}/example/shop/pull/{made.number}"


async def test_a_plan_without_drafts_gets_a_pull_request(forge: ForgePlace) -> None:
    forge.github.state.drafts = False

    made = await publish(await forge.content())

    assert not forge.github.state.pulls[made.number].draft


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", ["pulls/create", "pulls/list"])
async def test_a_lost_answer_never_makes_a_second_pull_request(
    operation: str, moment: str, forge: ForgePlace
) -> None:
    content = await forge.content()
    forge.github.fails.append((operation, moment))

    with pytest.raises(ApplicationError, match="GitHub answered 500") as raised:
        await publish(content)
    assert (raised.value.type, raised.value.non_retryable) == ("ForgeUnreachable", False)
    made = await publish(content)

    assert forge.numbers() == [made.number]
    assert forge.branches() == [BRANCH]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_lost_answer_never_makes_a_second_comment_or_decision(
    moment: str, forge: ForgePlace
) -> None:
    made = await publish(await forge.content())
    for step in (_tell(forge, made), _decide(forge, made, "rejected")):
        forge.github.fails.append(("issues/create-comment", moment))
        with pytest.raises(ApplicationError):
            await step
    forge.github.fails.append(("pulls/update", moment))
    with pytest.raises(ApplicationError):
        await _decide(forge, made, "rejected")

    await _tell(forge, made)
    await _decide(forge, made, "rejected")

    assert sorted(forge.told(made.number).comments) == ["Please look.", "rejected"]
    assert forge.github.state.pulls[made.number].state == "closed"


async def test_superseding_that_breaks_off_is_told_once(forge: ForgePlace) -> None:
    made = await publish(await forge.content(signature="s1"))
    second = await forge.later("s1")
    forge.github.fails.append(("pulls/update", "before"))
    with pytest.raises(ApplicationError):
        await publish(second)

    updated = await publish(second)

    assert updated.number == made.number
    assert len(forge.told(made.number).comments) == 1
    assert second.source.commit in forge.told(made.number).body


async def test_what_a_person_closes_stays_closed_until_they_open_it_again(
    forge: ForgePlace,
) -> None:
    content = await forge.content(signature="s1")
    made = await publish(content)
    pull = forge.github.state.pulls[made.number]
    pull.state = "closed"

    assert (await publish(content)).number == made.number
    assert pull.state == "closed"
    other = await publish(content.model_copy(update={"run_id": "retried"}))
    assert other.number != made.number

    forge.github.state.pulls[other.number].state = "closed"
    pull.state = "open"
    again = await publish(content.model_copy(update={"run_id": "retried again"}))
    assert again.number == made.number


async def test_an_approval_leaves_the_pull_request_as_a_draft(forge: ForgePlace) -> None:
    made = await publish(await forge.content())

    await _decide(forge, made, "approved")

    pull = forge.github.state.pulls[made.number]
    assert (pull.state, pull.draft) == ("open", True)


LIMITS = {
    "primary": (
        403,
        "API rate limit exceeded for user ID 1.",
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "in 600 seconds"},
        timedelta(seconds=590),
        timedelta(seconds=600),
    ),
    "secondary": (
        403,
        "You have exceeded a secondary rate limit. Please wait a few minutes.",
        {"Retry-After": "77"},
        timedelta(seconds=77),
        timedelta(seconds=77),
    ),
    "unsaid": (
        403,
        "You have exceeded a secondary rate limit.",
        {},
        timedelta(minutes=1),
        timedelta(minutes=1),
    ),
    "too many": (429, "Too many requests", {"Retry-After": "5"}, *[timedelta(seconds=5)] * 2),
    "absurd": (429, "Too many requests", {"Retry-After": "999999"}, *[timedelta(hours=1)] * 2),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_limit_is_waited_for_by_temporal(limit: str, forge: ForgePlace) -> None:
    status, message, headers, least, most = LIMITS[limit]
    content = await forge.content()
    if "X-RateLimit-Reset" in headers:
        headers = headers | {"X-RateLimit-Reset": str(int(time.time()) + 600)}
    answer = Answer(status, {"message": message}, headers=headers)
    forge.github.answers.append(("pulls/list", answer))

    with pytest.raises(ApplicationError) as raised:
        await publish(content)

    assert (raised.value.type, raised.value.non_retryable) == ("ForgeLimited", False)
    delay = raised.value.next_retry_delay
    assert delay is not None
    assert least <= delay <= most


async def test_what_the_token_may_not_waits_and_says_so(forge: ForgePlace) -> None:
    content = await forge.content()
    forge.github.denied.add("pulls/create")

    with pytest.raises(ApplicationError, match="not accessible by personal") as raised:
        await publish(content)
    assert (raised.value.type, raised.value.non_retryable) == ("ForgeDenied", False)

    forge.github.denied.clear()
    assert (await publish(content)).number == 1


async def test_a_ref_that_is_no_branch_is_refused_for_good(forge: ForgePlace) -> None:
    content = await forge.content()
    source = content.source.model_copy(update={"ref": "v1.0.0"})

    with pytest.raises(ApplicationError, match="GitHub answered 422: Validation Failed") as raised:
        await publish(content.model_copy(update={"source": source}))

    assert (raised.value.type, raised.value.non_retryable) == ("ForgeRefused", True)


async def test_a_wrong_token_is_in_no_error_and_in_no_argument(
    forge: ForgePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = await forge.content()
    commands: list[str] = []
    start = git_activity.asyncio.create_subprocess_exec

    async def recorded(*arguments: str, **options: object) -> object:
        commands.append(" ".join(map(str, arguments)))
        return await start(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(git_activity.asyncio, "create_subprocess_exec", recorded)
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_a-wrong-token")
    hidden = base64.b64encode(b"x-access-token:ghs_a-wrong-token").decode()

    for step in (forge.fetch(), publish(content)):
        with pytest.raises(ApplicationError) as raised:
            await step
        error: BaseException | None = raised.value
        while error is not None:
            assert "ghs_a-wrong-token" not in f"{error} {error!r}"
            assert hidden not in str(error)
            error = error.__cause__
        assert not raised.value.non_retryable
    assert any("fetch" in command for command in commands)
    assert not [each for each in commands if "ghs_a-wrong-token" in each or hidden in each]


async def test_the_token_goes_to_no_other_server(
    forge: ForgePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "http://127.0.0.1:9")

    with pytest.raises(ApplicationError, match="git fetch"):
        await forge.fetch()

    assert forge.github.asked == ["git GET refs"]


async def test_a_commit_on_no_branch_is_fetched_by_its_name(forge: ForgePlace) -> None:
    main = forge.tip("main")
    lone = git(forge.there, "commit-tree", f"{main}^{{tree}}", "-p", main, "-m", "of a fork")
    git(forge.there, "update-ref", "refs/pull/1/head", lone)
    request = SourceRequest(
        repository=forge.name, location=forge.location, ref="topic", commit=lone
    )

    fetched = await ActivityEnvironment().run(fetch_source, request)

    assert fetched.source.commit == lone


async def test_an_app_asks_for_a_token_of_its_installation(
    forge: ForgePlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "app.pem").write_bytes(pem)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    forge.github.state.installation_keys[42] = public.decode()
    forge.github.state.token = "ghs_of-the-installation"
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.setenv("REGREEN_GITHUB_APP_ID", "7")
    monkeypatch.setenv("REGREEN_GITHUB_APP_KEY", str(tmp_path / "app.pem"))

    with pytest.raises(ApplicationError, match="REGREEN_GITHUB_APP_INSTALLATION"):
        await forge.fetch()
    monkeypatch.setenv("REGREEN_GITHUB_APP_INSTALLATION", "42")
    for wrong, words in (("shop/a.py", "no private key"), ("nowhere", "cannot be read")):
        monkeypatch.setenv("REGREEN_GITHUB_APP_KEY", str(tmp_path / wrong))
        with pytest.raises(ApplicationError, match=words):
            await forge.fetch()
    monkeypatch.setenv("REGREEN_GITHUB_APP_KEY", str(tmp_path / "app.pem"))
    made = await publish(await forge.content())

    assert forge.tip(BRANCH) == made.head


async def test_a_forged_mark_leads_to_no_other_branch(forge: ForgePlace) -> None:
    """Who may write to the repository opens a pull request that looks like Regreen's."""
    content = await forge.content(signature="s1")
    made = await publish(content)
    state = forge.github.state
    state.pulls[made.number].head = "main"
    main = forge.tip("main")

    with pytest.raises(ApplicationError) as raised:
        await publish(content)

    assert (raised.value.type, raised.value.non_retryable) == ("BranchRefused", True)
    assert forge.tip("main") == main


@pytest.mark.parametrize("forgery", ["fork", "malformed", "further down"])
async def test_what_only_looks_like_a_mark_is_none(forgery: str, forge: ForgePlace) -> None:
    made = await publish(await forge.content(signature="s1"))
    pull = forge.github.state.pulls[made.number]
    if forgery == "fork":
        pull.head_repository = "mallory/shop"
    elif forgery == "malformed":
        pull.body = '<!-- regreen {"run": 3} -->\nhello'
    else:
        pull.body = f"Look:\n{pull.body}"
    before = pull.body

    other = await publish(await forge.later("s1"))

    assert other.number != made.number
    assert pull.body == before


async def test_a_comment_of_somebody_elses_does_not_stand_for_regreens(forge: ForgePlace) -> None:
    made = await publish(await forge.content())
    await _tell(forge, made)
    [remark] = forge.github.state.remarks
    remark.author = "mallory"

    await _tell(forge, made)

    assert [each.author for each in forge.github.state.remarks] == ["mallory", "regreen"]


async def test_the_mark_holds_whatever_a_ref_is_called(forge: ForgePlace) -> None:
    ref = "feature/--><b>--"
    git(forge.there, "branch", ref, "main")
    content = await forge.content(signature="s1")
    source = content.source.model_copy(update={"ref": ref})
    content = content.model_copy(update={"source": source})

    made = await publish(content)

    assert forge.github.state.pulls[made.number].body.splitlines()[0].count("-->") == 1
    assert (await publish(content)) == made


async def test_somebodys_commit_gets_the_heals_a_pull_request_of_their_own(
    forge: ForgePlace,
) -> None:
    made = await publish(await forge.content(signature="s1"))
    forge.commit_on(BRANCH)

    second = await forge.later("s1")
    updated = await publish(second)
    third = await publish(second.model_copy(update={"run": "pipeline/shop/3"}))

    assert updated.number != made.number
    assert third.number == updated.number
    assert forge.numbers() == [made.number, updated.number]
    assert forge.github.state.pulls[made.number].state == "open"
