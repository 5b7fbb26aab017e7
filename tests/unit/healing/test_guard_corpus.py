"""Honest patches pass the guard; cheating ones are refused by the rule that names the cheat.

A case of the corpus is one patch: a file (`path`, `before`, `after`) or several (`files`), what the
failing assertion said (`message`) or which values it mentions (`expectations`), what the policy
opens, and for a cheat the `rule` that has to refuse it. What stands neither before nor after is
absent.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.healing.guard import guard
from activities.healing.guard_change import REGULAR, ChangedFile
from activities.healing.guard_literals import expected_literals
from activities.healing.search_replace import apply_blocks, parse_reply
from regreen.contracts.healing import Refusal
from regreen.contracts.testing import TestFailure
from regreen.guard_rules import CODE_RULES, RULES

CORPUS = Path(__file__).parents[2] / "corpus" / "tampering"
HONEST = sorted((CORPUS / "honest").glob("*.yaml"))
CHEATING = sorted((CORPUS / "cheating").glob("*.yaml"))


def read(file: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return case


def changes_of(case: dict[str, Any]) -> list[ChangedFile]:
    return [_change(each) for each in case.get("files", [case])]


def _change(file: dict[str, Any]) -> ChangedFile:
    before, after = file.get("before"), file.get("after")
    if "after_lines" in file:
        after = "".join(f"VALUE_{number} = {number}\n" for number in range(file["after_lines"]))
    assert before != after
    return ChangedFile(
        file["path"],
        None if before is None else before.encode(),
        None if after is None else after.encode(),
        _mode(file, "before"),
        _mode(file, "after"),
    )


def _mode(file: dict[str, Any], side: str) -> int | None:
    if f"{side}_mode" in file:
        return int(file[f"{side}_mode"], 8)
    return REGULAR if side in file or f"{side}_lines" in file else None


def judge(case: dict[str, Any], changes: list[ChangedFile] | None = None) -> list[Refusal]:
    message = case.get("message", "")
    failure = TestFailure(
        node_id="tests/test_shop.py::test_shop",
        phase="call",
        exception="AssertionError",
        message=message,
    )
    verdict = guard(
        changes_of(case) if changes is None else changes,
        expectations=case.get("expectations") or expected_literals([failure]),
        open_paths=case.get("open_paths", {}),
    )
    return list(verdict.refusals)


@pytest.mark.parametrize("file", HONEST, ids=lambda file: file.stem)
def test_honest_patch_passes(file: Path) -> None:
    assert [str(each) for each in judge(read(file))] == []


@pytest.mark.parametrize("file", CHEATING, ids=lambda file: file.stem)
def test_cheating_patch_is_refused_by_its_rule(file: Path) -> None:
    case = read(file)
    refusals = judge(case)
    assert case["rule"] in {each.rule for each in refusals}
    lines = {each.path: len((each.after or b"").splitlines()) for each in changes_of(case)}
    assert all(each.reason and 0 <= each.line <= lines[each.path] for each in refusals)


@pytest.mark.parametrize("file", CHEATING, ids=lambda file: file.stem)
def test_what_was_there_before_is_not_new(file: Path) -> None:
    case = read(file)
    if case["rule"] in CODE_RULES and case["rule"] != "syntax-error":
        unchanged = [
            ChangedFile(each.path, each.after, each.after + b"\n")
            for each in changes_of(case)
            if each.after is not None
        ]
        assert [str(each) for each in judge(case, unchanged)] == []


def test_a_reply_that_deletes_the_failing_test_is_refused() -> None:
    before = b"def test_a():\n    assert 1 == 2\n\n\ndef test_b():\n    assert True\n"
    reply = parse_reply(
        "The test is wrong.\n\ntests/test_a.py\n<<<<<<< SEARCH\ndef test_a():\n"
        "    assert 1 == 2\n=======\n>>>>>>> REPLACE\n"
    )
    changed = apply_blocks(reply.blocks, {"tests/test_a.py": before}.get)
    changes = [ChangedFile(path, before, after) for path, after in changed.items()]
    assert [each.rule for each in guard(changes).refusals] == ["test-file"]
    opened = guard(changes, open_paths={"tests/**": "for the example"})
    assert {each.rule for each in opened.refusals} == {"removed-test", "removed-assertion"}
    assert [(each.rule, each.reason) for each in opened.opened] == [
        ("test-file", "for the example")
    ]


def test_every_rule_has_a_cheating_patch() -> None:
    assert {read(file)["rule"] for file in CHEATING} == set(RULES)


def test_the_corpus_is_large() -> None:
    assert min(len(HONEST), len(CHEATING)) >= 80
