"""The search for secrets with real gitleaks. The secrets are put together here, and are none."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes
from activities.gitleaks import scan_secrets
from regreen.pipeline_file import Pipeline
from tests.integration.gate_repository import Files, Gate, stage_request, weighed

pytestmark = pytest.mark.usefixtures("own_state")

SECRET = "AKIA" + "Z7Q3K5J2M4N6P2R7"
LEAK = f'KEY = "{SECRET}"\n'


async def scan(folder: Path, *commits: Files, pipeline: Pipeline | None = None) -> Gate:
    request = await stage_request(
        folder / "repository", "security", pipeline or Pipeline(), commits
    )
    return await weighed(request, await scan_secrets(request))


async def stored(verdict: Gate) -> dict[str, Any]:
    found = {item.name: (await get_bytes(item)).decode() for item in verdict.artifacts}
    assert SECRET not in "".join(found.values())
    assert SECRET not in verdict.summary
    return {name: json.loads(text) for name, text in found.items()}


async def test_a_clean_repository_passes_and_says_how_much_was_examined(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"a.py": "x = 1\n"}, {"b.py": "y = 2\n"})
    assert verdict.state == "passed"
    assert verdict.summary == (
        "gitleaks: nothing found; examined 2 commits, 12 bytes of files and 12 bytes of changes"
    )
    assert await stored(verdict) == {"gitleaks-tree.json": [], "gitleaks-history.json": []}


async def test_a_secret_in_the_tree_fails_and_is_stored_without_itself(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"a.py": "x = 1\n", "shop/keys.py": f"import os\n{LEAK}"})
    assert verdict.state == "failed"
    assert verdict.summary.startswith(
        "gitleaks: 1 finding, first aws-access-token at shop/keys.py:2: "
    )
    reports = await stored(verdict)
    (finding,) = reports["gitleaks-tree.json"]
    assert (finding["RuleID"], finding["File"], finding["StartLine"]) == (
        "aws-access-token",
        "shop/keys.py",
        2,
    )
    assert len(reports["gitleaks-history.json"]) == 1


async def test_a_secret_deleted_three_commits_ago_fails(tmp_path: Path) -> None:
    changes: list[Files] = [{"a.py": f"x = {number}\n"} for number in range(3)]
    verdict = await scan(tmp_path, {"keys.py": LEAK, "a.py": ""}, {"keys.py": None}, *changes)
    assert verdict.state == "failed"
    assert "1 finding, first aws-access-token at keys.py:1: " in verdict.summary
    assert " in commit " in verdict.summary
    reports = await stored(verdict)
    assert reports["gitleaks-tree.json"] == []
    assert len(reports["gitleaks-history.json"]) == 1


async def test_neither_commit_message_nor_address_is_stored(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"keys.py": LEAK})
    assert "Message" not in json.dumps(await stored(verdict))
    assert "example.invalid" not in json.dumps(await stored(verdict))


async def test_the_repositorys_own_configuration_is_used_and_named(tmp_path: Path) -> None:
    settings = "[extend]\nuseDefault = true\n[allowlist]\npaths = ['''samples/.*''']\n"
    files: Files = {".gitleaks.toml": settings, "samples/key.py": LEAK, "a.py": "x = 1\n"}
    verdict = await scan(tmp_path, files)
    assert verdict.state == "passed", verdict.summary
    assert verdict.summary.endswith(", with the repository's .gitleaks.toml")


async def test_a_configuration_that_cannot_be_read_fails(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {".gitleaks.toml": "nonsense[[[", "a.py": "x = 1\n"})
    assert verdict.state == "failed"
    assert "the tree scan failed: unable to load gitleaks config" in verdict.summary


async def test_a_configuration_that_excludes_everything_examined_nothing(tmp_path: Path) -> None:
    files: Files = {".gitleaks.toml": "[allowlist]\npaths = ['''.*''']\n", "keys.py": LEAK}
    verdict = await scan(tmp_path, files)
    assert verdict.state == "failed"
    assert "examined nothing in the tree (0 bytes of files)" in verdict.summary


async def test_a_repository_without_files_has_nothing_examined(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {})
    assert verdict.state == "failed"
    assert "examined nothing in the tree (0 bytes of files)" in verdict.summary
    assert "examined nothing in the history (0 bytes of changes)" in verdict.summary


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        # What gitleaks does when git fails under it: no leaks, and a good exit code.
        (
            "echo '9:00AM ERR [git] fatal: unable to read'; echo '9:00AM INF 4 commits scanned.';"
            "echo '9:00AM INF scanned ~9 bytes'; printf '[]' > $REPORT; exit 0",
            "the tree scan failed: [git] fatal: unable to read",
        ),
        ("echo garbage > $REPORT; exit 0", "the tree scan left no readable report"),
        ("ln -s /etc/hostname $REPORT; exit 0", "the tree scan left no readable report"),
        ("echo oh no; exit 1", "the tree scan ended with code 1: oh no"),
        ("printf '[]' > $REPORT; exit 3", "the tree scan ended with code 3 and reported 0"),
        ("printf '[]' > $REPORT; exit 0", "examined nothing in the tree"),
        ("sleep 60", "the tree scan did not end within 1 s"),
    ],
)
async def test_a_scanner_that_did_not_do_its_work_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    broken = tmp_path / "gitleaks"
    broken.write_text(f'#!/bin/sh\nfor REPORT in "$@"; do :; done\n{behaviour}\n')
    broken.chmod(0o755)
    monkeypatch.setattr("activities.gitleaks.find", lambda _: broken)
    pipeline = Pipeline.model_validate({"security": {"timeout": 1}})
    verdict = await scan(tmp_path, {"a.py": "x = 1\n"}, pipeline=pipeline)
    assert verdict.state == "failed"
    assert reason in verdict.summary


async def test_without_gitleaks_the_scan_is_skipped_and_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.gitleaks.find", lambda _: None)
    verdict = await scan(tmp_path, {"keys.py": LEAK})
    assert verdict.state == "skipped"
    assert verdict.scan.missing_tool == "gitleaks"
    assert verdict.summary == "skipped: gitleaks not found, `regreen tools install`"


async def test_without_a_security_section_nothing_is_scanned(tmp_path: Path) -> None:
    verdict = await scan(tmp_path, {"keys.py": LEAK}, pipeline=Pipeline(security=None))
    assert (verdict.state, verdict.summary) == ("skipped", "no security gate configured")


async def test_both_scans_heartbeat(tmp_path: Path) -> None:
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.extend(details)
    request = await stage_request(
        tmp_path / "repository", "security", Pipeline(), [{"a.py": "x = 1\n"}]
    )
    await environment.run(scan_secrets, request)
    assert {beat["subject"] for beat in beats} >= {"gitleaks tree", "gitleaks history"}
