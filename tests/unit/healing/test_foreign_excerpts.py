"""What a model is shown of sources that are not Python: blocks, tests, imports, frames."""

from pathlib import Path

import pytest

from activities.healing.frame_suspects import suspects_by_frames
from activities.healing.model_context import build_context
from activities.healing.source_excerpts import around_line, imported_modules, of_test
from regreen.contracts.testing import Frame, TestFailure

PRICES = """import { vat } from "./vat.js";

const SHARES = [10, 20];

/**
 * The price with tax.
 */
export function gross(net) {
  if (net < 0) {
    throw new RangeError("negative");
  }
  return net + vat(net);
}

export function sum(prices) {
  return prices.length;
}
"""
TESTS = """import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gross, sum } from "../src/index.js";

describe("sum", () => {
  it("adds up", () => {
    assert.equal(sum([1, 2]), 3);
  });
});

describe("gross", () => {
  it("adds up", () => {
    assert.equal(gross(100), 119);
  });

  it("adds up more", () => {
    assert.equal(gross(200), 238);
  });
});
"""
CART = """package example.shop;

class Cart {
    private int sum;

    int total() {
        int sum = 0;
        return sum;
    }
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "src/index.js": 'export * from "./prices.js";\nexport { hello } from "../../outside.js";\n',
        "src/prices.js": PRICES,
        "src/vat.js": "export const vat = (net) => net * 0.19;\n",
        "src/types.ts": "export {};\n",
        "src/loaded.cjs": 'const a = require("./types.js");\nconst b = require("./parts");\n',
        "src/parts/index.js": "module.exports = 1;\n",
        "test/prices.test.js": TESTS,
        "src/example/shop/Cart.java": CART,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def _failure(node_id: str, *frames: tuple[str, int]) -> TestFailure:
    return TestFailure(
        node_id=node_id,
        phase="call",
        exception="AssertionError",
        message="0 !== 119",
        frames=tuple(Frame(path=path, line=line) for path, line in frames),
    )


@pytest.mark.parametrize(
    ("path", "line", "first", "last"),
    [
        ("src/prices.js", 12, 5, 13),
        ("src/prices.js", 10, 5, 13),
        ("src/prices.js", 16, 15, 17),
        ("src/example/shop/Cart.java", 7, 3, 10),
    ],
)
def test_the_outermost_block_around_a_line(
    path: str, line: int, first: int, last: int, root: Path
) -> None:
    excerpt = around_line(root, path, line)

    assert excerpt is not None
    assert (excerpt.first, excerpt.last) == (first, last)
    lines = (root / path).read_text().split("\n")
    assert excerpt.text == "\n".join(lines[first - 1 : last])


def test_a_block_that_is_too_long_gives_the_largest_part_that_is_not(root: Path) -> None:
    body = "".join(f"    int f{n}() {{\n        return {n};\n    }}\n" for n in range(80))
    (root / "Long.java").write_text(f"class Long {{\n{body}}}\n")

    excerpt = around_line(root, "Long.java", 3 * 70 + 3)

    assert excerpt is not None
    assert excerpt.text == "    int f70() {\n        return 70;\n    }"


def test_outside_of_blocks_the_lines_near_the_line(root: Path) -> None:
    (root / "flat.sql").write_text("select 1;\n" * 100)

    excerpt = around_line(root, "flat.sql", 50)

    assert excerpt is not None
    assert (excerpt.first, excerpt.last) == (35, 65)


@pytest.mark.parametrize(
    ("node_id", "frame", "first", "last"),
    [
        ("sum::adds up", 7, 6, 8),
        ("gross::adds up", 13, 12, 14),
        ("gross::adds up more", 17, 16, 18),
        ("test/prices.test.js::sum::adds up", 7, 6, 8),
        ("sum::somewhere else", 7, 1, 20),
    ],
)
def test_the_source_of_a_failing_test(
    node_id: str, frame: int, first: int, last: int, root: Path
) -> None:
    excerpt = of_test(root, _failure(node_id, ("test/prices.test.js", frame)))

    assert excerpt is not None
    assert (excerpt.path, excerpt.first, excerpt.last) == ("test/prices.test.js", first, last)


def test_a_test_without_a_file_has_no_source(root: Path) -> None:
    assert of_test(root, _failure("sum::adds up")) is None
    assert of_test(root, _failure("test/gone.test.js::sum::adds up")) is None


def test_what_a_script_imports_and_what_that_imports(root: Path) -> None:
    assert imported_modules(root, "test/prices.test.js") == [
        "src/index.js",
        "src/prices.js",
        "src/vat.js",
    ]
    assert imported_modules(root, "src/loaded.cjs") == ["src/types.ts", "src/parts/index.js"]
    assert imported_modules(root, "src/gone.js") == []


def test_imports_in_a_circle_end(root: Path) -> None:
    (root / "src" / "vat.js").write_text('import "./prices.js";\n')

    assert imported_modules(root, "src/prices.js") == ["src/vat.js"]


def test_where_the_trace_leads_is_suspected_the_innermost_first() -> None:
    failure = _failure(
        "a::b", ("test/prices.test.js", 7), ("src/cart.js", 4), ("src/prices.js", 12)
    )

    found = suspects_by_frames([failure, failure], 10)

    assert [(path, line) for path, line, _ in found] == [("src/prices.js", 12), ("src/cart.js", 4)]
    assert 1 >= found[0][2] > found[1][2] > 0
    assert suspects_by_frames([failure], 1) == found[:1]


def test_a_model_sees_test_and_code_of_a_failure_that_leads_into_the_test_only(root: Path) -> None:
    failure = _failure("gross::adds up", ("test/prices.test.js", 13))

    text = build_context(root, [failure], [], "", [], {}, 20_000)

    assert "test/prices.test.js, lines 12 to 14:" in text
    assert "assert.equal(gross(100), 119);" in text
    assert "  at test/prices.test.js:13\n" in text
    assert "src/prices.js, lines 1 to 18:" in text
    assert "return net + vat(net);" in text
    assert "src/vat.js, lines 1 to 2:" in text


def test_a_model_sees_the_function_that_the_trace_leads_to(root: Path) -> None:
    failure = _failure("gross::adds up", ("test/prices.test.js", 13), ("src/prices.js", 10))

    text = build_context(root, [failure], suspects_by_frames([failure], 10), "", [], {}, 20_000)

    assert "src/prices.js, lines 5 to 13:" in text
    assert 'src/prices.js:10 (0.90) throw new RangeError("negative");' in text
    assert "return prices.length" not in text
