"""What a pull request tells a person: what failed, what changed, the evidence, the price."""

from activities.pull_request_text import (
    heal_commit_message,
    pull_request_body,
    pull_request_title,
)
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Heal, Opened
from regreen.contracts.pull_request import PullRequestContent
from regreen.contracts.source import Source

REF = ArtifactRef(name="a", sha256="0" * 64, bytes=1)
DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-A = 1\n+A = 2\n"


def _heal(stage: str) -> Heal:
    return Heal(
        stage=stage,
        healer="openai",
        explanation=f"The {stage} price was wrong.",
        patch=REF,
        failing=(f"tests/test_{stage}.py::test_price[a b]", f"tests/test_{stage}.py::test_other"),
        attempts=3,
        tokens=12345,
        cost_usd=0.0421,
    )


def _content(*stages: str) -> PullRequestContent:
    source = Source(
        repository="ada/shop",
        location="/srv/shop",
        ref="main",
        commit="c0ffee0" + "0" * 33,
        tree="1" * 40,
        bundle=REF,
    )
    return PullRequestContent(
        run="pipeline/ada/shop/c0ffee0",
        source=source,
        branch="auto-heal/unit/20260105T090000Z",
        heals=tuple(_heal(stage) for stage in stages),
    )


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
        assert f"| `tests/test_{stage}.py::test_other` | red | green |" in body
    assert "```diff\n--- a/a.py" in body
    assert "+++ b/b.py" in body
    assert body.count("attempt 3; 12,345 tokens, 0.0421 USD") == 2
    assert "git checkout auto-heal/unit/20260105T090000Z" in body
    assert "'tests/test_unit.py::test_price[a b]'" in body
    assert "Run `pipeline/ada/shop/c0ffee0` on main (c0ffee000000)." in body


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
