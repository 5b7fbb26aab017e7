"""One Python file as the guard's rules see it: tree, resolved names, comments."""

import ast
import io
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Use:
    """One mention of a name: its dotted origin, where, and how."""

    dotted: str
    """`os.system` whatever alias it was imported under; `builtins.NAME` for a name not imported."""
    node: ast.expr | ast.stmt
    imported: bool
    """True for the import itself."""


@dataclass(frozen=True)
class Comment:
    """One comment, without the hash and outer blanks."""

    text: str
    line: int


@dataclass(frozen=True)
class Finding:
    """Something that a rule watches. Those with the same rule and key are counted, not placed."""

    rule: str
    key: str
    line: int
    reason: str


@dataclass(frozen=True)
class Module:
    """A parsed file."""

    tree: ast.Module
    lines: list[str]
    comments: list[Comment]
    uses: list[Use]
    imports: dict[str, str] = field(repr=False)
    """Local name to dotted origin, of everything that is imported anywhere in the file."""


def decode(content: bytes) -> str:
    """The text of a Python file, by its byte-order mark or coding line.

    Raises SyntaxError or UnicodeDecodeError when there is none that fits.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding)


def parse(content: bytes) -> Module:
    """Parse a Python file.

    Raises SyntaxError, UnicodeDecodeError, ValueError, RecursionError or MemoryError, as
    `ast.parse` does.
    """
    text = decode(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    imports = _imports(tree)
    return Module(tree, text.splitlines(), comments(text), _uses(tree, imports), imports)


def comments(text: str) -> list[Comment]:
    """The comments of a Python text, up to the first token that cannot be read."""
    found: list[Comment] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found.append(Comment(token.string.lstrip("#").strip(), token.start[0]))
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Every class and function with its qualified name, outer ones first."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            name = f"{prefix}{node.name}"
            yield name, node
            yield from definitions(node, f"{name}.")
        else:
            yield from definitions(node, prefix)


def own_functions(tree: ast.Module) -> set[str]:
    """Names of functions that the file defines outside of classes."""
    methods = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for child in node.body
    }
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, Function) and id(node) not in methods
    }


def resolve(node: ast.expr, imports: dict[str, str]) -> str | None:
    """The dotted origin of a name or an attribute chain; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([imports.get(node.id, f"builtins.{node.id}"), *reversed(parts)])


def own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes under some statements, without those of functions and classes defined in them."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop(0)
        yield node
        if not isinstance(node, Definition | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def _imports(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = _origin(node, alias)
    return found


def _origin(node: ast.ImportFrom, alias: ast.alias) -> str:
    # The leading dots keep a sibling module from being taken for one of the standard library.
    return f"{'.' * node.level}{node.module or ''}.{alias.name}"


def _uses(tree: ast.Module, imports: dict[str, str]) -> list[Use]:
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found: list[Use] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Use(alias.name, node, True) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [Use(_origin(node, alias), node, True) for alias in node.names]
        elif isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                continue
            dotted = resolve(node, imports)
            if dotted is not None:
                found.append(Use(dotted, node, False))
    return found
