"""What a template knows of the place it works on: statement, scope and how the tests fail."""

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from activities.healing.search.candidate import Replacement
from activities.healing.search.repository_names import RepositoryNames
from activities.healing.search.source_text import Function, SourceText

_ATOMS = (
    ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant, ast.List, ast.Dict, ast.Set,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.JoinedStr,
)  # fmt: skip
_OPPOSITES: dict[type[ast.cmpop], str] = {
    ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_BUILTINS = frozenset(dir(builtins))
_MOST_FOREIGN = 10
_MOST_CLAUSES = 20
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Idea:
    """A template's outcome, before the line's suspicion is counted in."""

    cost: float
    description: str
    replacements: tuple[Replacement, ...]
    removes: bool = False


@dataclass(frozen=True)
class Hints:
    """What the failures say, over all failing tests."""

    exceptions: frozenset[str] = frozenset()
    raises: frozenset[str] = frozenset()
    """Exceptions that the tests expected and did not get."""

    def any(self, *names: str) -> bool:
        """Whether one of these exceptions was seen."""
        return not self.exceptions.isdisjoint(names)


@dataclass(frozen=True)
class Statement:
    """A simple statement on one line, as it stands somewhere in the file."""

    text: str
    loads: frozenset[str]
    stores: frozenset[str]


@dataclass(frozen=True)
class ModuleNames:
    """Names that a module's code can use, found once for each file."""

    values: tuple[str, ...]
    """Variables assigned at the top level."""
    callables: tuple[str, ...]
    """Functions and classes, defined here or imported by name."""
    modules: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    """By class: what its methods store on `self`, and its class variables."""
    methods: Mapping[str, tuple[str, ...]]
    receivers: Mapping[str, tuple[str, ...]]
    """By the text before the dot: the attributes used of it."""
    used_attributes: tuple[str, ...]
    strings: tuple[str, ...]
    coroutines: frozenset[str]
    statements: tuple[Statement, ...]
    """Assignments and calls of the file's functions, each text once."""


@dataclass(frozen=True)
class FunctionNames:
    """What the code of one function can use, found once for all of its statements."""

    locals: tuple[str, ...] = ()
    """Parameters and variables."""
    parameters: tuple[str, ...] = ()
    class_name: str = ""
    donors: tuple[str, ...] = ()
    """Its expressions, as text."""
    foreign: tuple[str, ...] = ()
    """Expressions of the repository whose names it has."""
    conditions: tuple[str, ...] = ()
    """Its conditions, as text."""
    clauses: tuple[str, ...] = ()
    """Simple conditions of it and their opposites, then comparisons of the repository."""
    attributes: tuple[str, ...] = ()
    """What `self` has."""


@dataclass(frozen=True)
class Site:
    """One statement under suspicion."""

    source: SourceText
    statement: ast.stmt
    function: Function | None
    module: ModuleNames
    repository: RepositoryNames
    hints: Hints
    names: FunctionNames = field(default_factory=FunctionNames)

    def replaced(
        self, node: ast.expr | ast.stmt, text: str, cost: float, *, removes: bool = False
    ) -> Idea:
        """Put a text in a node's place; parentheses are added where the place demands them."""
        start, end = self.source.span(node)
        placed = text
        if isinstance(node, ast.expr) and not self._open(node) and not _is_atom(text):
            placed = f"({text})"
        old = self.source.text[start:end]
        return Idea(cost, f"replaced `{shown(old)}` with `{shown(text)}`",
                    (Replacement(start, end, placed),), removes)  # fmt: skip

    def rewritten(
        self, node: ast.expr | ast.stmt, replacements: Iterable[Replacement], cost: float
    ) -> Idea:
        """Change spans inside a node, described by the whole node before and after."""
        start, end = self.source.span(node)
        pieces, position = [], start
        changes = tuple(sorted(replacements, key=lambda r: (r.start, r.end)))
        for one in changes:
            pieces += [self.source.text[position : one.start], one.text]
            position = one.end
        pieces.append(self.source.text[position:end])
        old, new = shown(self.source.text[start:end]), shown("".join(pieces))
        return Idea(cost, f"replaced `{old}` with `{new}`", changes)

    def operand(self, node: ast.expr) -> str:
        """A node's text, fit to stand beside any operator."""
        text = self.source.segment(node)
        return text if isinstance(node, _ATOMS) else f"({text})"

    def expressions(self) -> Iterator[ast.expr]:
        """The statement's own expressions, not those of statements inside it."""
        statement = self.statement
        waiting: list[ast.AST] = [statement]
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [*statement.args.defaults, *statement.args.kw_defaults]
            waiting = [default for default in defaults if default is not None]
        elif isinstance(statement, ast.AnnAssign):
            waiting = [part for part in (statement.target, statement.value) if part is not None]
        elif isinstance(statement, ast.ClassDef):
            return
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, ast.expr):
                yield node
            if isinstance(node, ast.JoinedStr):
                waiting += self.source.values_inside(node)
                continue
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.stmt | ast.expr_context | ast.operator):
                    waiting.append(child)

    def parent(self, node: ast.AST) -> ast.AST:
        """The node above."""
        return self.source.parents[node]

    def _open(self, node: ast.expr) -> bool:
        parent = self.source.parents.get(node)
        if isinstance(parent, ast.stmt | ast.keyword | ast.Slice | ast.Tuple | ast.List):
            return True
        if isinstance(parent, ast.Call):
            return node in parent.args
        return isinstance(parent, ast.Subscript) and node is parent.slice


def _is_atom(text: str) -> bool:
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return False
    return isinstance(body, _ATOMS) or (isinstance(body, ast.Tuple) and text.startswith("("))


