"""The search healer on small repositories with one fault each, in the real sandbox."""

import asyncio
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

import psutil
import pytest
import uv

import activities.sandbox
from activities.healing.search.behaviour import changed_share
from activities.healing.search.candidate import Candidate, Replacement
from activities.healing.search.candidate_server import candidate_server
from activities.healing.search.engine import applied, search
from activities.healing.search.measurement import Measurement, measure
from activities.healing.search.request import SearchProgress, SearchRequest, SearchResult
from activities.healing.search.source_text import read_source
from activities.healing.search.trial import warm_up
from activities.sandbox import Isolation
from activities.workspace import patch_of
from regreen.contracts.testing import Frame, TestFailure

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org", "-c",
       "commit.gpgsign=false")  # fmt: skip


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search") / "environment"
    program = uv.find_uv_bin()
    subprocess.run([program, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install = [program, "pip", "install", "--quiet", "--compile-bytecode"]
    python = folder / "bin" / "python"
    subprocess.run([*install, "--python", python, "pytest", "coverage"], check=True)
    return folder


def repository(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    subprocess.run([*GIT, "init", "--quiet"], cwd=folder, check=True)
    commit(folder, "feat: begin")
    return folder


def commit(folder: Path, message: str) -> None:
    subprocess.run([*GIT, "add", "--all"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", message], cwd=folder, check=True)


def run_tests(folder: Path, environment: Path) -> subprocess.CompletedProcess[str]:
    """What anybody would do to see whether a repository is green."""
    return subprocess.run(
        [environment / "bin" / "python", "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def failing_in(folder: Path, environment: Path) -> tuple[str, ...]:
    printed = run_tests(folder, environment).stdout
    return tuple(
        line.split(" ", 1)[1].split(" - ")[0]
        for line in printed.splitlines()
        if line.startswith("FAILED ")
    )


def patched(folder: Path, result: SearchResult) -> dict[str, bytes]:
    """Make the edits; everything outside their spans must be as before."""
    after = {}
    for path in {edit.path for edit in result.edits}:
        edits = [edit for edit in result.edits if edit.path == path]
        before = (folder / path).read_bytes()
        assert all(0 <= edit.start <= edit.end <= len(before) for edit in edits)
        after[path] = applied(before, edits)
        (folder / path).write_bytes(after[path])
    return after


@dataclass(frozen=True)
class Bug:
    source: str
    tests: str
    exception: str = "AssertionError"
    message: str = ""


BUGS: dict[str, Bug] = {
    "inverted comparison": Bug(
        """\
        def discount(total, threshold=100):
            # Large orders are cheaper.
            if total < threshold:
                return total * 0.9
            return total
        """,
        """\
        from shop import discount

        def test_large():
            assert discount(200) == 180

        def test_small():
            assert discount(50) == 50

        def test_at_the_threshold():
            assert discount(100) == 90
        """,
    ),
    "off by one in a range": Bug(
        """\
        def total_of_first(prices, count):
            total = 0
            for place in range(1, count):
                total += prices[place]
            return total
        """,
        """\
        from shop import total_of_first

        def test_two():
            assert total_of_first([5, 7, 9], 2) == 12

        def test_none():
            assert total_of_first([5, 7], 0) == 0

        def test_all():
            assert total_of_first([5, 7], 2) == 12
        """,
    ),
    "wrong variable": Bug(
        """\
        def invoice(net, rate, shipping):
            tax = net * rate
            gross = net + tax
            return net + shipping
        """,
        """\
        from shop import invoice

        def test_with_tax():
            assert invoice(100, 0.5, 10) == 160

        def test_without_tax():
            assert invoice(100, 0, 10) == 110
        """,
    ),
    "missing return": Bug(
        """\
        def normalised(name):
            cleaned = name.strip().lower()
            if not cleaned:
                return "unknown"
            cleaned.replace(" ", "-")
        """,
        """\
        from shop import normalised

        def test_name():
            assert normalised(" Red Chair ") == "red-chair"

        def test_plain():
            assert normalised("lamp") == "lamp"

        def test_nothing():
            assert normalised("  ") == "unknown"
        """,
    ),
    "swapped arguments": Bug(
        """\
        def share(part, whole):
            return round(100 * part / whole)

        def progress(done, planned):
            if planned == 0:
                return 100
            return share(planned, done)
        """,
        """\
        from shop import progress

        def test_half():
            assert progress(5, 10) == 50

        def test_quarter():
            assert progress(1, 4) == 25

        def test_nothing_planned():
            assert progress(0, 0) == 100
        """,
    ),
    "wrong operator": Bug(
        """\
        class Stock:
            def __init__(self):
                self.items = {}

            def add(self, name, count):
                self.items[name] = self.items.get(name, 0) + count

            def take(self, name, count):
                self.items[name] += count
                return self.items[name]
        """,
        """\
        from shop import Stock

        def test_take():
            stock = Stock()
            stock.add("chair", 5)
            assert stock.take("chair", 2) == 3

        def test_add():
            stock = Stock()
            stock.add("chair", 5)
            assert stock.items == {"chair": 5}
        """,
    ),
    "missing guard for empty input": Bug(
        """\
        def average(values):
            return sum(values) / len(values)
        """,
        """\
        from shop import average

        def test_some():
            assert average([1, 2, 3]) == 2

        def test_empty():
            assert average([]) == 0
        """,
        "ZeroDivisionError",
    ),
    "wrong default": Bug(
        """\
        def counts(words):
            found = {}
            for word in words:
                found[word] = found.get(word, 1) + 1
            return found
        """,
        """\
        from shop import counts

        def test_counts():
            assert counts(["a", "b", "a"]) == {"a": 2, "b": 1}

        def test_empty():
            assert counts([]) == {}
        """,
    ),
    "wrong slice": Bug(
        """\
        def newest(entries, count):
            ordered = sorted(entries)
            return ordered[:count]
        """,
        """\
        from shop import newest

        def test_two():
            assert newest([3, 1, 2], 2) == [2, 3]

        def test_one():
            assert newest([3, 9, 2], 1) == [9]
        """,
    ),
    "wrong connective": Bug(
        """\
        def may_order(user, item):
            return user["active"] or item["stock"] > 0
        """,
        """\
        from shop import may_order

        def test_both():
            assert may_order({"active": True}, {"stock": 1})

        def test_blocked():
            assert not may_order({"active": False}, {"stock": 1})

        def test_sold_out():
            assert not may_order({"active": True}, {"stock": 0})
        """,
    ),
    "wrong attribute": Bug(
        """\
        class Box:
            def __init__(self, width, height, depth):
                self.width = width
                self.height = height
                self.depth = depth

            def volume(self):
                return self.width * self.height * self.width
        """,
        """\
        from shop import Box

        def test_volume():
            assert Box(2, 3, 5).volume() == 30

        def test_cube():
            assert Box(2, 2, 2).volume() == 8
        """,
    ),
    "forgotten self": Bug(
        """\
        class Basket:
            def __init__(self, prices):
                self.prices = prices

            def total(self):
                return sum(prices)
        """,
        """\
        from shop import Basket

        def test_total():
            assert Basket([1, 2]).total() == 3
        """,
        "NameError",
        "name 'prices' is not defined",
    ),
    "mutable default": Bug(
        """\
        def collect(item, into=[]):
            into.append(item)
            return into
        """,
        """\
        from shop import collect

        def test_first():
            assert collect(1) == [1]

        def test_second():
            assert collect(2) == [2]

        def test_given():
            assert collect(2, [1]) == [1, 2]
        """,
    ),
    "missing await": Bug(
        """\
        import asyncio

        async def price(name):
            await asyncio.sleep(0)
            return len(name)

        async def total(names):
            found = 0
            for name in names:
                found += price(name)
            return found
        """,
        """\
        import asyncio
        from shop import price, total

        def test_price():
            assert asyncio.run(price("abc")) == 3

        def test_total():
            assert asyncio.run(total(["abc", "d"])) == 4
        """,
        "TypeError",
    ),
    "near-miss spelling": Bug(
        """\
        def order_sum(amounts):
            subtotal = 0
            for amount in amounts:
                subtotal += amount
            return subtotl
        """,
        """\
        from shop import order_sum

        def test_sum():
            assert order_sum([1, 2]) == 3
        """,
        "NameError",
    ),
    "wrong constant of the module": Bug(
        """\
        FREE_FROM = 51

        def shipping(total):
            if total >= FREE_FROM:
                return 0
            return 5
        """,
        """\
        from shop import shipping

        def test_free():
            assert shipping(50) == 0

        def test_paid():
            assert shipping(49) == 5
        """,
    ),
    "statement in the wrong block": Bug(
        """\
        def longest(words):
            best = ""
            for word in words:
                if len(word) > len(best):
                    best = word
                return best
        """,
        """\
        from shop import longest

        def test_longest():
            assert longest(["a", "ccc", "bb"]) == "ccc"

        def test_first():
            assert longest(["ccc", "bb"]) == "ccc"
        """,
    ),
    "missing check of an argument": Bug(
        """\
        def withdraw(balance, amount):
            return balance - amount
        """,
        """\
        import pytest
        from shop import withdraw

        def test_withdraw():
            assert withdraw(10, 4) == 6
            assert withdraw(4, 4) == 0

        def test_too_much():
            with pytest.raises(ValueError):
                withdraw(4, 10)
        """,
        "Failed",
        "DID NOT RAISE <class 'ValueError'>",
    ),
}


def request_for(
    folder: Path, environment: Path, failing: tuple[str, ...], bug: Bug | None = None
) -> SearchRequest:
    failures = tuple(
        TestFailure(
            node_id=test,
            phase="call",
            exception=bug.exception if bug else "AssertionError",
            message=bug.message if bug else "",
        )
        for test in failing
    )
    return SearchRequest(folder, environment, failing, failures, seconds=60)


@pytest.mark.parametrize("name", BUGS)
async def test_mends_a_single_fault(name: str, environment: Path, tmp_path: Path) -> None:
    bug = BUGS[name]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    failing = failing_in(folder, environment)
    assert failing
    result = await search(request_for(folder, environment, failing, bug))
    assert result.edits, result.explanation
    assert "shop.py:" in result.explanation
    patched(folder, result)
    after = run_tests(folder, environment)
    assert after.returncode == 0, after.stdout
    assert (folder / "test_shop.py").read_text() == dedent(bug.tests)


async def test_gives_the_same_answer_for_the_same_seed(environment: Path, tmp_path: Path) -> None:
    bug = BUGS["wrong slice"]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    request = replace(
        request_for(folder, environment, failing_in(folder, environment), bug), seed=7
    )
    first = await search(request)
    second = await search(replace(request, servers=1))
    assert first.edits
    assert first.edits == second.edits
    assert first.explanation == second.explanation


async def test_does_not_propose_an_excluded_patch_again(environment: Path, tmp_path: Path) -> None:
    bug = BUGS["inverted comparison"]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    request = request_for(folder, environment, failing_in(folder, environment), bug)
    before = (folder / "shop.py").read_bytes()
    first = await search(request)
    patched(folder, first)
    digest = hashlib.sha256(await patch_of(folder)).hexdigest()
    (folder / "shop.py").write_bytes(before)
    second = await search(replace(request, excluded=frozenset({digest})))
    assert second.edits != first.edits


async def test_abstains_when_the_tests_cannot_be_satisfied(
    environment: Path, tmp_path: Path
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
    request = request_for(folder, environment, ("test_shop.py::test_other",))
    result = await search(replace(request, seconds=20))
    assert result.edits == ()
    assert result.explanation.startswith("no patch: ")
    assert result.candidates > 10


async def test_abstains_when_only_taking_functionality_away_makes_the_tests_pass(
    environment: Path, tmp_path: Path
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
    result = await search(request_for(folder, environment, ("test_shop.py::test_save",)))
    assert result.edits == ()
    assert "taken away" in result.explanation


async def test_what_one_candidate_remembers_does_not_reach_the_next(
    environment: Path, tmp_path: Path
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
    result = await search(SearchRequest(folder, environment, failing, seconds=60))
    assert result.edits, result.explanation
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0


async def test_survives_tests_that_kill_their_own_process(
    environment: Path, tmp_path: Path
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
    result = await search(request_for(folder, environment, ("test_shop.py::test_ten",)))
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0
    assert "return value > 10" in (folder / "shop.py").read_text()


async def test_ends_candidates_that_never_return(environment: Path, tmp_path: Path) -> None:
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
    result = await search(request_for(folder, environment, ("test_shop.py::test_three",)))
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0


async def test_keeps_line_endings_and_encoding_to_the_byte(
    environment: Path, tmp_path: Path
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
    result = await search(request_for(folder, environment, failing_in(folder, environment)))
    after = patched(folder, result)["shop.py"]
    assert run_tests(folder, environment).returncode == 0
    assert after.split(b"\r\n")[:6] == before.split(b"\r\n")[:6]
    assert after.endswith("\t# \u00f6\r\n".encode("latin-1"))
    assert b"\n" not in after.replace(b"\r\n", b"")


async def test_mends_a_package_through_its_command_line(environment: Path, tmp_path: Path) -> None:
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
    result = await search(request_for(folder, environment, failing_in(folder, environment)))
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0


async def test_mends_what_stops_the_tests_from_being_collected(
    environment: Path, tmp_path: Path
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
    request = SearchRequest(folder, environment, ("test_shop.py",), (failure,), seconds=60)
    result = await search(request)
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0


async def test_mends_what_the_tests_ran_while_they_were_collected(
    environment: Path, tmp_path: Path
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
    result = await search(SearchRequest(folder, environment, failing, seconds=90))
    assert result.edits, result.explanation
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0


async def test_combines_two_edits_where_one_is_not_enough(
    environment: Path, tmp_path: Path
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
    result = await search(request_for(folder, environment, failing))
    assert len(result.edits) == 2
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0


async def test_takes_back_what_the_last_commit_broke(environment: Path, tmp_path: Path) -> None:
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
    result = await search(request_for(folder, environment, ("test_shop.py::test_switzerland",)))
    assert patched(folder, result) == {"shop.py": dedent(good).encode()}


async def test_sees_how_much_a_patch_changes_of_what_passed(
    environment: Path, tmp_path: Path
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

    request = SearchRequest(folder, environment, ("test_fees.py::test_limit",))
    async with candidate_server(folder, environment) as server:
        measured = await measure(server, request)
        assert not isinstance(measured, str)
        assert await warm_up(server, measured)
        shares = [
            await changed_share(server, measured, (candidate(old, new),))
            for old, new in (("weight > 20", "weight >= 20"), ("* 2", "* 3"), ("> 20", "> 2"))
        ]
    assert shares == [0.0, 0.5, 1.0]


async def test_never_writes_through_a_symbolic_link(environment: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("def price():\n    return 1\n")
    folder = repository(
        tmp_path / "shop",
        {"test_shop.py": "from shop import price\n\ndef test_price():\n    assert price() == 2\n"},
    )
    (folder / "shop.py").symlink_to(outside)
    commit(folder, "feat: link")
    result = await search(
        replace(request_for(folder, environment, ("test_shop.py::test_price",)), seconds=10)
    )
    assert result.edits == ()
    assert outside.read_text() == "def price():\n    return 1\n"


async def test_says_so_when_nothing_fails(environment: Path, tmp_path: Path) -> None:
    folder = repository(
        tmp_path / "shop",
        {"shop.py": "", "test_shop.py": "import shop\n\ndef test_fine():\n    pass\n"},
    )
    result = await search(request_for(folder, environment, ("test_shop.py::test_fine",)))
    assert result.edits == ()
    assert "passed when they were run again" in result.explanation


async def test_reports_progress_and_goes_on_from_it(environment: Path, tmp_path: Path) -> None:
    bug = BUGS["wrong slice"]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    seen: list[SearchProgress] = []
    kept: list[Measurement] = []

    async def keep(measured: Measurement) -> None:
        kept.append(measured)

    request = replace(
        request_for(folder, environment, failing_in(folder, environment), bug),
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


def without_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activities.sandbox, "isolation", lambda: Isolation("none", "not here"))


async def test_works_where_nothing_can_be_isolated(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_isolation(monkeypatch)
    bug = BUGS["swapped arguments"]
    files = {"src/shop/__init__.py": bug.source, "tests/test_shop.py": bug.tests}
    folder = repository(tmp_path / "shop", {**files, "pytest.ini": "[pytest]\npythonpath = src\n"})
    result = await search(request_for(folder, environment, failing_in(folder, environment), bug))
    patched(folder, result)
    assert run_tests(folder, environment).returncode == 0


@pytest.mark.parametrize("isolated", [True, False])
async def test_cancelling_leaves_no_process_behind(
    isolated: bool, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        request_for(folder, environment, ("test_shop.py::test_slow",)),
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
