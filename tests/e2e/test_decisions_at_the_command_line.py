"""Decisions from the command line: those that do not count say why, and two people can be asked."""

from pathlib import Path

import pytest

from tests.e2e.plain_repository import plain_repository
from tests.e2e.regreen_program import Program, stage

pytestmark = pytest.mark.timeout(240)

FILES = {
    "regreen.yaml": "coverage: null\nsecurity: null\npackage: null\n"
    "approval: {required: always, approvals: 2, author: refused}\n",
    "test_price.py": "def test_price():\n    assert 1 + 1 == 2\n",
}


def test_the_author_is_refused_and_two_others_are_needed(hosted: Program, tmp_path: Path) -> None:
    repository = plain_repository(tmp_path / "shop", FILES)
    run = hosted.run("run", repository, "--json").document
    assert (run["state"], run["reason"]) == ("waiting", "approval (0 of 2 people)")

    author = hosted.run("approve", run["run_id"], "--reviewer", "Test")
    assert author.code == 2
    assert "the decision does not count: Test made the commit" in author.errors

    first = hosted.run("approve", run["run_id"], "--reviewer", "Ada", "--json")
    assert (first.code, first.document["state"]) == (0, "waiting")
    assert [each["reviewer"] for each in first.document["approvals"]] == ["Ada"]

    again = hosted.run("approve", run["run_id"], "--reviewer", "ada")
    assert again.code == 2
    assert "ada has approved already; it takes another person" in again.errors

    second = hosted.run("approve", run["run_id"], "--reviewer", "Grace", "--json")
    assert (second.code, second.document["state"]) == (0, "passed")
    assert stage(second.document, "approval")["summary"] == (
        "approved by Ada (command-line); approved by Grace (command-line)"
    )
    assert len(second.document["refused_reviews"]) == 2
