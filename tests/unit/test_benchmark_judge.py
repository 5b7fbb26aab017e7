"""The healing benchmark's judge: equal behaviour is told from different on random inputs."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.healing_corpus import judge
from benchmarks.healing_corpus.changed_functions import changed_functions, same_program
from benchmarks.healing_corpus.judge import Judgement, compare, spread
from benchmarks.healing_corpus.regreen_replay.description import describe

FOLDER = Path(judge.__file__).parent
ORIGINAL = """
class Shelf:
    def __init__(self, size=3):
        self.size = size
        self.things = []

    def put(self, thing):
        if len(self.things) < self.size:
            self.things.append(thing)
        return len(self.things)


def clean(text, width=8):
    if not text:
        return ""
    return text.strip()[:width].lower()


def pairs(values):
    for left, right in zip(values, values[1:]):
        yield left, right


def twice(function, value):
    return function(function(value))
"""
TESTS = """
from program import Shelf, clean, pairs, twice


def test_clean():
    assert clean(" Abc ") == "abc"
    assert clean("") == ""
    assert clean("abcdefghijkl").startswith("abcdef")


def test_pairs():
    assert list(pairs([1, 2, 3])) == [(1, 2), (2, 3)]


def test_shelf():
    shelf = Shelf()
    assert [shelf.put(n) for n in (1, 2)] == [1, 2]


def test_twice():
    assert twice(lambda n: n + 1, 3) == 5
