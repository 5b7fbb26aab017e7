"""Guard rule `rigged-comparison`: objects that satisfy any assertion."""

import ast
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Function, Module, definitions, own_nodes
from activities.healing.guard_operations import Unknown

_EQUAL = {"__eq__", "__ne__"}
_ORDERED = {"__lt__", "__le__", "__gt__", "__ge__"}
_COMPARISONS = _EQUAL | _ORDERED | {"__bool__", "__contains__"}
_COMPARISONS |= {"__instancecheck__", "__subclasscheck__", "__subclasshook__"}
_VALUES = {"int", "float", "str", "bytes", "complex", "bool", "list", "dict", "tuple", "set"}
_VALUES |= {"frozenset", "Decimal", "Fraction", "date", "datetime", "UserString", "UserList"}
_VALUES |= {"UserDict", "OrderedDict", "defaultdict", "Path", "PurePath", "NamedTuple"}
_SETTERS = {"setattr", "__setattr__", "setdefault", "update"}
_LARGE = 1.0


def find_rigged(module: Module) -> Iterator[Finding]:
    """Comparisons and truth values that are always the same, or that are put in from outside."""
    for name, node in definitions(module.tree):
        if isinstance(node, ast.ClassDef):
            yield from _class(name, node, module)
        elif node.name in _COMPARISONS:
            yield from _method(name, node, module)
    for each in module.nodes:
        yield from _from_outside(each, module)


def _class(name: str, node: ast.ClassDef, module: Module) -> Iterator[Finding]:
    bases = {ast.unparse(base).split(".")[-1].split("[")[0] for base in node.bases}
    for inner in node.body:
        if isinstance(inner, Function) and inner.name in _COMPARISONS and bases & _VALUES:
            reason = f"{name} redefines {inner.name} of a plain value"
            yield Finding("rigged-comparison", f"{name}.{inner.name}", inner.lineno, reason)
        elif isinstance(inner, Function) and inner.name == "__class__":
            reason = f"{name} pretends to be another class"
            yield Finding("rigged-comparison", f"{name}.__class__", inner.lineno, reason)
        elif isinstance(inner, Function) and inner.name == "__eq__":
            yield from _equal_by_type_alone(name, node, inner)
        elif isinstance(inner, ast.Assign):
            yield from _assigned(name, inner, module, bool(bases & _VALUES))
    fields = [inner for inner in node.body if isinstance(inner, ast.AnnAssign)]
    if fields and all(_is_not_compared(each) for each in fields):
        reason = f"{name} compares none of its fields"
        yield Finding("rigged-comparison", f"{name}: fields", node.lineno, reason)


def _assigned(name: str, node: ast.Assign, module: Module, is_value: bool) -> Iterator[Finding]:
    for target in node.targets:
        if not isinstance(target, ast.Name):
            continue
        if target.id == "__class__":
            reason = f"{name} pretends to be another class"
            yield Finding("rigged-comparison", f"{name}.__class__", node.lineno, reason)
        if target.id not in _COMPARISONS or isinstance(node.value, ast.Constant):
            continue
        wanted = target.id != "__ne__"
        body = node.value.body if isinstance(node.value, ast.Lambda) else None
        if isinstance(node.value, ast.Name):
            body = _constant_result(node.value.id, module)
        if is_value or (body is not None and _always(body, wanted, module)):
            reason = f"{name}.{target.id} is always {wanted}"
            yield Finding("rigged-comparison", f"{name}.{target.id}", node.lineno, reason)


def _is_not_compared(node: ast.AnnAssign) -> bool:
    return isinstance(node.value, ast.Call) and any(
        keyword.arg in {"compare", "eq"}
        and isinstance(keyword.value, ast.Constant)
        and not keyword.value.value
        for keyword in node.value.keywords
    )


def _method(
    name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module
) -> Iterator[Finding]:
    wanted = node.name != "__ne__"
    nodes = list(own_nodes(node.body))
    values = [
        inner.value
        for inner in nodes
        if isinstance(inner, ast.Return) and inner.value and not _is_not_implemented(inner.value)
    ]
    reason = ""
    if values and all(_always(value, wanted, module) for value in values):
        reason = f"{name} always says {wanted}"
    elif any(_hides_constant(value, wanted, module) for value in values):
        reason = f"{name} holds an expression that always says {wanted}"
    elif values and node.name in _EQUAL | _ORDERED | {"__contains__"}:
        parameters = [each.arg for each in node.args.args]
        if len(parameters) > 1 and not _mentions(nodes, parameters[1]):
            reason = f"{name} does not look at what it compares with"
        elif any(_writes_to(inner, parameters) for inner in nodes):
            reason = f"{name} changes what it compares"
    if reason:
        yield Finding("rigged-comparison", name, node.lineno, reason)


def _mentions(nodes: list[ast.AST], name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in nodes)


