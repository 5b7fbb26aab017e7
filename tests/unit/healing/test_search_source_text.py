"""Reading Python files so that an edit of the tree is a span of bytes."""

import ast

import pytest

from activities.healing.search.source_text import SourceText, read_source


def read(data: bytes) -> SourceText:
    source = read_source("shop.py", data)
    assert source is not None
    return source


@pytest.mark.parametrize(
    "data",
    [
        "name = 'ü'; other = 1 + 2\n".encode(),
        b"\xef\xbb\xbf" + "name = 'ü'; other = 1 + 2\n".encode(),
        "# coding: latin-1\r\nname = 'ü'; other = 1 + 2\r\n".encode("latin-1"),
        "# coding: cp1252\nprice = '€ ü'; other = 1 + 2".encode("cp1252"),
        "a = '''ü\r\nö'''; other = 1 + 2\r\n".encode(),
        "if 1:\r    name = 'ü'; other = 1 + 2\r".encode(),
    ],
)
def test_a_node_is_found_at_its_bytes(data: bytes) -> None:
    source = read(data)
    node = next(node for node in ast.walk(source.tree) if isinstance(node, ast.BinOp))
    start, end = source.span(node)
    assert data[source.offset(start) : source.offset(end)] == b"1 + 2"


@pytest.mark.parametrize(
    "data",
    [b"def (:\n", b"\xff\xfe\x00", b"# coding: nonsense\n", b"a = '\xff'\n", b"x = 1\x00\n"],
)
def test_what_is_not_python_is_not_read(data: bytes) -> None:
    assert read_source("shop.py", data) is None


def test_a_method_compiles_alone_on_its_own_lines() -> None:
    source = read(
        b"import os\n\n\nclass Shop:\n    name = 1\n\n    @property\n    def price(self):\n"
        b"        return super().price\n"
    )
    node = next(node for node in ast.walk(source.tree) if isinstance(node, ast.Return))
    unit = source.unit_of(node)
    assert unit.chain == (("price", 7),)
    tree = ast.parse(unit.text(source.text[unit.start : unit.end]))
    alone = next(node for node in ast.walk(tree) if isinstance(node, ast.Return))
    assert alone.lineno == node.lineno
    assert "import" not in ast.dump(tree)


def test_code_outside_functions_has_no_function_to_exchange() -> None:
    source = read(b"LIMIT = 1 + 2\n\n\ndef price(value=LIMIT + 1):\n    return value\n")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp):
            assert source.unit_of(node).chain == ()
