"""The guard's rules about paths, kinds and modes of files, sizes, and about policies that open."""

import re
from pathlib import Path

import pytest

from activities.healing.guard import MOST_FILES, MOST_LINES, guard
from activities.healing.guard_change import (
    EXECUTABLE,
    REGULAR,
    SUBMODULE,
    SYMLINK,
    ChangedFile,
    extent,
    line_after,
)
from activities.healing.guard_literals import expected_literals, is_telling, source_of_test
from activities.healing.guard_paths import is_test_path
from regreen.contracts.testing import TestFailure
from regreen.guard_rules import FILE_RULES, NEVER_OPEN, PATH_RULES, RULES

DOCUMENT = Path(__file__).parents[3] / "docs" / "guard.md"

PROTECTED = [
    ("tests/test_prices.py", "test-file"),
    ("shop/test_prices.py", "test-file"),
    ("shop/prices_test.py", "test-file"),
    ("Tests/Helpers.py", "test-file"),
    ("conftest.py", "test-file"),
    ("shop/__snapshots__/page.py", "snapshot-file"),
    ("shop/golden/page.html", "snapshot-file"),
    ("shop/page.approved.txt", "snapshot-file"),
    ("pytest.ini", "test-configuration"),
    ("pyproject.toml", "test-configuration"),
    ("setup.cfg", "test-configuration"),
    ("tox.ini", "test-configuration"),
    ("noxfile.py", "test-configuration"),
    ("Makefile", "test-configuration"),
    ("Jenkinsfile", "ci-configuration"),
    ("azure-pipelines.yml", "ci-configuration"),
    ("regreen.yaml", "policy-file"),
    ("docs/CODEOWNERS", "policy-file"),
    ("requirements-dev.txt", "dependency-manifest"),
    ("requirements/base.txt", "dependency-manifest"),
    ("setup.py", "dependency-manifest"),
    ("uv.lock", "lock-file"),
    ("package-lock.json", "lock-file"),
    (".github/workflows/test.yml", "dot-path"),
    (".coveragerc", "dot-path"),
    ("shop/.hidden/prices.py", "dot-path"),
    (".env.production", "secret-file"),
    ("certificates/server.pem", "secret-file"),
    ("id_rsa", "secret-file"),
    ("src/sitecustomize.py", "startup-hook"),
    ("shop.pth", "startup-hook"),
    ("usercustomize/__init__.py", "startup-hook"),
    ("bin/run.sh", "foreign-code"),
    ("notebooks/prices.ipynb", "foreign-code"),
    ("bin/prices.pl", "foreign-code"),
    ("src/cart.test.ts", "test-file"),
    ("src/cart.spec.jsx", "test-file"),
    ("src/__tests__/cart.js", "test-file"),
    ("src/__mocks__/cart.js", "test-file"),
    ("cart/cart_test.go", "test-file"),
    ("spec/cart_spec.rb", "test-file"),
    ("app/src/test/java/shop/Cart.java", "test-file"),
    ("app/CartTest.java", "test-file"),
    ("Shop/CartTests.cs", "test-file"),
    ("Shop.Tests/Cart.cs", "test-file"),
    ("jest.config.mjs", "test-configuration"),
    ("vitest.workspace.ts", "test-configuration"),
    (".mocharc.json", "test-configuration"),
    ("tsconfig.build.json", "test-configuration"),
    ("eslint.config.js", "test-configuration"),
    ("phpunit.xml.dist", "test-configuration"),
    ("CMakeLists.txt", "test-configuration"),
    ("package.json", "dependency-manifest"),
    ("go.mod", "dependency-manifest"),
    ("Cargo.toml", "dependency-manifest"),
    ("pom.xml", "dependency-manifest"),
    ("Shop.csproj", "dependency-manifest"),
    ("yarn.lock", "lock-file"),
    ("go.sum", "lock-file"),
    ("node_modules/chai/index.js", "shadowing-module"),
    ("shop/fast.pyx", "foreign-code"),
]
ORDINARY = [
    "shop/prices.py",
    "shop/testing/server.py",
    "shop/latest.py",
    "shop/contest_rules.py",
    "shop/fixtures.py",
    "shop/tasks.py",
    "shop/requirements/parser.py",
    "shop/templates/cart.html",
    "src/shop/keys.py",
    "src/cart.js",
    "src/latest.ts",
    "src/testimonials.tsx",
    "app/src/main/java/shop/Latest.java",
    "app/Contest.kt",
    "openapi/specs/shop.json",
    "cart/cart.go",
    "src/lib.rs",
    "Shop/Attest.cs",
]
ESCAPES = ["/etc/passwd", "../other.py", "a/../b.py", "./a.py", "a//b.py", "", "C:/a.py"]
ESCAPES += ["a\\b.py", "a\nb.py", "a\udcff.py", ".git/config", "a/.GIT/hooks/x", "~/a.py"]


