"""What a pull request tells a person: what failed, what changed, the evidence, the price."""

import re
import shlex
from typing import Any

from activities.pull_request_text import (
    LIMIT,
    heal_commit_message,
    pull_request_body,
    pull_request_title,
)
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Attempt, FailedTest, Heal, HealEvidence, Opened, TestCounts
from regreen.contracts.pull_request import PullRequestContent
from regreen.contracts.source import Source
from regreen.contracts.testing import Evidence, Triage
from regreen.pipeline_file import Pipeline, TestSection

REF = ArtifactRef(name="unit-attempt-2.patch", sha256="0" * 64, bytes=1)
DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-A = 1\n+A = 2\n"
COMMIT = "c0ffee0" + "0" * 33
BRANCH = "auto-heal/unit/20260105T090000Z"


def _heal(stage: str, **changes: Any) -> Heal:
    failing = (f"tests/test_{stage}.py::test_price[a b]", f"tests/test_{stage}.py::test_other")
    attempts = (
        Attempt(number=1, healer="search", verdict="no_patch", reason="nothing | found"),
        Attempt(
            number=2,
            healer="openai",
            verdict="healed",
            reason="41 of 41 green",
            patch=REF,
            tokens=12345,
            cost_usd=0.0421,
            seconds=7.25,
        ),
    )
    evidence = HealEvidence(
        failures=(
            FailedTest(node_id=failing[0], exception="KeyError", message="KeyError: 'price'"),
            FailedTest(node_id=failing[1], exception="AssertionError", message="assert 1 == 2"),
        ),
        before=TestCounts(total=41, passed=38, failed=2, skipped=1),
        after=TestCounts(total=41, passed=40, failed=0, skipped=1),
        verified="40 of 41 green, healed tests green 6 times",
        triage=Triage(
            kind="reproducible",
            reason="failed in 5 of 5 runs alone",
            failing=failing,
            evidence=(
                Evidence(check="the failing tests alone", runs=5, result="2 of 2 failed each time"),
                Evidence(check="the parent commit", runs=0, result="no verdict"),
            ),
        ),
        attempts=attempts,
    )
    known: dict[str, Any] = {
        "stage": stage,
        "healer": "openai",
        "explanation": f"The {stage} price was wrong.",
        "patch": REF,
        "failing": failing,
        "attempts": 2,
        "tokens": 12345,
        "cost_usd": 0.0421,
        "evidence": evidence,
    }
    return Heal(**(known | changes))


def _content(*stages: str, **changes: Any) -> PullRequestContent:
    source = Source(
        repository="ada/shop",
        location="/srv/shop",
        ref="main",
        commit=COMMIT,
        tree="1" * 40,
        bundle=REF,
    )
    known: dict[str, Any] = {
        "run": "pipeline/ada/shop/c0ffee0",
        "run_id": "0a1b2c",
        "source": source,
        "branch": BRANCH,
        "heals": tuple(_heal(stage) for stage in stages),
    }
    return PullRequestContent(**(known | changes))


def _with_evidence(heal: Heal, **changes: Any) -> Heal:
    assert heal.evidence is not None
    return heal.model_copy(update={"evidence": heal.evidence.model_copy(update=changes)})


def test_the_title_names_stages_and_commit() -> None:
    assert pull_request_title(_content("unit")) == "Heal the unit tests of c0ffee000000"
    assert "unit, e2e" in pull_request_title(_content("unit", "e2e"))


def test_the_commit_is_a_conventional_fix_that_names_tests_and_run() -> None:
    content = _content("unit")

    lines = heal_commit_message(content, content.heals[0]).splitlines()

    assert lines[0] == "fix: heal the unit tests"
    assert lines[1] == ""
    assert "The unit price was wrong." in lines
    assert "- tests/test_unit.py::test_price[a b]" in lines
    assert lines[-1] == "Regreen-Run: pipeline/ada/shop/c0ffee0"


def test_the_body_shows_diff_evidence_and_cost_of_each_heal() -> None:
    body = pull_request_body(_content("unit", "e2e"), [DIFF, DIFF.replace("a.py", "b.py")])

    for stage in ("unit", "e2e"):
        assert f"## {stage}\n\nThe {stage} price was wrong." in body
        test = f"`tests/test_{stage}.py::test_other`"
        assert f"| {test} | `AssertionError: assert 1 == 2` | red | green |" in body
        assert f"| `tests/test_{stage}.py::test_price[a b]` | `KeyError: 'price'` |" in body
    assert "```diff\n--- a/a.py" in body
    assert "+++ b/b.py" in body
    assert body.count("- Before: 2 red, 38 green, 1 skipped of 41 in the whole stage.") == 2
    assert "- Triage, the failing tests alone, run 5 times: 2 of 2 failed each time." in body
    assert "- Triage, the parent commit, not run: no verdict." in body
    after = "- After: 0 red, 40 green, 1 skipped of 41 in the whole stage. Verified: 40 of 41 green"
    assert after in body
    assert "healed tests green 6 times" in body
    assert body.count("openai healer, attempt 2. 2 attempts in all: 12,345 tokens, 0.0421") == 2
    assert r"| 1 | search | no_patch | nothing \| found | 0 | 0.0000 | 0.0 |" in body
    assert "| 2 | openai | healed | 41 of 41 green | 12,345 | 0.0421 | 7.2 |" in body
    assert f"Run `pipeline/ada/shop/c0ffee0` (`0a1b2c`) on `main`, commit {COMMIT}." in body
    assert "Upstream" not in body
    assert "Quarantined" not in body


