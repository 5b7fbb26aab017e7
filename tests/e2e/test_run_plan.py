"""`regreen run --plan`: what would be released, without a server, and with nothing touched."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.plain_repository import git, plain_repository, working_state
from tests.e2e.regreen_program import Program

PIPELINE = """
coverage: {threshold: 91.5, changed: 100}
security: {vulnerabilities: critical}
approval: {required: always}
load:
  script: load.js
  thresholds: {p95: 250ms, error_rate: 0.01}
release:
  prerelease: {"next/*": rc}
  checklist:
    documentation: [make, docs]
    rollback: docs/rollback.md
    off: {coverage: the shop is a toy}
  targets:
    - kind: index
      url: https://upload.example.org/legacy/
      simple: https://index.example.org/simple/
    - kind: github
"""
FILES = {
    "shop.py": "PRICE = 3\n",
    "test_shop.py": "def test_price():\n    assert True\n",
    "CHANGELOG.md": "## 1.0.0\n",
    "regreen.yaml": PIPELINE,
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop whose last release is 1.0.0, with a feature and a long message since then."""
    folder = plain_repository(tmp_path / "shop", FILES)
    git(folder, "tag", "v1.0.0")
    (folder / "shop.py").write_text("PRICE = 4\nTEA = 2\n", "utf-8")
    git(folder, "commit", "--quiet", "--all", "--message", f"feat(tea): sell {'good ' * 40}tea")
    return folder


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_plan_is_printed_and_nothing_is_touched(program: Program, shop: Path) -> None:
    before, state, own = working_state(shop), _files(program.state), _files(shop)
    ended = program.run("run", "--plan", shop)
    assert (ended.code, ended.errors) == (0, "")
    assert max(map(len, ended.output.splitlines())) <= 80
    said = " ".join(ended.output.split())
    for text in (
        "release 1.1.0 after v1.0.0 (minor): 1 feature of 1 commit since 1.0.0",
        "since v1.0.0: 1 commit, 1 file, +2 −1 lines",
        "tag reversible v1.1.0",
        "index yank-only https://upload.example.org/",
        "github irrevocable release v1.1.0 of",
        "coverage off the shop is a toy",
        "vulnerabilities unmet `security.vulnerabilities: critical` lets HIGH pass",
        "changelog unmet CHANGELOG.md does not mention 1.1.0",
        "documentation pending the configured command ends with 0",
        "rollback unmet docs/rollback.md is not in the commit",
        "coverage coverage 91.5 % of all stages, 100 % of changed lines",
        "p95 within 250 ms, at most 1 % failed",
        "approval: always: a person is asked before the release",
    ):
        assert text in said
    assert working_state(shop) == before
    assert _files(shop) == own
    assert _files(program.state) == state


def test_the_plan_as_a_document(program: Program, shop: Path) -> None:
    git(shop, "checkout", "--quiet", "-b", "next/tea")
    document: Any = program.run("run", "--plan", "--json", shop).document
    assert set(document) == {
        *("repository", "ref", "commit", "plan", "checklist", "gates", "approval")
    }
    assert document["commit"] == git(shop, "rev-parse", "HEAD")
    plan = document["plan"]
    assert (plan["version"], plan["tag"], plan["prerelease"]) == (
        *("1.1.0-rc.1", "v1.1.0-rc.1", True),
    )
    assert plan["notes"].startswith("# ")
    assert [step["kind"] for step in plan["steps"]] == [
        *("reversible", "reversible", "yank-only", "irrevocable")
    ]
    states = {item["name"]: item["state"] for item in document["checklist"]}
    assert states == {
        "tests": "pending",
        "coverage": "off",
        "vulnerabilities": "unmet",
        "sbom": "pending",
        "signatures": "pending",
        "changelog": "unmet",
        "documentation": "pending",
        "migration": "unneeded",
        "rollback": "unmet",
        "approval": "pending",
    }
    assert all(item["needs"] for item in document["checklist"])
    assert {gate["gate"] for gate in document["gates"]} == {
        *("tests", "coverage", "load", "secrets", "static-analysis", "dependencies", "packages")
    }
    assert document["approval"]["required"] == "always"


def test_a_version_that_cannot_be_is_one_clear_line(program: Program, shop: Path) -> None:
    (shop / "regreen.yaml").write_text("release: {version: 0.9.0}\n", "utf-8")
    git(shop, "commit", "--quiet", "--all", "--message", "chore: go back")
    ended = program.run("run", "--plan", shop)
    assert (ended.code, ended.output) == (2, "")
    assert ended.errors == (
        "error: release.version in regreen.yaml: 0.9.0 is below the last release 1.0.0; raise it\n"
    )


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("healers: []\n", "no release: regreen.yaml has no section `release`"),
        ("release: {paths: [docs]}\n", "nothing to release: no commit since v1.0.0 touches docs"),
    ],
)
def test_without_a_release_the_gates_are_told_all_the_same(
    pipeline: str, said: str, program: Program, shop: Path
) -> None:
    (shop / "regreen.yaml").write_text(pipeline, "utf-8")
    git(shop, "commit", "--quiet", "--all", "--message", "chore: change")
    ended = program.run("run", "--plan", shop)
    assert ended.code == 0
    assert said in ended.output
    assert "coverage  coverage         80 % of all stages" in ended.output
    assert "approval: only when something was healed" in ended.output
