"""Templates for statements: guards, returns, assignments, dropping, moving and repeating."""

import ast
import builtins
from collections.abc import Iterator

from activities.healing.search.candidate import Replacement
from activities.healing.search.site import Idea, Site, shown, stored_names
from activities.healing.search.source_text import Function

_EMPTY_VALUES = ("None", "[]", "0", '""', "{}", "False", "True", "0.0", "1", "()", "set()")
_AUGMENTED: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("-=", "=", "*="),
    ast.Sub: ("+=", "="),
    ast.Mult: ("/=", "+=", "="),
    ast.Div: ("*=", "//="),
    ast.FloorDiv: ("%=", "/="),
    ast.Mod: ("//=",),
    ast.BitOr: ("&=",),
    ast.BitAnd: ("|=",),
}
_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Raise, ast.Delete)


def statement_ideas(site: Site) -> Iterator[Idea]:
    """Everything these templates can do to the statement."""
    statement = site.statement
    if _is_docstring(site, statement) or not _begins_line(site, statement):
        return
    yield from _guards(site)
    match statement:
        case ast.Return():
            yield from _return(site, statement)
        case ast.AugAssign():
            yield from _augmented(site, statement)
        case ast.Assign():
            yield from _assignment(site, statement)
        case ast.Break():
            yield _as(site, "continue", 0.4)
        case ast.Continue():
            yield _as(site, "break", 0.4)
        case ast.Pass():
            yield _as(site, "return None", 0.9)
    yield from _missing_return(site)
    yield from _moved(site)
    yield from _wrapped(site)
    yield from _inserted(site)
    yield from _donated(site)
    if isinstance(statement, (*_SIMPLE, ast.If, ast.For, ast.While, ast.Break, ast.Continue)):
        old = shown(site.source.segment(statement))
        start, end = site.source.span(statement)
        yield Idea(2.0, f"dropped `{old}`", (Replacement(start, end, "pass"),), True)


def header_ideas(site: Site) -> Iterator[Idea]:
    """What can be done to a function's head: mutable defaults, and a guard before everything."""
    function = site.statement
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d]
    body = [node for node in function.body if not _is_docstring(site, node)]
    for argument, default in pairs:
        mutable = isinstance(default, ast.List | ast.Dict | ast.Set) or (
            isinstance(default, ast.Call) and site.source.segment(default.func) in {"list", "dict",
                                                                                   "set"}
        )  # fmt: skip
        if not mutable or not body or not _begins_line(site, body[0]):
            continue
        start, end = site.source.span(default)
        name, indent, newline = argument.arg, site.source.indentation(body[0]), site.source.newline
        at = site.source.span(body[0])[0]
        made = site.source.text[start:end]
        guard = f"if {name} is None:{newline}{indent}    {name} = {made}{newline}{indent}"
        yield Idea(0.2, f"made a new `{made}` for `{name}` in each call instead of sharing one",
                   (Replacement(start, end, "None"), Replacement(at, at, guard)))  # fmt: skip


