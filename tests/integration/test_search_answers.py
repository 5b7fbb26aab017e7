"""What the search healer answers: the same again, something else, nothing, how far it is."""

import hashlib
from dataclasses import replace
from pathlib import Path

from activities.healing.search.engine import search
from activities.healing.search.measurement import Measurement
from activities.healing.search.request import SearchProgress
from activities.workspace import patch_of
from tests.integration.faulty_repository import failing_in, patched, repository, request_for
from tests.integration.single_faults import BUGS


async def test_gives_the_same_answer_for_the_same_seed(
    python_environment: Path, tmp_path: Path
) -> None:
    bug = BUGS["wrong slice"]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    request = replace(
        request_for(folder, python_environment, failing_in(folder, python_environment), bug), seed=7
    )
    first = await search(request)
    second = await search(replace(request, servers=1))
    assert first.edits
    assert first.edits == second.edits
    assert first.explanation == second.explanation


async def test_does_not_propose_an_excluded_patch_again(
    python_environment: Path, tmp_path: Path
) -> None:
    bug = BUGS["inverted comparison"]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    request = request_for(folder, python_environment, failing_in(folder, python_environment), bug)
    before = (folder / "shop.py").read_bytes()
    first = await search(request)
    patched(folder, first)
    digest = hashlib.sha256(await patch_of(folder)).hexdigest()
    (folder / "shop.py").write_bytes(before)
    second = await search(replace(request, excluded=frozenset({digest})))
    assert second.edits != first.edits


async def test_abstains_when_the_tests_cannot_be_satisfied(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": "def price():\n    return 1\n",
            "test_shop.py": """\
            from shop import price

            def test_one():
                assert price() == 1

            def test_other():
                assert price() == 1 and price() == 2
            """,
        },
    )
    request = request_for(folder, python_environment, ("test_shop.py::test_other",))
    result = await search(replace(request, seconds=20))
    assert result.edits == ()
    assert result.explanation.startswith("no patch: ")
    assert result.candidates > 10


async def test_abstains_when_only_taking_functionality_away_makes_the_tests_pass(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": "def save(log):\n    log.write('saved')\n",
            "test_shop.py": """\
            from shop import save

            class Log:
                def __getattr__(self, name):
                    raise RuntimeError(name)

            def test_save():
                save(Log())
            """,
        },
    )
    result = await search(request_for(folder, python_environment, ("test_shop.py::test_save",)))
    assert result.edits == ()
    assert "taken away" in result.explanation


async def test_says_so_when_nothing_fails(python_environment: Path, tmp_path: Path) -> None:
    folder = repository(
        tmp_path / "shop",
        {"shop.py": "", "test_shop.py": "import shop\n\ndef test_fine():\n    pass\n"},
    )
    result = await search(request_for(folder, python_environment, ("test_shop.py::test_fine",)))
    assert result.edits == ()
    assert "passed when they were run again" in result.explanation


async def test_reports_progress_and_goes_on_from_it(
    python_environment: Path, tmp_path: Path
) -> None:
    bug = BUGS["wrong slice"]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    seen: list[SearchProgress] = []
    kept: list[Measurement] = []

    async def keep(measured: Measurement) -> None:
        kept.append(measured)

    request = replace(
        request_for(folder, python_environment, failing_in(folder, python_environment), bug),
        report=seen.append,
        keep=keep,
    )
    whole = await search(request)
    assert seen[-1].suspected.startswith("shop.py:")
    assert seen[-1].plausible
    assert seen[-1].tried > seen[-1].plausible[0]
    rest = await search(replace(request, resume=seen[-1], measured=kept[0]))
    assert rest.edits == whole.edits
    assert rest.candidates >= seen[-1].ran > 0
    assert len(kept) == 1
