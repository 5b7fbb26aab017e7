"""Releases to three targets at once, killed at any moment, and taken back."""

import hashlib
import os
import random
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import git
from tests.e2e.published_shop import Targets, receipts_of, three_targets
from tests.e2e.regreen_program import Started, kill_tree, tree_of, wait_until, wait_until_gone

# The moments are requests to the targets, counted; a release makes about 110 of them.
_REQUESTS = 110
_MOMENTS = int(os.environ.get("REGREEN_TEST_RELEASE_KILLS", "4"))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _on_github(targets: Targets) -> dict[str, str]:
    state = targets.github.state
    return {asset.name: _sha256(asset.content) for asset in state.assets.values()}


def _kill(started: Started, *, only_the_server: bool) -> None:
    if only_the_server:
        for each in tree_of(started.process.pid):
            if "start-dev" in each.cmdline():
                each.kill()
    else:
        wait_until_gone(kill_tree(started.process.pid))


@pytest.mark.parametrize("seed", range(_MOMENTS))
def test_killed_at_any_moment_it_is_published_once_everywhere(
    seed: int, make_program: MakeProgram, tmp_path: Path
) -> None:
    moment = random.Random(seed).randrange(1, _REQUESTS)
    with three_targets(tmp_path) as targets:
        program = make_program(**targets.variables)
        repository = targets.repository(tmp_path / "shop")
        with program.start("run", repository, "--json") as started:
            wait_until(
                lambda: targets.requests() >= moment or started.process.poll() is not None,
                f"request {moment} to the targets; it said:\n{started.said()}",
            )
            _kill(started, only_the_server=seed % 2 == 1)
            if seed % 2 == 1:
                started.wait()
        ended = program.run("run", repository, "--json")

        assert ended.code == 0, ended.errors
        document = ended.document
        assert document["state"] == "released"
        receipts = receipts_of(document)
        folder = Path(document["release"]["directory"])
        released = {
            str(path.relative_to(folder)).replace("/", "."): _sha256(path.read_bytes())
            for path in folder.rglob("*")
            if path.is_file()
        }
        assert receipts["github"] == released == _on_github(targets)
        [release] = targets.github.state.releases.values()
        assert (release.draft, release.target_commitish) == (False, document["commit"])
        assert targets.github.state.refs == {"tags/v1.0.0": document["commit"]}
        assert receipts["http"] == released
        stored = {path.rpartition("/")[2]: _sha256(c) for path, c in targets.http.files.items()}
        assert stored == released
        assert len(targets.http.writes) == len(set(targets.http.writes)) == len(released)
        packages = {
            path.name: _sha256(path.read_bytes()) for path in targets.index.folder.iterdir()
        }
        assert receipts["index"] == packages
        assert len(packages) == 2
        assert targets.index.uploads.count("200 OK") == 2
        assert git(repository, "tag") == "v1.0.0"
        assert [path.name for path in folder.parent.iterdir()] == ["1.0.0"]


def test_withdrawn_after_the_pivot_only_what_cannot_be_taken_back_is_left(
    make_program: MakeProgram, tmp_path: Path
) -> None:
    with three_targets(tmp_path) as targets:
        program = make_program(**targets.variables)
        repository = targets.repository(tmp_path / "shop")
        released = program.run("run", repository, "--json")
        assert released.code == 0, released.errors
        commit = released.document["commit"]
        place = Path(released.document["release"]["directory"])

        first = program.run("release", "withdraw", commit, "--reason", "loses orders", "--json")
        again = program.run("release", "withdraw", commit, "--reason", "another", "--json")

        assert first.code == 0, first.errors
        assert again.document == first.document
        left = {each["target"] for each in first.document["taken"] if each["left"]}
        assert left == {"github"}
        [release] = targets.github.state.releases.values()
        assert release.prerelease and "Withdrawn" in release.body
        assert (targets.http.files, list(targets.index.folder.iterdir())) == ({}, [])
        assert git(repository, "tag") == ""
        assert not place.exists()
        aside = Path(first.document["directory"])
        assert program.run("verify", aside / "release").code == 0
        names = {path.name for path in aside.iterdir()}
        statements = {"WITHDRAWAL.json", "withdrawal.openvex.json"}
        assert names == {"release", "cosign.pub", *statements, *(f"{n}.bundle" for n in statements)}
        assert "loses orders" in (aside / "withdrawal.openvex.json").read_text("utf-8")


def test_withdrawn_before_the_pivot_nothing_is_left(
    make_program: MakeProgram, tmp_path: Path
) -> None:
    with three_targets(tmp_path) as targets:
        program = make_program(**targets.variables)
        repository = targets.repository(tmp_path / "shop")
        # The index does not answer, so that the release waits before its pivot.
        (repository / "regreen.yaml").write_text(
            (repository / "regreen.yaml")
            .read_text("utf-8")
            .replace(f"simple: {targets.index.simple}", "simple: http://127.0.0.1:9/simple/"),
            "utf-8",
        )
        git(repository, "commit", "--all", "--quiet", "--message", "fix: another index")
        with program.start("run", repository, "--json") as started:
            wait_until(lambda: len(targets.github.state.assets) > 5, "the draft on GitHub")
            commit = git(repository, "rev-parse", "HEAD")
            withdrawn = program.run("release", "withdraw", commit, "--reason", "no", "--json")
            assert withdrawn.code == 0, withdrawn.errors
            assert withdrawn.document is None
            assert started.wait().code == 4
        state = targets.github.state
        assert (state.releases, state.assets, state.refs) == ({}, {}, {})
        assert (targets.http.files, list(targets.index.folder.iterdir())) == ({}, [])
        assert git(repository, "tag") == ""
        assert not list((program.state / "releases").rglob("*1.0.0*"))