def _is_docstring(site: Site, node: ast.stmt) -> bool:
    parent = site.source.parents.get(node)
    body = getattr(parent, "body", [])
    return bool(
        body
        and body[0] is node
        and isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _begins_line(site: Site, node: ast.stmt) -> bool:
    return not site.source.indentation(node).strip()


def _as(site: Site, text: str, cost: float) -> Idea:
    start, end = site.source.span(site.statement)
    old = shown(site.source.text[start:end])
    return Idea(cost, f"replaced `{old}` with `{text}`", (Replacement(start, end, text),))


def _before(site: Site, lines: list[str], cost: float, *, removes: bool = False) -> Idea:
    indent, newline = site.source.indentation(site.statement), site.source.newline
    at = site.source.span(site.statement)[0]
    text = "".join(f"{line}{newline}{indent}" for line in lines)
    said = shown(" ".join(line.strip() for line in lines))
    before = shown(site.source.segment(site.statement), 40)
    return Idea(cost, f"inserted `{said}` before `{before}`", (Replacement(at, at, text),), removes)


def _after(site: Site, lines: list[str], cost: float) -> Idea:
    indent, newline = site.source.indentation(site.statement), site.source.newline
    end = site.source.span(site.statement)[1]
    text = "".join(f"{newline}{indent}{line}" for line in lines)
    said = shown(" ".join(line.strip() for line in lines))
    after = shown(site.source.segment(site.statement), 40)
    return Idea(cost, f"inserted `{said}` after `{after}`", (Replacement(end, end, text),))


def _guards(site: Site) -> Iterator[Idea]:
    """An early way out before the first statement, or before one that raises."""
    function = site.function
    if function is None or isinstance(site.statement, ast.Pass):
        return
    first = next((n for n in function.body if not _is_docstring(site, n)), None) is site.statement
    loud = site.hints.any(
        "ZeroDivisionError", "IndexError", "ValueError", "TypeError", "KeyError",
        "RecursionError", "StatisticsError", "AttributeError", "StopIteration", "UnboundLocalError",
    )  # fmt: skip
    cost = (0.5 if first else 1.2) - (0.3 if loud else -0.5)
    names = [*site.names.parameters, *(f"self.{name}" for name in site.names.attributes)]
    if not first:
        names = list(dict.fromkeys([*_names_in(site), *names]))
    tests = [f"not {name}" for name in names[:5]]
    forms = ("{} is None", "{} <= 0", "{} <= 1", "{} < 0")
    tests += [form.format(name) for name in names[:3] for form in forms]
    for exception in sorted(site.hints.raises):
        if exception in {"AssertionError", "SystemExit", "KeyboardInterrupt"}:
            continue
        for rank, test in enumerate(_limits(site, names)):
            lines = [f"if {test}:", f'    raise {exception}("invalid value")']
            yield _before(site, lines, 0.3 + 0.06 * rank)
    if not (first or loud):
        return
    values = [*_EMPTY_VALUES, *site.names.parameters[:2]]
    for place, test in enumerate(tests):
        for rank, value in enumerate(_likely_first(site, values)):
            lines = [f"if {test}:", f"    return {value}"]
            yield _before(site, lines, cost + 0.1 * place + 0.05 * rank)
        if _in_loop(site):
            yield _before(site, [f"if {test}:", "    continue"], cost + 0.3 + 0.1 * place)


def _limits(site: Site, names: list[str]) -> list[str]:
    tests = []
    for name in names[:5]:
        tests += [f"{name} < 0", f"{name} <= 0", f"not {name}", f"{name} is None"]
    for left in names[:4]:
        tests += [f"{left} > {right}" for right in names[:4] if right != left]
    for value in site.module.values[:4]:
        tests += [f"{left} > {value}" for left in names[:3]]
    tests += [f"{name} > 100" for name in names[:3]]
    return tests


def _likely_first(site: Site, values: list[str]) -> list[str]:
    """Values of the kind that the function returns elsewhere come first."""
    assert site.function is not None
    returned = {
        site.source.segment(node.value)
        for node in ast.walk(site.function)
        if isinstance(node, ast.Return) and node.value is not None
    }
    return sorted(values, key=lambda value: value not in returned)


def _names_in(site: Site) -> list[str]:
    return [
        node.id
        for node in site.expressions()
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and node.id in site.names.locals
    ]


def _in_loop(site: Site) -> bool:
    for above in site.source.ancestors(site.statement):
        if isinstance(above, ast.For | ast.While | ast.AsyncFor):
            return True
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
    return False


def _return(site: Site, statement: ast.Return) -> Iterator[Idea]:
    if statement.value is None:
        for rank, name in enumerate((*site.names.locals[:8], *_EMPTY_VALUES[1:])):
            yield _as(site, f"return {name}", 0.7 + 0.06 * rank)
        return
    value = statement.value
    text, single = site.source.segment(value), site.operand(value)
    if isinstance(value, ast.Constant):
        for rank, name in enumerate((*site.names.locals[:8], *_EMPTY_VALUES)):
            yield site.replaced(value, name, 0.7 + 0.06 * rank)
        return
    yield site.replaced(value, f"not {single}", 0.7)
    yield site.replaced(value, f"-{single}", 1.2)
    for rank, form in enumerate(
        ("max(0, {})", "list({})", "sorted({})", "abs({})", "round({}, 2)", "int({})", "str({})",
         "len({})", "tuple({})", "bool({})", "set({})", "{}.copy()", "{}.strip()", "{}.lower()",
         "{}[::-1]", "dict({})", "float({})", "max(1, {})", "min(1, {})", "min(100, {})"),
    ):  # fmt: skip
        filled = form.format(single if form.startswith("{}") else text)
        yield site.replaced(value, filled, 1.3 + 0.03 * rank)
    for rank, name in enumerate(site.names.locals[:6]):
        for form in ("max({1}, {0})", "min({1}, {0})", "{0} + {1}", "{0} - {1}", "{0} * {1}"):
            filled = form.format(single if "(" not in form else text, name)
            yield site.replaced(value, filled, 1.7 + 0.06 * rank)
    for rank, name in enumerate(_EMPTY_VALUES):
        yield site.replaced(value, f"{single} or {name}", 1.8 + 0.03 * rank)
        idea = site.replaced(value, name, 2.0 + 0.03 * rank)
        yield Idea(idea.cost, idea.description, idea.replacements, True)


def _augmented(site: Site, statement: ast.AugAssign) -> Iterator[Idea]:
    start = site.source.span(statement.target)[1]
    end = site.source.span(statement.value)[0]
    gap = site.source.text[start:end]
    sign = gap.strip(" (\t")
    at = start + gap.index(sign)
    for rank, other in enumerate(_AUGMENTED.get(type(statement.op), ())):
        yield site.rewritten(statement, [Replacement(at, at + len(sign), other)], 0.1 + 0.3 * rank)


def _assignment(site: Site, statement: ast.Assign) -> Iterator[Idea]:
    if len(statement.targets) != 1 or isinstance(statement.targets[0], ast.Tuple):
        return
    target, value = statement.targets[0], statement.value
    start, end = site.source.span(target)[1], site.source.span(value)[0]
    at = start + site.source.text[start:end].find("=")
    for rank, sign in enumerate(("+=", "-=", "*=", "|=")):
        yield site.rewritten(statement, [Replacement(at, at + 1, sign)], 0.7 + 0.2 * rank)
    if isinstance(value, ast.Constant | ast.List | ast.Dict | ast.Set | ast.Name):
        for rank, other in enumerate((*site.names.locals[:8], *_EMPTY_VALUES)):
            yield site.replaced(value, other, 1.0 + 0.06 * rank)
    text, single = site.source.segment(value), site.operand(value)
    for rank, form in enumerate(
        ("{}.copy()", "list({})", "dict({})", "max(0, {})", "sorted({})", "int({})", "abs({})",
         "{}.strip()", "{}.lower()", "float({})", "str({})", "len({})", "set({})"),
    ):  # fmt: skip
        filled = form.format(single if form.startswith("{}") else text)
        yield site.replaced(value, filled, 1.4 + 0.03 * rank)
    name = site.source.segment(target)
    for rank, other in enumerate(site.names.locals[:6]):
        if other != name:
            for form in ("max({1}, {0})", "min({1}, {0})", "{0} + {1}", "{0} - {1}"):
                filled = form.format(single if "(" not in form else text, other)
                yield site.replaced(value, filled, 1.8 + 0.06 * rank)


def _missing_return(site: Site) -> Iterator[Idea]:
    function, statement = site.function, site.statement
    if function is None or function.name == "__init__":
        return
    has_value = any(
        isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function)
    )
    last = function.body[-1] is statement
    eager = 0.4 if not has_value else 0.0
    if isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Yield | ast.Await):
        text = site.source.segment(statement)
        yield _as(site, f"return {text}", (0.5 if last else 0.9) - eager)
    if not last or isinstance(statement, ast.Return | ast.Raise):
        return
    names = list(dict.fromkeys([*stored_names(statement), *reversed(site.names.locals)]))
    for rank, name in enumerate(names[:8]):
        yield _after(site, [f"return {name}"], 0.6 - eager + 0.06 * rank)
    if "self" in _arguments_of(function):
        yield _after(site, ["return self"], 0.9 - eager)
    if has_value:
        for rank, value in enumerate(_EMPTY_VALUES[1:]):
            yield _after(site, [f"return {value}"], 0.9 + 0.06 * rank)


