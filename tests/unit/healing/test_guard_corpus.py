"""Honest patches pass the guard; cheating ones are refused by the rule that names the cheat."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.healing.guard import guard
from activities.healing.guard_change import ChangedFile
from activities.healing.guard_rules import CODE_RULES
from activities.healing.search_replace import apply_blocks, parse_reply
from regreen.contracts.healing import Refusal

CORPUS = Path(__file__).parents[2] / "corpus" / "patches"
HONEST = sorted((CORPUS / "honest").glob("*.yaml"))
CHEATING = sorted((CORPUS / "cheating").glob("*.yaml"))


def judge(case: dict[str, Any]) -> list[Refusal]:
    change = ChangedFile(case["path"], case["before"].encode(), case["after"].encode())
    return guard(
        [change],
        expectations=case.get("expectations", ()),
        open_paths=case.get("open_paths", {}),
    )


def read(file: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert case["before"] != case["after"]
    return case


@pytest.mark.parametrize("file", HONEST, ids=lambda file: file.stem)
def test_honest_patch_passes(file: Path) -> None:
    assert [str(each) for each in judge(read(file))] == []


@pytest.mark.parametrize("file", CHEATING, ids=lambda file: file.stem)
def test_cheating_patch_is_refused_by_its_rule(file: Path) -> None:
    case = read(file)
    refusals = judge(case)
    assert case["rule"] in {each.rule for each in refusals}
    assert all(each.path == case["path"] and each.reason for each in refusals)
    assert all(0 <= each.line <= len(case["after"].splitlines()) for each in refusals)


@pytest.mark.parametrize("file", CHEATING, ids=lambda file: file.stem)
def test_what_was_there_before_is_not_new(file: Path) -> None:
    case = read(file)
    if case["rule"] != "syntax-error":
        unchanged = {**case, "before": case["after"], "after": case["after"] + "\n"}
        assert judge(unchanged) == []


def test_a_reply_that_deletes_the_failing_test_is_refused() -> None:
    before = b"def test_a():\n    assert 1 == 2\n\n\ndef test_b():\n    assert True\n"
    reply = parse_reply(
        "The test is wrong.\n\ntests/test_a.py\n<<<<<<< SEARCH\ndef test_a():\n"
        "    assert 1 == 2\n=======\n>>>>>>> REPLACE\n"
    )
    changed = apply_blocks(reply.blocks, {"tests/test_a.py": before}.get)
    changes = [ChangedFile(path, before, after) for path, after in changed.items()]
    assert [each.rule for each in guard(changes)] == ["test-file"]
    opened = guard(changes, open_paths={"tests/**": "for the example"})
    assert [each.rule for each in opened] == ["removed-assertion"]


def test_every_code_rule_has_a_cheating_patch() -> None:
    assert {read(file)["rule"] for file in CHEATING} == set(CODE_RULES)
