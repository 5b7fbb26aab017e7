"""JUnit reports in the dialects of many tools, and what is made of bad ones."""

from pathlib import Path

import pytest

from activities.junit_report import TestResult, failure_of, read_results
from activities.junit_xml import UnreadableReport
from activities.stack_frames import RepositoryFiles
from regreen.contracts.testing import TestFailure

CORPUS = Path(__file__).parents[1] / "corpus" / "junit"
FILES = RepositoryFiles(
    [
        *("test/prices.test.js", "test/lists.test.js", "src/prices.js", "src/lists.js"),
        *("test/prices.test.ts", "test/lists.test.ts", "src/prices.ts", "src/lists.ts"),
        *("tests/test_prices.py", "tests/test_lists.py", "src/shop/prices.py"),
        "src/main/java/example/shop/Cart.java",
        "src/test/java/example/shop/CartTest.java",
        *("cart/cart.go", "cart/cart_test.go", "lists/lists.go"),
        *("src/Cart.php", "tests/CartTest.php", "lib/cart.rb", "spec/cart_spec.rb"),
        "node_modules/jest-circus/build/utils.js",
    ],
    ["/workspace"],
)
# For each report: the tests with their outcomes, in order.
TESTS: dict[str, list[str]] = {
    "node": [
        "failed total::adds up",
        "skipped total::is work to do",
        "failed total::with a discount::refuses nothing",
        "passed test::starts",
        "passed test::starts#2",
        "failed test/lists.test.js",
    ],
    "jest-junit": [
        "failed total adds up::total adds up",
        "passed total is nothing for nothing::total is nothing for nothing",
        "skipped total waits::total waits",
        "failed test/lists.test.js",
    ],
    "vitest": [
        "failed test/prices.test.ts::total > adds up",
        "passed test/prices.test.ts::total > is nothing for nothing",
        "skipped test/prices.test.ts::total > waits",
        "failed test/lists.test.ts",
    ],
    "pytest": [
        "failed tests.test_prices.TestTotal::test_adds_up[1-2]",
        "failed tests.test_prices::test_unknown",
        "skipped tests.test_prices::test_later",
        "failed tests.test_lists",
    ],
    "surefire": [
        "failed example.shop.CartTest::addsUp",
        "failed example.shop.CartTest::readsPrices",
        "skipped example.shop.CartTest::waits",
        "passed example.shop.CartTest::isNothing",
        "passed example.shop.CartTest::isSlow",
    ],
    "gotestsum": [
        "failed example.com/shop/cart::TestTotal/two_prices",
        "failed example.com/shop/cart::TestLines",
        "passed example.com/shop/cart::TestEmpty",
        "skipped example.com/shop/cart::TestLater",
        "failed example.com/shop/lists",
    ],
    "phpunit": [
        "failed tests/CartTest.php::Example.Shop.CartTest::testAddsUp",
        "failed tests/CartTest.php::Example.Shop.CartTest::testUnknown",
        "skipped tests/CartTest.php::Example.Shop.CartTest::testLater",
        "passed tests/CartTest.php::Example.Shop.CartTest::testTiers with data set #0",
        "passed tests/CartTest.php::Example.Shop.CartTest::testTiers with data set #1",
    ],
    "rspec": [
        "failed spec/cart_spec.rb::spec.cart_spec::Cart#total adds up",
        "passed spec/cart_spec.rb::spec.cart_spec::Cart#total is nothing for nothing",
        "skipped spec/cart_spec.rb::spec.cart_spec::Cart#total waits",
    ],
    "suite-error": [
        "failed example.shop.CartTest",
        "failed example.shop.ListTest",
        "passed example.shop.PriceTest::rounds",
    ],
}
# For each report: phase, exception, first line and frames of its failures.
FAILURES: dict[str, list[tuple[str, str, str, list[str]]]] = {
    "node": [
        (
            "call",
            "AssertionError",
            "Expected values to be strictly equal: -3 !== 3",
            ["test/prices.test.js:7"],
        ),
        ("call", "TypeError", "no price", ["test/prices.test.js:16", "src/prices.js:12"]),
        ("collect", "Error", "test failed", []),
    ],
    "jest-junit": [
        (
            "call",
            "Error",
            "Error: expect(received).toBe(expected) // Object.is equality",
            ["test/prices.test.js:5"],
        ),
        ("collect", "SyntaxError", "SyntaxError: src/lists.js: Unexpected token (3:4)", []),
    ],
    "vitest": [
        (
            "call",
            "AssertionError",
            "expected -3 to be 3 // Object.is equality",
            ["test/prices.test.ts:6", "src/prices.ts:4"],
        ),
        (
            "collect",
            "Error",
            'Failed to resolve import "./none" from "src/lists.ts". Does the file exist?',
            ["src/lists.ts:1"],
        ),
    ],
    "pytest": [
        ("call", "AssertionError", "assert -3 == 3", ["tests/test_prices.py:9"]),
        (
            "call",
            "KeyError",
            "KeyError: 'tea'",
            ["tests/test_prices.py:14", "src/shop/prices.py:5"],
        ),
        ("collect", "ModuleNotFoundError", "collection failure", ["tests/test_lists.py:1"]),
    ],
    "surefire": [
        (
            "call",
            "AssertionFailedError",
            "expected: <3> but was: <-3>",
            ["src/test/java/example/shop/CartTest.java:14"],
        ),
        (
            "call",
            "IllegalStateException",
            "cart",
            [
                "src/test/java/example/shop/CartTest.java:21",
                "src/main/java/example/shop/Cart.java:41",
                "src/main/java/example/shop/Cart.java:33",
            ],
        ),
    ],
    "gotestsum": [
        ("call", "", "cart_test.go:14: got -3, want 3", ["cart/cart_test.go:14"]),
        (
            "call",
            "",
            "panic: runtime error: index out of range [3] with length 3 [recovered]",
            ["cart/cart_test.go:22", "cart/cart.go:27"],
        ),
        ("collect", "", "lists/lists.go:8:2: undefined: join", ["lists/lists.go:8"]),
    ],
    "phpunit": [
        (
            "call",
            "ExpectationFailedException",
            "Failed asserting that -3 is identical to 3.",
            ["tests/CartTest.php:14"],
        ),
        (
            "call",
            "DivisionByZeroError",
            "DivisionByZeroError: Division by zero",
            ["tests/CartTest.php:19", "src/Cart.php:31"],
        ),
    ],
    "rspec": [
        (
            "call",
            "NoMethodError",
            "undefined method `price' for nil:NilClass",
            ["spec/cart_spec.rb:6", "lib/cart.rb:8", "lib/cart.rb:9"],
        ),
    ],
    "suite-error": [
        (
            "collect",
            "ExceptionInInitializerError",
            "no database",
            ["src/test/java/example/shop/CartTest.java:9"],
        ),
        ("collect", "", "3 failures or errors, and no test case", []),
    ],
}


