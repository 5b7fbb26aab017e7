"""The contract that every place of publication keeps: written once, never replaced."""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import index_target
from activities.cosign import sign_files
from activities.publishing import (
    fetch_back,
    stage_on_target,
    take_back_from_target,
    withdraw_from_target,
)
from activities.release_folder import write_checksums
from activities.signing_key import PUBLIC_KEY
from regreen.contracts.release import ChecksumRequest, ReleaseFile, SignRequest
from regreen.pipeline_file import TargetSection
from regreen.tools.locate import find
from tests.doubles.github.request import Answer
from tests.integration.release_places import WHEEL, Place, place_of, release_request, wheel_of
from tests.integration.wheel_project import need

KINDS = ("folder", "github", "http", "index")
REMOTE = KINDS[1:]


@pytest.fixture
def place(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Place]:
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    with place_of(request.param, monkeypatch, tmp_path) as opened:
        yield opened


every = pytest.mark.parametrize("place", KINDS, indirect=True)
remote = pytest.mark.parametrize("place", REMOTE, indirect=True)


@every
async def test_a_release_is_there_with_its_bytes_and_adopted_when_repeated(place: Place) -> None:
    request = await release_request(place.section)
    assert await place.publish(request) is False
    assert place.there(request) == place.wanted(request)
    assert await place.publish(request) is True
    assert place.there(request) == place.wanted(request)


@every
async def test_other_bytes_halt_it_with_both_digests(place: Place) -> None:
    request = await release_request(place.section)
    place.put(request, WHEEL, b"something else")
    before = place.there(request)
    with pytest.raises(ApplicationError) as caught:
        await place.publish(request)
    assert caught.value.type in ("TargetConflict", "ReleaseConflict")
    assert caught.value.non_retryable
    digest = "SHA256SUMS" if place.kind == "folder" else WHEEL
    assert before[digest][:12] in caught.value.message
    assert place.wanted(request)[digest][:12] in caught.value.message
    assert place.there(request) == before


@remote
async def test_other_bytes_are_found_before_anything_is_published(place: Place) -> None:
    request = await release_request(place.section)
    place.put(request, WHEEL, b"something else")
    with pytest.raises(ApplicationError, match="holds another"):
        await stage_on_target(request)


@pytest.mark.parametrize("place", ["index"], indirect=True)
async def test_a_package_that_twine_does_not_know_is_refused_before_anything_is_published(
    place: Place,
) -> None:
    request = await release_request(place.section, wheel_of("shop", "1.0.0", metadata="9.9"))
    with pytest.raises(ApplicationError, match=rf"twine check {WHEEL}: .*'9\.9'") as caught:
        await stage_on_target(request)
    assert (caught.value.type, caught.value.non_retryable) == ("TargetRefused", True)
    assert place.there(request) == {}


@remote
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_failing_server_is_asked_again_and_nothing_is_written_twice(
    place: Place, moment: str
) -> None:
    request = await release_request(place.section)
    place.fail(moment)
    for _ in range(2):
        try:
            await place.publish(request)
        except ApplicationError as error:
            assert not error.non_retryable, error.message
            assert "500" in error.message
        else:
            break
    await place.publish(request)
    assert place.there(request) == place.wanted(request)
    if place.kind == "http":
        assert len(place.double.writes) == len(set(place.double.writes))
    if place.kind == "index":
        assert place.double.uploads.count("200 OK") == 1
    if place.kind == "github":
        assert len(place.double.state.releases) == 1


@pytest.mark.parametrize("place", ["github"], indirect=True)
async def test_a_limit_of_github_is_waited_for_as_long_as_it_says(place: Place) -> None:
    request = await release_request(place.section)
    limited = Answer(429, {"message": "Too many requests"}, headers={"Retry-After": "40"})
    place.double.answers.append(("repos/list-releases", limited))
    with pytest.raises(ApplicationError) as caught:
        await place.publish(request)
    assert (caught.value.type, caught.value.non_retryable) == ("TargetUnreachable", False)
    assert caught.value.next_retry_delay == timedelta(seconds=40)


@pytest.mark.parametrize("place", ["index"], indirect=True)
async def test_an_index_that_is_silent_after_it_stored_has_stored(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_target, "_UPLOAD_SECONDS", 8.0)
    request = await release_request(place.section)
    place.fail("silent")
    assert await place.publish(request) is False
    assert await place.publish(request) is True
    assert place.there(request) == place.wanted(request)
    assert place.double.uploads == ["200 OK"]


