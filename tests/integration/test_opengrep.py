"""The static analysis by rules with real opengrep."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes, put_bytes
from activities.opengrep import scan_by_rules
from regreen.contracts.gates import Scan
from regreen.pipeline_file import Pipeline
from tests.integration.gate_repository import Files, Gate, stage_request, waiving, weighed

pytestmark = pytest.mark.usefixtures("own_state")

PASSWORD = "hunter2-" + "of-the-shop"
CLEAN = "export const x = 1;\n"
EVAL = f"const password = '{PASSWORD}';\neval('{PASSWORD}' + input);\n"
JAVASCRIPT = """\
const { execSync } = require("node:child_process");
const child_process = require("child_process");
eval(input);
new Function("a", input);
execSync(`ls ${name}`);
child_process.exec("ls " + name, done);
page.innerHTML = text;
fetch(url, { agent: new Agent({ rejectUnauthorized: false }) });
crypto.createHash("md5");
if (a.b === a.b) {}
"""
HARMLESS_JAVASCRIPT = """\
const { execSync } = require("node:child_process");
eval("1 + 1");
execSync("ls");
/x/.exec(name);
page.innerHTML = "";
page.textContent = text;
new Agent({ rejectUnauthorized: true });
crypto.createHash("sha256");
if (a === b || a !== a) {}
"""
PHP = """\
<?php
eval($code);
shell_exec("ls $name");
echo $_GET['name'];
$wpdb->query("DELETE FROM t WHERE id = " . $_POST['id']);
include $_GET['page'] . '.php';
unserialize($_COOKIE['cart']);
if ($a === $a) {}
"""
HARMLESS_PHP = """\
<?php
shell_exec('ls');
echo esc_html($_GET['name']);
$wpdb->query($wpdb->prepare("DELETE FROM t WHERE id = %d", $_POST['id']));
include __DIR__ . '/page.php';
json_decode($_COOKIE['cart']);
if ($a === $b) {}
"""
NO_DEBUGGER = """\
rules:
  - id: no-debugger
    languages: [python]
    severity: INFO
    message: A debugger is started on $X.
    pattern: breakpoint($X)