def _read(*documents: str | bytes, files: RepositoryFiles = FILES) -> list[TestResult]:
    return read_results([d if isinstance(d, bytes) else d.encode() for d in documents], files)


def _told(results: list[TestResult]) -> list[str]:
    return [f"{result.outcome} {result.node_id}" for result in results]


def _failures(results: list[TestResult]) -> list[TestFailure]:
    return [failure_of(result, FILES) for result in results if result.outcome == "failed"]


def test_every_report_of_the_corpus_is_looked_at() -> None:
    assert {path.stem for path in CORPUS.iterdir()} == set(TESTS) == set(FAILURES)


@pytest.mark.parametrize("dialect", TESTS)
def test_tests_and_outcomes_of_a_dialect(dialect: str) -> None:
    assert _told(_read((CORPUS / f"{dialect}.xml").read_bytes())) == TESTS[dialect]


@pytest.mark.parametrize("dialect", FAILURES)
def test_failures_of_a_dialect(dialect: str) -> None:
    found = [
        (
            failure.phase,
            failure.exception,
            failure.message.splitlines()[0],
            [f"{frame.path}:{frame.line}" for frame in failure.frames],
        )
        for failure in _failures(_read((CORPUS / f"{dialect}.xml").read_bytes()))
    ]

    assert found == FAILURES[dialect]


@pytest.mark.parametrize(
    ("dialect", "output"),
    [
        ("vitest", "summing up"),
        ("pytest", "summing up"),
        ("surefire", "summing up"),
        ("suite-error", "cannot open"),
    ],
)
def test_what_a_failing_test_printed(dialect: str, output: str) -> None:
    first = _failures(_read((CORPUS / f"{dialect}.xml").read_bytes()))[0]

    assert first.output.strip() == output


def test_the_functions_of_the_frames() -> None:
    first = _failures(_read((CORPUS / "rspec.xml").read_bytes()))[0]

    assert [frame.function for frame in first.frames[1:]] == ["total", "block in total"]


