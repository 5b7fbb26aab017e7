"""What the files of a repository know together: where names come from, and how things are said."""

import ast
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from activities.healing.search.source_text import SourceText

_MOST_EXPRESSIONS = 400
_LONGEST_EXPRESSION = 60
_STANDARD: Mapping[str, tuple[str, ...]] = {
    "collections": ("Counter", "OrderedDict", "defaultdict", "deque", "namedtuple"),
    "contextlib": ("contextmanager", "suppress"),
    "copy": ("copy", "deepcopy"),
    "dataclasses": ("dataclass", "field", "replace"),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "enum": ("Enum",),
    "fractions": ("Fraction",),
    "functools": ("lru_cache", "partial", "reduce", "wraps"),
    "itertools": ("chain", "combinations", "groupby", "islice", "permutations", "product",
                  "zip_longest"),
    "math": ("ceil", "floor", "isclose", "sqrt"),
    "operator": ("attrgetter", "itemgetter"),
    "pathlib": ("Path",),
    "statistics": ("mean", "median"),
    "typing": ("Any", "Optional", "Union"),
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """An expression as it stands somewhere, with the names that it reads."""

    text: str
    loads: frozenset[str]
    compares: bool
    """Whether it is a comparison, fit to be a clause of a condition."""


@dataclass(frozen=True)
class RepositoryNames:
    """What every template may know of the other files."""

    imports: Mapping[str, str] = field(default_factory=dict)
    """By name: the statement that imports it."""
    expressions: tuple[Expression, ...] = ()
    """What is said in the repository, the most frequent first."""


def repository_names(sources: Mapping[str, SourceText]) -> RepositoryNames:
    """Collect imports and expressions of all files."""
    imports = {name: f"from {module} import {name}" for module, names in _STANDARD.items()
               for name in names}  # fmt: skip
    counts: Counter[Expression] = Counter()
    for path, source in sorted(sources.items()):
        module = _module_of(path)
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and module:
                imports[node.name] = f"from {module} import {node.name}"
    for _, source in sorted(sources.items()):
        for inner in ast.walk(source.tree):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                imports |= _imported(inner)
            elif isinstance(inner, ast.Call | ast.Subscript | ast.BinOp | ast.Compare):
                counts.update(_expression(source, inner))
    found = tuple(expression for expression, _ in counts.most_common(_MOST_EXPRESSIONS))
    return RepositoryNames(imports, found)


def import_of(name: str, known: RepositoryNames) -> str | None:
    """The statement that would bring a name in; None when nobody knows."""
    if name in known.imports:
        return known.imports[name]
    return f"import {name}" if name in sys.stdlib_module_names else None


def _module_of(path: str) -> str:
    parts = path.removesuffix(".py").removeprefix("src/").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    found = {}
    for alias in node.names:
        name = alias.asname or alias.name
        told = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
        if isinstance(node, ast.Import) and "." not in name:
            found[name] = f"import {told}"
        # What is relative means something else in another folder.
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and name != "*":
            found[name] = f"from {node.module} import {told}"
    return found


def _expression(source: SourceText, node: ast.expr) -> list[Expression]:
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return []
    if any(isinstance(above, ast.JoinedStr) for above in source.ancestors(node)):
        return []  # before Python 3.12 what is inside has no true positions
    text = source.segment(node)
    if len(text) > _LONGEST_EXPRESSION or "\n" in text:
        return []
    names = frozenset(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return [Expression(text, names, isinstance(node, ast.Compare))]
