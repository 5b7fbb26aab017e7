"""Replies of a model become edits; what cannot be read says why in one line."""

import pytest

from activities.healing.search_replace import (
    Block,
    MalformedReply,
    apply_blocks,
    parse_reply,
)

BODY = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE"
BLOCK = Block("shop/a.py", ("old",), ("new",))


def block(search: str, replace: str, path: str = "a.py") -> Block:
    return Block(path, tuple(search.split("\n")), tuple(replace.split("\n")))


def apply(content: bytes, *blocks: Block) -> bytes:
    return apply_blocks(blocks, {"a.py": content}.get)["a.py"]


@pytest.mark.parametrize(
    "text",
    [
        f"Because.\n\nshop/a.py\n{BODY}",
        f"Because.\n\nshop/a.py\n{BODY}\n",
        f"Because.\n\n```python\nshop/a.py\n{BODY}\n```\n",
        f"Because.\n\nshop/a.py\n```python\n{BODY}\n```\n",
        f"Because.\n\nshop/a.py\n\n~~~~\n{BODY}\n~~~~\n",
        f"Because.\n\n`shop/a.py`\n{BODY}",
        f"Because.\n\n**shop/a.py**\n{BODY}",
        f"Because.\n\n**`shop/a.py`**\n{BODY}",
        f"Because.\n\nshop/a.py:\n{BODY}",
        f"Because.\n\n**shop/a.py:**\n{BODY}",
        f"Because.\n\n### `shop/a.py`\n{BODY}",
        f"Because.\n\nFile: shop/a.py\n{BODY}",
        f"Because.\n\n**File: shop/a.py**\n{BODY}",
        f"Because.\n\n1. `./shop/a.py`\n{BODY}",
        f"Because.\n\nshop/a.py\n{BODY}".replace("\n", "\r\n"),
        f"shop/a.py\n{BODY}\n\nBecause.",
    ],
)
def test_ways_to_write_a_block(text: str) -> None:
    reply = parse_reply(text)
    assert reply.blocks == (BLOCK,)
    assert reply.explanation == "Because."


def test_several_blocks() -> None:
    reply = parse_reply(f"Two.\n\nshop/a.py\n{BODY}\n\nshop/b.py\n```\n{BODY}\n```\n{BODY}\n")
    assert [each.path for each in reply.blocks] == ["shop/a.py", "shop/b.py", "shop/b.py"]
    assert reply.explanation == "Two."


def test_empty_parts() -> None:
    reply = parse_reply("a.py\n<<<<<<< SEARCH\n=======\na = 1\n>>>>>>> REPLACE")
    assert reply.blocks == (Block("a.py", (), ("a = 1",)),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no `<<<<<<< SEARCH` block"),
        ("I would change the operator.", "no `<<<<<<< SEARCH` block"),
        (BODY, "no line with the file's path"),
        (f"Here is the fix\n{BODY}", "path alone on the line"),
        ("a.py\n<<<<<<< SEARCH\nold\n=======\nnew", "does not end with"),
        ("a.py\n<<<<<<< SEARCH\nold\n>>>>>>> REPLACE", "has no `=======`"),
        ("a.py\n<<<<<<< SEARCH\n=======\n=======\n>>>>>>> REPLACE", "more than one `=======`"),
        (f"a.py\n<<<<<<< SEARCH\nold\n{BODY}", "begins inside another"),
        (f"/etc/passwd\n{BODY}", "leaves the repository"),
        (f"a/../../b.py\n{BODY}", "leaves the repository"),
        (f"`C:/a.py`\n{BODY}", "leaves the repository"),
        (f".git/config\n{BODY}", "git's own folder"),
        (f"a/.GIT/hooks/pre-commit\n{BODY}", "git's own folder"),
        (f"`.git ./config`\n{BODY}", "git's own folder"),
    ],
)
def test_malformed_reply(text: str, reason: str) -> None:
    with pytest.raises(MalformedReply, match=reason) as caught:
        parse_reply(text)
    assert "\n" not in str(caught.value)


def test_exact_match_leaves_all_other_bytes() -> None:
    content = b"\x00\xff\n\ta = 1 \n\n  b = 2\nlast"
    assert apply(content.replace(b"\xff", b"x"), block("  b = 2", "  b = 3")) == (
        b"\x00x\n\ta = 1 \n\n  b = 3\nlast"
    )


def test_trailing_blanks_do_not_matter_and_stay_where_nothing_changed() -> None:
    content = b"def f():   \n    return 1\n"
    assert apply(content, block("def f():\n    return 1 ", "def f():\n    return 2")) == (
        b"def f():   \n    return 2\n"
    )


