"""`regreen list` on a real server: which runs each filter shows."""

import json
import uuid

import pytest
from temporalio.client import Client

from regreen.contracts.run import RunState
from regreen.errors import UsageError
from regreen.settings import load_settings
from starters.look import list_runs
from starters.run_filter import RunFilter
from tests.integration.unserved_runs import unserved_run
from workflows import search_attributes


@pytest.fixture
def repository() -> str:
    return f"example/it's-{uuid.uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
def server(worker_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", worker_client.service_client.config.target_host)


async def _start(client: Client, repository: str, ref: str, state: RunState) -> str:
    known = {
        search_attributes.REPOSITORY: repository,
        search_attributes.REF: ref,
        search_attributes.STATE: state,
    }
    return (await unserved_run(client, repository, known)).id


async def _listed(capsys: pytest.CaptureFixture[str], wanted: RunFilter) -> set[str]:
    capsys.readouterr()
    assert await list_runs(wanted, 20, json=True, settings=load_settings()) == 0
    return {each["workflow_id"] for each in json.loads(capsys.readouterr().out)}


async def test_each_filter_shows_what_it_names(
    repository: str, worker_client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    main = await _start(worker_client, repository, "main", "failed")
    quoted = await _start(worker_client, repository, "it's", "waiting")
    released = await _start(worker_client, repository, "main", "released")
    await _start(worker_client, f"{repository}-other", "main", "failed")

    async def listed(**filters: object) -> set[str]:
        return await _listed(capsys, RunFilter(repository=repository, **filters))  # type: ignore[arg-type]

    assert await listed() == {main, quoted, released}
    assert await listed(ref="main") == {main, released}
    assert await listed(ref="it's") == {quoted}
    assert await listed(states=("failed", "waiting")) == {main, quoted}
    assert await listed(states=("failed",), ref="main", since="1h") == {main}
    assert await listed(since="2000-01-01") == {main, quoted, released}
    assert await listed(since="2000-01-01T08:00+02:00") == {main, quoted, released}
    assert await listed(since="2999-01-01") == set()


async def test_a_filter_that_nothing_passes_says_so(
    repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = RunFilter(repository=repository)
    assert await list_runs(wanted, 20, json=False, settings=load_settings()) == 0
    assert capsys.readouterr().out == "no such runs\n"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (RunFilter(states=("broken",)), "no state `broken`; states: .*failed"),
        (RunFilter(ref='so "new"'), "double quote: so "),
        (RunFilter(since="yesterday"), "--since: `yesterday` is neither an age such as"),
        (RunFilter(since="999999w"), "--since: `999999w` is neither"),
        (RunFilter(since="7"), "--since: `7` is neither"),
        (RunFilter(since="0001-01-01T00:00+14:00"), "is neither"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(wanted: RunFilter, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        await list_runs(wanted, 20, json=True, settings=load_settings())
