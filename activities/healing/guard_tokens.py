"""Tokens of sources in other languages: words, texts, comments; no grammar.

Good enough to tell code from comments and texts, and to write code in one form whatever its blanks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

_FAMILIES = {
    "javascript": "js cjs mjs jsx ts cts mts tsx vue svelte",
    "go": "go",
    "jvm": "java kt kts scala",
    "csharp": "cs",
    "ruby": "rb",
    "php": "php",
    "rust": "rs",
    "c": "c cc cpp cxx h hh hpp hxx m mm",
    "swift": "swift",
    "dart": "dart",
}
FAMILY_OF = {f".{suffix}": name for name, list_ in _FAMILIES.items() for suffix in list_.split()}
"""Suffix of a file to the family of its language."""

_HASH_COMMENTS = {"ruby", "php"}
_WORD = re.compile(r"[^\W\d][\w$]*|[$@#]+\w+")
_NUMBER = re.compile(r"\d[\w.]*")
_BEFORE_REGEX = set("(,=:[!&|?{};+-*%<>~^") | {""}
_WORDS_BEFORE_REGEX = {"return", "typeof", "case", "in", "of", "delete", "void", "and", "or", "if"}


@dataclass(frozen=True)
class Token:
    """A piece of source. Kinds: `word`, `number`, `text`, `comment`, `regex`, `sign`."""

    kind: str
    text: str
    """What it says: without quotes for a text, without marks for a comment."""
    line: int


def family_of(path: str) -> str:
    """The family of languages that a file belongs to; empty for all others."""
    return FAMILY_OF.get(PurePosixPath(path).suffix.lower(), "")


def tokens(text: str, family: str) -> list[Token]:
    """The tokens of a source; what cannot be told apart becomes signs."""
    return list(_Scanner(text, family).scan(0, ""))


def joined_texts(found: list[Token]) -> list[Token]:
    """The tokens with texts that are added up written as one: `"a" + "b"` is `"ab"`."""
    result: list[Token] = []
    for token in found:
        if token.kind == "comment":
            continue
        plus = len(result) >= 2 and result[-1].kind == "sign" and result[-1].text in {"+", "."}
        if token.kind == "text" and plus and result[-2].kind == "text":
            result.pop()
            first = result.pop()
            result.append(Token("text", first.text + token.text, first.line))
        else:
            result.append(token)
    return result


class _Scanner:
    def __init__(self, text: str, family: str) -> None:
        self._text = text
        self._family = family
        self._place = 0
        self._line = 1

    def scan(self, depth: int, stop: str) -> Iterator[Token]:
        """Tokens up to a closing brace of a template, or to the end."""
        previous = Token("sign", "", 1)
        braces = 0
        while self._place < len(self._text):
            character = self._text[self._place]
            if stop and character == "}" and braces == 0:
                return
            braces += (character == "{") - (character == "}")
            found = [] if character.isspace() else list(self._next(previous, depth))
            if not found:
                self._forward(1)
                continue
            yield from found
            previous = next((each for each in reversed(found) if each.kind != "comment"), previous)

    def _forward(self, amount: int) -> str:
        piece = self._text[self._place : self._place + amount]
        self._place += len(piece)
        self._line += piece.count("\n")
        return piece

    def _next(self, previous: Token, depth: int) -> Iterator[Token]:
        rest, line = self._text[self._place : self._place + 3], self._line
        hash_comment = rest[0] == "#" and self._family in _HASH_COMMENTS and rest[:2] != "#["
        if (rest.startswith("//") and self._family != "ruby") or hash_comment:
            yield Token("comment", self._until("\n").lstrip("/#!").strip(), line)
        elif rest.startswith("/*") and self._family != "ruby":
            self._forward(2)
            body = self._until("*/")
            self._forward(2)
            for number, text in enumerate(body.split("\n")):
                plain = text.strip().strip("*").strip()
                if plain:
                    yield Token("comment", plain, line + number)
            if not body.strip("* \n\t"):
                yield Token("comment", "", line)
        elif rest[0] == "`" and self._family == "javascript":
            yield from self._template(depth)
        elif rest[:3] in {'"""', "'''"} and self._family not in {"javascript", "c", "go"}:
            self._forward(3)
            text = self._until(rest[:3])
            self._forward(3)
            yield Token("text", text, line)
        elif rest[0] in "\"'`" and not self._is_lifetime():
            yield Token("text", self._quoted(rest[0]), line)
        elif rest[0] == "/" and self._starts_regex(previous):
            yield Token("regex", self._regex(), line)
        else:
            yield self._word_or_sign(line)

    def _until(self, end: str) -> str:
        place = self._text.find(end, self._place)
        return self._forward((len(self._text) if place < 0 else place) - self._place)

    def _is_lifetime(self) -> bool:
        # Rust: 'a is a lifetime and no text.
        if self._family != "rust" or self._text[self._place] != "'":
            return False
        return re.match(r"'(?:\\.[^']*|[^'\\])'", self._text[self._place :]) is None

    def _quoted(self, mark: str) -> str:
        self._forward(1)
        raw = mark == "`"
        parts: list[str] = []
        while self._place < len(self._text):
            character = self._forward(1)
            if character == mark or (character == "\n" and not raw and self._family != "php"):
                break
            if character == "\\" and not raw:
                character = self._escaped()
            parts.append(character)
        return "".join(parts)

    def _escaped(self) -> str:
        code = re.compile(r"x([0-9a-fA-F]{2})|u\{?([0-9a-fA-F]{2,6})\}?")
        match = code.match(self._text, self._place)
        if match:
            self._forward(len(match[0]))
            number = int(match[1] or match[2], 16)
            return chr(number) if number < 0x110000 else "?"
        character = self._forward(1)
        return {"n": "\n", "t": "\t", "\n": ""}.get(character, character)

    def _template(self, depth: int) -> Iterator[Token]:
        line = self._line
        self._forward(1)
        parts: list[str] = []
        while self._place < len(self._text):
            if self._text.startswith("${", self._place) and depth < 20:
                self._forward(2)
                yield Token("text", "".join(parts), line)
                parts, line = [], self._line
                yield Token("sign", "+", line)
                yield from self.scan(depth + 1, "}")
                yield Token("sign", "+", line)
                self._forward(1)
                continue
            character = self._forward(1)
            if character == "`":
                break
            parts.append(self._escaped() if character == "\\" else character)
        yield Token("text", "".join(parts), line)

    def _starts_regex(self, previous: Token) -> bool:
        if self._family not in {"javascript", "ruby"}:
            return False
        if previous.kind == "word":
            return previous.text in _WORDS_BEFORE_REGEX
        return previous.kind == "sign" and previous.text in _BEFORE_REGEX

    def _regex(self) -> str:
        match = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/[a-z]*").match(
            self._text, self._place
        )
        return self._forward(len(match[0]) if match else 1)

    def _word_or_sign(self, line: int) -> Token:
        for kind, pattern in (("word", _WORD), ("number", _NUMBER)):
            match = pattern.match(self._text, self._place)
            if match:
                return Token(kind, self._forward(len(match[0])), line)
        return Token("sign", self._forward(1), line)