def test_missing_indentation_is_added() -> None:
    content = b"class A:\n    def f(self):\n\n        return 1\n"
    wanted = block("def f(self):\n\n    return 1", "def f(self):\n\n    if self:\n        return 2")
    assert apply(content, wanted) == (
        b"class A:\n    def f(self):\n\n        if self:\n            return 2\n"
    )


def test_extra_indentation_is_taken_away() -> None:
    content = b"def f():\n    return 1\n"
    assert apply(
        content, block("    def f():\n        return 1", "    def f():\n        return 2")
    ) == (b"def f():\n    return 2\n")


def test_uneven_indentation_is_no_match() -> None:
    with pytest.raises(MalformedReply, match="not in the file"):
        apply(b"if a:\n    b()\n", block("if a:\n  b()", "if a:\n  c()"))


@pytest.mark.parametrize("content", [b"x = 1\nx = 1\n", b"  x = 1\n    x = 1\n"])
def test_ambiguous_lines_name_file_and_line(content: bytes) -> None:
    with pytest.raises(MalformedReply, match=r"a\.py: .*`x = 1` are found 2 times"):
        apply(content, block("x = 1", "x = 2"))


def test_an_exact_match_wins_over_a_looser_one() -> None:
    assert apply(b"x = 1\n  x = 1\n", block("x = 1", "x = 2")) == b"x = 2\n  x = 1\n"


def test_unknown_lines_name_file_and_line() -> None:
    with pytest.raises(MalformedReply, match=r"a\.py: .*`y = 1` are not in the file"):
        apply(b"x = 1\n", block("\n  y = 1", "y = 2"))


def test_windows_line_endings_stay() -> None:
    assert apply(b"a\r\nb\r\nc\r\n", block("b\nc", "B\nnew\nc")) == b"a\r\nB\r\nnew\r\nc\r\n"


def test_mixed_line_endings_outside_of_the_change_stay() -> None:
    assert apply(b"a\r\nb\nc\n", block("a\nb", "a\nB")) == b"a\r\nB\nc\n"


def test_missing_final_newline_stays_missing() -> None:
    assert apply(b"a\nb", block("b", "c\nd")) == b"a\nc\nd"
    assert apply(b"a\nb", block("a\nb", "b\na")) == b"b\na"


def test_lines_can_be_deleted() -> None:
    deletion = Block("a.py", ("b",), ())
    assert apply(b"a\nb\nc\n", deletion) == b"a\nc\n"


def test_encoding_and_byte_order_mark_stay() -> None:
    latin = "# coding: latin-1\na = 'é'\nb = 1\n".encode("latin-1")
    assert apply(
        latin, block("a = 'é'", "a = 'è'")
    ) == "# coding: latin-1\na = 'è'\nb = 1\n".encode("latin-1")
    marked = b"\xef\xbb\xbfa = 1\nb = 2\n"
    assert apply(marked, block("a = 1", "a = 2")) == b"\xef\xbb\xbfa = 2\nb = 2\n"
    broken = b"b = '\xff'\na = 1\n"
    assert apply_blocks([block("a = 1", "a = 2", "x.txt")], {"x.txt": broken}.get) == {
        "x.txt": b"b = '\xff'\na = 2\n"
    }


def test_a_character_that_the_encoding_has_not_is_malformed() -> None:
    with pytest.raises(MalformedReply, match="cannot be written in iso-8859-1"):
        apply(b"# coding: latin-1\na = 1\n", block("a = 1", "a = '\N{EURO SIGN}'"))


def test_later_blocks_see_what_earlier_ones_did() -> None:
    assert apply(b"a\nb\n", block("a", "c"), block("c\nb", "d")) == b"d\n"


def test_new_file() -> None:
    new = Block("shop/new.py", (), ("a = 1", "b = 2"))
    assert apply_blocks([new], lambda path: None) == {"shop/new.py": b"a = 1\nb = 2\n"}


def test_empty_search_on_a_file_that_exists() -> None:
    with pytest.raises(MalformedReply, match="must not be empty"):
        apply(b"a\n", Block("a.py", (), ("b",)))


def test_file_that_does_not_exist() -> None:
    with pytest.raises(MalformedReply, match=r"b\.py does not exist"):
        apply_blocks([block("a", "b", "b.py")], lambda path: None)


def test_blocks_that_change_nothing() -> None:
    with pytest.raises(MalformedReply, match="change nothing"):
        apply(b"a\n", block("a", "a"))


def test_form_feed_is_not_a_line_end() -> None:
    assert apply(b"a\x0cb\nc\n", block("a\x0cb", "d")) == b"d\nc\n"
