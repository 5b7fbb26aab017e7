"""What the search healer mends in whole repositories, and how it leaves their files."""

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

from activities.healing.search.engine import search
from activities.healing.search.request import SearchRequest
from regreen.contracts.testing import Frame, TestFailure
from tests.integration.faulty_repository import (
    commit,
    failing_in,
    patched,
    repository,
    request_for,
    run_tests,
)


async def test_mends_a_package_through_its_command_line(
    python_environment: Path, tmp_path: Path
) -> None:
    """Tests that start the program as a process see the candidate too."""
    folder = repository(
        tmp_path / "tool",
        {
            "tool/__init__.py": "",
            "tool/__main__.py": """\
            import sys

            from tool.words import count

            print(count(sys.argv[1]))
            """,
            "tool/words.py": """\
            def count(text):
                return len(text.split()) - 1
            """,
            "tests/test_tool.py": """\
            import subprocess
            import sys

            from tool.words import count

            def test_command_line():
                ran = subprocess.run(
                    [sys.executable, "-m", "tool", "one two"], capture_output=True, text=True
                )
                assert ran.stdout.strip() == "2"

            def test_function():
                assert count("one") == 1
            """,
        },
    )
    result = await search(
        request_for(folder, python_environment, failing_in(folder, python_environment))
    )
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0


async def test_mends_what_stops_the_tests_from_being_collected(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": "import math\n\nLIMIT = maths.floor(2.5)\n",
            "test_shop.py": "from shop import LIMIT\n\ndef test_limit():\n    assert LIMIT == 2\n",
        },
    )
    failure = TestFailure(
        node_id="test_shop.py",
        phase="collect",
        exception="NameError",
        message="name 'maths' is not defined",
        frames=(Frame(path="test_shop.py", line=1), Frame(path="shop.py", line=3)),
    )
    request = SearchRequest(folder, python_environment, ("test_shop.py",), (failure,), seconds=60)
    result = await search(request)
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0


async def test_mends_what_the_tests_ran_while_they_were_collected(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path,
        {
            "spans.py": """\
                def seconds(text):
                    total = 0
                    for part in text.split():
                        number, unit = int(part[:-1]), part[-1]
                        factor = {"s": 1, "m": 60, "h": 3600}[unit]
                        total = number * factor
                    return total
                """,
            "test_spans.py": """\
                import pytest
                from spans import seconds

                CASES = [(seconds("1m 5s"), 65), (seconds("2h"), 7200), (seconds("7s"), 7)]

                @pytest.mark.parametrize("case", CASES, ids=["both", "hours", "seconds"])
                def test_seconds(case):
                    found, wanted = case
                    assert found == wanted
                """,
        },
    )
    failing = ("test_spans.py::test_seconds[both]",)
    result = await search(SearchRequest(folder, python_environment, failing, seconds=90))
    assert result.edits, result.explanation
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0


async def test_combines_two_edits_where_one_is_not_enough(
    python_environment: Path, tmp_path: Path
) -> None:
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": """\
            def gross(net):
                return net - 19


            def large(net):
                return net < 100
            """,
            "test_shop.py": """\
            from shop import gross, large

            def test_gross():
                assert gross(100) == 119

            def test_large():
                assert large(200) and not large(50)
            """,
        },
    )
    failing = ("test_shop.py::test_gross", "test_shop.py::test_large")
    result = await search(request_for(folder, python_environment, failing))
    assert len(result.edits) == 2
    patched(folder, result)
    assert run_tests(folder, python_environment).returncode == 0


async def test_takes_back_what_the_last_commit_broke(
    python_environment: Path, tmp_path: Path
) -> None:
    good = """\
    TABLE = {
        "de": ("EUR", 19),
        "ch": ("CHF", 8),
        "us": ("USD", 0),
    }

    def rate(country):
        return TABLE[country]
    """
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": good,
            "test_shop.py": """\
            from shop import rate

            def test_switzerland():
                assert rate("ch") == ("CHF", 8)

            def test_germany():
                assert rate("de") == ("EUR", 19)
            """,
        },
    )
    text = (folder / "shop.py").read_text()
    (folder / "shop.py").write_text(text.replace('"ch": ("CHF", 8)', '"cz": ("CZK", 21)'))
    commit(folder, "feat: sell to other places")
    result = await search(
        request_for(folder, python_environment, ("test_shop.py::test_switzerland",))
    )
    assert patched(folder, result) == {"shop.py": dedent(good).encode()}


async def test_keeps_line_endings_and_encoding_to_the_byte(
    python_environment: Path, tmp_path: Path
) -> None:
    lines = [
        "# -*- coding: latin-1 -*-",
        "GREETING = 'Gr\u00fc\u00df Gott'   # \u00fcber alles",
        "",
        "",
        "def greet(name, loud):",
        "    text = GREETING + ', \u00ab' + name + '\u00bb'  # \u00e4",
        "    return text if loud else text.upper()\t# \u00f6",
        "",
    ]
    before = "\r\n".join(lines).encode("latin-1")
    folder = repository(
        tmp_path / "shop",
        {
            "shop.py": before,
            "test_shop.py": """\
            from shop import greet

            def test_loud():
                assert greet("Eva", True).isupper()

            def test_quiet():
                assert not greet("Eva", False).isupper()
            """,
        },
    )
    result = await search(
        request_for(folder, python_environment, failing_in(folder, python_environment))
    )
    after = patched(folder, result)["shop.py"]
    assert run_tests(folder, python_environment).returncode == 0
    assert after.split(b"\r\n")[:6] == before.split(b"\r\n")[:6]
    assert after.endswith("\t# \u00f6\r\n".encode("latin-1"))
    assert b"\n" not in after.replace(b"\r\n", b"")


async def test_never_writes_through_a_symbolic_link(
    python_environment: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("def price():\n    return 1\n")
    folder = repository(
        tmp_path / "shop",
        {"test_shop.py": "from shop import price\n\ndef test_price():\n    assert price() == 2\n"},
    )
    (folder / "shop.py").symlink_to(outside)
    commit(folder, "feat: link")
    result = await search(
        replace(request_for(folder, python_environment, ("test_shop.py::test_price",)), seconds=10)
    )
    assert result.edits == ()
    assert outside.read_text() == "def price():\n    return 1\n"