def rules(*changes: ChangedFile, opened: dict[str, str] | None = None) -> set[str]:
    return {each.rule for each in guard(changes, open_paths=opened).refusals}


def changed(path: str) -> ChangedFile:
    return ChangedFile(path, b"a = 1\n", b"a = 2\n")


@pytest.mark.parametrize(("path", "rule"), PROTECTED)
def test_protected_path(path: str, rule: str) -> None:
    assert rules(changed(path)) == {rule}


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_path(path: str) -> None:
    assert rules(changed(path)) == set()


@pytest.mark.parametrize("path", ESCAPES)
def test_path_that_leaves_the_repository(path: str) -> None:
    assert rules(changed(path), opened={"**": "everything is open"}) == {"path-escape"}
    (refusal,) = guard([changed(path)]).refusals
    assert refusal.model_dump_json()


def test_every_path_and_file_rule_is_tried() -> None:
    assert {rule for _, rule in PROTECTED} == set(PATH_RULES)
    assert set(FILE_RULES) == {
        *("path-escape", "waiver-file", "symlink", "submodule", "file-mode"),
        *("binary-file", "deleted-file", "patch-size"),
    }


def test_an_open_path_lifts_the_path_rule_and_no_other() -> None:
    change = ChangedFile("tests/test_a.py", b"a = 1\n", b"import os\nos.system('a')\n")
    opened = {"tests/**/*.py": "generated from the schema"}
    assert rules(change) == {"test-file"}
    assert rules(change, opened=opened) == {"process-use"}
    assert rules(changed("tests/deep/er/test_a.py"), opened=opened) == set()


def test_what_the_policy_opened_is_told_with_its_reason() -> None:
    change = ChangedFile("tests/test_a.py", b"# One.\na = 1\n", b"a = 2\n")
    verdict = guard(
        [change],
        open_paths={"tests/**": "generated"},
        open_rules={"lost-comment": "comments are generated", "process-use": "not needed"},
    )
    assert verdict.refusals == ()
    assert [(each.rule, each.path, each.reason) for each in verdict.opened] == [
        ("test-file", "tests/test_a.py", "generated"),
        ("lost-comment", "tests/test_a.py", "comments are generated"),
    ]
    assert guard([changed("shop/prices.py")], open_paths={"**": "all"}).opened == ()


def test_an_open_rule_lifts_nothing_else() -> None:
    change = ChangedFile("shop/a.py", b"# One.\n", b"exit()\n")
    verdict = guard([change], open_rules={"process-exit": "a command line", "lost-comment": " "})
    assert [each.rule for each in verdict.refusals] == ["lost-comment"]
    assert [each.rule for each in verdict.opened] == ["process-exit"]


@pytest.mark.parametrize("rule", sorted(NEVER_OPEN - {"policy-file", "secret-file"}))
def test_nothing_opens_what_must_stay_shut(rule: str) -> None:
    changes = {
        "path-escape": ChangedFile("../a.py", b"a = 1\n", b"a = 2\n"),
        "waiver-file": ChangedFile(".VEX/shop.json", b"{}\n", b"[]\n"),
        "symlink": ChangedFile("a", None, b"/etc", None, SYMLINK),
        "submodule": ChangedFile("a", None, b"", None, SUBMODULE),
        "file-mode": ChangedFile("a.py", b"a\n", b"b\n", REGULAR, EXECUTABLE),
        "binary-file": ChangedFile("a.dat", b"a", b"a\0b"),
        "deleted-file": ChangedFile("a.py", b"a = 1\n", None, REGULAR, None),
        "patch-size": ChangedFile("a.py", b"", b"a = 1\n" * (MOST_LINES + 1)),
        "syntax-error": ChangedFile("a.py", b"a = 1\n", b"a = (\n"),
        "disguised-text": ChangedFile("a.py", b"a = 1\n", "a = '\u202e'\n".encode()),
    }
    verdict = guard([changes[rule]], open_rules={rule: "wanted"}, open_paths={"**": "wanted"})
    assert rule in {each.rule for each in verdict.refusals}
    assert verdict.opened == ()


