"""The verdict of a load test, where k6's own word and its summary do not agree or are missing."""

import json
from typing import Any

import pytest

from activities.k6_summary import LoadSummary, parse_summary
from activities.k6_verdict import LoadVerdict, judge
from activities.load_service import LoadOutcome
from regreen.pipeline_file import LoadSection

SECTION = LoadSection(script="load/x.js")


def measured(
    *, requests: int = 10, failed: int = 0, crossed: bool = False, checks: tuple[int, int] = (0, 0)
) -> LoadSummary | None:
    duration = {
        "type": "trend",
        "contains": "time",
        "values": {"avg": 30.0, "p(95)": 41.2, "max": None},
        "thresholds": {"p(95)<500": {"ok": not crossed}},
    }
    metrics: dict[str, Any] = {
        "http_reqs": {"values": {"count": requests, "rate": 1.0}},
        "http_req_failed": {"values": {"passes": failed, "fails": requests - failed}},
        "http_req_duration": duration,
        "iterations": {"values": {"count": requests}},
        "checks": {"values": {"passes": checks[0], "fails": checks[1]}},
    }
    return parse_summary(json.dumps({"metrics": metrics, "root_group": {}}).encode())


def verdict(code: int, summary: LoadSummary | None, output: str = "") -> LoadVerdict:
    return judge(SECTION, LoadOutcome(k6_code=code), summary, output=output, service_log="")


def test_a_good_run_has_no_problem() -> None:
    assert verdict(0, measured()) == LoadVerdict(
        "", (), "p(95) 41 ms, 0.00 % failed, 1 of 1 thresholds kept"
    )


def test_failed_checks_are_shown() -> None:
    assert "2 of 10 checks failed" in verdict(0, measured(checks=(8, 2))).figures


def test_a_crossed_threshold_is_one_whatever_k6_said() -> None:
    found = verdict(0, measured(crossed=True))
    assert [str(each) for each in found.crossed] == ["http_req_duration p(95)<500 (was 41 ms)"]
    assert (found.problem, found.figures) == (
        "",
        "p(95) 41 ms, 0.00 % failed, 0 of 1 thresholds kept",
    )


def test_exit_code_99_is_a_problem_though_the_summary_names_no_threshold() -> None:
    assert verdict(99, measured()).problem == "thresholds crossed"


@pytest.mark.parametrize("code", [1, 105, 107, 108, -9])
def test_any_other_exit_code_fails_though_the_summary_is_good(code: int) -> None:
    found = verdict(code, measured(), "level=info\nthe last words\n")
    assert found.problem == f"exit code {code}: the last words"


@pytest.mark.parametrize(
    "data", [None, b"", b"garbage", b"[]", b'{"metrics": {"http_reqs": {"values": 3}}}']
)
def test_without_a_readable_summary_nothing_passes(data: bytes | None) -> None:
    assert verdict(0, parse_summary(data)) == LoadVerdict("no readable summary", (), "")


def test_no_requests_and_only_failed_requests_fail() -> None:
    assert verdict(0, measured(requests=0)).problem == "0 requests"
    found = verdict(0, measured(requests=1, failed=1))
    assert found.problem.startswith("all 1 request failed (the sandbox has no network")


def test_a_script_error_now_and_then_is_counted_and_does_not_fail() -> None:
    error = 'level=error msg="Error: odd\\n\\tat x" executor=a scenario=default source=stacktrace\n'
    found = verdict(0, measured(), error * 3)
    assert not found.problem
    assert found.figures.endswith(", 3 script errors")


def test_a_hostile_message_stays_one_short_line() -> None:
    line = verdict(107, None, 'level=error msg="' + "a\\n\\t" * 5000 + '"').problem
    assert line
    assert "\n" not in line
    assert len(line) < 400