"""


async def scan(folder: Path, files: Files, **section: Any) -> Gate:
    pipeline = Pipeline.model_validate({"security": section})
    request = await stage_request(folder / "repository", "security", pipeline, [files])
    return await weighed(request, await scan_by_rules(request))


async def test_each_of_our_rules_finds_its_line_and_nothing_harmless(tmp_path: Path) -> None:
    files: Files = {
        "src/bad.js": JAVASCRIPT,
        "src/bad.php": PHP,
        "src/good.js": HARMLESS_JAVASCRIPT,
        "src/good.ts": HARMLESS_JAVASCRIPT,
        "src/good.php": HARMLESS_PHP,
    }
    gate = await scan(tmp_path, files)
    assert gate.state == "failed"
    assert {(f.rule, f.place, f.severity) for f in gate.scan.findings} == {
        ("javascript-eval", "src/bad.js:3", "high"),
        ("javascript-eval", "src/bad.js:4", "high"),
        ("javascript-shell", "src/bad.js:5", "high"),
        ("javascript-shell", "src/bad.js:6", "high"),
        ("javascript-html", "src/bad.js:7", "medium"),
        ("javascript-tls-unverified", "src/bad.js:8", "high"),
        ("javascript-weak-hash", "src/bad.js:9", "medium"),
        ("javascript-compared-with-itself", "src/bad.js:10", "medium"),
        ("php-eval", "src/bad.php:2", "high"),
        ("php-shell", "src/bad.php:3", "high"),
        ("php-request-in-page", "src/bad.php:4", "high"),
        ("php-request-in-query", "src/bad.php:5", "high"),
        ("php-request-as-file", "src/bad.php:6", "high"),
        ("php-request-as-object", "src/bad.php:7", "high"),
        ("php-compared-with-itself", "src/bad.php:8", "medium"),
    }


async def test_clean_sources_pass_with_the_amount_examined(tmp_path: Path) -> None:
    files: Files = {
        "src/a.js": CLEAN,
        "src/b.php": "<?php\n",
        "tests/c.js": EVAL,
        "src/d.test.js": EVAL,
        "node_modules/e/e.js": EVAL,
    }
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.extend(details)
    request = await stage_request(tmp_path / "repository", "security", Pipeline(), [files])
    gate = await weighed(request, await environment.run(scan_by_rules, request))
    assert "opengrep: 2 files" in {beat["subject"] for beat in beats}
    assert gate.state == "passed", gate.summary
    assert gate.summary == "opengrep: nothing found; examined 2 files, 13 rules"


async def test_a_finding_fails_and_no_text_of_the_source_is_stored(tmp_path: Path) -> None:
    files: Files = {
        "src/a.js": f"{EVAL.rstrip()} // nosemgrep\n",
        ".semgrepignore": "src/\n",
        ".gitignore": "src/\n",
    }
    gate = await scan(tmp_path, files)
    assert gate.state == "failed"
    assert gate.summary == (
        "opengrep: 1 finding of medium or above, first javascript-eval at src/a.js:2: "
        "Text that is not a constant is run as code.; examined 1 file, 13 rules"
    )
    (report,) = gate.artifacts
    stored = (await get_bytes(report)).decode()
    assert json.loads(stored)[0]["rule"] == "javascript-eval"
    assert PASSWORD not in stored + gate.scan.model_dump_json()


async def test_a_waived_finding_does_not_block(tmp_path: Path) -> None:
    gate = await scan(tmp_path, {"a.js": EVAL, **waiving("javascript-eval")})
    assert gate.state == "waived", gate.summary
    assert gate.verdict.waived[0].finding.place == "a.js:2"


async def test_a_file_that_does_not_parse_fails_until_it_is_waived(tmp_path: Path) -> None:
    files: Files = {"a.js": CLEAN, "b.js": "\nfunction ( {{{\n", "c.php": "<?php function ( {{\n"}
    gate = await scan(tmp_path / "closed", files)
    assert gate.state == "failed"
    assert {(f.rule, f.path, f.severity) for f in gate.verdict.blocking} == {
        ("not-examined", "b.js", "unknown"),
        ("not-examined", "c.php", "unknown"),
    }
    assert "not examined in whole: PartialParsing" in gate.summary
    gate = await scan(tmp_path / "waived", {**files, **waiving("not-examined")}, severity="high")
    assert gate.state == "waived", gate.summary


async def test_rules_of_the_repository_are_used_for_any_language(tmp_path: Path) -> None:
    files: Files = {
        "a.py": f"breakpoint('{PASSWORD}')\n",
        ".semgrep/python.yml": NO_DEBUGGER,
        "rules/empty.txt": "",
    }
    gate = await scan(tmp_path / "usual", files, severity="low")
    (finding,) = gate.verdict.blocking
    assert (finding.rule, finding.place, finding.severity) == ("no-debugger", "a.py:1", "low")
    assert finding.message == "A debugger is started on $X."
    assert "14 rules" in gate.summary


async def test_a_heal_does_not_change_the_rules(tmp_path: Path) -> None:
    files = {"a.py": "breakpoint(1)\n", "rules.yml": NO_DEBUGGER}
    pipeline = Pipeline.model_validate({"security": {"severity": "low", "rules": ["rules.yml"]}})
    request = await stage_request(tmp_path / "repository", "security", pipeline, [files])
    heal = (
        "diff --git a/rules.yml b/rules.yml\n--- a/rules.yml\n+++ b/rules.yml\n@@ -6 +6 @@\n"
        "-    pattern: breakpoint($X)\n+    pattern: nothing($X)\n"
    )
    patch = await put_bytes("heal.patch", heal.encode(), "text/x-diff")
    healed = request.workspace.model_copy(update={"patches": (patch,)})
    request = request.model_copy(update={"workspace": healed})
    gate = await weighed(request, await scan_by_rules(request))
    assert gate.state == "failed", gate.summary
    assert "first no-debugger at a.py:1" in gate.summary


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (["missing"], "security.rules: missing not found at this commit"),
        (["docs"], "security.rules: no YAML files in docs"),
    ],
)
async def test_configured_rules_that_are_not_there_fail(
    tmp_path: Path, rules: list[str], reason: str
) -> None:
    gate = await scan(tmp_path, {"a.js": CLEAN, "docs/a.md": "text"}, rules=rules)
    assert (gate.state, gate.summary) == ("failed", f"opengrep: {reason}; examined 0 files")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: [{id: x}]\n", ".semgrep.yml: One of these properties is missing: 'message'"),
        ("rules: [\n", "Invalid YAML file .semgrep.yml: while parsing a flow node"),
    ],
)
async def test_a_broken_rule_fails_with_its_file(tmp_path: Path, text: str, reason: str) -> None:
    gate = await scan(tmp_path, {"a.js": CLEAN, ".semgrep.yml": text})
    assert gate.state == "failed"
    assert gate.summary.startswith(f"opengrep: {reason}")
    assert "\n" not in gate.summary


async def test_the_same_files_and_rules_give_the_same_result_without_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(folder: str, *commits: Files, **pipeline: Any) -> Scan:
        made = Pipeline.model_validate(pipeline)
        request = await stage_request(tmp_path / folder, "security", made, commits)
        return await scan_by_rules(request.model_copy(update={"reuse": True}))

    files: Files = {"a.js": EVAL, "load/x.js": CLEAN}
    first = await asked("first", files)
    assert (first.reused, [each.rule for each in first.findings]) == ("", ["javascript-eval"])

    again = await asked("again", {"a.js": CLEAN}, files)
    assert again.reused.startswith("the run of ")
    assert again == first.model_copy(update={"reused": again.reused})
    ruled = await asked("ruled", files | {".semgrep/debugger.yml": NO_DEBUGGER})
    assert (ruled.reused, ruled.figures) == ("", "14 rules")
    loaded = await asked("loaded", files, load={"script": "load/x.js"})
    assert (loaded.reused, first.examined, loaded.examined) == ("", 2, 1)
    monkeypatch.setattr("activities.step_reuse._own_digest", lambda: "other rules of Regreen")
    assert (await asked("other rules", files)).reused == ""


async def test_a_file_that_was_not_examined_is_tried_again(tmp_path: Path) -> None:
    request = await stage_request(
        tmp_path / "repository", "security", Pipeline(), [{"a.js": "const = ;\n"}]
    )
    request = request.model_copy(update={"reuse": True})
    for _ in range(2):
        scan = await scan_by_rules(request)
        assert (scan.reused, [each.rule for each in scan.findings]) == ("", ["not-examined"])


@pytest.mark.parametrize(
    "files", [{}, {"README.md": "hello", "a.py": "x = 1\n", "test/a.js": EVAL}]
)
async def test_without_sources_for_its_rules_the_scan_is_skipped(
    tmp_path: Path, files: Files
) -> None:
    gate = await scan(tmp_path, files)
    expected = ("skipped", "no JavaScript or PHP sources to examine")
    assert (gate.state, gate.summary) == expected


async def test_the_script_of_the_load_test_is_a_test(tmp_path: Path) -> None:
    pipeline = Pipeline.model_validate({"load": {"script": "./load/a.js"}})
    request = await stage_request(tmp_path / "r", "security", pipeline, [{"load/a.js": EVAL}])
    gate = await weighed(request, await scan_by_rules(request))
    assert gate.state == "skipped"


async def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.opengrep.find", lambda name: None)
    gate = await scan(tmp_path, {"a.js": CLEAN})
    assert gate.summary == "skipped: opengrep not found, `regreen tools install`"


EMPTY = '{"results": [], "errors": [], "paths": {"scanned": []}}'


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo garbage > $JSON; echo garbage > $SARIF; exit 0", "no readable report"),
        ("exit 0", "no readable report: no output"),
        ("ln -s /etc/hostname $JSON; exit 0", "no readable report"),
        ("echo out of memory; exit 137", "ended with code 137: out of memory"),
        ("sleep 60", "did not end within 1 s"),
        (f"echo '{EMPTY}' > $JSON; echo '{{\"runs\": []}}' > $SARIF", "0 of 1 files examined"),
        (
            f"echo '{EMPTY}' > $JSON; echo '{{\"runs\": []}}' > $SARIF; echo odd; exit 2",
            "ended with code 2: odd",
        ),
    ],
)
async def test_a_scanner_that_misbehaves_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    broken = tmp_path / "opengrep"
    find_reports = (
        'for A in "$@"; do case "$A" in --json-output=*) JSON="${A#*=}";; '
        '--sarif-output=*) SARIF="${A#*=}";; esac; done'
    )
    broken.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\n{find_reports}\n{behaviour}\n')
    broken.chmod(0o755)
    monkeypatch.setattr("activities.opengrep.find", lambda name: broken)
    gate = await scan(tmp_path, {"a.js": CLEAN}, timeout=1)
    assert gate.state == "failed"
    assert reason in gate.summary
