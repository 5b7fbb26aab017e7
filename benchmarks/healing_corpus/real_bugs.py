"""Tier e: patterns that studies of real Python bugs report.

After BugsInPy (Widyasari et al., 2020), ManySStuBs4J and PySStuBs (Karampatsis and Sutton, 2020;
Kamienski et al., 2021), and BugSwarm: the wrong default, a forgotten normalisation, a look-alike
method, a lost guard, an identity test for an equality, a wrong key, and so on.
"""

import ast
from collections.abc import Callable, Iterator

from benchmarks.healing_corpus.mutation import Code, Function, Mutation, parameters

_LOOK_ALIKES = {
    "append": ("extend",),
    "extend": ("append",),
    "add": ("update",),
    "items": ("keys", "values"),
    "keys": ("values",),
    "values": ("keys",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "find": ("rfind",),
    "rfind": ("find",),
    "split": ("rsplit",),
    "rsplit": ("split",),
    "partition": ("rpartition",),
    "rpartition": ("partition",),
    "strip": ("lstrip", "rstrip"),
    "lstrip": ("strip",),
    "rstrip": ("strip",),
    "lower": ("upper",),
    "upper": ("lower",),
    "search": ("match",),
    "match": ("search",),
    "ljust": ("rjust",),
    "rjust": ("ljust",),
    "union": ("intersection",),
    "pop": ("get",),
    "setdefault": ("get",),
    "deepcopy": ("copy",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "islower": ("isupper",),
    "isupper": ("islower",),
}
_LOOK_ALIKE_FUNCTIONS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "str": "repr",
    "repr": "str",
    "list": "tuple",
    "tuple": "list",
    "deepcopy": "copy",
}
_NORMALISATIONS = frozenset(
    {
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "copy",
        "casefold",
        "title",
        "capitalize",
        "items",
        "keys",
    }
)
_CONVERSIONS = frozenset(
    {
        "str",
        "int",
        "float",
        "list",
        "tuple",
        "set",
        "dict",
        "sorted",
        "reversed",
        "abs",
        "bool",
        "round",
    }
)
_EXCEPTIONS = {
    "KeyError": "IndexError",
    "IndexError": "KeyError",
    "ValueError": "TypeError",
    "TypeError": "ValueError",
    "AttributeError": "KeyError",
    "StopIteration": "ValueError",
    "ImportError": "ValueError",
}


def mutations(code: Code) -> Iterator[Mutation]:
    """Every bug of this tier that the file has room for."""
    for node in code.nodes:
        for kind, pattern in _PATTERNS:
            if isinstance(node, kind):
                yield from pattern(code, node)


def _calls(code: Code, node: ast.Call) -> Iterator[Mutation]:
    function = node.func
    if isinstance(function, ast.Attribute):
        start, end = code.end(function) - len(function.attr.encode()), code.end(function)
        for other in _LOOK_ALIKES.get(function.attr, ()):
            yield code.spliced(start, end, other, "e", "look-alike-method")
        if function.attr in _NORMALISATIONS and not node.args and not node.keywords:
            yield code.replaced(node, code.text(function.value), "e", "lost-normalisation")
        if function.attr == "get" and len(node.args) == 2:
            text = code.text(node.args[0])
            yield code.spliced(
                code.start(node.args[0]), code.end(node.args[1]), text, "e", "lost-default"
            )
        if function.attr == "get" and node.args:
            text = f"{code.text(function.value)}[{code.text(node.args[0])}]"
            yield code.replaced(node, text, "e", "subscript-for-get")
    elif isinstance(function, ast.Name):
        if function.id in _LOOK_ALIKE_FUNCTIONS:
            other = _LOOK_ALIKE_FUNCTIONS[function.id]
            yield code.replaced(function, other, "e", "look-alike-function")
        if function.id in _CONVERSIONS and len(node.args) == 1:
            yield code.replaced(node, f"({code.text(node.args[0])})", "e", "lost-conversion")
        if function.id == "len":
            yield code.replaced(node, f"({code.text(node)} - 1)", "e", "off-by-one-length")
        if function.id == "isinstance" and len(node.args) == 2:
            kinds = node.args[1]
            if isinstance(kinds, ast.Tuple) and len(kinds.elts) > 1:
                for each in (kinds.elts[0], kinds.elts[-1]):
                    yield code.replaced(kinds, code.text(each), "e", "lost-type")


def _lost_arguments(code: Code, node: ast.Call) -> Iterator[Mutation]:
    given = sorted([*node.args, *(each.value for each in node.keywords)], key=code.start)
    if len(given) > 1:
        last = given[-1]
        start = code.end(given[-2])
        pattern = "lost-argument"
        if isinstance(last, ast.Starred) or any(each.arg is None for each in node.keywords):
            pattern = "not-passed-on"
        yield code.spliced(start, code.end(last), "", "e", pattern)


def _identity(code: Code, node: ast.Compare) -> Iterator[Mutation]:
    if len(node.ops) == 2:
        text = code.data[code.start(node) : code.end(node.comparators[0])].decode()
        yield code.replaced(node, text, "e", "lost-bound")
    if len(node.ops) != 1:
        return
    operator, right, left = node.ops[0], node.comparators[0], code.text(node.left)
    is_none = isinstance(right, ast.Constant) and right.value is None
    if is_none and isinstance(operator, ast.Is):
        yield code.replaced(node, f"not {left}", "e", "truth-for-none")
    elif is_none and isinstance(operator, ast.IsNot):
        yield code.replaced(node, left, "e", "truth-for-none")
    elif isinstance(operator, ast.Eq) and not isinstance(right, ast.Constant | ast.Tuple):
        yield from code.between(node.left, right, "==", "is", "e", "identity-for-equality")
    elif isinstance(operator, ast.In) and isinstance(right, ast.Tuple | ast.List) and right.elts:
        text = f"{left} == {code.text(right.elts[0])}"
        yield code.replaced(node, text, "e", "lost-alternative")


def _offset(code: Code, node: ast.BinOp) -> Iterator[Mutation]:
    if isinstance(node.op, ast.Add | ast.Sub) and isinstance(node.right, ast.Constant):
        yield code.replaced(node, code.text(node.left), "e", "lost-offset")
    if isinstance(node.op, ast.Div):
        yield from code.between(node.left, node.right, "/", "//", "e", "division")
    if isinstance(node.op, ast.FloorDiv):
        yield from code.between(node.left, node.right, "//", "/", "e", "division")


def _subscripts(code: Code, node: ast.Subscript) -> Iterator[Mutation]:
    index = node.slice
    if isinstance(index, ast.Constant) and isinstance(index.value, str):
        for other in _other_keys(code, index):
            yield code.replaced(index, other, "e", "wrong-key")
    text = code.text(index)
    if text == "0":
        yield code.replaced(index, "-1", "e", "wrong-end")
    elif text == "-1":
        yield code.replaced(index, "0", "e", "wrong-end")
    elif isinstance(index, ast.Slice) and index.step is None and index.lower and index.upper:
        yield code.replaced(index, f"{code.text(index.lower)}:", "e", "lost-slice-end")


def _other_keys(code: Code, key: ast.Constant) -> list[str]:
    function = code.function(key)
    found = [
        code.text(each.slice)
        for each in code.all(ast.Subscript)
        if isinstance(each, ast.Subscript)
        and isinstance(each.slice, ast.Constant)
        and isinstance(each.slice.value, str)
        and each.slice.value != key.value
        and code.function(each) is function
    ]
    return list(dict.fromkeys(found))[:2]


def _defaults(code: Code, node: Function) -> Iterator[Mutation]:
    given = node.args
    pairs = list(zip(parameters(node)[: len(given.posonlyargs) + len(given.args)][::-1],
                     given.defaults[::-1], strict=False))  # fmt: skip
    pairs += [(n, d) for n, d in zip(given.kwonlyargs, given.kw_defaults, strict=True) if d]
    for name, default in pairs:
        if not isinstance(default, ast.Constant):
            continue
        value = default.value
        if value is None:
            for empty in ("[]", "0", '""'):
                yield code.replaced(default, empty, "e", "wrong-default")
        elif isinstance(value, bool):
            yield code.replaced(default, str(not value), "e", "wrong-default")
        elif isinstance(value, int):
            yield code.replaced(default, "0" if value else "1", "e", "wrong-default")
        elif isinstance(value, str):
            yield code.replaced(default, '" "' if not value else '""', "e", "wrong-default")
        if value is not None and name.annotation is None:
            yield code.replaced(default, "None", "e", "wrong-default")


def _guards(code: Code, node: ast.If) -> Iterator[Mutation]:
    if code.function(node) is None:
        return
    only = node.body[0]
    short = len(node.body) == 1 and isinstance(only, ast.Return | ast.Raise | ast.Continue)
    is_elif = code.data[code.start(node) :].startswith(b"elif")
    if short and not node.orelse and not is_elif:
        yield code.replaced(node, "pass", "e", "lost-guard")
    if is_elif:
        start = code.start(node)
        yield code.spliced(start, start + 4, "if", "e", "if-for-elif")


def _handlers(code: Code, node: ast.ExceptHandler) -> Iterator[Mutation]:
    if isinstance(node.type, ast.Name) and node.type.id in _EXCEPTIONS:
        yield code.replaced(node.type, _EXCEPTIONS[node.type.id], "e", "wrong-exception-caught")
    elif isinstance(node.type, ast.Tuple) and len(node.type.elts) > 1:
        for each in node.type.elts[:2]:
            yield code.replaced(node.type, code.text(each), "e", "lost-exception")


def _raises(code: Code, node: ast.Raise) -> Iterator[Mutation]:
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(raised, ast.Name) and raised.id in _EXCEPTIONS:
        yield code.replaced(raised, _EXCEPTIONS[raised.id], "e", "wrong-exception-raised")


def _conditional(code: Code, node: ast.IfExp) -> Iterator[Mutation]:
    yield code.replaced(node, code.text(node.body), "e", "lost-conditional")


def _fallback(code: Code, node: ast.BoolOp) -> Iterator[Mutation]:
    is_value = not isinstance(code.parents[node], ast.If | ast.While | ast.IfExp | ast.BoolOp)
    if isinstance(node.op, ast.Or) and len(node.values) == 2 and is_value:
        yield code.replaced(node, code.text(node.values[0]), "e", "lost-fallback")


def _tuple_order(code: Code, node: ast.Return) -> Iterator[Mutation]:
    if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        first, second = node.value.elts
        gap = code.data[code.end(first) : code.start(second)].decode()
        text = f"{code.text(second)}{gap}{code.text(first)}"
        yield code.spliced(code.start(first), code.end(second), text, "e", "result-order")


def _accumulation(code: Code, node: ast.AugAssign) -> Iterator[Mutation]:
    if isinstance(node.op, ast.Add):
        yield from code.between(node.target, node.value, "+=", "=", "e", "lost-accumulation")


def _texts(code: Code, node: ast.Constant) -> Iterator[Mutation]:
    """Another text of the same function, or a quantifier of a regular expression."""
    source = code.text(node)
    if not isinstance(node.value, str) or "\n" in source or code.function(node) is None:
        return
    parent = code.parents[node]
    if isinstance(parent, ast.Compare):
        function = code.function(node)
        others = [
            code.text(each)
            for each in code.all(ast.Constant)
            if isinstance(each, ast.Constant)
            and isinstance(each.value, str)
            and each.value != node.value
            and "\n" not in code.text(each)
            and code.function(each) is function
        ]
        for other in list(dict.fromkeys(others))[:2]:
            yield code.replaced(node, other, "e", "wrong-text")
    called = parent.func if isinstance(parent, ast.Call) else None
    is_regex = (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "re"
    )
    if is_regex and "+" in source:
        yield code.replaced(node, source.replace("+", "*", 1), "e", "regular-expression")


def _generators(code: Code, node: ast.YieldFrom) -> Iterator[Mutation]:
    yield code.replaced(node, f"yield {code.text(node.value)}", "e", "yield-for-yield-from")


_Pattern = Callable[..., Iterator[Mutation]]
_PATTERNS: tuple[tuple[type[ast.AST] | tuple[type[ast.AST], ...], _Pattern], ...] = (
    (ast.Call, _calls),
    (ast.Call, _lost_arguments),
    (ast.Compare, _identity),
    (ast.BinOp, _offset),
    (ast.Subscript, _subscripts),
    ((ast.FunctionDef, ast.AsyncFunctionDef), _defaults),
    (ast.If, _guards),
    (ast.ExceptHandler, _handlers),
    (ast.Raise, _raises),
    (ast.IfExp, _conditional),
    (ast.BoolOp, _fallback),
    (ast.Return, _tuple_order),
    (ast.AugAssign, _accumulation),
    (ast.Constant, _texts),
    (ast.YieldFrom, _generators),
)
