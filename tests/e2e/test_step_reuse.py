"""A commit that is run again takes over what has not changed, and says so."""

from pathlib import Path
from typing import Any

from tests.e2e.plain_repository import plain_repository
from tests.e2e.regreen_program import Program, stage

FILES = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"\n\n'
        '[project]\nname = "till"\nversion = "0.1.0"\n'
    ),
    "src/till/__init__.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_total.py": (
        "from till import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    ),
}


def reused(document: Any) -> dict[str, list[str]]:
    """By stage the tools whose results were taken over."""
    return {
        each["name"]: [line.partition(": ")[0] for line in each["reused"]]
        for each in document["stages"]
        if each["reused"]
    }


def test_a_retry_takes_over_what_has_not_changed(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "till", FILES)
    first = hosted.run("run", repository, "--json")
    assert (first.code, reused(first.document)) == (0, {}), first.errors
    commit = first.document["commit"]

    again = hosted.run("retry", commit, "--json")

    assert (again.code, again.document["state"]) == (0, "passed"), again.errors
    taken = reused(again.document)
    assert [name.partition(" ")[0] for name in taken.pop("security")] == ["gitleaks", "bandit"]
    assert [name.partition(" ")[0] for name in taken.pop("lint")] == ["ruff"]
    assert taken == {"build": ["build"], "package": ["uv", "package"]}
    assert f"reused from the run of {commit[:12]}" in stage(again.document, "build")["summary"]
    packages = [
        [each["sha256"] for each in run.document["artifacts"] if each["name"].endswith(".whl")]
        for run in (first, again)
    ]
    assert packages[0] == packages[1] != []

    joined = hosted.run("run", repository, "--no-cache", "--json")
    assert "`regreen retry --no-cache` runs it again" in joined.errors

    anew = hosted.run("retry", commit, "--no-cache", "--json")

    assert (anew.code, reused(anew.document)) == (0, {}), anew.errors
