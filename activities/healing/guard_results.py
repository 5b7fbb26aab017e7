"""What the functions of a file answer: constants, tables, and branches for one input."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from activities.healing.guard_conditions import (
    LOOKUPS,
    all_blocks,
    asks_for_nothing,
    blocks,
    constant,
    flat,
    is_graded,
    leaves,
    negated,
    pins,
)
from activities.healing.guard_module import Function, Module, definitions, own_nodes
from activities.healing.guard_operations import Unknown

Callable = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_GIVEN = ast.Name | ast.Attribute | ast.Call | ast.Subscript
_MOST_DEPTH = 30


@dataclass(frozen=True)
class Table:
    """A constant mapping, sequence or class that an answer is taken from."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """One way to an answer. Without values it is computed."""

    values: tuple[str, ...]
    line: int
    table: Table | None = None
    is_for_nothing: bool = False
    """True behind a test for an empty, missing or negative input, or for its type."""
    is_graded: bool = False
    """True behind a test for more or less than something."""
    pinned: tuple[str, ...] = ()
    """Constants that the input is compared with on the way."""


@dataclass(frozen=True)
class Branch:
    """An answer of its own for an input that equals a constant."""

    subject: str
    shown: str
    inputs: tuple[str, ...]
    answers: tuple[str, ...]
    parameters: frozenset[str]
    line: int


@dataclass(frozen=True)
class Routine:
    """A function, read for its answers."""

    parameters: frozenset[str]
    results: list[Result]
    branches: list[Branch]
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stored: dict[str, list[Result]] = field(default_factory=dict)
    """What is assigned to attributes and entries, by the text of the target."""

    @property
    def is_constant(self) -> bool:
        """Whether the answer never depends on anything."""
        return all(each.values and each.table is None for each in self.results)


def routines(module: Module) -> dict[str, Routine]:
    """Every function by its qualified name, and lambdas by the name that they are bound to."""
    found: dict[str, Routine] = {}
    for name, node in definitions(module.tree):
        if isinstance(node, Function):
            found[name] = _Reader(module, node).routine()
    for each in module.nodes:
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Lambda):
            found[ast.unparse(each.targets[0])] = _Reader(module, each.value).routine()
    return found


class _Reader:
    def __init__(self, module: Module, node: Callable) -> None:
        self._module = module
        self._node = node
        self._body: list[ast.stmt]
        self._body = [ast.Return(node.body)] if isinstance(node, ast.Lambda) else node.body
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        self._defaults = dict(_defaults(arguments))
        self._parameters = frozenset(each.arg for each in named) - {"self", "cls", "mcs"}

    def routine(self) -> Routine:
        results = list(self._results(self._body, ()))
        return Routine(
            self._parameters - frozenset(self._defaults),
            results,
            list(self._branches()),
            dict(self._tables()),
            self._stored(),
        )

    def _stored(self) -> dict[str, list[Result]]:
        found: dict[str, list[Result]] = {}
        for node in own_nodes(self._body):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute | ast.Subscript):
                        results = list(self._of(node.value, (), 0))
                        found.setdefault(ast.unparse(target), []).extend(results)
        return found

    def _results(self, body: list[ast.stmt], tests: tuple[ast.expr, ...]) -> Iterator[Result]:
        for statement in body:
            match statement:
                case ast.Return(value=value) if value is not None:
                    yield from self._of(value, tests, 0)
                case ast.Expr(value=ast.Yield(value=value)) if value is not None:
                    yield from self._of(value, tests, 0)
                case ast.Expr(value=ast.YieldFrom(value=value)):
                    yield from self._of(value, tests, 0)
                case ast.If(test=test, body=inner, orelse=other):
                    yield from self._results(inner, (*tests, test))
                    yield from self._results(other, (*tests, negated(test)))
                    if leaves(inner):
                        tests = (*tests, negated(test))
                case ast.Match():
                    for case in statement.cases:
                        yield from self._results(case.body, (*tests, statement.subject))
                case _ if not isinstance(statement, Function | ast.ClassDef):
                    for block in blocks(statement):
                        yield from self._results(block, tests)

    def _of(self, node: ast.expr, tests: tuple[ast.expr, ...], depth: int) -> Iterator[Result]:
        line = getattr(node, "lineno", self._node.lineno)
        if depth > _MOST_DEPTH:
            yield Result((), line)
            return
        alternatives = self._alternatives(node, tests)
        if alternatives is not None:
            for each, guards in alternatives:
                yield from self._of(each, guards, depth + 1)
            return
        table = self._table(node)
        if table is not None:
            values, found, rest = table
            yield self._result(values, node, tests, found)
            for each in rest:
                for result in self._of(each, tests, depth + 1):
                    fallback = Table(found.name, ()) if result.table is None else result.table
                    yield replace(result, table=fallback)
            return
        worth = constant(node, self._module)
        if worth is not None:
            yield self._result(worth, node, tests, None)
            return
        bound = self._module.folding.bound(node) if isinstance(node, ast.Name) else []
        for each in bound:
            yield from self._of(each, (*tests, *self._tests_around(each)), depth + 1)
        # What a loop or a caller binds is computed.
        raw = self._module.folding.scopes.bound(node) if isinstance(node, ast.Name) else [None]
        if None in raw or not bound:
            yield Result((), line)

    def _alternatives(
        self, node: ast.expr, tests: tuple[ast.expr, ...]
    ) -> list[tuple[ast.expr, tuple[ast.expr, ...]]] | None:
        """The expressions one of which an expression is worth, with the tests before them."""
        match node:
            case ast.IfExp():
                return [
                    (node.body, (*tests, node.test)),
                    (node.orelse, (*tests, negated(node.test))),
                ]
            case ast.BoolOp(op=ast.Or(), values=[first, *others]) if isinstance(first, _GIVEN):
                return [(first, tests), *((each, (*tests, negated(first))) for each in others)]
            case ast.BoolOp():
                return [(part, tests) for part in node.values]
            case ast.NamedExpr() | ast.Await() | ast.Starred():
                return [(node.value, tests)]
            case ast.Name() if node.id in self._defaults:
                bound = self._module.folding.bound(node)
                return None if bound else [(self._defaults[node.id], tests)]
        return None

    def _result(
        self,
        values: tuple[str, ...],
        node: ast.expr,
        tests: tuple[ast.expr, ...],
        table: Table | None,
    ) -> Result:
        pinned = tuple(value for test in tests for value in pins(test, self._module)[1])
        is_text = all(not value.replace(".", "").lstrip("-").isdigit() for value in values)
        for_nothing = any(asks_for_nothing(test, is_text, self._module) for test in tests)
        line = getattr(node, "lineno", self._node.lineno)
        graded = any(map(is_graded, tests))
        return Result(values, line, table, for_nothing, graded, pinned)

    def _table(self, node: ast.expr) -> tuple[tuple[str, ...], Table, list[ast.expr]] | None:
        """The values, the table and the fall-backs of a look-up in constants."""
        rest: list[ast.expr] = []
        match node:
            case ast.Subscript(value=source):
                pass
            case ast.Call(func=ast.Attribute(value=source, attr=name)) if name in LOOKUPS:
                rest = list(node.args[1:])
            case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name() as owner, _, *rest]):
                found = self._class_table(owner.id)
                return None if found is None else (*found, rest)
            case ast.Call(func=ast.Name(id="next" | "filter"), args=[source, *rest]):
                pass
            case _:
                return None
        try:
            content = self._module.folding.value(source)
        except Unknown:
            return None
        name = ast.unparse(source) if isinstance(source, ast.Name | ast.Attribute) else ""
        if isinstance(content, dict):
            keys = tuple(value for key in content for value in flat(key))
            return tuple(flat(list(content.values()))), Table(name, keys), rest
        if isinstance(content, list | tuple):
            keys = tuple(str(number) for number in range(len(content)))
            return tuple(flat(content)), Table(name, keys), rest
        return None

    def _class_table(self, name: str) -> tuple[tuple[str, ...], Table] | None:
        for node in self._module.nodes:
            if isinstance(node, ast.ClassDef) and node.name == name:
                keys: list[str] = []
                values: list[str] = []
                for inner in node.body:
                    if isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                        found = constant(inner.value, self._module)
                        if found is not None:
                            keys.append(inner.targets[0].id)
                            values += found
                return tuple(values), Table(name, tuple(keys))
        return None

    def _tables(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for node in own_nodes(self._body):
            if isinstance(node, ast.Subscript | ast.Call):
                found = self._table(node)
                if found is not None and found[1].name:
                    yield found[1].name, found[1].keys

    def _tests_around(self, value: ast.expr) -> Iterator[ast.expr]:
        """The tests behind which a value is bound in this function."""
        for node in own_nodes(self._body):
            if isinstance(node, ast.If) and any(
                each is value for inner in node.body for each in ast.walk(inner)
            ):
                yield node.test

    def _branches(self) -> Iterator[Branch]:
        for block in all_blocks(self._body):
            for place, statement in enumerate(block):
                if isinstance(statement, ast.If):
                    otherwise = statement.orelse or block[place + 1 :]
                    line = statement.lineno
                    yield from self._branch(statement.test, statement.body, line)
                    yield from self._branch(negated(statement.test), otherwise, line)
        for node in own_nodes(self._body):
            if isinstance(node, ast.IfExp):
                line = node.lineno
                yield from self._branch(node.test, [ast.Expr(node.body)], line)
                yield from self._branch(negated(node.test), [ast.Expr(node.orelse)], line)
            elif isinstance(node, ast.Match):
                for case in node.cases:
                    for value in ast.walk(case.pattern):
                        if isinstance(value, ast.MatchValue):
                            test = ast.Compare(node.subject, [ast.Eq()], [value.value])
                            yield from self._branch(test, case.body, value.lineno)

    def _branch(self, test: ast.expr, body: list[ast.stmt], line: int) -> Iterator[Branch]:
        subjects, inputs = pins(test, self._module)
        answers = tuple(self._answers(body))
        if not inputs or not answers:
            return
        named = frozenset(
            each.id
            for subject in subjects
            for each in ast.walk(subject)
            if isinstance(each, ast.Name)
        )
        subject = " ".join(sorted(named & self._parameters))
        shown = f"{ast.unparse(test)}: {answers}"
        yield Branch(subject, shown, tuple(inputs), answers, named & self._parameters, line)

    def _answers(self, body: list[ast.stmt]) -> Iterator[str]:
        for statement in body:
            value = getattr(statement, "value", None)
            kinds = ast.Return | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr
            if isinstance(statement, kinds) and value is not None:
                if isinstance(value, ast.Yield) and value.value is not None:
                    value = value.value
                if id(value) in self._prose:
                    continue
                found = (
                    constant(value, self._module)
                    if not isinstance(value, ast.Call)
                    or isinstance(statement, ast.Return | ast.Assign)
                    else None
                )
                yield from found or ()
            elif isinstance(statement, ast.With | ast.Try):
                yield from self._answers(statement.body)

    @property
    def _prose(self) -> set[int]:
        return {
            id(each.value)
            for each in self._body
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
        }


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    for argument, default in zip(positional[first:], arguments.defaults, strict=True):
        yield argument.arg, default
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if value is not None:
            yield argument.arg, value
