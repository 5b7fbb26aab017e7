"""Templates for operators, constants, ranges, slices, calls and conditions."""

import ast
import re
from collections.abc import Iterator
from itertools import combinations, pairwise

from activities.healing.search.candidate import Replacement
from activities.healing.search.site import Idea, Site

_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">", ">=", "!="),
    ast.LtE: ("<", ">=", ">", "=="),
    ast.Gt: (">=", "<", "<=", "!="),
    ast.GtE: (">", "<=", "<", "=="),
    ast.Eq: ("!=", "<=", ">="),
    ast.NotEq: ("==", "<", ">"),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
    ast.Is: ("is not", "=="),
    ast.IsNot: ("is", "!="),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("-", "*"),
    ast.Sub: ("+", "/"),
    ast.Mult: ("/", "+", "**", "//"),
    ast.Div: ("*", "//", "-"),
    ast.FloorDiv: ("%", "/", "*"),
    ast.Mod: ("//", "/", "*"),
    ast.Pow: ("*",),
    ast.BitAnd: ("|", "^"),
    ast.BitOr: ("&", "^"),
    ast.BitXor: ("|", "&"),
    ast.LShift: (">>",),
    ast.RShift: ("<<",),
}
_STRENGTH = {"|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6,
             "%": 6, "**": 8}  # fmt: skip
_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<",
    ast.RShift: ">>",
}  # fmt: skip
_COMPARISON_SIGN = re.compile(r"not\s+in\b|is\s+not\b|in\b|is\b|[<>=!]=|<|>")
_ARITHMETIC_SIGN = re.compile(r"\*\*|//|<<|>>|[-+*/%&|^]")


def expression_ideas(site: Site) -> Iterator[Idea]:
    """Everything these templates can do to the statement."""
    for node in site.expressions():
        match node:
            case ast.Compare():
                yield from _comparison(site, node)
            case ast.BoolOp():
                yield from _connective(site, node)
            case ast.BinOp():
                yield from _arithmetic(site, node)
            case ast.UnaryOp():
                yield from _unary(site, node)
            case ast.Constant():
                yield from _constant(site, node)
            case ast.Subscript():
                yield from _subscript(site, node)
            case ast.Call():
                yield from _call(site, node)
            case ast.IfExp():
                yield from _choice(site, node)
            case ast.Tuple() if isinstance(node.ctx, ast.Load):
                yield from _swapped(site, node, list(node.elts), 0.5)
            case ast.DictComp():
                yield from _swapped(site, node, [node.key, node.value], 0.6)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                yield from _filter(site, node)
        yield from _shifted(site, node)
    yield from _condition(site)


def _sign(site: Site, left: ast.expr, right: ast.expr, kind: re.Pattern[str]) -> Replacement | None:
    start, end = site.source.span(left)[1], site.source.span(right)[0]
    gap = re.sub(r"#[^\n]*", lambda found: " " * len(found[0]), site.source.text[start:end])
    found = kind.search(gap)
    return found and Replacement(start + found.start(), start + found.end(), "")


def _comparison(site: Site, node: ast.Compare) -> Iterator[Idea]:
    for (left, right), operator in zip(
        pairwise([node.left, *node.comparators]), node.ops, strict=True
    ):
        place = _sign(site, left, right, _COMPARISON_SIGN)
        if place is None:
            continue
        for rank, sign in enumerate(_COMPARISONS[type(operator)]):
            change = Replacement(place.start, place.end, sign)
            yield site.rewritten(node, [change], 0.15 * rank)


def _connective(site: Site, node: ast.BoolOp) -> Iterator[Idea]:
    new, old = ("or", "and") if isinstance(node.op, ast.And) else ("and", "or")
    changes = []
    for left, right in pairwise(node.values):
        place = _sign(site, left, right, re.compile(rf"\b{old}\b"))
        if place is not None:
            changes.append(Replacement(place.start, place.end, new))
    yield site.rewritten(node, changes, 0.1)
    if len(changes) > 1:
        for change in changes:
            yield site.rewritten(node, [change], 0.3)
    for value in node.values:
        others = [other for other in node.values if other is not value]
        text = f" {old} ".join(site.source.segment(other) for other in others)
        yield site.replaced(node, text, 1.1, removes=True)
        if not isinstance(value, ast.UnaryOp):
            text = f"not {_negatable(site, value)}"
            start, end = site.source.span(value)
            yield site.rewritten(node, [Replacement(start, end, text)], 0.5)


