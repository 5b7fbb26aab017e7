"""How the search healer runs candidates: apart from each other, ended, and leaving nothing."""

import asyncio
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import activities.sandbox
from activities.healing.search.behaviour import changed_share
from activities.healing.search.candidate import Candidate, Replacement
from activities.healing.search.candidate_server import candidate_server
from activities.healing.search.engine import search
from activities.healing.search.measurement import measure
from activities.healing.search.request import SearchRequest
from activities.healing.search.source_text import read_source
from activities.healing.search.trial import warm_up
from activities.sandbox import Isolation
from tests.integration.faulty_repository import (
    failing_in,
    patched,
    repository,
    request_for,
    run_tests,
)
from tests.integration.single_faults import BUGS


async def test_what_one_candidate_remembers_does_not_reach_the_next(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path,
        {
            "rates.py": """\
                import functools

                TABLE = {"basic": 10}
                SEEN = []


                class Counter:
                    calls = 0

                    def __init__(self):
                        self.known = {}


                COUNTER = Counter()


                @functools.lru_cache(maxsize=None)
                def rate(name):
                    return TABLE[name]


                def price(name, count):
                    if (name, count) in COUNTER.known:
                        return COUNTER.known[name, count]
                    Counter.calls += 1
                    SEEN.append(name)
                    TABLE[name] = TABLE[name] * 1
                    total = rate(name) * count
                    if count < 10:
                        total = total - total // 10
                    COUNTER.known[name, count] = total
                    return total if len(SEEN) == Counter.calls == 1 else -1
                """,
            "test_rates.py": """\
                from rates import price

                def test_many():
                    assert price("basic", 20) == 180
                """,
        },
    )
    failing = ("test_rates.py::test_many",)
    result = await search(SearchRequest(folder, python_environment, failing, seconds=60))
    assert result.edits, result.explanation
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0


async def test_survives_tests_that_kill_their_own_process(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": """\
            import os
            import signal

            def check(value):
                if value > 100:
                    os.kill(os.getpid(), signal.SIGKILL)
                if value > 90:
                    os._exit(0)
                return value >= 10
            """,
            "test_shop.py": """\
            from shop import check

            def test_ten():
                assert not check(10)

            def test_eleven():
                assert check(11)

            def test_large():
                assert check(91 - 1)
            """,
        },
    )
    result = await search(request_for(folder, python_environment, ("test_shop.py::test_ten",)))
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0
    assert "return value > 10" in (folder / "shop.py").read_text()


async def test_ends_candidates_that_never_return(python_environment: Path, tmp_path: Path) -> None:
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": """\
            def digits(number):
                found = 1
                while number >= 10:
                    number = number // 10
                    found = found + 2
                return found
            """,
            "test_shop.py": """\
            from shop import digits

            def test_one():
                assert digits(7) == 1

            def test_three():
                assert digits(123) == 3
            """,
        },
    )
    result = await search(request_for(folder, python_environment, ("test_shop.py::test_three",)))
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0


async def test_sees_how_much_a_patch_changes_of_what_passed(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path,
        {
            "fees.py": """\
                def fee(weight, express):
                    if weight > 20:
                        return 0
                    return weight * 2 if express else weight
                """,
            "test_fees.py": """\
                from fees import fee

                def test_light():
                    assert fee(3, False) == 3

                def test_express():
                    assert fee(3, True) > 3

                def test_limit():
                    assert fee(20, False) == 0
                """,
        },
    )
    source = read_source("fees.py", (folder / "fees.py").read_bytes())
    assert source is not None
    unit = source.unit_of(source.tree.body[0].body[0])  # type: ignore[attr-defined]

    def candidate(old: str, new: str) -> Candidate:
        start = source.text.index(old)
        change = Replacement(start, start + len(old), new)
        return Candidate(source, (change,), 0.0, 2, f"{old} to {new}", unit)

    request = SearchRequest(folder, python_environment, ("test_fees.py::test_limit",))
    async with candidate_server(folder, python_environment) as server:
        measured = await measure(server, request)
        assert not isinstance(measured, str)
        assert await warm_up(server, measured)
        shares = [
            await changed_share(server, measured, (candidate(old, new),))
            for old, new in (("weight > 20", "weight >= 20"), ("* 2", "* 3"), ("> 20", "> 2"))
        ]
    assert shares == [0.0, 0.5, 1.0]


def without_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activities.sandbox, "isolation", lambda: Isolation("none", "not here"))


async def test_works_where_nothing_can_be_isolated(
    python_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_isolation(monkeypatch)
    bug = BUGS["swapped arguments"]
    files = {"src/shop/__init__.py": bug.source, "tests/test_shop.py": bug.tests}
    folder = repository(tmp_path / "shop", {**files, "pytest.ini": "[pytest]\npythonpath = src\n"})
    result = await search(
        request_for(folder, python_environment, failing_in(folder, python_environment), bug)
    )
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0


@pytest.mark.parametrize("isolated", [True, False])
async def test_cancelling_leaves_no_process_behind(
    isolated: bool, python_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isolated:
        without_isolation(monkeypatch)
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": "def price():\n    return 1\n",
            "test_shop.py": """\
            import subprocess
            import time
            from shop import price

            def test_slow():
                subprocess.Popen(["sleep", "987"], start_new_session=True)
                time.sleep(0.2)
                assert price() == 1 and price() == 2
            """,
        },
    )
    started = asyncio.Event()
    request = replace(
        request_for(folder, python_environment, ("test_shop.py::test_slow",)),
        report=lambda progress: started.set() if progress.tried else None,
    )
    before = set(psutil.Process().children(recursive=True))
    task = asyncio.create_task(search(request))
    await started.wait()
    started_processes: set[psutil.Process] = set()
    # Between two candidates there is none: look until one is seen.
    while not any(
        "sleep" in process.name() for process in started_processes if process.is_running()
    ):
        await asyncio.sleep(0.01)
        started_processes = set(psutil.Process().children(recursive=True)) - before
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, alive = psutil.wait_procs(list(started_processes), timeout=10)
    assert alive == []