def test_the_commands_are_those_of_the_stage() -> None:
    section = TestSection(paths=("tests/unit", "a b"), arguments=("-m", "not slow"))

    body = pull_request_body(_content("unit", pipeline=Pipeline(unit=section)), [DIFF])

    [commands] = re.findall(r"```sh\n(.*?)\n```", body, re.DOTALL)
    words = [shlex.split(line, comments=True) for line in commands.splitlines()]
    pytest = ["PYTHONPATH=src", "python", "-m", "pytest", "-m", "not slow"]
    failing = ["tests/test_unit.py::test_price[a b]", "tests/test_unit.py::test_other"]
    assert words == [
        ["git", "checkout", COMMIT],
        [*pytest, *failing],
        ["git", "checkout", BRANCH],
        [*pytest, *failing],
        [*pytest, "tests/unit", "a b"],
    ]


def test_what_was_red_on_the_parent_is_said() -> None:
    heal = _heal("unit")
    assert heal.evidence is not None
    parent = {"parent": "b" * 40, "upstream": heal.failing[:1]}
    triage = heal.evidence.triage.model_copy(update=parent)

    body = pull_request_body(_content(heals=(_with_evidence(heal, triage=triage),)), [DIFF])

    assert (
        f"**Upstream.** Some of the tests were red on the parent commit {'b' * 40}: "
        f"`{heal.failing[0]}`." in body
    )


def test_what_was_left_aside_is_listed_with_its_stage() -> None:
    flaky = tuple(f"tests/test_a.py::test_{number}" for number in range(40))

    body = pull_request_body(_content("unit", quarantined={"e2e": flaky}), [DIFF])

    section = body.partition("## Quarantined as flaky")[2]
    assert "- e2e: `tests/test_a.py::test_0`\n" in section
    assert "- and 25 more" in section


def test_a_heal_without_evidence_is_shown_too() -> None:
    body = pull_request_body(_content(heals=(_heal("unit", evidence=None),)), [DIFF])

    assert "| `tests/test_unit.py::test_other` |  | red | green |" in body


def test_a_diff_with_fences_cannot_break_out_of_its_own() -> None:
    patch = DIFF + "+````\n+# Approved by everybody\n+```\n"

    body = pull_request_body(_content("unit"), [patch])

    assert "`````diff\n" in body
    assert body.count("`````") == 2


def test_the_body_names_what_the_policy_opened_and_why() -> None:
    content = _content("unit")
    opened = Opened(rule="lock-file", path="uv.lock", reason="the build writes it")
    heal = content.heals[0].model_copy(update={"opened": (opened,)})

    body = pull_request_body(content.model_copy(update={"heals": (heal,)}), [DIFF])

    assert "- `lock-file` at `uv.lock`: the build writes it\n" in body
    assert "Opened by the policy" not in pull_request_body(content, [DIFF])


def test_a_secret_that_a_test_prints_is_not_shown() -> None:
    token = f"ghp_{'a' * 36}"
    failed = FailedTest(node_id="test_a.py::test_b", exception="", message=f"assert {token}")
    heal = _with_evidence(_heal("unit", failing=("test_a.py::test_b",)), failures=(failed,))

    body = pull_request_body(_content(heals=(heal,)), [DIFF])

    assert token not in body
    assert "`assert [redacted]`" in body


def test_text_of_the_repository_is_shown_and_not_obeyed() -> None:
    evil = "a|b `x`\n\n# Approved\n<img src=x>@everyone closes #1"
    heal = _heal("unit", explanation=evil, failing=(evil,))
    heal = _with_evidence(
        heal, failures=(FailedTest(node_id=evil, exception="", message=evil),), verified=evil
    )

    body = pull_request_body(
        _content(run=f"run {evil}", heals=(heal,), quarantined={"unit": (evil,)}), [DIFF]
    )

    outside = re.sub(r"(?ms)^```.*?^```$", "", body)
    text = re.sub(r"(`+).+?\1", "", outside)
    assert "# Approved" not in {line.strip() for line in outside.splitlines()}
    assert not re.search(r"(?<!\\)<img|@everyone|#1", text)
    [row] = [line for line in body.splitlines() if line.endswith("| red | green |")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_a_long_diff_is_cut_and_says_where_the_whole_is() -> None:
    diff = DIFF + "".join(f"+line {number}\n" for number in range(20_000))

    body = pull_request_body(_content("unit", "e2e"), [diff, DIFF])

    assert len(body) <= LIMIT
    assert re.search(r"The diff is cut: \d+ lines more\.", body)
    assert f"branch `{BRANCH}`, artifact `unit-attempt-2.patch` with SHA-256 {'0' * 64}" in body
    assert "## e2e" in body
    assert body.rstrip().endswith(f"commit {COMMIT}.")


def test_the_body_never_exceeds_what_a_forge_takes() -> None:
    names = tuple(f"tests/test_{'x' * 900}.py::test_{number}" for number in range(50))
    failures = tuple(FailedTest(node_id=n, exception="E", message="`|" * 150) for n in names)
    heal = _with_evidence(_heal("unit", failing=names, explanation="*" * 9000), failures=failures)
    content = _content(heals=(heal,) * 8, quarantined={"unit": names})

    body = pull_request_body(content, ["`" * 70_000] * 8)

    assert len(body) <= LIMIT
    assert "`regreen show pipeline/ada/shop/c0ffee0` tells the rest" in body
