"""Flaky, infrastructure, upstream: each is named with its evidence and costs what it should."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.plain_repository import git, plain_repository
from tests.e2e.regreen_program import Program, stage

# Red in its first run and in every third after it. What counts the runs lies outside of the
# workspace, where the sandbox lets it be written.
EVERY_THIRD = """import pathlib

COUNTER = pathlib.Path("/tmp/regreen-runs-of-test-stock")


def test_stock():
    runs = int(COUNTER.read_text()) if COUNTER.exists() else 0
    COUNTER.write_text(str(runs + 1))
    assert runs % 3, "every third run"


def test_price():
    assert 1 + 1 == 2
"""
PRICES = "def total(prices):\n    return sum(prices[1:])\n"
PRICES_TESTS = """from prices import total


def test_total():
    assert total([1, 2, 3]) == 6


def test_nothing():
    assert total([]) == 0
"""


def test_a_test_that_fails_every_third_run_costs_nothing(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "flaky", {"test_stock.py": EVERY_THIRD})

    ended = hosted.run("run", repository, "--json")

    assert ended.code == 0, ended.errors
    run = ended.document
    unit = stage(run, "unit")
    assert (run["state"], unit["state"], unit["attempts"]) == ("passed", "passed", [])
    assert run["pull_request"] is None
    assert unit["quarantined"] == ["test_stock.py::test_stock"]
    assert unit["triage"]["kind"] == "flaky"
    assert unit["triage"]["evidence"][0]["runs"] == 2
    assert (
        "quarantined as flaky: test_stock.py::test_stock (passed alone in run 2"
        in (unit["summary"])
    )
    shown = hosted.run("show", run["commit"][:12])
    assert "quarantined as flaky in unit: test_stock.py::test_stock" in shown.output
    assert "unit, triage: flaky: passed alone in run 2 of at most 5" in shown.output
    assert "the failing tests alone, run 2 times: 1 of 1 passed" in shown.output


def test_a_package_that_is_missing_is_infrastructure(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(
        tmp_path / "missing",
        {
            "prices.py": "import yaml\n\n\ndef total(text):\n"
            "    return sum(yaml.safe_load(text))\n",
            "test_prices.py": "from prices import total\n\n\ndef test_total():\n"
            "    assert total('[1, 2]') == 3\n",
            "requirements.txt": "",
        },
    )

    ended = hosted.run("run", repository, "--json")

    assert ended.code == 1, ended.errors
    unit = stage(ended.document, "unit")
    assert (unit["state"], unit["attempts"]) == ("failed", [])
    assert unit["summary"] == (
        "infrastructure: third-party package `yaml` is not installed: add `PyYAML` to "
        "`requirements.txt` (test_prices.py)"
    )
    assert unit["triage"]["kind"] == "infrastructure"


def _red_on_the_parent(folder: Path, pipeline: str = "") -> tuple[Path, str]:
    files = {"prices.py": PRICES, "test_prices.py": PRICES_TESTS, "regreen.yaml": pipeline}
    repository = plain_repository(folder, files)
    parent = git(repository, "rev-parse", "HEAD")
    (repository / "README.md").write_text("Prices.\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "docs: say what it is")
    return repository, parent


def test_what_was_red_on_the_parent_is_not_healed_where_the_policy_says_so(
    hosted: Program, tmp_path: Path
) -> None:
    repository, parent = _red_on_the_parent(tmp_path / "upstream", "heal: {upstream: fail}\n")

    ended = hosted.run("run", repository, "--json")

    assert ended.code == 1, ended.errors
    unit = stage(ended.document, "unit")
    assert (unit["state"], unit["attempts"]) == ("failed", [])
    note = f"upstream: already red on the parent commit {parent[:12]}; 1 of 2 failing"
    assert unit["summary"].startswith(note)
    assert unit["triage"]["upstream"] == ["test_prices.py::test_total"]
    assert unit["triage"]["parent"] == parent


def test_a_later_commit_with_the_same_failure_updates_the_pull_request(
    hosted: Program, tmp_path: Path
) -> None:
    repository, parent = _red_on_the_parent(tmp_path / "healed")

    first = hosted.run("run", repository, "--json").document

    unit = stage(first, "unit")
    assert (first["state"], unit["state"]) == ("waiting", "healed")
    assert unit["summary"].startswith(f"upstream: already red on the parent commit {parent[:12]}; ")
    page = Path(first["pull_request"]["url"].removeprefix("file://"))
    text = page.read_text("utf-8")
    assert f"These tests were red on the parent commit {parent}" in text
    assert "| `test_prices.py::test_total` | `AssertionError: assert 5 == 6" in text
    assert _reproduced(repository, text, tmp_path / "first") == [1, 0, 0]

    (repository / "README.md").write_text("Prices, in cents.\n")
    git(repository, "commit", "--quiet", "--all", "--message", "docs: name the unit")
    second = hosted.run("run", repository, "--json").document

    assert second["state"] == "waiting"
    assert second["pull_request"] == first["pull_request"]
    assert second["tree"] != first["tree"]
    text = page.read_text("utf-8")
    assert f"supersedes run `{first['workflow_id']}`" in text
    branch = second["pull_request"]["branch"]
    assert git(repository, "rev-parse", f"{branch}^{{tree}}") == second["tree"]
    assert _reproduced(repository, text, tmp_path / "second") == [1, 0, 0]

    approved = hosted.run("approve", first["workflow_id"], "--json")

    assert approved.document["state"] == "passed"
    assert ", open)" in page.read_text("utf-8").splitlines()[0]
    hosted.run("approve", second["workflow_id"], "--json")
    assert ", approved)" in page.read_text("utf-8").splitlines()[0]


def _reproduced(repository: Path, text: str, folder: Path) -> list[int]:
    """The exit codes of the pull request's own commands, each run in a clone."""
    git(repository.parent, "clone", "--quiet", str(repository), str(folder))
    [commands] = re.findall(r"(?ms)^```sh\n(.*?)\n```$", text)
    codes = []
    for line in commands.splitlines():
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=folder,
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        if line.startswith("git "):
            assert done.returncode == 0, done.stderr
        else:
            codes.append(done.returncode)
    return codes
