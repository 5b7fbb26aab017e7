"""Prompts of a real red stage: what is suspected, what was tried, one for each candidate."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes, put_bytes
from activities.healing.token_estimate import estimate_tokens
from activities.model_prompt import PromptRequest, write_model_prompt
from activities.test_stage import run_tests
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Attempt, FailedPatch
from regreen.pipeline_file import HealSection, Pipeline
from tests.integration.gate_repository import stage_request

pytestmark = pytest.mark.usefixtures("own_state")

BEFORE = "def half(n):\n    return n / 2\n"
AFTER = "def half(n):\n    return n / 3\n"
TESTS = "from shop import half\n\n\ndef test_half():\n    assert half(4) == 2\n"


def failed(patch: ArtifactRef, verdict: str, reason: str) -> FailedPatch:
    known = {"healer": "search", "verdict": verdict, "reason": reason, "patch": patch}
    return FailedPatch.model_validate(known)


async def test_each_candidate_has_a_prompt_of_its_own_with_all_that_was_tried(
    tmp_path: Path,
) -> None:
    heal = HealSection.model_validate({"model": {"candidates": 3, "context_tokens": 3_000}})
    commits = [{"shop.py": BEFORE, "test_shop.py": TESTS}, {"shop.py": AFTER}]
    stage = await stage_request(tmp_path / "repository", "unit", Pipeline(heal=heal), commits)
    report = await ActivityEnvironment().run(run_tests, stage)
    red = await put_bytes("red.patch", b"-    return n / 3\n+    return n / 4\n")
    rejected = await put_bytes("rejected.patch", b"+    return 2\n")
    gone = red.model_copy(update={"sha256": "0" * 64})
    attempt = Attempt(number=1, healer="openai", verdict="tests_red", reason="red", patch=red)
    request = PromptRequest(
        **dict(stage),
        report=report,
        failing=("test_shop.py::test_half",),
        earlier=(attempt,),
        failed=(
            failed(gone, "tests_red", "long ago"),
            failed(rejected, "rejected", "it hides the bug"),
            failed(red, "tests_red", "red"),
        ),
    )

    written = await ActivityEnvironment().run(write_model_prompt, request)

    names = [each.prompt.name for each in written.prompts]
    assert names == [f"unit-attempt-2-candidate-{n}.prompt.txt" for n in (1, 2, 3)]
    texts = [(await get_bytes(each.prompt)).decode() for each in written.prompts]
    assert len(set(texts)) == 3
    for text, prompt in zip(texts, written.prompts, strict=True):
        whole = estimate_tokens(written.instructions) + estimate_tokens(text)
        assert prompt.tokens == whole <= 3_000
        assert "assert half(4) == 2" in text
        assert "return n / 3" in text
        assert text.count("return n / 4") == 1
        assert "Attempt 1 (openai): tests_red. red" in text
        assert "An earlier run (search): rejected. it hides the bug\n+    return 2" in text
        assert "An earlier run (search): tests_red. long ago" in text
    # The first candidate of the second attempt takes the second view, and so on.
    assert ["BEGIN change" in text for text in texts] == [False, True, False]
    assert ["shop.py:2 (1.00) return n / 3" in text for text in texts] == [True, False, False]
