"""The lint stage's commands: a linter of the repository that writes SARIF, in the sandbox."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.lint_command import LintCommandRequest, lint_by_command
from regreen.pipeline_file import Pipeline
from tests.integration.gate_repository import Files, Gate, stage_request, waiving, weighed

pytestmark = pytest.mark.usefixtures("own_state")

# A linter that finds tabs, in the shell, so that it needs nothing but the system.
LINTER = r"""#!/bin/sh
exec > tabs.sarif
printf '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "tabs"}}, "artifacts": ['
comma=
for file in src/*.js; do
  printf '%s{"location": {"uri": "file://%s/%s"}}' "$comma" "$PWD" "$file"; comma=,
done
printf '], "results": ['
comma=
for file in $(grep -l "$(printf '\t')" src/*.js); do
  printf '%s{"ruleId": "no-tabs", "level": "error", "message": {"text": "a tab"},' "$comma"
  printf '"locations": [{"physicalLocation": {"artifactLocation": {"uri": "%s"},' "$file"
  printf '"region": {"startLine": 1}}}]}'; comma=,
done
printf ']}]}'
test -z "$comma"
"""
CLEAN: Files = {"lint.sh": LINTER, "src/a.js": "a()\n", "src/b.js": "b()\n"}
EMPTY = (
    'printf \'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]}\''
    " > tabs.sarif"
)


async def lint(folder: Path, content: Files, timeout: float = 60, **linter: Any) -> Gate:
    known = {"name": "tabs", "command": ["sh", "lint.sh"], "sarif": "tabs.sarif"}
    section = {"commands": [known | {"files": ["src/*.js"]} | linter], "timeout": timeout}
    pipeline = Pipeline.model_validate({"lint": section, "unit": {"command": ["t"], "report": "r"}})
    request = await stage_request(folder / "repository", "lint", pipeline, [content])
    assert pipeline.lint is not None
    asked = LintCommandRequest(**request.model_dump(), linter=pipeline.lint.commands[0])
    return await weighed(request, await ActivityEnvironment().run(lint_by_command, asked))


async def test_a_linter_that_finds_nothing_passes_with_the_files_it_lists(tmp_path: Path) -> None:
    gate = await lint(tmp_path, CLEAN)

    assert (gate.state, gate.summary) == ("passed", "tabs: nothing found; examined 2 files")


async def test_a_finding_fails_with_rule_and_place(tmp_path: Path) -> None:
    gate = await lint(tmp_path, {**CLEAN, "src/b.js": "\tb()\n"})

    assert gate.summary == (
        "tabs: 1 finding of high or above, first no-tabs at src/b.js:1: a tab; examined 2 files"
    )
    (finding,) = gate.verdict.blocking
    assert (finding.tool, finding.rule, finding.severity) == ("tabs", "no-tabs", "high")
    assert [ref.name for ref in gate.artifacts] == ["tabs.json", "tabs.log"]


async def test_a_finding_is_waived_by_its_rule(tmp_path: Path) -> None:
    gate = await lint(tmp_path, {**CLEAN, **waiving("no-tabs"), "src/b.js": "\tb()\n"})

    assert gate.state == "waived"
    assert "1 finding waived, first no-tabs by shop until 2099-01-01" in gate.summary


async def test_a_report_that_does_not_list_its_files_says_so(tmp_path: Path) -> None:
    gate = await lint(tmp_path, {**CLEAN, "lint.sh": EMPTY})

    assert gate.summary == ("tabs: nothing found; examined 2 files, its report does not list them")


async def test_a_linter_that_says_it_failed_fails_with_what_it_found(tmp_path: Path) -> None:
    report = (Path(__file__).parents[1] / "corpus" / "sarif" / "eslint.sarif").read_text()
    files: Files = {
        **CLEAN,
        "report.sarif": report,
        "lint.sh": "cp report.sarif tabs.sarif; exit 1",
    }
    gate = await lint(tmp_path, files)

    assert gate.summary == (
        "tabs: 1 finding of high or above, first no-eval at src/a.js:2: eval can be harmful.; "
        "tabs.sarif: ESLint did not do its work: src/c.js:1: Parsing error: Unexpected token (; "
        "examined 2 files, 1 suppressed in the code"
    )


@pytest.mark.parametrize(
    ("linter", "script", "reason"),
    [
        ({}, "exit 0", "ended with code 0 and wrote no tabs.sarif: no output"),
        ({}, "echo cannot start; exit 3", "ended with code 3 and wrote no tabs.sarif: cannot"),
        ({}, "kill -SEGV $$", "wrote no tabs.sarif"),
        ({}, "echo garbage > tabs.sarif", "tabs.sarif: no SARIF log: no JSON"),
        ({}, "truncate -s 65M tabs.sarif", "and wrote a tabs.sarif larger than 64 MiB"),
        ({}, "ln -s /etc/hostname tabs.sarif", "wrote no tabs.sarif"),
        ({}, f"{EMPTY}; echo broken; exit 2", "ended with code 2 and reports nothing: broken"),
        ({}, "sleep 60", "did not end within 2 s"),
        ({"files": ["*.ts"]}, EMPTY, "no file fits *.ts"),
        ({"sarif": "src"}, EMPTY, "src is a folder"),
        ({"sarif": "out/tabs.sarif"}, EMPTY, "wrote no out/tabs.sarif"),
        ({"sarif": "away/tabs.sarif"}, EMPTY, "away/tabs.sarif leads out of the repository"),
        ({"command": ["no-such-linter"]}, EMPTY, "and wrote no tabs.sarif: "),
    ],
)
async def test_a_linter_that_misbehaves_fails(
    tmp_path: Path, linter: dict[str, Any], script: str, reason: str
) -> None:
    files: Files = {**CLEAN, "lint.sh": script, "away": Path("/tmp")}
    gate = await lint(tmp_path, files, timeout=2, **linter)

    assert gate.state == "failed"
    assert reason in gate.summary


async def test_a_report_of_the_commit_does_not_stand_for_the_runs(tmp_path: Path) -> None:
    stale = '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]}'
    gate = await lint(tmp_path, {**CLEAN, "lint.sh": "exit 0", "tabs.sarif": stale})

    assert (gate.state, "wrote no tabs.sarif" in gate.summary) == ("failed", True)


async def test_files_elsewhere_than_it_should_look_are_none(tmp_path: Path) -> None:
    gate = await lint(tmp_path, {**CLEAN, "lib/c.ts": "c()\n"}, files=["lib/*.ts"])

    assert (gate.state, gate.summary) == ("failed", "tabs: 0 files examined; examined 0 files")
