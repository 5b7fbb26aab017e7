"""One Python file as the guard's rules see it: tree, resolved names, comments."""

import ast
import builtins
import io
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from activities.healing.guard_folding import Folding
from activities.healing.guard_operations import Unknown

Function = ast.FunctionDef | ast.AsyncFunctionDef
UNREADABLE = (SyntaxError, UnicodeDecodeError, ValueError, RecursionError, MemoryError)
"""What `parse` raises for a file that cannot be read."""

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
    imports: dict[str, str] = field(repr=False)
    """Local name to dotted origin, of everything that is imported anywhere in the file."""

    elsewhere: Mapping[str, object] = field(default_factory=dict, repr=False)
    """Constants of the other files of a patch, as `constants_of` gives them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", list(ast.walk(self.tree)))
        object.__setattr__(self, "folding", Folding(self.tree, self.origin, self.elsewhere))
        object.__setattr__(self, "uses", _uses(self))

    nodes: list[ast.AST] = field(init=False, repr=False)
    """Every node of the tree."""
    folding: Folding = field(init=False, repr=False)
    uses: list[Use] = field(init=False, repr=False)

    def origin(self, node: ast.expr, depth: int = 0) -> str | None:
        """The dotted origin of a name, an attribute chain, or another way to write one.

        `os.system` for `system`, `import os as o; o.system`, `getattr(os, "sys" + "tem")`,
        `vars(os)["system"]` and `run = os.system; run`; `builtins.NAME` for a name that is neither
        imported nor an alias. None for anything else.
        """
        if depth > 20:
            return None
        match node:
            case ast.Name():
                return self._named(node, depth)
            case ast.Attribute():
                base, name = node.value, node.attr
            case ast.NamedExpr(value=inner) | ast.Await(value=inner):
                return self.origin(inner, depth + 1)
            case ast.Call(func=ast.Name(id="getattr"), args=[base, key, *_]):
                name = self.folding.text(key) or ""
            case ast.Call(func=ast.Attribute(attr="__getattribute__", value=base), args=[key]):
                name = self.folding.text(key) or ""
            case ast.Subscript(value=ast.Call(func=ast.Name(id="vars"), args=[base]), slice=key):
                name = self.folding.text(key) or ""
            case ast.Subscript(value=ast.Attribute(attr="__dict__", value=base), slice=key):
                name = self.folding.text(key) or ""
            case ast.Call(func=called, args=[key, *_]):
                loads = self.origin(called, depth + 1)
                known = loads in {"builtins.__import__", "importlib.import_module"}
                return self.folding.text(key) if known else None
            case _:
                return None
        found = self.origin(base, depth + 1) if name else None
        return None if found is None else f"{found}.{name}"

    def _named(self, node: ast.Name, depth: int) -> str | None:
        bound = self.folding.bound(node)
        if len(bound) == 1 and bound[0] is not node:
            alias = self.origin(bound[0], depth + 1)
            if alias and (_is_builtin(alias) or not alias.startswith("builtins.")):
                return alias
        if self.folding.scopes.is_local(node):
            return None
        return self.imports.get(node.id, f"builtins.{node.id}")


def _is_builtin(dotted: str) -> bool:
    first, *_ = dotted.removeprefix("builtins.").split(".")
    return dotted.startswith("builtins.") and hasattr(builtins, first)


def decode(content: bytes) -> str:
    """The text of a Python file, by its byte-order mark or coding line.

    Raises SyntaxError or UnicodeDecodeError when there is none that fits.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding)


def parse(content: bytes, elsewhere: Mapping[str, object] | None = None) -> Module:
    """Parse a Python file; `elsewhere` are constants of other files.

    Raises SyntaxError, UnicodeDecodeError, ValueError, RecursionError or MemoryError, as
    `ast.parse` does.
    """
    text = decode(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    return Module(tree, text.splitlines(), comments(text), _imports(tree), elsewhere or {})


def constants_of(path: str, content: bytes) -> dict[str, object]:
    """The constants that a file binds at its top, by module and name; empty if it cannot be read.

    `shop/constants.py` gives `constants.RATE`.
    """
    try:
        module = parse(content)
    except UNREADABLE:
        return {}
    name = PurePosixPath(path).stem
    if name == "__init__":
        name = PurePosixPath(path).parent.name
    found: dict[str, object] = {}
    for node in module.tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name):
                try:
                    found[f"{name}.{target.id}"] = module.folding.value(target)
                except Unknown:
                    continue
    return found


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


def docstrings(tree: ast.AST) -> set[int]:
    """The ids of constants that stand alone as a statement: docstrings and the like."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


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


def _uses(module: Module) -> list[Use]:
    inner: set[int] = set()
    found: list[Use] = []
    for node in module.nodes:
        if isinstance(node, ast.Import):
            found += [Use(alias.name, node, True) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [Use(_origin(node, alias), node, True) for alias in node.names]
        elif isinstance(node, ast.Attribute | ast.Name | ast.Call | ast.Subscript):
            if id(node) in inner:
                inner |= {id(each) for each in _bases(node)}
                continue
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                continue
            dotted = module.origin(node)
            if dotted is not None:
                inner |= {id(each) for each in _bases(node)}
                found.append(Use(dotted, node, False))
    return found


def _bases(node: ast.expr) -> list[ast.expr]:
    """The parts of a spelled-out name that are no mention of their own."""
    match node:
        case ast.Attribute():
            return [node.value]
        case ast.Call(func=ast.Name(id="getattr") as called, args=[base, _, *_]):
            return [called, base]
        case ast.Subscript(value=ast.Call(args=[base]) as call):
            return [call, call.func, base]
        case ast.Subscript(value=ast.Attribute() as base):
            return [base, base.value]
    return []
