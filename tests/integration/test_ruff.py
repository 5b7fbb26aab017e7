"""The lint stage with real ruff."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import ruff, sandbox
from activities.artifact_store import get_bytes
from activities.ruff import lint_with_ruff
from regreen.pipeline_file import Pipeline
from regreen.tools.locate import find
from tests.integration.gate_repository import Files, Gate, stage_request, waiving, weighed

CONFIGURED: Files = {"ruff.toml": "line-length = 90\n"}
CLEAN = "x = 1\n"
UNUSED = "import os\n\nx = 1\n"
pytestmark = pytest.mark.usefixtures("own_state")


async def lint(folder: Path, files: Files, reuse: bool = False, **section: Any) -> Gate:
    pipeline = Pipeline.model_validate({"lint": section})
    request = await stage_request(folder / "repository", "lint", pipeline, [files])
    request = request.model_copy(update={"reuse": reuse})
    return await weighed(request, await lint_with_ruff(request))


async def test_clean_sources_pass_with_the_files_examined(tmp_path: Path) -> None:
    gate = await lint(tmp_path, {**CONFIGURED, "shop/a.py": CLEAN, "shop/b.pyi": "x: int\n"})

    assert (gate.state, gate.summary) == ("passed", "ruff: nothing found; examined 2 files")


@pytest.mark.parametrize(
    "configuration",
    [
        {"ruff.toml": ""},
        {".ruff.toml": ""},
        {"pyproject.toml": "[tool.ruff]\n"},
        {"pyproject.toml": '[tool.ruff.lint]\nselect = ["F"]\n'},
    ],
)
async def test_a_finding_fails_where_ruff_is_configured(
    tmp_path: Path, configuration: Files
) -> None:
    gate = await lint(tmp_path, {**configuration, "shop/a.py": UNUSED, "b.py": CLEAN})

    assert gate.state == "failed"
    assert gate.summary == (
        "ruff: 1 finding of high or above, first F401 at shop/a.py:1: "
        "`os` imported but unused; examined 2 files"
    )
    (finding,) = gate.verdict.blocking
    assert (finding.tool, finding.rule, finding.severity) == ("ruff", "F401", "high")
    (artifact,) = gate.artifacts
    assert json.loads(await get_bytes(artifact)) == [finding.model_dump(mode="json")]


async def test_a_finding_is_waived_by_its_rule_and_stands_in_sarif(tmp_path: Path) -> None:
    gate = await lint(tmp_path, {**CONFIGURED, **waiving("F401"), "a.py": UNUSED})

    assert gate.state == "waived"
    assert gate.weighed.sarif is not None
    (run,) = json.loads(await get_bytes(gate.weighed.sarif))["runs"]
    assert run["automationDetails"] == {"id": "regreen/ruff/"}
    (result,) = run["results"]
    assert (result["ruleId"], result["suppressions"][0]["kind"]) == ("F401", "external")


@pytest.mark.parametrize(
    "more",
    [{}, {"pyproject.toml": "[tool.black]\n"}, {"pyproject.toml": "tool = 3\n"}],
)
async def test_where_no_linter_is_configured_style_is_told_and_passes(
    tmp_path: Path, more: Files
) -> None:
    gate = await lint(tmp_path, {"a.py": UNUSED, "README.md": "hello", **more})

    assert (gate.state, gate.summary) == ("passed", "ruff: 1 below high; examined 1 file")
    (finding,) = gate.scan.findings
    assert (finding.rule, finding.place, finding.severity) == ("F401", "a.py:1", "medium")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def (:\n", "invalid-syntax at a.py:1"),
        (b"NAME = 'caf\xe9'\n", "E902 at a.py:1"),
        ("x = 1\nprint(y)\n", "F821 at a.py:2"),
        ("assert (1, 'always true')\n", "F631 at a.py:1"),
    ],
)
async def test_where_no_linter_is_configured_a_mistake_fails_unless_waived(
    tmp_path: Path, source: str | bytes, found: str
) -> None:
    gate = await lint(tmp_path / "fails", {"a.py": source, "b.py": UNUSED})
    assert gate.state == "failed"
    assert f"of high or above, first {found}: " in gate.summary

    waived = waiving(found.partition(" ")[0])
    gate = await lint(tmp_path / "waived", {"a.py": source, "b.py": UNUSED, **waived})
    assert gate.state == "waived", gate.summary
    assert gate.verdict.waived[0].finding.place == found.partition(" at ")[2]


async def test_where_no_linter_is_configured_all_that_is_found_can_be_made_to_count(
    tmp_path: Path,
) -> None:
    gate = await lint(tmp_path, {"a.py": UNUSED}, severity="medium")

    assert gate.state == "failed"
    assert gate.summary.startswith("ruff: 1 finding of medium or above, first F401 at a.py:1: ")


async def test_by_default_new_syntax_and_names_are_known_and_all_own_sources_examined(
    tmp_path: Path,
) -> None:
    files: Files = {
        "new.py": "type Name = str\n\n\ndef f[T](x: T) -> T:\n    raise PythonFinalizationError\n",
        "build/made.py": CLEAN,
        ".hidden/ignored.py": CLEAN,
        "stub.pyi": "x: int\n",
        "window.pyw": CLEAN,
        ".gitignore": "ignored.py\n",
        "deep/ruff.toml": 'exclude = ["*"]\n[lint]\nignore = ["F401"]\n',
        "deep/inside.py": UNUSED,
        os.fsdecode(b"caf\xe9.py"): CLEAN,
        "venv/foreign.py": "print(undefined)\n",
        "book.ipynb": "no notebook",
    }
    gate = await lint(tmp_path, files)

    assert gate.summary == "ruff: 1 below high; examined 7 files"
    assert gate.scan.findings[0].place == "deep/inside.py:1"


async def test_by_default_no_configuration_of_this_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without bubblewrap the folders above the checkout can be seen.
    monkeypatch.setattr(sandbox, "isolation", lambda: sandbox.Isolation("none", "not here"))
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "state"))
    (tmp_path / "ruff.toml").write_text('[lint]\nignore = ["F821"]\n')
    gate = await lint(tmp_path, {"a.py": "print(x)\n"})

    assert gate.summary.startswith("ruff: 1 finding of high or above, first F821 at a.py:1: ")


@pytest.mark.parametrize(
    ("files", "section", "reason"),
    [
        ({"README.md": "hello", "venv/a.py": UNUSED}, {}, "no Python sources to lint"),
        (
            {"a.py": "print(x)\n"},
            {"commands": [{"name": "eslint", "command": ["x"], "sarif": "x", "files": ["*.js"]}]},
            "ruff is not configured here, other linters are",
        ),
    ],
)
async def test_without_python_or_with_other_linters_the_default_is_skipped(
    tmp_path: Path, files: Files, section: dict[str, Any], reason: str
) -> None:
    gate = await lint(tmp_path, files, **section)

    assert (gate.state, gate.summary) == ("skipped", reason)


async def test_asked_for_it_runs_with_its_own_defaults(tmp_path: Path) -> None:
    gate = await lint(tmp_path, {"a.py": UNUSED}, tools=["ruff"])

    assert gate.state == "failed"
    assert "first F401 at a.py:1" in gate.summary


async def test_the_repositorys_rules_and_exclusions_hold(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[tool.ruff]\nexclude = ["old"]\n[tool.ruff.lint]\nselect = ["I"]\n'
        'exclude = ["made.py"]\n',
        "a.py": UNUSED,
        "made.py": "import sys\nimport os\n",
        "old/b.py": "import sys\nimport os\n",
    }
    gate = await lint(tmp_path, files)

    assert (gate.state, gate.summary) == ("passed", "ruff: nothing found; examined 1 file")


@pytest.mark.parametrize(
    "files",
    [
        {"ruff.toml": 'exclude = ["*"]\n', "a.py": UNUSED},
        {"ruff.toml": '[lint]\nexclude = ["*"]\n', "a.py": UNUSED},
        {"ruff.toml": ""},
        {"ruff.toml": "", ".gitignore": "*.py\n", "a.py": UNUSED},
    ],
    ids=["exclude", "lint.exclude", "no sources", "ignored by git"],
)
async def test_nothing_examined_has_failed(tmp_path: Path, files: Files) -> None:
    gate = await lint(tmp_path, files)

    assert (gate.state, gate.summary) == ("failed", "ruff: 0 files examined; examined 0 files")


async def test_a_configuration_that_mends_hides_nothing(tmp_path: Path) -> None:
    settings = "fix = true\nfix-only = true\nunsafe-fixes = true\noutput-format = 'concise'\n"
    gate = await lint(tmp_path, {"ruff.toml": settings, "a.py": UNUSED})

    assert "first F401 at a.py:1" in gate.summary


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def (:\n", "first invalid-syntax at a.py:1: "),
        (b"NAME = 'caf\xe9'\n", "first E902 at a.py:1: stream did not contain valid UTF-8"),
    ],
)
async def test_a_file_that_cannot_be_read_is_a_finding(
    tmp_path: Path, source: str | bytes, said: str
) -> None:
    gate = await lint(tmp_path, {**CONFIGURED, "a.py": source})

    assert gate.state == "failed"
    assert said in gate.summary


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({"ruff.toml": "exclude = [\n"}, "Failed to parse ruff.toml: TOML parse error at line 1"),
        ({"pyproject.toml": "[tool.ruff\n"}, "Failed to parse pyproject.toml: TOML parse error"),
        ({"ruff.toml": "no-such-key = 1\n"}, "Failed to parse ruff.toml: TOML parse error"),
        ({"ruff.toml": '[lint]\nselect = ["QQQ"]\n'}, "Unknown rule selector `QQQ`"),
        ({"ruff.toml": 'required-version = "==0.1"\n'}, "Required version `==0.1` does not match"),
        ({"ruff.toml": 'extend = "../../etc/passwd"\n'}, "ended with code 2"),
    ],
)
async def test_a_configuration_that_does_not_hold_fails(
    tmp_path: Path, configuration: Files, reason: str
) -> None:
    gate = await lint(tmp_path, {**configuration, **waiving("F401"), "a.py": CLEAN})

    assert gate.state == "failed"
    assert gate.summary.startswith("ruff: ended with code 2: ")
    assert reason in gate.summary
    assert "/workspace" not in gate.summary


async def test_text_of_the_code_is_not_told(tmp_path: Path) -> None:
    settings = '[lint]\nselect = ["F601", "PLR1714"]\n'
    source = (
        'def f(x):\n    if x == "hunter2-secret" or x == "a":\n        return 1\n'
        '    return {"hunter2-secret": 1, "hunter2-secret": 2}\n'
    )
    gate = await lint(tmp_path, {"ruff.toml": settings, "a.py": source})

    assert {each.message for each in gate.verdict.blocking} == {
        "Consider merging multiple comparisons: `x in {[text], [text]}`.",
        "Dictionary key literal `[text]` repeated",
    }
    assert "hunter2" not in gate.verdict.model_dump_json()
    (artifact,) = gate.artifacts
    assert b"hunter2" not in await get_bytes(artifact)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo garbage > $REPORT", "no readable report"),
        ("exit 0", "no readable report: no output"),
        ("echo '{}' > $REPORT", "no readable report"),
        ("ln -s /etc/hostname $REPORT", "no readable report"),
        ("echo thread panicked; exit 101", "ended with code 101: thread panicked"),
        ("kill -SEGV $$", "ended with code 139"),
        ("echo '[]' > $REPORT; exit 1", "ended with code 1 and 0 findings"),
        ("echo '[]' > $REPORT", "0 files examined"),
        ("sleep 60", "did not end within 1 s"),
    ],
)
async def test_a_linter_that_misbehaves_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    stand_in(tmp_path, monkeypatch, behaviour)
    gate = await lint(tmp_path, {**CONFIGURED, "a.py": CLEAN}, timeout=1)

    assert gate.state == "failed"
    assert reason in gate.summary


async def test_by_default_a_file_that_the_linter_leaves_out_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = 'echo "[ruff::diagnostics][DEBUG] Checking: $PWD/a.py"'
    stand_in(tmp_path, monkeypatch, f"{log}; echo '[]' > $REPORT")
    gate = await lint(tmp_path, {"a.py": CLEAN, "b.py": CLEAN})

    assert gate.state == "failed"
    assert gate.summary.startswith("ruff: left out 1 of 2 files, first b.py")


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str) -> None:
    """Put a shell script, which knows where its report is wanted, in ruff's place."""
    broken = folder / "tool" / "ruff"
    broken.parent.mkdir()
    find_report = 'for A in "$@"; do [ "$P" = --output-file ] && REPORT="$A"; P="$A"; done'
    broken.write_text(f"#!/bin/sh\n{find_report}\n{behaviour}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(ruff, "find", lambda _name: broken)
    monkeypatch.setattr(ruff, "version", lambda _name, _path: "0.0")


async def test_an_equal_tree_takes_over_the_result_and_another_version_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: Files = {**CONFIGURED, "a.py": UNUSED}
    first = await lint(tmp_path / "first", files, reuse=True)
    again = await lint(tmp_path / "second", files, reuse=True)
    anew = await lint(tmp_path / "third", files)
    changed = await lint(tmp_path / "fourth", {**files, "ruff.toml": ""}, reuse=True)
    assert [bool(each.verdict.reused) for each in (first, again, anew, changed)] == [
        *(False, True, False, False),
    ]
    assert again.verdict.blocking == first.verdict.blocking

    installed = find("ruff")
    assert installed is not None
    tools = tmp_path / "tools" / "bin"
    tools.mkdir(parents=True)
    (tools / "ruff").write_bytes(installed.read_bytes() + b"\n")
    (tools / "ruff").chmod(0o755)
    monkeypatch.setenv("REGREEN_TOOLS", str(tools.parent))
    assert (await lint(tmp_path / "fifth", files, reuse=True)).verdict.reused == ""


async def test_the_linter_heartbeats(tmp_path: Path) -> None:
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.extend(details)
    request = await stage_request(
        tmp_path / "repository", "lint", Pipeline(), [{**CONFIGURED, "a.py": CLEAN}]
    )
    await environment.run(lint_with_ruff, request)
    assert "ruff check" in {beat["subject"] for beat in beats}
