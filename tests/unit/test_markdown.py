"""Foreign text in Markdown: a real parser sees text and code, and nothing else."""

import re

import pytest
from markdown_it import MarkdownIt

from regreen.markdown import block, cell, code, prose

GITHUB = MarkdownIt("gfm-like", {"linkify": False})

HOSTILE = [
    "plain",
    "a | b",
    r"a \| b",
    r"a \\| b \\\| c",
    "`tick` and ``two``",
    "` one tick",
    "<script>alert(1)</script>",
    "<img src=x onerror=y>",
    "**bold** _soft_ ~~gone~~",
    "[link](https://evil.invalid) ![image](https://evil.invalid/a.png)",
    "https://evil.invalid www.evil.invalid",
    "# Heading",
    "- list",
    "1. list",
    "> quote",
    "=== setext",
    "--- rule",
    "line\nsecond\r\n\r\n# third",
    "&lt;b&gt; &amp;",
    "@everyone thanks, closes #12",
    "test[a|b-`c`-<d>]",
    "\\",
    "",
    "```\nfence\n```",
    "nul \x00 and \x1b[31mred\u202e",
]


def _tags(markdown: str) -> set[str]:
    found = set()
    for token in GITHUB.parse(markdown):
        found.add(token.type)
        found |= {child.type for child in token.children or ()}
    return found


def _shown(markdown: str) -> str:
    html = GITHUB.render(markdown)
    text = re.sub(r"<[^>]+>", "", html)
    for name, letter in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("amp", "&")):
        text = text.replace(f"&{name};", letter)
    return text.replace("\u200b", "").strip()


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@pytest.mark.parametrize("text", HOSTILE)
def test_prose_is_one_paragraph_of_text_and_code(text: str) -> None:
    markdown = prose(text)

    plain = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "code_inline"}
    assert _tags(markdown) <= plain
    if "`" not in text:
        assert _shown(markdown) == _line(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_code_is_one_span_of_code(text: str) -> None:
    markdown = code(text)

    [_, inline, _] = GITHUB.parse(f"x {markdown} y")
    assert [child.type for child in inline.children or ()] == ["text", "code_inline", "text"]
    assert inline.children is not None
    assert inline.children[1].content.strip() == _line(text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("made", [code, prose])
def test_a_cell_stays_a_cell(text: str, made: object) -> None:
    assert callable(made)
    table = f"| a | b |\n|---|---|\n| {cell(made(text))} | last |\n"

    html = GITHUB.render(table)

    assert html.count("<td>") == 2
    assert "<td>last</td>" in html


@pytest.mark.parametrize("text", HOSTILE)
def test_a_block_is_closed_by_its_own_fence_only(text: str) -> None:
    [token] = GITHUB.parse(block(f"{text}\n````\n~~~", "diff"))

    assert (token.type, token.info) == ("fence", "diff")


@pytest.mark.parametrize("text", ["@everyone", "ping @ada-l now", "closes #12", "see GH-7"])
def test_nobody_is_called_and_nothing_is_referred_to(text: str) -> None:
    assert not re.search(r"@\w|#\d|GH-\d", prose(text))


def test_long_text_is_cut() -> None:
    assert len(code("x" * 1000, 100)) == 102
    assert prose("x" * 1000, 100) == "x" * 98 + " …"
