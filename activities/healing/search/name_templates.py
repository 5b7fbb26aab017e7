"""Templates for names: wrong variable, near-miss spelling, attributes, `self.`, missing import."""

import ast
import builtins
import difflib
from collections.abc import Callable, Iterable, Iterator

from activities.healing.search.candidate import Replacement
from activities.healing.search.repository_names import import_of
from activities.healing.search.site import Idea, Site, stored_names

_BUILTINS = frozenset(dir(builtins))
_SIBLINGS = (
    ("min", "max"), ("any", "all"), ("append", "extend"), ("upper", "lower", "title", "capitalize"),
    ("startswith", "endswith"), ("strip", "lstrip", "rstrip"), ("keys", "values", "items"),
    ("floor", "ceil", "trunc"), ("find", "rfind", "index"), ("union", "intersection",
    "difference", "symmetric_difference"), ("split", "rsplit", "splitlines"), ("add", "discard",
    "remove"), ("sum", "len", "max"), ("int", "float", "round", "str"), ("sorted", "reversed",
    "list"), ("issubset", "issuperset"), ("isdigit", "isalpha", "isalnum"), ("popleft", "pop"),
    ("appendleft", "append"), ("heappush", "heappop"), ("ljust", "rjust"), ("list", "set", "tuple"),
    ("insert", "append"), ("bisect_left", "bisect_right"), ("islower", "isupper"),
    ("total_seconds", "seconds"), ("setdefault", "get"), ("abs", "round"),
)  # fmt: skip


def name_ideas(site: Site, *, donors: bool = True) -> Iterator[Idea]:
    """Everything these templates can do to the statement; `donors`: with foreign expressions."""
    known = _known(site)
    for node in site.expressions():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from _name(site, node, known)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield from _attribute(site, node)
        elif isinstance(node, ast.Call):
            yield from _keyword_names(site, node)
    yield from _targets(site)
    if donors and isinstance(site.statement, ast.Assign | ast.AugAssign | ast.Return | ast.Expr):
        yield from _donors(site)