def _writes_to(node: ast.AST, parameters: list[str]) -> bool:
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"setattr", "vars"}:
        node = node.args[0] if node.args else node
        return isinstance(node, ast.Name) and node.id in parameters
    return (
        isinstance(node, ast.Attribute | ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id in parameters
        and not (isinstance(node, ast.Attribute) and node.attr.startswith("_cache"))
    )


def _equal_by_type_alone(
    name: str, owner: ast.ClassDef, node: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[Finding]:
    """`isinstance(other, Money)` is no comparison for a class that holds anything."""
    if not node.args.args:
        return
    me = node.args.args[0].arg
    holds = any(
        isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Store)
        and isinstance(inner.value, ast.Name)
        for inner in ast.walk(owner)
    ) or any(isinstance(inner, ast.AnnAssign) for inner in owner.body)
    by_type = {
        id(argument)
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"isinstance", "type"}
        for argument in call.args
    }
    by_type |= {
        id(inner.value)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute) and inner.attr == "__class__"
    }
    by_type |= {
        id(part)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Compare) and isinstance(inner.ops[0], ast.Is | ast.IsNot)
        for part in (inner.left, *inner.comparators)
    }
    looks = any(
        isinstance(inner, ast.Name) and inner.id == me and id(inner) not in by_type
        for inner in ast.walk(node)
    )
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    if (holds and not looks) or names.isdisjoint({me, "isinstance"}):
        reason = f"{name}.__eq__ does not look at what the object holds"
        yield Finding("rigged-comparison", f"{name}.__eq__", node.lineno, reason)


def _from_outside(node: ast.AST, module: Module) -> Iterator[Finding]:
    texts: list[ast.expr] = []
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        if node.attr in _COMPARISONS | {"__class__"}:
            yield Finding("rigged-comparison", node.attr, line, f"replaces {node.attr}")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        texts = list(node.args) if name in _SETTERS else []
        names = {str(keyword.arg) for keyword in node.keywords}
        for found in names & (_COMPARISONS | {"__class__"}):
            yield Finding("rigged-comparison", found, line, f"puts {found} in from outside")
    elif isinstance(node, ast.Dict):
        texts = [key for key in node.keys if key is not None]
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        texts = [node.slice]
    for each in texts:
        text = module.folding.text(each)
        if text in _COMPARISONS | {"__class__"}:
            yield Finding("rigged-comparison", text, line, f"puts {text} in from outside")


def _is_not_implemented(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "NotImplemented"


def _always(value: ast.expr, wanted: bool, module: Module) -> bool:
    try:
        return bool(module.folding.value(value)) is wanted
    except Unknown:
        pass
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return _always(value.operand, not wanted, module)
    if isinstance(value, ast.Call) and value.args and _goes_over_nothing(value.args[0], module):
        return module.origin(value.func) == f"builtins.{'all' if wanted else 'any'}"
    return _hides_constant(value, wanted, module)


def _goes_over_nothing(node: ast.expr, module: Module) -> bool:
    if not isinstance(node, ast.GeneratorExp | ast.ListComp):
        return False
    try:
        return not module.folding.value(node.generators[0].iter)
    except Unknown:
        return False


def _hides_constant(value: ast.expr, wanted: bool, module: Module) -> bool:
    if isinstance(value, ast.BoolOp):
        decisive = isinstance(value.op, ast.Or) is wanted
        judged = [_always(part, wanted, module) for part in value.values]
        return any(judged) if decisive else all(judged)
    if isinstance(value, ast.IfExp):
        return _always(value.body, wanted, module) and _always(value.orelse, wanted, module)
    if isinstance(value, ast.Call) and len(value.args) == 1:
        inner = module.origin(value.func) == "builtins.bool"
        if inner:
            return _always(value.args[0], wanted, module)
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else ""
        name = value.func.id if isinstance(value.func, ast.Name) else name
        result = _constant_result(name, module)
        return result is not None and _always(result, wanted, module)
    if isinstance(value, ast.Compare) and len(value.ops) == 1:
        left, (right,) = value.left, value.comparators
        says_equal = isinstance(value.ops[0], ast.Eq | ast.Is | ast.LtE | ast.GtE | ast.In)
        says_unequal = isinstance(value.ops[0], ast.NotEq | ast.IsNot | ast.Lt | ast.Gt)
        if not (says_equal if wanted else says_unequal):
            return wanted and _within_anything(value.ops[0], left, right, module)
        return _same(left, right, module) or _within_anything(value.ops[0], left, right, module)
    return False


def _same(left: ast.expr, right: ast.expr, module: Module) -> bool:
    if ast.dump(left) == ast.dump(right):
        return True
    names = [
        each.func.attr
        for each in (left, right)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and not each.args
    ]
    return len(names) == 2 and names[0] == names[1] and bool(_constant_result(names[0], module))


def _within_anything(op: ast.AST, left: ast.expr, right: ast.expr, module: Module) -> bool:
    """`abs(a - b) < 1e9` is a tolerance that anything keeps."""
    if isinstance(op, ast.Gt | ast.GtE):
        left, right = right, left
    elif not isinstance(op, ast.Lt | ast.LtE):
        return False
    limit = module.folding.number(right)
    measured = isinstance(left, ast.Call) and module.origin(left.func) == "builtins.abs"
    return measured and limit is not None and limit >= _LARGE


def _constant_result(name: str, module: Module) -> ast.expr | None:
    """What a function of this file returns, when it returns one constant whatever it is given."""
    for _, node in definitions(module.tree):
        if isinstance(node, Function) and node.name == name and name not in _COMPARISONS:
            returned = [
                inner.value for inner in own_nodes(node.body) if isinstance(inner, ast.Return)
            ]
            if len(returned) != 1 or returned[0] is None:
                return None
            try:
                module.folding.value(returned[0])
            except Unknown:
                return None
            return returned[0]
    return None