def _arithmetic(site: Site, node: ast.BinOp) -> Iterator[Idea]:
    place = _sign(site, node.left, node.right, _ARITHMETIC_SIGN)
    if place is None:
        return
    if (
        isinstance(node.op, ast.Mod)
        and isinstance(node.left, ast.Constant | ast.JoinedStr)
        and (not isinstance(getattr(node.left, "value", None), int | float))
    ):
        return
    old = _SIGNS.get(type(node.op), "@")
    for rank, sign in enumerate(_ARITHMETIC.get(type(node.op), ())):
        changes = [Replacement(place.start, place.end, sign)]
        for child in (node.left, node.right):
            if (
                isinstance(child, ast.BinOp)
                and _STRENGTH.get(_SIGNS.get(type(child.op), ""), 9) < _STRENGTH[sign]
            ):
                changes += _parenthesised(site, child)
        if isinstance(site.parent(node), ast.BinOp | ast.UnaryOp) and (
            _STRENGTH[sign] <= _STRENGTH[old]
        ):
            changes += _parenthesised(site, node)
        yield site.rewritten(node, changes, 0.1 + 0.25 * rank)
    if isinstance(node.op, ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow | ast.Add):
        text = f"{site.operand(node.right)} {old} {site.operand(node.left)}"
        yield site.replaced(node, text, 0.5)
    for kept in (node.left, node.right):
        yield site.replaced(node, site.source.segment(kept), 1.3, removes=True)
    yield from _regrouped(site, node, old)


def _regrouped(site: Site, node: ast.BinOp, sign: str) -> Iterator[Idea]:
    """`a + b * c` for `(a + b) * c`, and the other way."""
    segment = site.source.segment
    left, right = node.left, node.right
    if isinstance(right, ast.BinOp) and type(right.op) in _SIGNS:
        inner = _SIGNS[type(right.op)]
        grouped = f"({segment(left)} {sign} {site.operand(right.left)})"
        yield site.replaced(node, f"{grouped} {inner} {site.operand(right.right)}", 0.9)
    if isinstance(left, ast.BinOp) and type(left.op) in _SIGNS:
        inner = _SIGNS[type(left.op)]
        grouped = f"({site.operand(left.right)} {sign} {site.operand(right)})"
        yield site.replaced(node, f"{site.operand(left.left)} {inner} {grouped}", 0.9)


def _parenthesised(site: Site, node: ast.expr) -> list[Replacement]:
    start, end = site.source.span(node)
    text = site.source.text
    if text[:start].rstrip().endswith("(") and text[end:].lstrip().startswith(")"):
        return []
    return [Replacement(start, start, "("), Replacement(end, end, ")")]


def _unary(site: Site, node: ast.UnaryOp) -> Iterator[Idea]:
    text = site.source.segment(node.operand)
    if isinstance(node.op, ast.Not):
        yield site.replaced(node, text, 0.3)
    elif isinstance(node.op, ast.USub):
        yield site.replaced(node, text, 0.4)


def _constant(site: Site, node: ast.Constant) -> Iterator[Idea]:
    value = node.value
    if isinstance(site.parent(node), ast.Expr | ast.JoinedStr | ast.FormattedValue):
        return
    match value:
        case bool():
            yield site.replaced(node, str(not value), 0.2)
        case int():
            yield from _whole_number(site, node, value)
        case float():
            yield from _fraction(site, node, value)
        case str():
            yield from _text(site, node, value)
        case None:
            others = ("[]", "0", "{}", '""', "False", "True", *site.names.locals[:4])
            for rank, text in enumerate(others):
                yield site.replaced(node, text, 0.8 + 0.08 * rank)


