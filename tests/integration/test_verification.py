"""Verification of patches: what a patch must turn green, and what it may not lose on the way."""

from difflib import unified_diff
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import put_bytes
from activities.healing.verification import VerificationRequest, verify_patch
from activities.test_stage import run_tests
from regreen.contracts.testing import Verification
from regreen.pipeline_file import Pipeline, TestSection
from tests.integration.gate_repository import stage_request

pytestmark = pytest.mark.usefixtures("shared_environments")

HEALTHY = "def test_healthy():\n    assert True\n"


async def _verified(
    folder: Path, source: str, patched: str, tests: str, timeout: float = 60
) -> Verification:
    """What verification says of the patch that turns one text of `shop.py` into the other."""
    pipeline = Pipeline(unit=TestSection(timeout=timeout))
    files = {"shop.py": source, "test_shop.py": tests, "test_tail.py": HEALTHY}
    request = await stage_request(folder / "repository", "unit", pipeline, [files])
    original = await ActivityEnvironment().run(run_tests, request)
    assert original.outcome == "failed", original.detail
    before, after = source.splitlines(keepends=True), patched.splitlines(keepends=True)
    patch = "".join(unified_diff(before, after, "a/shop.py", "b/shop.py"))
    verification = VerificationRequest(
        **dict(request),
        patch=await put_bytes("unit.patch", patch.encode(), "text/x-diff"),
        failing=tuple(failure.node_id for failure in original.failures),
        original=original,
    )
    return await ActivityEnvironment().run(verify_patch, verification)


async def test_a_patch_that_turns_the_stage_green(tmp_path: Path) -> None:
    tests = "from shop import PRICE\n\ndef test_price():\n    assert PRICE == 2\n"

    found = await _verified(tmp_path, "PRICE = 3\n", "PRICE = 2\n", tests)

    assert found.verified, found.reason
    assert found.report is not None
    assert (found.report.passed, found.report.total) == (2, 2)


async def test_a_patch_that_does_not(tmp_path: Path) -> None:
    tests = "from shop import PRICE\n\ndef test_price():\n    assert PRICE == 2\n"

    found = await _verified(tmp_path, "PRICE = 3\n", "PRICE = 4\n", tests)

    assert not found.verified
    assert found.reason.startswith("tests still red: 1 failing, first test_shop.py::test_price")


async def test_a_mended_import_lets_more_tests_be_seen(tmp_path: Path) -> None:
    tests = "from shop import PRICE\n\ndef test_price():\n    assert PRICE == 2\n"

    found = await _verified(tmp_path, "PRICE = NET\n", "PRICE = 2\n", tests)

    assert found.verified, found.reason


async def test_a_mended_endless_loop_lets_more_tests_be_seen(tmp_path: Path) -> None:
    source = "def count(n):\n    i = 0\n    while i < n:\n        i += 0\n    return i\n"
    tests = "from shop import count\n\ndef test_count():\n    assert count(3) == 3\n"

    found = await _verified(tmp_path, source, source.replace("+= 0", "+= 1"), tests, timeout=6)

    assert found.verified, found.reason


async def test_a_failing_test_that_is_skipped_is_not_green(tmp_path: Path) -> None:
    tests = (
        "import pytest, shop\n\n"
        "def test_price():\n    assert shop.PRICE == 2\n\n"
        "def test_sale():\n"
        "    if not shop.SALE:\n        pytest.skip('no sale')\n"
        "    assert shop.PRICE == 2\n"
    )
    source = "SALE = True\nPRICE = 3\n"

    found = await _verified(tmp_path, source, "SALE = False\nPRICE = 2\n", tests)

    assert not found.verified
    assert found.reason == "tests that failed are skipped now, which is not green"


async def test_no_other_test_may_be_skipped(tmp_path: Path) -> None:
    tests = (
        "import pytest, shop\n\n"
        "def test_price():\n    assert shop.PRICE == 2\n\n"
        "@pytest.mark.skipif(not shop.SALE, reason='no sale')\n"
        "def test_sale():\n    assert shop.SALE\n"
    )
    source = "SALE = True\nPRICE = 3\n"

    found = await _verified(tmp_path, source, "SALE = False\nPRICE = 2\n", tests)

    assert not found.verified
    assert found.reason == "tests that ran before are skipped now"


async def test_no_test_may_be_lost(tmp_path: Path) -> None:
    tests = (
        "import pytest, shop\n\n"
        "@pytest.mark.parametrize('price', shop.PRICES)\n"
        "def test_price(price):\n    assert price > 0\n\n"
        "def test_first():\n    assert shop.PRICES[0] == 1\n"
    )

    found = await _verified(tmp_path, "PRICES = [2, 3]\n", "PRICES = [1]\n", tests)

    assert not found.verified
    assert found.reason == "the set of collected tests is not the original's"
