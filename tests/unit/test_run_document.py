"""The JSON document of a run has the documented shape, whatever state the run is in."""

import json
from pathlib import Path

from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Attempt
from regreen.contracts.run import PipelineRequest, PullRequest, Release, RunReport, StageReport
from regreen.contracts.testing import Evidence, Triage
from regreen.settings import Settings
from starters.run_document import run_document, run_page

PATCH = ArtifactRef(name="unit-attempt-1.patch", sha256="ab" * 32, bytes=12, media_type="text/x")
REQUEST = PipelineRequest(repository="acme/shop", location="/srv/shop", ref="main", commit="c" * 40)
KEYS = {
    "run_id",
    "workflow_id",
    "state",
    "repository",
    "ref",
    "commit",
    "tree",
    "stages",
    "artifacts",
    "pull_request",
    "release",
    "ui",
}


def _report(**more: object) -> RunReport:
    known: dict[str, object] = {
        "workflow_id": "pipeline/acme/shop/c",
        "run_id": "run",
        "state": "running",
        "request": REQUEST,
    }
    return RunReport.model_validate(known | more)


def _settings(state: Path, artifacts: str | None = None) -> Settings:
    return Settings(state=state, artifacts=artifacts)


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    stages = (StageReport(name="build", running=True), StageReport(name="unit"))

    document = run_document(_report(stages=stages), _settings(tmp_path), None)

    assert document.keys() >= KEYS
    assert document["pull_request"] is None
    assert document["release"] is None
    assert document["ui"] is None
    assert document["artifacts"] == []
    assert document["stages"] == [], "a stage has its state once it has ended"
    assert document["current"] == ["build"]
    assert json.loads(json.dumps(document)) == document


def test_a_healed_and_released_run(tmp_path: Path) -> None:
    attempts = (
        Attempt(
            number=1, healer="search", verdict="no_patch", reason="nothing found", candidates=40
        ),
        Attempt(
            number=2,
            healer="openai",
            verdict="healed",
            reason="all green",
            patch=PATCH,
            tokens=1100,
            cost_usd=0.02,
            seconds=3.5,
        ),
    )
    unit = StageReport(
        name="unit", state="healed", seconds=9.5, summary="3 of 3", attempts=attempts
    )
    wheel = ArtifactRef(name="shop.whl", sha256="cd" * 32, bytes=99)
    report = _report(
        state="released",
        stages=(unit, StageReport(name="package", state="passed", artifacts=(wheel,))),
        pull_request=PullRequest(
            branch="auto-heal/unit/1", url="file:///1.md", number=1, head="h" * 40, tree="t" * 40
        ),
        release=Release(version="1.0.0", directory="/srv/releases/1.0.0", tag="v1.0.0"),
    )

    document = run_document(report, _settings(tmp_path), "http://127.0.0.1:8233")

    first, second = document["stages"][0]["attempts"]
    assert first == {
        "number": 1,
        "healer": "search",
        "verdict": "no_patch",
        "reason": "nothing found",
        "patch": None,
        "candidates": 40,
        "tokens": 0,
        "cost_usd": 0.0,
        "seconds": 0.0,
    }
    assert second["patch"]["path"] == str(tmp_path / "artifacts" / "sha256" / "ab" / ("ab" * 31))
    assert second["tokens"] == 1100
    assert [each.keys() for each in document["artifacts"]] == [
        {"name", "sha256", "bytes", "media_type", "path"}
    ]
    assert document["pull_request"] == {"branch": "auto-heal/unit/1", "url": "file:///1.md"}
    assert document["release"] == {
        "version": "1.0.0",
        "directory": "/srv/releases/1.0.0",
        "url": None,
        "targets": [],
    }


def test_what_was_left_aside_and_why(tmp_path: Path) -> None:
    triage = Triage(
        kind="flaky",
        reason="passed alone in run 2",
        flaky=("test_a.py::test_a",),
        evidence=(Evidence(check="the failing tests alone", runs=2, result="1 of 1 passed"),),
    )
    unit = StageReport(
        name="unit", state="passed", quarantined=("test_a.py::test_a",), triage=triage
    )
    build = StageReport(name="build", state="passed")

    document = run_document(_report(stages=(build, unit)), _settings(tmp_path), None)

    green, red = document["stages"]
    assert (green["quarantined"], green["triage"]) == ([], None)
    assert red["quarantined"] == ["test_a.py::test_a"]
    assert red["triage"] == {
        "kind": "flaky",
        "reason": "passed alone in run 2",
        "upstream": [],
        "parent": "",
        "evidence": [{"check": "the failing tests alone", "runs": 2, "result": "1 of 1 passed"}],
    }
    assert json.loads(json.dumps(document)) == document


def test_artifacts_elsewhere_have_no_path(tmp_path: Path) -> None:
    stage = StageReport(name="package", state="passed", artifacts=(PATCH,))
    settings = _settings(tmp_path, "s3://bucket/prefix")

    document = run_document(_report(stages=(stage,)), settings, None)

    assert document["artifacts"][0]["path"] is None


def test_the_page_of_a_run_quotes_its_id() -> None:
    page = run_page(
        _report(workflow_id="pipeline/ada/a b/c"), "http://127.0.0.1:8233/namespaces/shop"
    )

    assert page == (
        "http://127.0.0.1:8233/namespaces/shop/workflows/pipeline%2Fada%2Fa%20b%2Fc/run/timeline"
    )
    assert run_page(_report(), None) is None
