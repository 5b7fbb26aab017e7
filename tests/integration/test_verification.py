"""Verification of patches: what a patch must turn green, and what it may not lose on the way."""

from difflib import unified_diff
from pathlib import Path
from typing import Any

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
    folder: Path,
    source: str,
    patched: str,
    tests: str,
    timeout: float = 60,
    others: dict[str, str] | None = None,
    **more: Any,
) -> Verification:
    """What verification says of the patch that turns one text of `shop.py` into the other.

    `others` are more files, `more` are fields of the request.
    """
    paths = ("test_shop.py", "test_tail.py", *(n for n in others or () if n.startswith("test_")))
    integration = TestSection(paths=("earlier_shop.py",), timeout=timeout)
    pipeline = Pipeline(unit=TestSection(paths=paths, timeout=timeout), integration=integration)
    files = {"shop.py": source, "test_shop.py": tests, "test_tail.py": HEALTHY, **(others or {})}
    request = await stage_request(folder / "repository", "unit", pipeline, [files])
    original = await ActivityEnvironment().run(run_tests, request)
    assert original.outcome == "failed", original.detail
    before, after = source.splitlines(keepends=True), patched.splitlines(keepends=True)
    patch = "".join(unified_diff(before, after, "a/shop.py", "b/shop.py"))
    asked = {"failing": tuple(failure.node_id for failure in original.failures), **more}
    verification = VerificationRequest(
        **dict(request),
        patch=await put_bytes("unit.patch", patch.encode(), "text/x-diff"),
        original=original,
        **asked,
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


PRICE = "from shop import PRICE\n\ndef test_price():\n    assert PRICE == 2\n"
# Green in its first run on a machine; then it fails whenever two runs have left their mark.
FLAKY = """import pathlib
import shop

MARK = pathlib.Path("counter")

def test_flaky():
    runs = int(MARK.read_text()) if MARK.exists() else 0
    MARK.write_text(str(runs + 1))
    assert runs % {every} != {red}
"""


async def test_a_test_that_is_flaky_by_itself_does_not_spoil_a_heal(tmp_path: Path) -> None:
    # Red in the second run of a checkout: verification's earlier stage runs first, then repeats.
    flaky = FLAKY.format(every=2, red=1)
    files = {"test_flaky.py": flaky, "earlier_shop.py": flaky}

    found = await _verified(
        tmp_path, "PRICE = 3\n", "PRICE = 2\n", PRICE, others=files, earlier_stages=("integration",)
    )

    assert found.verified, found.reason
    assert found.flaky == ("earlier_shop.py::test_flaky",)
    assert "flaky on the way: earlier_shop.py::test_flaky" in found.reason


@pytest.mark.parametrize("where", ["test_other.py", "earlier_shop.py"])
async def test_a_patch_that_breaks_another_test_is_to_blame(where: str, tmp_path: Path) -> None:
    other = "from shop import PRICE, SUM\n\ndef test_sum():\n    assert SUM == 1\n"
    source, patched = "SUM = 1\nPRICE = 3\n", "SUM = 2\nPRICE = 2\n"

    found = await _verified(
        tmp_path,
        source,
        patched,
        PRICE,
        others={where: other, "earlier_shop.py": other},
        earlier_stages=("integration",) if where == "earlier_shop.py" else (),
    )

    assert not found.verified
    assert found.flaky == ()
    what = "breaks the integration stage" if where == "earlier_shop.py" else "the rest of the suite"
    assert found.reason.startswith(what)
    assert f"first {where}::test_sum" in found.reason


async def test_a_patch_by_which_tests_depend_on_their_order_is_to_blame(tmp_path: Path) -> None:
    # The test passes alone on the patched tree, but never again beside the healed one.
    source = "PRICE = 3\nSEEN = []\n\ndef price():\n    return PRICE\n"
    patched = "PRICE = 2\nSEEN = []\n\ndef price():\n    SEEN.append(1)\n    return PRICE\n"
    tests = "import shop\n\ndef test_price():\n    assert shop.price() == 2\n"
    other = "import shop\n\ndef test_seen():\n    assert shop.SEEN == []\n"

    found = await _verified(tmp_path, source, patched, tests, others={"test_tseen.py": other})

    assert not found.verified
    assert "first test_tseen.py::test_seen" in found.reason


async def test_what_is_quarantined_in_an_earlier_stage_does_not_count(tmp_path: Path) -> None:
    red = "def test_red():\n    assert 0\n\ndef test_green():\n    assert 1\n"
    known: dict[str, Any] = {
        "others": {"earlier_shop.py": red},
        "earlier_stages": ("integration",),
    }

    blamed = await _verified(tmp_path / "1", "PRICE = 3\n", "PRICE = 2\n", PRICE, **known)
    excused = await _verified(
        tmp_path / "2",
        "PRICE = 3\n",
        "PRICE = 2\n",
        PRICE,
        earlier_quarantine={"integration": ("earlier_shop.py::test_red",)},
        **known,
    )

    assert not blamed.verified
    assert excused.verified, excused.reason
    assert excused.flaky == ()


async def test_what_fails_behind_fifty_flaky_tests_is_not_excused(tmp_path: Path) -> None:
    tests = (
        "import pytest\nfrom shop import PRICE\n\n"
        "def test_price():\n    assert PRICE == 2\n\n"
        "@pytest.mark.parametrize('number', range(50))\n"
        "def test_flaky(number):\n    assert False\n\n"
        "def test_that_the_patch_breaks():\n    assert PRICE == 3\n"
    )
    flaky = tuple(f"test_shop.py::test_flaky[{number}]" for number in range(50))

    found = await _verified(
        tmp_path,
        "PRICE = 3\n",
        "PRICE = 2\n",
        tests,
        failing=("test_shop.py::test_price",),
        quarantined=flaky,
    )

    assert not found.verified
    assert found.reason == (
        "the rest of the suite is red: 51 failing, of which only 50 are examined"
    )