def _known(site: Site) -> set[str]:
    module = site.module
    inner = {name for node in site.expressions() for name in stored_names(node)}
    nested = {
        inner_node.name
        for inner_node in ast.walk(site.function or site.source.tree)
        if isinstance(inner_node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return {*site.names.locals, *module.values, *module.callables, *module.modules, *inner, *nested,
            *_BUILTINS, "self", "cls", "__class__", "__name__", "__file__"}  # fmt: skip


def _near(name: str, others: Iterable[str], most: int = 3) -> list[str]:
    return difflib.get_close_matches(name, [other for other in others if other != name], most, 0.6)


def _ranked(name: str, others: Iterable[str], most: int = 4) -> list[str]:
    """The other names, those that look alike first."""
    rest = [other for other in dict.fromkeys(others) if other != name]
    near = _near(name, rest, most)
    return [*near, *(other for other in rest if other not in near)]


def _name(site: Site, node: ast.Name, known: set[str]) -> Iterator[Idea]:
    parent = site.parent(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    if node.id not in known:
        yield from _unknown_name(site, node, known)
        return
    if node.id in site.names.attributes and node.id not in site.module.callables:
        yield site.replaced(node, f"self.{node.id}", 0.5)
    if called and node.id in {*site.module.methods.get(site.names.class_name, ())}:
        yield site.replaced(node, f"self.{node.id}", 0.5)
    if called:
        yield from _other_functions(site, node)
        return
    yield from _other_values(site, node)


def _other_functions(site: Site, node: ast.Name) -> Iterator[Idea]:
    for family in _SIBLINGS:
        for other in family if node.id in family else ():
            if other != node.id and other in _BUILTINS:
                yield site.replaced(node, other, 0.3)
    if node.id in site.module.callables:
        for rank, other in enumerate(_ranked(node.id, site.module.callables, 5)[:10]):
            yield site.replaced(node, other, 0.9 + 0.08 * rank)


def _other_values(site: Site, node: ast.Name) -> Iterator[Idea]:
    bound = [name for inner in site.expressions() for name in stored_names(inner)]
    receiver = isinstance(site.parent(node), ast.Attribute)
    base = 0.9 if node.id == "self" else 0.6
    own = ["self"] if site.names.class_name and (receiver or site.hints.any("TypeError")) else []
    for rank, other in enumerate(_ranked(node.id, [*bound, *site.names.locals, *own])[:12]):
        yield site.replaced(node, other, base + 0.05 * rank)
    if node.id in {"self", "cls"}:
        return
    base = 0.7 if node.id in site.module.values else 1.5
    values = [name for name in site.module.values if name not in site.names.locals]
    for rank, other in enumerate(_ranked(node.id, values)[:8]):
        yield site.replaced(node, other, base + 0.06 * rank)
    for rank, attribute in enumerate(site.names.attributes[:8]):
        yield site.replaced(node, f"self.{attribute}", 1.3 + 0.06 * rank)
    for rank, attribute in enumerate(site.module.receivers.get(node.id, ())[:6]):
        if not isinstance(site.parent(node), ast.Attribute):
            yield site.replaced(node, f"{node.id}.{attribute}", 1.5 + 0.06 * rank)


def _unknown_name(site: Site, node: ast.Name, known: set[str]) -> Iterator[Idea]:
    methods = site.module.methods.get(site.names.class_name, ())
    for name in (*site.names.attributes, *methods):
        if name == node.id and "self" not in {node.id}:
            yield site.replaced(node, f"self.{name}", -0.3)
    near = _near(node.id, sorted(known), 5)
    for rank, other in enumerate(near):
        yield site.replaced(node, other, -0.2 + 0.1 * rank)
    for rank, other in enumerate(name for name in site.names.locals if name not in near):
        yield site.replaced(node, other, 0.4 + 0.05 * rank)
    for rank, other in enumerate(_near(node.id, site.names.attributes)):
        yield site.replaced(node, f"self.{other}", 0.1 + 0.1 * rank)
    statement = import_of(node.id, site.repository)
    if statement is not None:
        at, newline = _import_place(site), site.source.newline
        yield Idea(-0.4, f"added the missing `{statement}`",
                   (Replacement(at, at, f"{statement}{newline}"),))  # fmt: skip


def _import_place(site: Site) -> int:
    imports = [
        node for node in site.source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if imports:
        last = imports[-1]
        assert last.end_lineno is not None
        return site.source.line_starts[last.end_lineno]
    body = site.source.tree.body
    if body and ast.get_docstring(site.source.tree) is not None:
        assert body[0].end_lineno is not None
        return site.source.line_starts[body[0].end_lineno]
    return site.source.line_starts[body[0].lineno - 1] if body else 0


def _attribute(site: Site, node: ast.Attribute) -> Iterator[Idea]:
    source = site.source
    parent = site.parent(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    receiver = source.segment(node.value)
    end = source.span(node)[1]
    name = Replacement(end - len(node.attr), end, "")

    def renamed(other: str, cost: float) -> Idea:
        return site.rewritten(node, [Replacement(name.start, name.end, other)], cost)

    for family in _SIBLINGS:
        if node.attr in family:
            for other in family:
                if other != node.attr:
                    yield renamed(other, 0.25)
    yield from _other_attributes(site, node, renamed, called)
    if receiver == "self" and node.attr in site.names.parameters:
        yield site.replaced(node, node.attr, 0.5)
    if not called and site.hints.any("TypeError"):
        yield site.replaced(node, f"{source.segment(node)}()", 0.8)


def _other_attributes(
    site: Site, node: ast.Attribute, renamed: Callable[[str, float], Idea], called: bool
) -> Iterator[Idea]:
    """Attributes of the same object first, then those of any; look-alikes before others."""
    receiver = site.source.segment(node.value)
    eager = 0.6 if site.hints.any("AttributeError") else 0.0
    own = site.module.receivers.get(receiver, ())
    if receiver == "self":
        methods = site.module.methods.get(site.names.class_name, ())
        own = (
            tuple(m for m in methods if not m.startswith("__")) if called else site.names.attributes
        )
        if eager and node.attr not in {*site.names.attributes, *methods}:
            for rank, other in enumerate(_near(node.attr, (*site.names.attributes, *methods))):
                yield renamed(other, -0.2 + 0.1 * rank)
    every_class = [name for names in site.module.attributes.values() for name in names]
    anywhere = [n for n in (*every_class, *site.module.used_attributes) if n not in own]
    for base, most, names in ((0.7, 24, own), (1.1, 40, anywhere)):
        near = _near(node.attr, names)
        for rank, other in enumerate(_ranked(node.attr, names)[:most]):
            yield renamed(other, base + 0.04 * rank - (eager if other in near else 0.0))


def _keyword_names(site: Site, node: ast.Call) -> Iterator[Idea]:
    for keyword in node.keywords:
        if keyword.arg is None or not site.hints.any("TypeError"):
            continue
        start = site.source.span(keyword)[0]
        names = {*site.names.locals, *site.names.attributes, *site.module.used_attributes}
        for name in _near(keyword.arg, sorted(names)):
            change = Replacement(start, start + len(keyword.arg), name)
            yield site.rewritten(node, [change], 0.3)


def _targets(site: Site) -> Iterator[Idea]:
    """Assign to another variable than before."""
    statement = site.statement
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AugAssign):
        target = statement.target
    else:
        return
    if isinstance(target, ast.Name):
        for rank, other in enumerate(name for name in site.names.locals if name != target.id):
            yield site.replaced(target, other, 1.3 + 0.06 * rank)
        if target.id in site.names.attributes:
            yield site.replaced(target, f"self.{target.id}", 0.6)
    elif isinstance(target, ast.Attribute) and site.source.segment(target.value) == "self":
        for rank, other in enumerate(name for name in site.names.attributes if name != target.attr):
            yield site.replaced(target, f"self.{other}", 1.2 + 0.06 * rank)
    elif isinstance(target, ast.Tuple) and len(target.elts) == 2:
        first, second = (site.source.segment(part) for part in target.elts)
        yield site.replaced(target, f"{second}, {first}", 0.7)


def _donors(site: Site) -> Iterator[Idea]:
    """An expression of the same function, or one that others use, in the place of another."""
    for node in site.expressions():
        if not isinstance(node, ast.Name | ast.Call | ast.BinOp | ast.Subscript | ast.Attribute):
            continue
        parent = site.parent(node)
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or (
            isinstance(parent, ast.Call) and parent.func is node
        ) or isinstance(parent, ast.Attribute):  # fmt: skip
            continue
        text = site.source.segment(node)
        for rank, donor in enumerate(d for d in site.names.donors if d != text):
            yield site.replaced(node, donor, 1.9 + 0.05 * rank)
        for rank, donor in enumerate(d for d in site.names.foreign if d != text):
            yield site.replaced(node, donor, 2.3 + 0.05 * rank)
        if isinstance(node, ast.Name):
            names = [name for name in site.names.locals if name != node.id][:6]
            for rank, other in enumerate(names):
                for sign in "-+*":
                    yield site.replaced(node, f"{node.id} {sign} {other}", 2.1 + 0.05 * rank)