def test_an_open_path_needs_a_reason_and_a_match() -> None:
    change = changed("tests/deep/test_a.py")
    assert rules(change, opened={"tests/**": " "}) == {"test-file"}
    assert rules(change, opened={"tests/*.py": "only the first level"}) == {"test-file"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (ChangedFile("a", None, b"/etc", None, 0o120000), "symlink"),
        (ChangedFile("a.py", b"b.py", b"a = 1\n", 0o120000, 0o100644), "symlink"),
        (ChangedFile("vendored", b"", b"", 0o160000, 0o160000), "submodule"),
        (ChangedFile("a.py", b"a\n", b"b\n", 0o100644, 0o100755), "file-mode"),
        (ChangedFile("a.py", b"a\n", b"b\n", 0o100755, 0o100644), "file-mode"),
        (ChangedFile("a.py", None, b"a = 1\n", None, 0o100755), "file-mode"),
        (ChangedFile("a.py", None, b"a = 1\n", None, None), "file-mode"),
        (ChangedFile("shop/logo.dat", b"a", b"a\0b"), "binary-file"),
        (ChangedFile("shop/logo.dat", b"a", b"\xff\xfe"), "binary-file"),
        (ChangedFile("shop/prices.py", b"a = 1\n", None, 0o100644, None), "deleted-file"),
    ],
)
def test_kind_and_mode(change: ChangedFile, rule: str) -> None:
    assert rules(change, opened={"**": "everything is open"}) == {rule}


def test_an_executable_file_stays_executable() -> None:
    change = ChangedFile("tool.py", b"a = 1\n", b"a = 2\n", 0o100755, 0o100755)
    assert rules(change) == set()


@pytest.mark.parametrize(
    "path", ["json.py", "src/random.py", "pytest.py", "decimal/__init__.py", "coverage.py"]
)
def test_new_module_that_shadows(path: str) -> None:
    added = ChangedFile(path, None, b"a = 1\n", None)
    assert rules(added) == {"shadowing-module"}
    assert rules(changed(path)) == set()


def test_a_nested_module_may_share_a_name() -> None:
    assert rules(ChangedFile("shop/json.py", None, b"a = 1\n", None)) == set()


def test_script_without_suffix_is_read_by_its_first_line() -> None:
    shell = ChangedFile("bin/run", b"#!/bin/sh\na\n", b"#!/bin/sh\nb\n")
    python = ChangedFile("bin/run", b"#!/usr/bin/python3\n", b"#!/usr/bin/python3\nexit()\n")
    disguised = ChangedFile("bin/run", b"#!/usr/bin/python3\na = 1\n", b"\nexit()\n")
    assert rules(shell) == {"foreign-code"}
    assert rules(python) == {"process-exit"}
    assert rules(disguised) == {"process-exit", "lost-comment"}


def test_too_many_files() -> None:
    many = [changed(f"shop/a{number}.py") for number in range(MOST_FILES + 1)]
    assert rules(*many) == {"patch-size"}
    assert rules(*many[:-1]) == set()


def test_too_many_lines_and_bytes() -> None:
    after = b"".join(b"a%d = 1\n" % number for number in range(MOST_LINES))
    assert rules(ChangedFile("shop/a.py", b"", after)) == set()
    assert rules(ChangedFile("shop/a.py", b"", after + b"b = 1\n")) == {"patch-size"}
    assert rules(ChangedFile("shop/a.py", b"", b"a = '%s'\n" % (b"x" * 60_000))) == {"patch-size"}


def test_extent_counts_removed_and_added_lines_and_sees_line_endings() -> None:
    assert extent(b"a\nb\nc\n", b"a\nB\nc\nd\n").lines == 3
    assert extent(b"a\n", b"a\n").lines == 0
    assert extent(b"a\nb\n", b"a\r\nb\r\n").lines == 1


def test_line_after_follows_a_moved_line() -> None:
    assert line_after(["a", "b", "c"], ["x", "a", "c"], 3) == 3
    assert line_after(["a", "b"], [], 1) == 0
    assert line_after(["a", "b", "c", "d"], ["a", "d"], 4) == 2
    assert line_after(["a", "b", "c", "d"], ["a", "d"], 3) == 2
    assert line_after(["a", "b"], ["a"], 2) == 1


