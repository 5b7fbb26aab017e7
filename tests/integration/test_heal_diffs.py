"""What `regreen show` prints of heal attempts: diffs that can be used, and nothing that steers."""

import pytest

from activities.artifact_store import put_bytes
from regreen.contracts.healing import Attempt
from regreen.contracts.run import PipelineRequest, RunReport, StageReport
from starters.heal_diffs import print_attempts

LONG = f"price = {' + '.join(['1'] * 60)}"
PATCH = f"--- a/shop.py\n+++ b/shop.py\n@@ -1 +1 @@\n-price = 1\n+{LONG}\x1b]0;title\x07\n"


@pytest.mark.usefixtures("own_state")
async def test_a_diff_is_printed_line_by_line_and_steers_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    attempt = Attempt(
        number=1,
        healer="openai",
        verdict="healed",
        reason="2 of 2 green",
        explanation="a [/b] sum\x1b[2J",
        patch=await put_bytes("attempt-1.patch", PATCH.encode()),
        seconds=1.5,
    )
    stage = StageReport(name="unit", state="healed", attempts=(attempt,))
    request = PipelineRequest(repository="a/b", location="/b", ref="main", commit="c")

    await print_attempts(
        RunReport(workflow_id="w", run_id="1", state="passed", request=request, stages=(stage,))
    )

    assert capsys.readouterr().out.splitlines() == [
        "",
        "unit, attempt 1 (openai, 1.5 s): healed: 2 of 2 green",
        "a [/b] sum",
        "--- a/shop.py",
        "+++ b/shop.py",
        "@@ -1 +1 @@",
        "-price = 1",
        f"+{LONG}",
        "",
    ]