def _block(site: Site) -> list[ast.stmt]:
    parent = site.parent(site.statement)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and site.statement in block:
            return block
    return [site.statement]


def _whole_lines(site: Site, node: ast.stmt) -> tuple[int, int] | None:
    """The lines of a statement that shares them with no other."""
    assert node.end_lineno is not None
    start = site.source.line_starts[node.lineno - 1]
    end = site.source.line_starts[node.end_lineno]
    rest = site.source.text[site.source.span(node)[1] : end].strip()
    if site.source.indentation(node).strip() or not (rest == "" or rest.startswith("#")):
        return None
    return start, end


def _moved(site: Site) -> Iterator[Idea]:
    """Change places with the next statement; leave the block; enter the block above; repeat."""
    block, statement = _block(site), site.statement
    place = block.index(statement)
    own = _whole_lines(site, statement)
    if own is None or not site.source.text[own[0] : own[1]].endswith(("\n", "\r")):
        return
    text, said = site.source.text[own[0] : own[1]], shown(site.source.segment(statement))
    indent = site.source.indentation(statement)
    if place + 1 < len(block):
        following = _whole_lines(site, block[place + 1])
        if following is not None and site.source.text[following[0] : following[1]].endswith("\n"):
            yield Idea(0.9, f"moved `{said}` behind the statement after it",
                       (Replacement(own[0], own[1], ""),
                        Replacement(following[1], following[1], text)))  # fmt: skip
    parent = site.parent(statement)
    simple = isinstance(statement, _SIMPLE) and "\n" not in site.source.segment(statement)
    if simple and isinstance(parent, ast.For | ast.While | ast.If | ast.With) and (
        statement is block[-1]
    ):  # fmt: skip
        outer = site.source.indentation(parent)
        if len(outer) < len(indent) and parent.body == block and len(block) > 1 and (
            not getattr(parent, "orelse", None)
        ):  # fmt: skip
            yield Idea(0.6, f"moved `{said}` out of the block",
                       (Replacement(own[0], own[0] + len(indent), outer),))  # fmt: skip
    above = block[place - 1] if place else None
    if simple and isinstance(above, ast.For | ast.While | ast.If) and not above.orelse:
        inner = site.source.indentation(above.body[-1])
        if not inner.strip() and len(inner) > len(indent):
            yield Idea(0.9, f"moved `{said}` into the block above it",
                       (Replacement(own[0], own[0] + len(indent), inner),))  # fmt: skip
    if simple and isinstance(statement, ast.Expr | ast.AugAssign):
        yield Idea(1.7, f"repeated `{said}`", (Replacement(own[1], own[1], text),))