def _whole_number(site: Site, node: ast.Constant, value: int) -> Iterator[Idea]:
    others = [value + 1, value - 1, 0, 1, 2, -value, value * 10, value // 10, 100]
    for rank, other in enumerate(dict.fromkeys(others)):
        if other != value:
            yield site.replaced(node, str(other), 0.3 + 0.12 * rank)
    yield from (site.replaced(node, text, 1.4) for text in ("None", "False", "True"))


def _fraction(site: Site, node: ast.Constant, value: float) -> Iterator[Idea]:
    others = [1 - value, value * 10, value / 10, value * 100, value / 100, 1 + value, 0.0, 1.0]
    others += [value * 2, value / 2, value + 0.05, value - 0.05]
    for rank, other in enumerate(dict.fromkeys(round(other, 12) for other in others)):
        yield site.replaced(node, repr(other), 0.5 + 0.1 * rank)


def _text(site: Site, node: ast.Constant, value: str) -> Iterator[Idea]:
    others = [text for text in site.module.strings if text != value]
    others.sort(key=lambda text: abs(len(text) - len(value)))
    for rank, text in enumerate(["", " ", *others][:14]):
        if text != value:
            yield site.replaced(node, _quoted(text), 1.0 + 0.06 * rank)
    for changed in (value.strip(), value.lower(), value.upper(), value.capitalize()):
        if changed not in {value, ""}:
            yield site.replaced(node, _quoted(changed), 0.8)


def _quoted(text: str) -> str:
    written = repr(text)
    return f'"{text}"' if written == f"'{text}'" and '"' not in text else written


def _subscript(site: Site, node: ast.Subscript) -> Iterator[Idea]:
    index = node.slice
    whole = site.source.segment(node.value)
    if isinstance(index, ast.Slice):
        low = site.source.segment(index.lower) if index.lower else None
        high = site.source.segment(index.upper) if index.upper else None
        step = f":{site.source.segment(index.step)}" if index.step else ""
        variants: list[tuple[float, str | None, str | None]] = [
            (0.3, _off(low, 1), high), (0.3, low, _off(high, 1)), (0.3, low, _off(high, -1)),
            (0.3, _off(low, -1), high), (0.4, high, low), (0.5, None, high), (0.5, low, None),
            (0.6, "1", high), (0.6, low, "-1"),
        ]  # fmt: skip
        if low is not None:
            variants += [(0.6, _minus(low), high), (0.5, None, _minus(low))]
        if high is not None:
            variants += [(0.6, low, _minus(high)), (0.5, _minus(high), None)]
        for cost, new_low, new_high in variants:
            if (new_low, new_high) != (low, high):
                text = f"{whole}[{new_low or ''}:{new_high or ''}{step}]"
                yield site.replaced(node, text, cost)
        if step:
            yield site.replaced(node, f"{whole}[{low or ''}:{high or ''}]", 0.7)
    else:
        text = site.source.segment(index)
        for cost, other in ((0.5, "-1"), (0.5, "0"), (0.6, "1"), (0.7, "-2")):
            if text != other and not (isinstance(index, ast.Constant)
                                      and isinstance(index.value, str)):  # fmt: skip
                yield site.replaced(index, other, cost)
        if isinstance(node.ctx, ast.Load) and not isinstance(index, ast.Tuple):
            eager = 0.7 if site.hints.any("KeyError", "IndexError") else 0.0
            for rank, default in enumerate(("", ", 0", ", []", ', ""', ", {}", ", False", ", 1")):
                yield site.replaced(node, f"{whole}.get({text}{default})", 1.0 - eager + 0.1 * rank)


def _minus(text: str) -> str:
    if text.startswith("-"):
        return text[1:]
    return f"-{text}" if text.isidentifier() or text.isdigit() else f"-({text})"


def _off(text: str | None, by: int) -> str | None:
    if text is None:
        return "1" if by > 0 else "-1"
    if text.lstrip("-").isdigit():
        return str(int(text) + by)
    return f"{text} + 1" if by > 0 else f"{text} - 1"


def _call(site: Site, node: ast.Call) -> Iterator[Idea]:
    segment = site.source.segment
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else name
    yield from _arguments(site, node, called)
    if name == "range" and not node.keywords:
        yield from _range(site, node, [segment(argument) for argument in node.args])
    if called in site.module.coroutines and not isinstance(site.parent(node), ast.Await):
        yield site.replaced(node, f"await {segment(node)}", 0.2)
    plain = not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
    if len(node.args) == 1 and plain:
        yield site.replaced(node, segment(node.args[0]), 1.3, removes=True)
    if isinstance(node.func, ast.Attribute) and not node.args:
        yield site.replaced(node, segment(node.func.value), 1.3, removes=True)
    if isinstance(site.parent(node), ast.Return | ast.Assign | ast.Call | ast.For):
        for wrapper in ("list", "sorted", "abs", "len", "int", "str", "set"):
            if wrapper != name:
                yield site.replaced(node, f"{wrapper}({segment(node)})", 1.9)


def _arguments(site: Site, node: ast.Call, called: str) -> Iterator[Idea]:
    yield from _swapped(site, node, node.args, 0.5)
    yield from _swapped(site, node, [keyword.value for keyword in node.keywords], 0.7)
    if called in {"get", "pop", "getattr"} and len(node.args) in {1, 2}:
        end = site.source.span(node.args[-1])[1]
        for rank, default in enumerate(("0", "[]", '""', "{}", "None", "False", "1")):
            change = Replacement(end, end, f", {default}")
            yield site.rewritten(node, [change], 0.6 + 0.1 * rank)
    if called in {"sorted", "sort"} and "reverse" not in {k.arg for k in node.keywords}:
        end = site.source.span(node)[1] - 1
        text = ", reverse=True" if node.args or node.keywords else "reverse=True"
        yield site.rewritten(node, [Replacement(end, end, text)], 0.6)
    for keyword in node.keywords:
        start, end = site.source.span(keyword)
        comma = site.source.text.rfind(",", site.source.span(node)[0], start)
        if comma > 0:
            yield Idea(1.3, f"dropped the argument `{site.source.segment(keyword)}`",
                       (Replacement(comma, end, ""),), True)  # fmt: skip


def _range(site: Site, node: ast.Call, texts: list[str]) -> Iterator[Idea]:
    variants: list[list[str]] = []
    if len(texts) == 1:
        variants = [[_more(texts[0], 1)], [_more(texts[0], -1)], ["1", texts[0]],
                    ["1", _more(texts[0], 1)], [texts[0], "0", "-1"],
                    [_more(texts[0], -1), "-1", "-1"]]  # fmt: skip
    elif len(texts) >= 2:
        first, last, rest = texts[0], texts[1], texts[2:]
        variants = [[first, _more(last, 1), *rest], [first, _more(last, -1), *rest],
                    [_more(first, 1), last, *rest], [_more(first, -1), last, *rest],
                    ["0", last, *rest], [last, *rest] if not rest else [first, last]]  # fmt: skip
    for rank, variant in enumerate(variants):
        yield site.replaced(node, f"range({', '.join(variant)})", 0.25 + 0.06 * rank)


def _more(text: str, by: int) -> str:
    for sign, amount in ((" + 1", 1), (" - 1", -1)):
        if text.endswith(sign) and amount == -by:
            return text[: -len(sign)]
    return _off(text, by) or text


def _choice(site: Site, node: ast.IfExp) -> Iterator[Idea]:
    yield from _swapped(site, node, [node.body, node.orelse], 0.4)
    start, end = site.source.span(node.test)
    text = f"not {_negatable(site, node.test)}"
    yield site.rewritten(node, [Replacement(start, end, text)], 0.45)
    for kept in (node.body, node.orelse):
        yield site.replaced(node, site.source.segment(kept), 1.3, removes=True)


def _filter(site: Site, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Iterator[Idea]:
    for generator in node.generators:
        end = site.source.span(generator.ifs[-1] if generator.ifs else generator.iter)[1]
        names = [inner.id for inner in ast.walk(generator.target) if isinstance(inner, ast.Name)]
        for test in generator.ifs:
            start, stop = site.source.span(test)
            text = f"not {_negatable(site, test)}"
            yield site.rewritten(node, [Replacement(start, stop, text)], 0.4)
            before = site.source.text.rfind("if", 0, start)
            yield Idea(1.3, f"dropped the filter `if {site.source.segment(test)}`",
                       (Replacement(before, stop, ""),), True)  # fmt: skip
        if not generator.ifs:
            tests = [form.format(name) for name in names
                     for form in ("{}", "{} is not None", "{} > 0")]  # fmt: skip
            for test_text in tests:
                change = Replacement(end, end, f" if {test_text}")
                yield site.rewritten(node, [change], 1.9)
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        yield from _swapped(site, node, [node.elt, node.generators[0].iter], 2.2)


def _swapped(site: Site, node: ast.expr, parts: list[ast.expr], cost: float) -> Iterator[Idea]:
    text = site.source.text
    for left in range(len(parts)):
        for right in range(left + 1, len(parts)):
            (a, b), (c, d) = site.source.span(parts[left]), site.source.span(parts[right])
            if text[a:b] != text[c:d] and b <= c:
                changes = [Replacement(a, b, text[c:d]), Replacement(c, d, text[a:b])]
                yield site.rewritten(node, changes, cost + 0.2 * (right - left - 1))


def _shifted(site: Site, node: ast.expr) -> Iterator[Idea]:
    """`x + 1` and `x - 1` for a value that counts something."""
    if not isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.BinOp):
        return
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    parent = site.parent(node)
    if isinstance(parent, ast.BinOp) and isinstance(parent.right, ast.Constant):
        if parent.right.value == 1 and isinstance(parent.op, ast.Add | ast.Sub):
            yield site.replaced(parent, site.source.segment(node), 0.35)
        return
    if isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Call) and parent.func is node):
        return
    near = isinstance(parent, ast.Compare | ast.Return | ast.Slice) or (
        isinstance(parent, ast.Subscript) and parent.slice is node
    )
    for text in (f"{site.operand(node)} - 1", f"{site.operand(node)} + 1"):
        yield site.replaced(node, text, 0.7 if near else 1.2)


