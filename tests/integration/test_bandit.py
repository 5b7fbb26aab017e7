"""The static analysis with real bandit."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes
from activities.bandit import scan_python
from regreen.pipeline_file import Pipeline
from tests.integration.gate_repository import Files, Gate, stage_request, weighed

pytestmark = pytest.mark.usefixtures("own_state")

SHELL = "import subprocess\n\n\ndef run(order):\n    subprocess.run(order, shell=True)\n"
PASSWORD = "hunter2-" + "of-the-shop"
CLEAN = "x = 1\n"


async def scan(folder: Path, files: Files, **section: Any) -> Gate:
    pipeline = Pipeline.model_validate({"security": section})
    request = await stage_request(folder / "repository", "security", pipeline, [files])
    return await weighed(request, await scan_python(request))


async def report(verdict: Gate) -> tuple[str, dict[str, Any]]:
    (artifact,) = verdict.artifacts
    text = (await get_bytes(artifact)).decode()
    return text, json.loads(text)


async def test_clean_sources_pass_with_the_amount_examined(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"shop/a.py": CLEAN, "shop/b.py": "y = 2\nz = 3\n"})
    assert verdict.state == "passed", verdict.summary
    assert verdict.summary == "bandit: nothing found; examined 2 files, 3 lines of code"


async def test_a_finding_fails_with_rule_and_line(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"shop/a.py": CLEAN, "shop/run.py": SHELL})
    assert verdict.state == "failed"
    assert verdict.summary.startswith(
        "bandit: 1 finding of medium or above, first B602 at shop/run.py:5: "
    )
    assert verdict.summary.endswith("; examined 2 files, 4 lines of code")
    _, data = await report(verdict)
    assert "B602" in {result["test_id"] for result in data["results"]}


@pytest.mark.parametrize(("severity", "state"), [("low", "failed"), ("medium", "passed")])
async def test_the_configured_severity_decides(tmp_path: Path, severity: str, state: str) -> None:
    verdict = await scan(tmp_path, {"a.py": "import subprocess\n"}, severity=severity)
    assert verdict.state == state, verdict.summary
    if state == "passed":
        assert verdict.summary.endswith("1 below medium; examined 1 file, 1 line of code")


async def test_a_password_in_the_code_is_found_and_not_stored(tmp_path: Path) -> None:
    source = (
        f"password = '{PASSWORD}'\n"
        f'token = "it\'s {PASSWORD}"\n'
        f"login(password='{PASSWORD}')\n"
        f"def enter(secret='{PASSWORD}'): return secret\n"
    )
    verdict = await scan(tmp_path, {"a.py": source}, severity="low")
    assert verdict.state == "failed"
    text, data = await report(verdict)
    assert {result["test_id"] for result in data["results"]} == {"B105", "B106", "B107"}
    assert len(data["results"]) == 4
    assert PASSWORD not in text
    assert PASSWORD not in verdict.summary
    assert "it's" not in text
    assert "code" not in data["results"][0]


async def test_a_file_that_does_not_parse_fails(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"a.py": CLEAN, "shop/broken.py": "def (:\n"})
    assert verdict.state == "failed"
    assert verdict.summary == (
        "bandit: shop/broken.py not examined: syntax error while parsing AST from file; "
        "examined 1 file, 2 lines of code"
    )


async def test_tests_are_left_out_by_default_and_examined_when_asked_for(tmp_path: Path) -> None:
    files: Files = {
        "a.py": CLEAN,
        "tests/helper.py": SHELL,
        "shop/test/data.py": SHELL,
        "shop/test_run.py": SHELL,
        "shop/run_test.py": SHELL,
        "conftest.py": SHELL,
        "contests/tests.txt": "no code",
    }
    verdict = await scan(tmp_path / "default", files)
    assert verdict.summary == "bandit: nothing found; examined 1 file, 1 line of code"
    verdict = await scan(tmp_path / "chosen", files, paths=["tests", "a.py"])
    assert verdict.state == "failed"
    assert "1 finding of medium or above, first B602" in verdict.summary
    assert "examined 2 files" in verdict.summary


@pytest.mark.parametrize(
    "name",
    [".github/run.py", "contests/run.py", "-r.py", "with space.py", "shop.egg/run.py", "run.pyw"],
)
async def test_no_unusual_path_is_left_out(tmp_path: Path, name: str) -> None:
    verdict = await scan(tmp_path, {name: SHELL})
    assert verdict.state == "failed"
    assert f"first B602 at {name}:5" in verdict.summary


async def test_a_module_of_the_repository_does_not_replace_bandit(tmp_path: Path) -> None:
    silent = "import sys\nsys.exit(0)\n"
    files: Files = {"bandit.py": silent, "ast.py": silent, "yaml.py": silent, "run.py": SHELL}
    verdict = await scan(tmp_path, files)
    assert "first B602 at run.py:5" in verdict.summary


async def test_configuration_in_the_repository_excludes_nothing(tmp_path: Path) -> None:
    files: Files = {
        ".bandit": "[bandit]\nexclude = /shop\nskips = B602\n",
        "pyproject.toml": '[tool.bandit]\nexclude_dirs = ["shop"]\nskips = ["B602"]\n',
        "shop/run.py": SHELL,
    }
    verdict = await scan(tmp_path, files)
    assert "first B602 at shop/run.py:5" in verdict.summary


async def test_what_is_suppressed_in_the_code_is_counted(tmp_path: Path) -> None:
    source = SHELL.replace("shell=True)", "shell=True)  # nosec B602")
    verdict = await scan(tmp_path, {"run.py": source})
    assert verdict.state == "passed", verdict.summary
    assert "1 suppressed by `# nosec`" in verdict.summary


async def test_without_python_sources_the_scan_is_skipped(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"README.md": "hello", "tests/test_a.py": CLEAN})
    assert (verdict.state, verdict.summary) == ("skipped", "no Python sources to examine")
    assert verdict.scan.missing_tool == ""


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["missing"], "security.paths: missing not found at this commit"),
        (["../.."], "security.paths: ../.. not found at this commit"),
        (["/etc"], "security.paths: /etc not found at this commit"),
        (["docs"], "0 files examined: no Python files in docs"),
    ],
)
async def test_configured_paths_that_hold_nothing_fail(
    tmp_path: Path, paths: list[str], reason: str
) -> None:
    verdict = await scan(tmp_path, {"a.py": CLEAN, "docs/a.md": "text"}, paths=paths)
    assert (verdict.state, verdict.summary) == ("failed", f"bandit: {reason}; examined 0 files")


async def test_a_symbolic_link_out_of_the_repository_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(SHELL)
    verdict = await scan(tmp_path, {"a.py": CLEAN, "link.py": outside})
    assert verdict.summary == "bandit: nothing found; examined 1 file, 1 line of code"


async def test_more_files_than_one_command_line_takes_are_all_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.bandit._FILES_PER_RUN", 2)
    files: Files = {**{f"m{number}.py": CLEAN for number in range(4)}, "z.py": SHELL}
    verdict = await scan(tmp_path, files)
    assert "1 finding of medium or above, first B602 at z.py:5" in verdict.summary
    assert verdict.summary.endswith("examined 5 files, 7 lines of code")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo garbage > $REPORT; exit 0", "no readable report"),
        ("exit 0", "no readable report: no output"),
        ("ln -s /etc/hostname $REPORT; exit 0", "no readable report"),
        ("echo cannot start; exit 2", "ended with code 2: cannot start"),
        ("sleep 60", "did not end within 1 s"),
        (
            'printf \'{"errors": [], "results": [], "metrics": {"_totals": {}}}\' > $REPORT',
            "0 of 1 files examined, not a.py",
        ),
        (
            'printf \'{"errors": [], "metrics": {"a.py": {"loc": 1}}, "results": [{"test_id": '
            '"B999", "issue_severity": "UNDEFINED", "filename": "a.py", "line_number": 1, '
            '"issue_text": "odd"}]}\' > $REPORT; exit 1',
            "1 finding of high or above, first B999 at a.py:1: odd; examined 1 file",
        ),
    ],
)
async def test_a_scanner_that_misbehaves_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    broken = tmp_path / "tool" / "python"
    broken.parent.mkdir()
    find_report = 'for A in "$@"; do [ "$P" = --output ] && REPORT="$A"; P="$A"; done'
    broken.write_text(f"#!/bin/sh\n{find_report}\n{behaviour}\n")
    broken.chmod(0o755)
    interpreter = SimpleNamespace(executable=str(broken), prefix=str(broken.parent))
    monkeypatch.setattr("activities.bandit.sys", interpreter)
    verdict = await scan(tmp_path, {"a.py": CLEAN}, timeout=1, severity="high")
    assert verdict.state == "failed"
    assert reason in verdict.summary


async def test_the_analysis_heartbeats(tmp_path: Path) -> None:
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.extend(details)
    request = await stage_request(
        tmp_path / "repository", "security", Pipeline(), [{"a.py": CLEAN}]
    )
    await environment.run(scan_python, request)
    assert "bandit: 1 file" in {beat["subject"] for beat in beats}