def test_refusal_names_rule_file_and_line() -> None:
    change = ChangedFile("shop/a.py", b"a = 1\n\nb = 2\n", b"a = 1\n\nexit()\n")
    (refusal,) = guard([change]).refusals
    assert str(refusal) == "process-exit at shop/a.py:3: new call of exit()"


def test_lost_assertion_points_at_its_place() -> None:
    before = b"def f(x):\n    assert x\n    return x\n"
    after = b"def f(x):\n    return x\n"
    (refusal,) = guard([ChangedFile("a.py", before, after)]).refusals
    assert (refusal.rule, refusal.line) == ("removed-assertion", 2)


@pytest.mark.parametrize(
    "content", [b"# coding: nonsense\n", b"a = '\xff'\n", b"(" * 100_000, b"f(\n", b"a = 1\0\n"]
)
def test_unreadable_python_is_refused_and_never_raises(content: bytes) -> None:
    found = rules(ChangedFile("shop/a.py", b"a = 1\n", content))
    assert found & {"syntax-error", "binary-file", "patch-size"}


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9**9",
        "'a' * 10**9",
        "1 << 10**9",
        "f'{1:999999999}'",
        "'%999999999d' % 1",
        "bytes(10**9)",
        "int(Decimal('1e9999999'))",
        "round(10**400, -(10**9))",
        "[0] * 10**9",
    ],
)
def test_a_constant_too_large_to_be_worked_out_is_left_alone(expression: str) -> None:
    after = f"from decimal import Decimal\nvalue = {expression}\n".encode()
    change = ChangedFile("shop/a.py", b"from decimal import Decimal\n", after)
    assert guard([change], expectations=["917"]).refusals == ()


def test_python_that_is_nested_too_deeply_is_refused() -> None:
    deep = b"value = x" + b".a" * 2_500 + b"\n"
    assert rules(ChangedFile("shop/a.py", b"value = 1\n", deep)) == {"syntax-error"}


def test_python_in_another_encoding_is_read() -> None:
    before = "# coding: latin-1\nname = 'Café'\n".encode("latin-1")
    after = "# coding: latin-1\nname = 'Cafés'\n".encode("latin-1")
    assert rules(ChangedFile("shop/a.py", before, after)) == set()


def failure(message: str, exception: str = "AssertionError") -> TestFailure:
    return TestFailure(
        node_id="tests/test_a.py::test_a", phase="call", exception=exception, message=message
    )


def test_expected_literals() -> None:
    message = (
        "assert 90.0 == 85.50\n +  where 90.0 = price(100, 'SAVE15')\n"
        "tests/test_a.py:17: AssertionError at 0x7f31"
    )
    assert expected_literals([failure(message)]) == ["100", "85.5", "90", "SAVE15"]


def test_expected_literals_of_the_failing_test() -> None:
    text = (
        "def test_a():\n    assert price('lamp') == -917\n\n\n"
        "def test_b():\n    assert price('desk') == 1234\n"
    )
    source = source_of_test(text, "tests/test_a.py::test_a[0]")
    assert expected_literals([], [source]) == ["-917", "917", "lamp"]
    assert source_of_test(text, "tests/test_a.py::test_c") == ""
    assert source_of_test("def (", "tests/test_a.py::test_a") == ""


def test_what_is_too_common_to_tell_anything() -> None:
    common = ["-2", "0", "1", "10", "100", "", "x", "True", "None", "0.5"]
    assert [value for value in common if is_telling(value)] == []
    assert [value for value in ("85.5", "SAVE15", "917") if not is_telling(value)] == []


def test_only_assertions_have_expectations() -> None:
    assert expected_literals([failure("invalid literal: 'abc'", "ValueError")]) == []


def test_is_test_path() -> None:
    assert is_test_path("tests/data/a.json")
    assert not is_test_path("shop/prices.py")


def test_the_document_lists_every_rule_and_how_it_is_opened() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| (\w+)[^|]* \|", text, re.MULTILINE))
    rows = re.findall(r"^\| `", text, re.MULTILINE)
    ways = {rule: "no" if rule in NEVER_OPEN else "rule" for rule in RULES}
    assert listed == ways | dict.fromkeys(PATH_RULES, "path")
    assert len(rows) == len(RULES)


def test_the_document_says_why_of_every_rule() -> None:
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            cells = re.split(r"(?<!\\)\|", line)
            assert len(cells) == 6
            assert all(cell.strip() for cell in cells[1:5])