@pytest.mark.parametrize("place", ["index"], indirect=True)
@pytest.mark.parametrize("same", [True, False], ids=["same bytes", "other bytes"])
@pytest.mark.parametrize(
    ("fault", "answer"), [("", "400 Bad Request"), ("conflict", "409 Conflict")]
)
async def test_an_index_that_got_the_file_from_somebody_else_meanwhile_refuses_it(
    fault: str, answer: str, same: bool, place: Place
) -> None:
    wheel = wheel_of("shop", "1.0.0")
    other = wheel if same else wheel_of("shop", "1.0.0", metadata="2.2")
    request = await release_request(place.section, wheel)
    place.fail(fault)
    place.double.meanwhile.append(lambda: place.put(request, WHEEL, other))
    if same:
        await place.publish(request)
    else:
        with pytest.raises(ApplicationError, match="holds another") as caught:
            await place.publish(request)
        assert (caught.value.type, caught.value.non_retryable) == ("TargetConflict", True)
    assert place.double.uploads == [answer]
    assert place.there(request) == {WHEEL: hashlib.sha256(other).hexdigest()}


@remote
async def test_what_is_staged_is_seen_by_nobody_and_leaves_no_trace(place: Place) -> None:
    request = await release_request(place.section)
    await stage_on_target(request)
    assert place.there(request) == {}
    await take_back_from_target(request)
    await take_back_from_target(request)
    if place.kind == "github":
        assert (place.double.state.releases, place.double.state.assets) == ({}, {})
        assert place.double.state.refs == {}


@pytest.mark.parametrize("place", ["github"], indirect=True)
async def test_a_draft_under_way_when_it_was_cancelled_is_taken_back(place: Place) -> None:
    request = await release_request(place.section)
    goes_on = place.double.held.setdefault("repos/create-release", threading.Event())
    staging = asyncio.create_task(stage_on_target(request))
    while "repos/create-release" not in place.double.asked:
        await asyncio.sleep(0.01)

    staging.cancel()
    asyncio.get_running_loop().call_later(0.5, goes_on.set)
    with pytest.raises(asyncio.CancelledError):
        await staging
    assert goes_on.is_set()
    assert await take_back_from_target(request) == "draft deleted"

    assert (place.double.state.releases, place.double.state.assets) == ({}, {})