@pytest.mark.parametrize("dialect", TESTS)
def test_a_report_that_is_cut_short_is_none(dialect: str) -> None:
    whole = (CORPUS / f"{dialect}.xml").read_bytes().rstrip()

    for length in range(0, len(whole), max(1, len(whole) // 60)):
        with pytest.raises(UnreadableReport) as raised:
            _read(whole[:length])
        assert "\n" not in str(raised.value)


def test_several_reports_are_one_list_whose_names_differ() -> None:
    report = "<testsuite name='s'><testcase name='a' classname='C'/></testsuite>"

    assert [each.node_id for each in _read(report, report, report)] == ["C::a", "C::a#2", "C::a#3"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "no element found"),
        ("not XML at all", "syntax error"),
        ('{"tests": 1}', "not well-formed XML"),
        ("<html><body>502 Bad Gateway</body></html>", "the root is `html`"),
        ("<testsuites>" + "<testsuite>" * 60 + "</testsuite>" * 60 + "</testsuites>", "50"),
        ("<!DOCTYPE testsuite><testsuite/>", "document type"),
    ],
)
def test_what_is_no_report(document: str, said: str) -> None:
    with pytest.raises(UnreadableReport, match=said):
        _read(document)


def test_entities_are_not_expanded() -> None:
    billion = '<!DOCTYPE t [<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    document = (
        f"{billion}]><testsuite><testcase name='a'><failure>&i;</failure></testcase></testsuite>"
    )

    with pytest.raises(UnreadableReport, match="document type"):
        _read(document)


def test_no_file_of_this_machine_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    document = (
        f'<!DOCTYPE t [<!ENTITY s SYSTEM "{secret.as_uri()}">]>'
        "<testsuite><testcase name='a'><failure>&s;</failure></testcase></testsuite>"
    )

    with pytest.raises(UnreadableReport, match="document type"):
        _read(document)


@pytest.mark.parametrize(
    "colour", ["\x1b[31m", "\x00", "&#27;[31m", "&#x1B;[31m", "&#0;", "&#xC;", "\x0c"]
)
def test_what_xml_forbids_is_left_out(colour: str) -> None:
    document = (
        f"<testsuite><testcase name='a' classname='C'><failure message='{colour}red'>"
        f"{colour}red</failure></testcase></testsuite>"
    )

    (failure,) = _failures(_read(document))

    assert failure.message.endswith("red")
    assert failure.message.isprintable()


def test_line_ends_and_tabs_stay() -> None:
    document = (
        "<testsuite><testcase name='a' classname='C'>"
        "<failure message='one&#10;two&#x9;&#13;three'/></testcase></testsuite>"
    )

    assert _failures(_read(document))[0].message == "one\ntwo\t\nthree"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    declared = f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}'?>"
    document = f"{declared}<testsuite><testcase name='größer' classname='C'/></testsuite>"

    assert [each.node_id for each in _read(document.encode(encoding))] == ["C::größer"]


def test_bytes_that_are_no_text() -> None:
    document = b"<testsuite><testcase name='caf\xe9' classname='C'/></testsuite>"

    assert [each.node_id for each in _read(document)] == ["C::caf\ufffd"]


def test_a_name_is_one_short_line() -> None:
    document = f"<testsuite><testcase name='a&#10;b\tc{'d' * 5000}' classname='C'/></testsuite>"

    (result,) = _read(document)

    assert result.node_id.startswith("C::a b c")
    assert len(result.node_id) == 500


def test_texts_of_any_length_are_cut() -> None:
    text = "x" * 5_000_000
    document = (
        f"<testsuite><testcase name='a' classname='C'><failure message='{text}'>{text}</failure>"
        f"<system-out>{text}</system-out></testcase></testsuite>"
    )

    (failure,) = _failures(_read(document))

    assert len(failure.message) == 2000
    assert len(failure.output) == 2000


def test_more_tests_than_anyone_has() -> None:
    document = "<testsuite>" + "<testcase name='a'/>" * 100_001 + "</testsuite>"

    with pytest.raises(UnreadableReport, match="100,000 test cases"):
        _read(document)


def test_a_test_that_names_nothing_has_an_id() -> None:
    assert _told(_read("<testsuite><testcase/></testsuite>")) == ["passed test::(without a name)"]


def test_the_root_is_called_the_same_in_every_workspace() -> None:
    report = (
        "<testsuite name='{0}/phpunit.xml'><testcase name='loads {0}/a.txt'>"
        "<failure>in {0}/src/prices.js:3</failure></testcase></testsuite>"
    )
    found = []
    for root in ("/state/checkouts/17-abc/workspace", "/workspace"):
        files = RepositoryFiles(["src/prices.js"], [root])
        results = _read(report.format(root), files=files)
        found.append([(each.node_id, failure_of(each, files)) for each in results])

    assert found[0] == found[1]
    assert found[0][0][0] == "phpunit.xml::loads a.txt"


@pytest.mark.parametrize(
    ("status", "outcome"), [("run", "passed"), ("notrun", "skipped"), ("disabled", "skipped")]
)
def test_tools_that_tell_the_outcome_in_an_attribute(status: str, outcome: str) -> None:
    (result,) = _read(f"<testsuite><testcase name='a' status='{status}'/></testsuite>")

    assert result.outcome == outcome