def shown(text: str, most: int = 70) -> str:
    """Code on one line, shortened, for an explanation."""
    line = _SPACE.sub(" ", text).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def module_names(source: SourceText) -> ModuleNames:
    """Collect the names of a file."""
    values: list[str] = []
    callables: list[str] = []
    modules: list[str] = []
    for node in source.tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                callables.append(node.name)
            case ast.ImportFrom():
                callables += [alias.asname or alias.name for alias in node.names]
            case ast.Import():
                modules += [a.asname or a.name.partition(".")[0] for a in node.names]
            case ast.Assign() | ast.AnnAssign():
                values += stored_names(node)
    attributes: dict[str, tuple[str, ...]] = {}
    methods: dict[str, tuple[str, ...]] = {}
    receivers: dict[str, list[str]] = {}
    used: list[str] = []
    strings: list[str] = []
    coroutines = set()
    for inner in ast.walk(source.tree):
        match inner:
            case ast.AsyncFunctionDef():
                coroutines.add(inner.name)
            case ast.ClassDef():
                attributes[inner.name], methods[inner.name] = _members(inner)
            case ast.Attribute():
                used.append(inner.attr)
                receivers.setdefault(ast.unparse(inner.value), []).append(inner.attr)
            case ast.Constant(value=str(text)) if 0 < len(text) <= 40 and "\n" not in text:
                strings.append(text)
    return ModuleNames(
        _unique(values), _unique(callables), _unique(modules), attributes, methods,
        {name: _unique(found) for name, found in receivers.items()},
        _unique(used), _unique(strings), frozenset(coroutines), _statements(source),
    )  # fmt: skip


def _members(definition: ast.ClassDef) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the objects of a class have: attributes, and methods."""
    attributes: list[str] = []
    methods: list[str] = []
    for part in definition.body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            is_property = any("property" in ast.dump(one) for one in part.decorator_list)
            (attributes if is_property else methods).append(part.name)
        elif isinstance(part, ast.Assign | ast.AnnAssign):
            attributes += stored_names(part)
    attributes += [
        inner.attr
        for inner in ast.walk(definition)
        if isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Store)
        and isinstance(inner.value, ast.Name)
        and inner.value.id == "self"
    ]
    return _unique(attributes), _unique(methods)


def _statements(source: SourceText) -> tuple[Statement, ...]:
    found: dict[str, Statement] = {}
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Assign | ast.AugAssign | ast.Expr) or isinstance(
            node.value, ast.Constant
        ):
            continue
        text = source.segment(node)
        if len(text) > 80 or "\n" in text or source.function_of(node) is None:
            continue
        names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
        found[text] = Statement(
            text,
            frozenset(name.id for name in names if isinstance(name.ctx, ast.Load)),
            frozenset(name.id for name in names if isinstance(name.ctx, ast.Store)),
        )
    return tuple(found.values())


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def stored_names(node: ast.AST) -> list[str]:
    """Names that a node binds, in order."""
    return [
        inner.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    ]


def function_names(
    source: SourceText, function: Function, module: ModuleNames, repository: RepositoryNames
) -> FunctionNames:
    """Gather what the templates need to know about a function."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    parameters = tuple(one.arg for one in every)
    class_name = next(
        (above.name for above in source.ancestors(function) if isinstance(above, ast.ClassDef)), ""
    )
    names = [name for name in (*parameters, *stored_names(function)) if name not in {"self", "cls"}]
    donors: dict[str, None] = {}
    conditions: dict[str, None] = {}
    for node in _inside(function):
        if isinstance(node, ast.Call | ast.Subscript | ast.BinOp | ast.Attribute):
            text = source.segment(node)
            if (
                len(text) <= 60
                and "\n" not in text
                and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
            ):
                donors[text] = None
        test = getattr(node, "test", None)
        if isinstance(test, ast.expr):
            text = source.segment(test)
            if len(text) <= 80 and "\n" not in text:
                conditions[text] = None
    own = frozenset(names)
    known = own | set(module.callables) | set(module.values) | set(module.modules) | _BUILTINS
    known |= {"self"} & set(parameters)
    usable = [one for one in repository.expressions if one.loads & own and one.loads <= known]
    return FunctionNames(
        locals=tuple(dict.fromkeys(names)),
        parameters=tuple(name for name in parameters if name not in {"self", "cls"}),
        class_name=class_name,
        donors=tuple(donors)[:40],
        foreign=tuple(one.text for one in usable if one.text not in donors)[:_MOST_FOREIGN],
        conditions=tuple(conditions)[:20],
        clauses=_clauses(conditions, [one.text for one in usable if one.compares]),
        attributes=module.attributes.get(class_name, ()) if "self" in parameters else (),
    )


def _clauses(conditions: Iterable[str], comparisons: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for text in conditions:
        condition = ast.parse(text.strip(), mode="eval").body
        for part in condition.values if isinstance(condition, ast.BoolOp) else [condition]:
            found |= dict.fromkeys([ast.unparse(part), _opposite(part)])
    found |= dict.fromkeys(comparisons)
    return tuple(found)[:_MOST_CLAUSES]


def _opposite(condition: ast.expr) -> str:
    if isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
        return ast.unparse(condition.operand)
    if isinstance(condition, ast.Compare) and len(condition.ops) == 1:
        sign = _OPPOSITES[type(condition.ops[0])]
        left, right = condition.left, condition.comparators[0]
        return f"{ast.unparse(left)} {sign} {ast.unparse(right)}"
    text = ast.unparse(condition)
    return f"not ({text})" if isinstance(condition, ast.Compare | ast.IfExp) else f"not {text}"


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.JoinedStr):
            yield from _inside(child)