"""


def _replayed(tree: Path, program: str, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    tree.mkdir()
    (tree / "program.py").write_text(program)
    (tree / "test_program.py").write_text(TESTS)
    output = tree / "outcomes.jsonl"
    (tree / "plan.json").write_text(json.dumps({**plan, "output": str(output)}))
    path = os.pathsep.join([str(tree), str(FOLDER)])
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tree)]
    subprocess.run(
        [*command, "-p", "no:cacheprovider", "-p", "regreen_replay.plugin", "test_program.py"],
        cwd=tree,
        env=variables | {"REGREEN_REPLAY": str(tree / "plan.json")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return [json.loads(line) for line in output.read_text().splitlines()]


def _judged(folder: Path, patched: str) -> Judgement:
    before, after = {"program.py": ORIGINAL.encode()}, {"program.py": patched.encode()}
    plan = {"targets": changed_functions(before, after), "selected": None, "variants": 12}
    counted = _replayed(folder / "count", ORIGINAL, plan)
    calls = [(each["test"], *each["target"], each["number"]) for each in counted]
    plan["selected"] = spread(calls, 20)
    return compare(
        _replayed(folder / "first", ORIGINAL, plan),
        _replayed(folder / "again", ORIGINAL, plan),
        _replayed(folder / "other", patched, plan),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if not text:", 'if text == "":'),
        ("text.strip()[:width].lower()", "text.strip().lower()[:width]"),
        ("zip(values, values[1:])", "zip(values[:-1], values[1:])"),
    ],
)
def test_another_way_to_the_same_is_equivalent(before: str, after: str, tmp_path: Path) -> None:
    assert before in ORIGINAL
    judged = _judged(tmp_path, ORIGINAL.replace(before, after))
    assert judged.correctness == "equivalent"
    assert judged.inputs >= 5


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("if not text:", "if len(text) < 2:", "clean"),
        ("width=8", "width=9", "clean"),
        ("zip(values, values[1:])", "zip(values[:2], values[1:3])", "pairs"),
        ("self.things.append(thing)", "self.things.insert(0, thing)", "put"),
    ],
)
def test_a_difference_is_found_and_shown(
    before: str, after: str, where: str, tmp_path: Path
) -> None:
    assert before in ORIGINAL
    judged = _judged(tmp_path, ORIGINAL.replace(before, after))
    assert judged.correctness == "different"
    assert where in judged.detail and "became" in judged.detail


def test_the_functions_whose_code_changed_are_the_innermost() -> None:
    before = (
        b"class A:\n    def f(self):\n        def g():\n            return 1\n        return g\n"
    )
    after = before.replace(b"return 1", b"return 2")
    assert changed_functions({"a.py": before}, {"a.py": after}) == (("a.py", "A.f.<locals>.g"),)


def test_a_change_outside_of_functions_concerns_all_of_the_file() -> None:
    before = b"LIMIT = 1\ndef f():\n    return LIMIT\ndef g():\n    return 0\n"
    after = before.replace(b"LIMIT = 1", b"LIMIT = 2")
    assert changed_functions({"a.py": before}, {"a.py": after}) == (("a.py", "f"), ("a.py", "g"))


def test_layout_and_comments_make_no_other_program() -> None:
    assert same_program({"a.py": b"x = 1\n"}, {"a.py": b"x = (1)  # one\n"})
    assert not same_program({"a.py": b"x = 1\n"}, {"a.py": b"x = 2\n"})


def _record(variant: int = 0, **changes: Any) -> dict[str, Any]:
    record = {
        "test": "t.py::t",
        "target": ["a.py", "f"],
        "number": 0,
        "variant": variant,
        "input": f"input {variant}",
        "shown_input": "x",
        "kind": "value",
        "raised": [],
        "result": "1",
        "shown_result": "1",
        "arguments": "x",
        "shown_arguments": "x",
        "seconds": 0.001,
    }
    return record | changes


SIX = [_record(variant) for variant in range(6)]


def _with(**changes: Any) -> list[dict[str, Any]]:
    """Six records of which the last is another."""
    return [*SIX[:5], SIX[5] | changes]


def test_agreement_on_enough_inputs_is_equivalence() -> None:
    assert compare(SIX, SIX, SIX) == Judgement("equivalent", 6)
    assert compare(SIX[:4], SIX[:4], SIX[:4]).correctness == "undecided"
    assert compare(SIX, SIX, []).correctness == "undecided"


def test_the_same_input_again_counts_once() -> None:
    same = [each | {"input": "one"} for each in SIX]
    assert compare(same, same, same).correctness == "undecided"


@pytest.mark.parametrize(
    "other",
    [
        {"result": "2"},
        {"arguments": "y"},
        {"kind": "raise", "raised": ["KeyError", "Exception"]},
        {"kind": "too long"},
    ],
)
def test_any_other_behaviour_is_a_difference(other: dict[str, Any]) -> None:
    assert compare(SIX, SIX, _with(**other)).correctness == "different"


def test_what_the_original_does_not_do_twice_is_left_out() -> None:
    assert compare(SIX, _with(result="3"), _with(result="2")) == Judgement("equivalent", 5)


def test_other_inputs_are_not_compared() -> None:
    assert compare(SIX, SIX, _with(input="elsewhere", result="2")) == Judgement("equivalent", 5)


def test_an_edited_input_that_the_original_refuses_by_type_says_nothing() -> None:
    refused = _with(kind="raise", raised=["TypeError", "Exception"])
    assert compare(refused, refused, SIX) == Judgement("equivalent", 5)


def test_a_wrong_exception_on_an_edited_input_is_a_difference_and_another_message_is_none() -> None:
    raised = {"kind": "raise", "raised": ["ValueError", "Exception"], "result": "bad x"}
    wrong = {"kind": "raise", "raised": ["KeyError", "Exception"], "result": "bad x"}
    assert compare(_with(**raised), _with(**raised), _with(**wrong)).correctness == "different"
    other = raised | {"result": "bad y"}
    assert compare(_with(**raised), _with(**raised), _with(**other)).correctness == "equivalent"


def test_a_slow_call_that_is_cut_off_is_not_held_against_the_patch() -> None:
    slow = _with(seconds=0.9)
    assert compare(slow, slow, _with(kind="too long")) == Judgement("equivalent", 5)


def test_calls_are_spread_over_functions_and_tests() -> None:
    calls = [(f"t{n}", "a.py", "f", 0) for n in range(100)] + [("t", "a.py", "g", 0)]
    chosen = spread(calls, 10)
    assert ("t", "a.py", "g", 0) in chosen
    assert [call[0] for call in chosen if call[2] == "f"] == ["t0", "t20", "t40", "t60", "t80"]


class Slotted:
    __slots__ = ("__hidden", "left")

    def __init__(self, left: int, hidden: int) -> None:
        self.left = left
        self.__hidden = hidden


def test_descriptions_look_into_values_and_name_no_address() -> None:
    assert describe(Slotted(1, 2)) == describe(Slotted(1, 2)) != describe(Slotted(1, 3))
    assert describe({1, 2, 3}) == describe({3, 2, 1})
    assert describe(iter([1, 2]), consume=True) != describe(iter([1, 3]), consume=True)
    assert "0x" not in describe(object())
    assert describe(1) != describe(True) != describe(1.0)
    loop: list[Any] = []
    loop.append(loop)
    assert describe(loop)