def _negatable(site: Site, node: ast.expr) -> str:
    text = site.source.segment(node)
    return f"({text})" if isinstance(node, ast.BoolOp | ast.IfExp | ast.NamedExpr) else text


def _joined(site: Site, test: ast.expr) -> Iterator[Idea]:
    """A clause that the function, or code like it, asks for elsewhere, before or after the test."""
    segment = site.source.segment(test)
    for rank, clause in enumerate(one for one in site.names.clauses if one not in segment):
        for word, other in (("and", ast.Or), ("or", ast.And)):
            mixed = isinstance(test, ast.BoolOp) and isinstance(test.op, other)
            tight = f"({segment})" if mixed or isinstance(test, ast.IfExp) else segment
            cost = 1.1 + 0.04 * rank + (0.1 if word == "or" else 0.0)
            yield site.replaced(test, f"{clause} {word} {tight}", cost)
            yield site.replaced(test, f"{tight} {word} {clause}", cost + 0.02)


def _decided(site: Site, statement: ast.If | ast.While) -> Iterator[Idea]:
    """What the branches read, in place of a condition that decides nothing."""
    called = {id(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)}
    read = [
        site.source.segment(node)
        for part in (*statement.body, *statement.orelse)
        for node in ast.walk(part)
        if isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and id(node) not in called
        and (isinstance(node, ast.Attribute) or node.id in site.names.locals)
    ]
    values = list(dict.fromkeys(read))[:8]
    forms = ("{}", "not {}", "{} is not None", "{} is None", "{} > 0")
    for form_rank, form in enumerate(forms):
        for rank, value in enumerate(values):
            yield site.replaced(statement.test, form.format(value), 0.5 + 0.05 * (form_rank + rank))
    for (left, a), (right, b) in combinations([*enumerate(values[:6])], 2):
        for word in ("or", "and"):
            cost = 0.7 + 0.05 * (left + right)
            yield site.replaced(statement.test, f"{a} {word} {b}", cost)
            yield site.replaced(statement.test, f"{b} {word} {a}", cost + 0.02)


