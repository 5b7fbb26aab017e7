"""Templates for names: wrong variable, near-miss spelling, attributes, `self.`, missing import."""

import ast
import builtins
import difflib
import sys
from collections.abc import Iterable, Iterator

from activities.healing.search.candidate import Replacement
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


def name_ideas(site: Site) -> Iterator[Idea]:
    """Everything these templates can do to the statement."""
    known = _known(site)
    for node in site.expressions():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from _name(site, node, known)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield from _attribute(site, node)
        elif isinstance(node, ast.Call):
            yield from _keyword_names(site, node)
    yield from _targets(site)
    if isinstance(site.statement, ast.Assign | ast.AugAssign | ast.Return | ast.Expr):
        yield from _donors(site)


def _known(site: Site) -> set[str]:
    module = site.module
    inner = {name for node in site.expressions() for name in stored_names(node)}
    nested = {
        inner_node.name
        for inner_node in ast.walk(site.function or site.source.tree)
        if isinstance(inner_node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return {*site.locals, *module.values, *module.callables, *module.modules, *inner, *nested,
            *_BUILTINS, "self", "cls", "__class__", "__name__", "__file__"}  # fmt: skip


def _near(name: str, others: Iterable[str], most: int = 3) -> list[str]:
    return difflib.get_close_matches(name, [other for other in others if other != name], most, 0.6)


def _name(site: Site, node: ast.Name, known: set[str]) -> Iterator[Idea]:
    parent = site.parent(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    if node.id not in known:
        yield from _unknown_name(site, node, known)
        return
    if node.id in site.attributes and node.id not in site.module.callables:
        yield site.replaced(node, f"self.{node.id}", 0.5)
    if called and node.id in {*site.module.methods.get(site.class_name, ())}:
        yield site.replaced(node, f"self.{node.id}", 0.5)
    for family in _SIBLINGS:
        if node.id in family and called:
            for other in family:
                if other != node.id and other in _BUILTINS:
                    yield site.replaced(node, other, 0.3)
    if called:
        if node.id in site.module.callables:
            others = [name for name in site.module.callables if name != node.id]
            near = _near(node.id, others, 5)
            for rank, other in enumerate([*near, *(o for o in others if o not in near)][:10]):
                yield site.replaced(node, other, 0.9 + 0.08 * rank)
        return
    if node.id in {"self", "cls"}:
        return
    bound = {name for inner in site.expressions() for name in stored_names(inner)}
    others = [name for name in (*bound, *site.locals) if name != node.id]
    others = list(dict.fromkeys(others))
    near = _near(node.id, others, 4)
    for rank, other in enumerate([*near, *(o for o in others if o not in near)][:12]):
        yield site.replaced(node, other, 0.6 + 0.05 * rank)
    is_value = node.id in site.module.values
    others = [name for name in site.module.values if name != node.id and name not in site.locals]
    near = _near(node.id, others, 4)
    for rank, other in enumerate([*near, *(o for o in others if o not in near)][:8]):
        yield site.replaced(node, other, (0.7 if is_value else 1.5) + 0.06 * rank)
    for rank, attribute in enumerate(site.attributes[:8]):
        yield site.replaced(node, f"self.{attribute}", 1.3 + 0.06 * rank)
    for rank, attribute in enumerate(site.module.receivers.get(node.id, ())[:6]):
        if not isinstance(parent, ast.Attribute):
            yield site.replaced(node, f"{node.id}.{attribute}", 1.5 + 0.06 * rank)


def _unknown_name(site: Site, node: ast.Name, known: set[str]) -> Iterator[Idea]:
    methods = site.module.methods.get(site.class_name, ())
    for name in (*site.attributes, *methods):
        if name == node.id and "self" not in {node.id}:
            yield site.replaced(node, f"self.{name}", -0.3)
    near = _near(node.id, sorted(known), 5)
    for rank, other in enumerate(near):
        yield site.replaced(node, other, -0.2 + 0.1 * rank)
    for rank, other in enumerate(name for name in site.locals if name not in near):
        yield site.replaced(node, other, 0.4 + 0.05 * rank)
    for rank, other in enumerate(_near(node.id, site.attributes)):
        yield site.replaced(node, f"self.{other}", 0.1 + 0.1 * rank)
    if node.id in sys.stdlib_module_names:
        at, newline = _import_place(site), site.source.newline
        yield Idea(-0.4, f"added the missing `import {node.id}`",
                   (Replacement(at, at, f"import {node.id}{newline}"),))  # fmt: skip


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
    eager = 0.6 if site.hints.any("AttributeError") else 0.0
    own: tuple[str, ...] = ()
    if receiver == "self":
        methods = site.module.methods.get(site.class_name, ())
        own = tuple(m for m in methods if not m.startswith("__")) if called else site.attributes
        if eager and node.attr not in {*site.attributes, *methods}:
            for rank, other in enumerate(_near(node.attr, (*site.attributes, *methods))):
                yield renamed(other, -0.2 + 0.1 * rank)
        if node.attr in site.parameters:
            yield site.replaced(node, node.attr, 0.5)
    else:
        own = site.module.receivers.get(receiver, ())
    others = [other for other in own if other != node.attr]
    near = _near(node.attr, others)
    for rank, other in enumerate([*near, *(o for o in others if o not in near)][:10]):
        yield renamed(other, 0.7 + 0.06 * rank - (eager if other in near else 0.0))
    everywhere = [o for o in site.module.used_attributes if o != node.attr and o not in others]
    every_class = [o for names in site.module.attributes.values() for o in names]
    candidates = dict.fromkeys([*every_class, *everywhere])
    near = _near(node.attr, candidates, 4)
    for rank, other in enumerate([*near, *(o for o in candidates if o not in near)][:12]):
        yield renamed(other, 1.1 + 0.07 * rank - (eager if other in near else 0.0))
    for rank, other in enumerate(other for other in site.locals[:8] if other != receiver):
        if isinstance(node.value, ast.Name) and receiver != "self":
            yield site.rewritten(
                node, [Replacement(*source.span(node.value), other)], 1.0 + 0.06 * rank
            )
    if not called and site.hints.any("TypeError"):
        yield site.replaced(node, f"{source.segment(node)}()", 0.8)


def _keyword_names(site: Site, node: ast.Call) -> Iterator[Idea]:
    for keyword in node.keywords:
        if keyword.arg is None or not site.hints.any("TypeError"):
            continue
        start = site.source.span(keyword)[0]
        names = {*site.locals, *site.attributes, *site.module.used_attributes}
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
        for rank, other in enumerate(name for name in site.locals if name != target.id):
            yield site.replaced(target, other, 1.3 + 0.06 * rank)
        if target.id in site.attributes:
            yield site.replaced(target, f"self.{target.id}", 0.6)
    elif isinstance(target, ast.Attribute) and site.source.segment(target.value) == "self":
        for rank, other in enumerate(name for name in site.attributes if name != target.attr):
            yield site.replaced(target, f"self.{other}", 1.2 + 0.06 * rank)
    elif isinstance(target, ast.Tuple) and len(target.elts) == 2:
        first, second = (site.source.segment(part) for part in target.elts)
        yield site.replaced(target, f"{second}, {first}", 0.7)


def _donors(site: Site) -> Iterator[Idea]:
    """An expression of the same function in the place of another; differences of names."""
    for node in site.expressions():
        if not isinstance(node, ast.Name | ast.Call | ast.BinOp | ast.Subscript | ast.Attribute):
            continue
        parent = site.parent(node)
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or (
            isinstance(parent, ast.Call) and parent.func is node
        ) or isinstance(parent, ast.Attribute):  # fmt: skip
            continue
        text = site.source.segment(node)
        for rank, donor in enumerate(d for d in site.donors if d != text):
            yield site.replaced(node, donor, 1.9 + 0.05 * rank)
        if isinstance(node, ast.Name):
            names = [name for name in site.locals if name != node.id][:6]
            for rank, other in enumerate(names):
                for sign in "-+*":
                    yield site.replaced(node, f"{node.id} {sign} {other}", 2.1 + 0.05 * rank)