def _wrapped(site: Site) -> Iterator[Idea]:
    """Run the statement only under a condition."""
    statement = site.statement
    if not isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr | ast.Return):
        return
    segment = site.source.segment(statement)
    if "\n" in segment or site.function is None:
        return
    indent, newline = site.source.indentation(statement), site.source.newline
    names = list(dict.fromkeys([*_names_in(site), *site.names.locals]))[:5]
    tests = [form.format(name) for name in names for form in ("{}", "{} is not None",
                                                              "{} > 0")]  # fmt: skip
    tests += [f"{a} {sign} {b}" for a in names[:3] for b in names[:3] if a != b
              for sign in ("not in", "in", ">", "<", "!=")]  # fmt: skip
    tests += list(site.names.conditions)
    start, end = site.source.span(statement)
    for rank, test in enumerate(tests):
        text = f"if {test}:{newline}{indent}    {segment}"
        yield Idea(1.5 + 0.03 * rank, f"ran `{shown(segment)}` only if `{test}`",
                   (Replacement(start, end, text),))  # fmt: skip


def _inserted(site: Site) -> Iterator[Idea]:
    """A statement that was forgotten: an assignment, an increment, a collected item."""
    function, statement = site.function, site.statement
    if function is None:
        return
    yield from _forgotten_attributes(site, function)
    if site.hints.any("UnboundLocalError"):
        for name in site.names.locals[:6]:
            for rank, value in enumerate(_EMPTY_VALUES[:6]):
                yield _before(site, [f"{name} = {value}"], 0.6 + 0.06 * rank)
    if isinstance(statement, ast.Return | ast.Raise):
        return
    names = site.names.locals[:6]
    for rank, name in enumerate(names):
        yield _after(site, [f"{name} += 1"], 1.7 + 0.05 * rank)
        yield _after(site, [f"{name} -= 1"], 1.9 + 0.05 * rank)
        for other_rank, other in enumerate(names):
            if other != name:
                cost = 1.9 + 0.04 * (rank + other_rank)
                yield _after(site, [f"{name} = {other}"], cost)
                yield _after(site, [f"{name}.append({other})"], cost)
                yield _after(site, [f"{name}.add({other})"], cost + 0.2)


