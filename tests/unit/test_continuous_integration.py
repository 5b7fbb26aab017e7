"""What a job of a continuous-integration service is told, and which of its events run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from regreen.contracts.gates import Finding, GateVerdict
from regreen.contracts.healing import Attempt
from regreen.contracts.run import PipelineRequest, PullRequest, RunReport, StageReport
from regreen.contracts.testing import Triage
from regreen.event_selection import why_not_selected
from regreen.pipeline_file import OnSection
from regreen.pipeline_reading import parse_pipeline
from starters.annotations import annotations
from starters.continuous_integration import Job, job_of
from starters.step_summary import step_outputs, step_summary, write_outputs, write_step_summary

PROJECT = Path(__file__).parents[2]
PAGE = "http://127.0.0.1:8233/namespaces/default/workflows/pipeline%2Fa%2Fb%2Fc/1/timeline"


def _report(*stages: StageReport, state: str = "failed", reason: str = "") -> RunReport:
    return RunReport.model_validate(
        {
            "workflow_id": "pipeline/a/b/c",
            "run_id": "1",
            "state": state,
            "reason": reason,
            "request": PipelineRequest(
                repository="a/b", location="/b", ref="main", commit="c0ffee"
            ),
            "stages": stages,
        }
    )


def _red(failing: tuple[str, ...], summary: str = "2 of 4 failing") -> StageReport:
    triage = Triage(kind="reproducible", reason="failed 3 times of 3", failing=failing)
    return StageReport(name="unit", state="failed", summary=summary, triage=triage)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF_NAME": "main"},
            Job("GitHub Actions", "push", "main", annotates=True),
        ),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_NAME": "pull_request",
                "GITHUB_REF_NAME": "12/merge",
                "GITHUB_HEAD_REF": "prices",
                "GITHUB_BASE_REF": "develop",
            },
            Job("GitHub Actions", "pull_request", "prices", "develop", annotates=True),
        ),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_NAME": "merge_group",
                "GITHUB_REF_NAME": "gh-readonly-queue/release/2/pr-12-c0ffee",
            },
            Job(
                "GitHub Actions",
                "pull_request",
                "gh-readonly-queue/release/2/pr-12-c0ffee",
                "release/2",
                annotates=True,
            ),
        ),
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "workflow_dispatch"},
            Job("GitHub Actions", "manual", "", annotates=True),
        ),
        (
            {
                "GITLAB_CI": "true",
                "CI_PIPELINE_SOURCE": "merge_request_event",
                "CI_COMMIT_REF_NAME": "refs/merge-requests/1/head",
                "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "prices",
                "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            },
            Job("GitLab CI", "pull_request", "prices", "main"),
        ),
        (
            {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "web", "CI_COMMIT_REF_NAME": "main"},
            Job("GitLab CI", "manual", "main"),
        ),
        (
            {"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_BRANCH": "main"},
            Job("Bitbucket Pipelines", "push", "main"),
        ),
        (
            {
                "TF_BUILD": "True",
                "BUILD_REASON": "Schedule",
                "BUILD_SOURCEBRANCH": "refs/heads/release/2",
            },
            Job("Azure Pipelines", "schedule", "release/2"),
        ),
        ({"CI": "true"}, None),
    ],
)
def test_a_job_is_known_by_the_variables_of_its_service(
    environment: dict[str, str], expected: Job | None
) -> None:
    assert job_of(environment) == expected


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (Job("any", "push", "main"), ""),
        (Job("any", "push", "release/2.1"), ""),
        (
            Job("any", "push", "try-it"),
            "this is a push to `try-it`; `on.push` selects main, release/*",
        ),
        (Job("any", "pull_request", "try-it", "develop"), ""),
        (
            Job("any", "pull_request", "main", "old"),
            "this is a pull request to `old`; `on.pull_request` selects develop",
        ),
        (Job("any", "schedule", "main"), "`on.schedule: false`"),
        (Job("any", "manual", "try-it"), ""),
    ],
)
def test_the_pipeline_file_selects_events(job: Job, reason: str) -> None:
    text = "on:\n  push: [main, 'release/*']\n  pull_request: [develop]\n  schedule: false\n"
    section = parse_pipeline(text).on

    assert why_not_selected(section, job.event, job.ref, job.base) == reason


def test_without_a_section_every_event_runs() -> None:
    for event in ("push", "pull_request", "manual", "schedule"):
        assert why_not_selected(OnSection(), event, "a/b", "c") == ""  # type: ignore[arg-type]


def test_nothing_is_selected_by_an_empty_list() -> None:
    assert "selects nothing" in why_not_selected(OnSection(push=()), "push", "main", "")


def test_errors_come_before_warnings_and_no_text_breaks_out() -> None:
    flaky = StageReport(name="e2e", state="passed", quarantined=("tests/test_e.py::test_x",))
    text = "50 % of\r\n::error::forged"

    lines = annotations(_report(_red(("tests/a,b.py::test_c",), text), flaky))

    assert lines == [
        "::error title=unit failed::50 %25 of%0D%0A::error::forged",
        "::error title=unit%3A failing test,file=tests/a%2Cb.py::tests/a,b.py::test_c fails",
        "::warning title=e2e%3A flaky test,file=tests/test_e.py::"
        "tests/test_e.py::test_x is flaky: it failed, and passed when run again",
    ]


def test_a_finding_that_blocks_is_shown_at_its_line() -> None:
    finding = Finding(
        tool="bandit",
        rule="B602",
        severity="high",
        path="shop/run.py",
        line=5,
        message="a shell is used",
        fingerprint="a" * 32,
    )
    gate = GateVerdict(gate="static-analysis", state="failed", summary="s", blocking=(finding,))
    security = StageReport(name="security", state="failed", summary="bandit: 1", gates=(gate,))

    assert annotations(_report(security)) == [
        "::error title=security failed::bandit: 1",
        "::error title=static-analysis%3A B602,file=shop/run.py,line=5::a shell is used",
    ]


def test_there_are_no_more_annotations_than_are_shown() -> None:
    failing = tuple(f"tests/test_a.py::test_{number}" for number in range(40))
    flaky = StageReport(name="e2e", state="passed", quarantined=failing)

    lines = annotations(_report(_red(failing), flaky))

    assert [line.startswith("::error ") for line in lines] == [True] * 10 + [False] * 10


def test_a_heal_is_a_warning_that_names_the_pull_request() -> None:
    healed = StageReport(name="unit", state="healed", summary="healed in 1 attempt")
    pull_request = PullRequest(branch="b", url="https://forge/1", number=1, head="h", tree="t")
    report = _report(healed, state="waiting").model_copy(update={"pull_request": pull_request})

    assert annotations(report) == [
        "::warning title=unit healed::healed in 1 attempt; see https://forge/1"
    ]


def test_the_summary_tells_the_run() -> None:
    attempt = Attempt(number=1, healer="search", verdict="no_patch", reason="a | b")
    red = _red(("tests/test_a.py::test_b",)).model_copy(update={"attempts": (attempt,)})

    text = step_summary(_report(red, reason="unit: 2 of 4 failing"), PAGE)

    assert text.startswith("## 🔴 Regreen: failed\n\n`a/b`, ref `main`, commit `c0ffee`\n")
    assert f"[The run in the Temporal UI]({PAGE})" in text
    assert "| unit | 🔴 failed |  | 1 | 2 of 4 failing |" in text
    assert "- `tests/test_a.py::test_b`" in text
    assert "| 1 | search | no_patch | a \\| b |" in text
    assert "🟢 Regreen: passed" in step_summary(_report(state="passed"), None)


def test_a_summary_stays_within_what_the_service_takes(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"x" * 900_000)
    attempts = tuple(
        Attempt(number=number, healer="search", verdict="no_patch", reason="é" * 1500)
        for number in range(1, 90)
    )
    report = _report(StageReport(name="unit", state="failed", attempts=attempts))

    write_step_summary(path, report, PAGE)
    assert len(path.read_bytes()) <= 1024 * 1024
    assert path.read_text("utf-8").endswith("Cut here: the summary of a step may have 1 MiB.\n")

    write_step_summary(path, report, PAGE)
    assert len(path.read_bytes()) <= 1024 * 1024


def test_an_output_cannot_set_another_one(tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    outputs = step_outputs(_report(), PAGE) | {"version": "1\nstate=passed"}

    write_outputs(path, outputs)

    lines = path.read_text().splitlines()
    assert lines[0] == "run=pipeline/a/b/c"
    assert lines[1] == "state=failed"
    assert lines[-1] == "version=1 state=passed"


@pytest.mark.parametrize(
    ("heading", "schema"),
    [("GitHub Actions", "github-workflows"), ("GitLab CI", "gitlab-ci")],
)
def test_the_documented_jobs_are_valid(heading: str, schema: str, tmp_path: Path) -> None:
    page = (PROJECT / "docs/continuous-integration.md").read_text("utf-8")
    found = re.search(rf"^## {heading}\n.*?^```yml\n(.*?)^```", page, re.M | re.S)
    assert found is not None
    path = tmp_path / "job.yml"
    path.write_text(found[1])

    checker = Path(sys.executable).with_name("check-jsonschema")
    words = [checker, "--builtin-schema", f"vendor.{schema}", path]
    subprocess.run(words, check=True)