@remote
async def test_what_users_fetch_is_what_was_released(place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    receipt = await fetch_back(request)
    assert {file.name: file.sha256 for file in receipt.files} == place.wanted(request)


@pytest.mark.parametrize("place", ["http"], indirect=True)
async def test_heartbeats_go_on_while_signatures_are_verified(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need("cosign")
    request = await release_request(place.section)
    signed = await sign_files(SignRequest(files=request.files, logged=False))
    key = signed.public_key
    assert key is not None
    files = [*request.files[:-1], *signed.bundles[:-1], ReleaseFile(path=PUBLIC_KEY, content=key)]
    sums = await write_checksums(ChecksumRequest(files=tuple(files)))
    listed = ReleaseFile(path="SHA256SUMS", content=sums)
    over_sums = (await sign_files(SignRequest(files=(listed,), logged=False))).bundles
    whole = (*files, listed, *over_sums)
    request = request.model_copy(update={"files": whole, "public_key": key})
    await place.publish(request)
    asked, answer = tmp_path / "asked", tmp_path / "answer"
    slow = tmp_path / "tools" / "bin" / "cosign"
    slow.parent.mkdir(parents=True)
    waiting = f"touch {asked}; while [ ! -e {answer} ]; do sleep 0.1; done"
    slow.write_text(f'#!/bin/sh\n{waiting}\nexec {find("cosign")} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("REGREEN_TOOLS", str(tmp_path / "tools"))
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *_: answer.touch() if asked.exists() else None

    receipt = await environment.run(fetch_back, request)

    assert len(receipt.files) == len(whole)


@remote
async def test_an_address_that_the_operator_did_not_allow_gets_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGREEN_PUBLISH_TO", "http://127.0.0.1:1 https://example.org/releases")
    request = await release_request(place.section)
    with pytest.raises(ApplicationError, match="REGREEN_PUBLISH_TO") as caught:
        await place.publish(request)
    assert (caught.value.type, caught.value.non_retryable) == ("TargetRefused", True)
    assert place.there(request) == {}


@remote
async def test_a_withdrawn_release_is_gone_or_marked(place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    for _ in range(2):
        taken = await withdraw_from_target(request)
    if place.kind == "github":
        [release] = place.double.state.releases.values()
        assert release.prerelease
        assert release.body.startswith("> **Withdrawn.**")
        assert release.body.count("Withdrawn") == 1
        assert set(taken.left) == set(place.wanted(request))
    else:
        assert place.there(request) == {}
        assert taken.left == ()


index = pytest.mark.parametrize("place", ["index"], indirect=True)


@index
async def test_an_index_that_deletes_has_nothing_left(place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    for _ in range(2):
        taken = await withdraw_from_target(request)
        assert (taken.done, taken.left) == ("shop 1.0.0 deleted", ())
    assert place.there(request) == {}


@index
async def test_an_index_that_yanks_keeps_the_files_for_those_who_name_them(place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    place.double.removals.append("yank")
    taken = await withdraw_from_target(request)
    assert (taken.done, taken.left) == ("shop 1.0.0 yanked", ())
    assert place.there(request) == place.wanted(request)


@index
@pytest.mark.parametrize("status", ["403 Forbidden", "405 Method Not Allowed", "410 Gone"])
async def test_an_index_that_refuses_is_left_to_a_person(status: str, place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    place.double.removals.append(status)
    taken = await withdraw_from_target(request)
    assert taken.done == (
        f"yank shop 1.0.0 by hand: the index answered {status[:3]} to `remove_pkg`"
    )
    assert taken.left == (WHEEL,)


@index
@pytest.mark.parametrize("status", ["401 Unauthorized", "503 Service Unavailable"])
async def test_an_index_in_trouble_is_asked_again(status: str, place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    place.double.removals.append(status)
    with pytest.raises(ApplicationError, match=f"answered {status[:3]}") as caught:
        await withdraw_from_target(request)
    assert not caught.value.non_retryable
    assert (await withdraw_from_target(request)).done == "shop 1.0.0 deleted"


@pytest.mark.parametrize("place", ["http"], indirect=True)
@pytest.mark.parametrize("status", [403, 405, 501])
async def test_a_server_that_deletes_some_files_only_tells_which_are_left(
    status: int, place: Place
) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    place.double.refuses[WHEEL] = status
    taken = await withdraw_from_target(request)
    assert taken.done == f"3 files deleted; DELETE of the others is answered {status}"
    assert [address.rpartition("/")[2] for address in taken.left] == [WHEEL]
    assert set(place.there(request)) == {WHEEL}


@pytest.mark.parametrize("place", ["http"], indirect=True)
@pytest.mark.parametrize("status", [401, 500])
async def test_a_server_in_trouble_is_asked_again(status: int, place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    place.double.refuses[WHEEL] = status
    with pytest.raises(ApplicationError, match=f"answered {status}") as caught:
        await withdraw_from_target(request)
    assert not caught.value.non_retryable
    place.double.refuses.clear()
    assert (await withdraw_from_target(request)).left == ()


@pytest.mark.parametrize("place", ["github"], indirect=True)
@pytest.mark.parametrize(("status", "for_good"), [(403, True), (401, False), (500, False)])
async def test_github_is_asked_again_unless_it_forbids(
    status: int, for_good: bool, place: Place
) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    place.double.refuses["repos/update-release"] = status
    with pytest.raises(ApplicationError, match=f"answered {status}") as caught:
        await withdraw_from_target(request)
    assert caught.value.non_retryable == for_good


@pytest.mark.parametrize("place", ["github"], indirect=True)
async def test_a_tag_at_another_commit_on_github_halts_before_the_draft(place: Place) -> None:
    request = await release_request(place.section)
    place.double.state.refs[f"tags/{request.tag}"] = "b" * 40
    with pytest.raises(ApplicationError, match="is at bbbb") as caught:
        await stage_on_target(request)
    assert caught.value.type == "TargetConflict"
    assert place.double.state.releases == {}


@pytest.mark.parametrize("place", ["github"], indirect=True)
async def test_a_draft_that_was_made_twice_is_published_once(place: Place) -> None:
    request = await release_request(place.section)
    for _ in range(2):
        place.double.fails.append(("repos/create-release", "after"))
    with pytest.raises(ApplicationError, match="500"):
        await place.publish(request)
    assert len(place.double.state.releases) == 1
    await place.publish(request)
    assert [release.draft for release in place.double.state.releases.values()] == [False]
    assert place.double.fails


@pytest.mark.parametrize("place", ["http"], indirect=True)
async def test_a_server_that_serves_other_bytes_fails_the_release(place: Place) -> None:
    request = await release_request(place.section)
    await place.publish(request)
    [path] = [path for path in place.double.files if path.endswith(WHEEL)]
    place.double.serves[path] = b"from a stale cache"
    with pytest.raises(ApplicationError, match="has sha256") as caught:
        await fetch_back(request)
    assert (caught.value.type, caught.value.non_retryable) == ("ReleaseInvalid", True)


def test_two_targets_of_one_name_are_refused() -> None:
    from regreen.errors import UsageError
    from regreen.pipeline_reading import parse_pipeline

    text = "release:\n  targets:\n    - kind: github\n    - kind: github\n"
    with pytest.raises(UsageError, match="two targets are called github"):
        parse_pipeline(text)
    assert TargetSection(kind="http", name="mirror").label == "mirror"