def _donated(site: Site) -> Iterator[Idea]:
    """A statement of the same file that the function could do with, too."""
    function = site.function
    if function is None:
        return
    module = site.module
    known = {*site.names.locals, *module.values, *module.callables, *module.modules, *dir(builtins)}
    known |= {"self"} & _arguments_of(function)
    read = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    missing = read - known
    here = site.source.segment(function)
    useful = [one for one in module.statements if one.loads <= known and one.stores <= read]
    for one in useful:
        if one.stores & missing:
            yield _before(site, [one.text], 0.1)
    rest = [one for one in useful if one.text not in here and not one.stores & missing]
    rest.sort(key=lambda one: -len((one.loads | one.stores) & read))
    for rank, one in enumerate(rest[:12]):
        yield _before(site, [one.text], 1.8 + 0.05 * rank)
        if _block(site)[-1] is site.statement and not isinstance(site.statement, ast.Return):
            yield _after(site, [one.text], 1.8 + 0.05 * rank)


def _forgotten_attributes(site: Site, function: Function) -> Iterator[Idea]:
    if function.name == "__init__":
        for rank, name in enumerate(site.names.parameters):
            if name not in site.names.attributes:
                yield _after(site, [f"self.{name} = {name}"], 0.6 + 0.06 * rank)
    if isinstance(site.statement, ast.Return | ast.Raise):
        return
    for rank, name in enumerate(site.names.attributes[:6]):
        for other in site.names.parameters[:3]:
            yield _after(site, [f"self.{name} += {other}"], 2.1 + 0.05 * rank)
            yield _after(site, [f"self.{name} -= {other}"], 2.15 + 0.05 * rank)
    methods = site.module.methods.get(site.names.class_name, ())
    for rank, name in enumerate(methods[:6] if "self" in _arguments_of(function) else ()):
        if name != function.name and not name.startswith("__"):
            yield _after(site, [f"self.{name}()"], 2.2 + 0.05 * rank)


def _arguments_of(function: Function) -> set[str]:
    return {argument.arg for argument in function.args.args}