def _condition(site: Site) -> Iterator[Idea]:
    """Negate, strengthen or weaken the condition that the statement decides on."""
    statement = site.statement
    if not isinstance(statement, ast.If | ast.While | ast.Assert):
        return
    test = statement.test
    segment = site.source.segment(test)
    if isinstance(test, ast.Constant) and isinstance(statement, ast.If | ast.While):
        yield from _decided(site, statement)
    if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
        yield site.replaced(test, f"not {_negatable(site, test)}", 0.35)
    tight = f"({segment})" if isinstance(test, ast.BoolOp | ast.IfExp) else segment
    yield from _joined(site, test)
    tests = [text for text in site.names.conditions if text != segment]
    tests += [form.format(name) for name in site.names.locals[:6] for form in ("{}", "not {}")]
    for rank, other in enumerate(tests[:14]):
        for word in ("and", "or"):
            yield site.replaced(test, f"{tight} {word} ({other})", 1.7 + 0.04 * rank)
        yield site.replaced(test, other, 1.6 + 0.04 * rank)
    if isinstance(test, ast.Name | ast.Attribute):
        yield site.replaced(test, f"{segment} is not None", 0.6)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield site.replaced(test, f"{site.operand(test.operand)} is None", 0.6)
    if isinstance(statement, ast.If):
        start = site.source.span(statement)[0]
        if site.source.text.startswith("elif", start):
            yield Idea(0.9, f"made `elif {segment}` an `if` of its own",
                       (Replacement(start, start + 4, "if"),))  # fmt: skip
