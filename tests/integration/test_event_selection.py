"""Whether a commit's own pipeline file selects an event, asked of a real repository."""

import shutil
import subprocess
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.event_selection import select_event
from regreen.contracts.repository import EventSelection, Selected

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.usefixtures("own_state"),
    pytest.mark.skipif(shutil.which("git") is None, reason="git"),
]


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def _commit(folder: Path, text: str | None) -> str:
    path = folder / "regreen.yaml"
    if text is None:
        (folder / "README").write_text("no pipeline file\n", "utf-8")
    else:
        path.write_text(text, "utf-8")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "-m", "change")
    return _git(folder, "rev-parse", "HEAD")


async def _select(folder: Path, commit: str, **more: str) -> Selected:
    known = {"repository": "acme/shop", "location": str(folder), "event": "push", "ref": "main"}
    asked = EventSelection.model_validate(known | {"commit": commit} | more)
    answer: Selected = await ActivityEnvironment().run(select_event, asked)
    return answer


async def test_the_file_of_the_very_commit_decides(repository: Path) -> None:
    old = _commit(repository, "on: {push: [develop]}\n")
    new = _commit(repository, "on: {push: [main], pull_request: [develop]}\n")

    assert "selects develop" in (await _select(repository, old)).refused
    assert (await _select(repository, new)).refused == ""
    about = {"event": "pull_request", "ref": "topic"}
    assert "to `main`" in (await _select(repository, new, base="main", **about)).refused
    assert (await _select(repository, new, base="develop", **about)).refused == ""


@pytest.mark.parametrize("text", [None, "on: [nonsense\n", "unit: {timout: 3s}\n"])
async def test_without_a_readable_file_everything_is_selected(
    repository: Path, text: str | None
) -> None:
    commit = _commit(repository, text)

    assert await _select(repository, commit) == Selected()


async def test_a_commit_that_was_pushed_away_starts_nothing(repository: Path) -> None:
    _commit(repository, None)

    refused = (await _select(repository, "a" * 40)).refused

    assert refused == f"the forge no longer has commit {'a' * 12}"


async def test_a_forge_that_does_not_answer_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as raised:
        await _select(tmp_path / "nowhere", "a" * 40)

    assert raised.value.type == "GitFailed"
    assert not raised.value.non_retryable


async def test_an_address_that_starts_a_program_does_not(tmp_path: Path, repository: Path) -> None:
    commit = _commit(repository, None)
    started = tmp_path / "started"

    for location in (f"ext::touch {started}", f"--upload-pack=touch {started}"):
        with pytest.raises(ApplicationError):
            await _select(repository, commit, location=location)

    assert not started.exists()
