"""Which scope of a Python file binds a name, and to what."""

import ast
from collections.abc import Iterator

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


class Scopes:
    """The bindings of one file."""

    def __init__(self, tree: ast.Module) -> None:
        self._scopes = dict(_enclosing(tree, tree))
        self._bindings: dict[tuple[int, str], list[ast.expr | None]] = {}
        nodes = list(ast.walk(tree))
        self._straight = {id(each) for node in nodes for each in _straight_on(node)}
        self._written = {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
        }
        for node in nodes:
            self._bind(node)
        owners = {
            id(scope): scope.name
            for scope in self._scopes.values()
            if isinstance(scope, ast.ClassDef)
        }
        self._attributes: dict[tuple[str, str], list[ast.expr | None]] = {}
        for (owner, name), values in self._bindings.items():
            if owner in owners:
                self._attributes.setdefault((owners[owner], name), []).extend(values)

    def bound(self, node: ast.Name) -> list[ast.expr | None]:
        """What the nearest scope that binds a name binds it to; None for what is no expression."""
        scope = self._scopes.get(id(node))
        while scope is not None:
            if (id(scope), node.id) in self._bindings:
                return self._bindings[id(scope), node.id]
            scope = self._scopes.get(id(scope))
        return []

    def is_local(self, node: ast.Name) -> bool:
        """Whether a function around the name binds it: then it is neither import nor built-in."""
        scope = self._scopes.get(id(node))
        while scope is not None and not isinstance(scope, ast.Module):
            if not isinstance(scope, ast.ClassDef) and (id(scope), node.id) in self._bindings:
                return True
            scope = self._scopes.get(id(scope))
        return False

    def of_class(self, name: str, attribute: str) -> list[ast.expr | None]:
        """What the body of a class binds an attribute to; `self` is any class of the file."""
        if name in {"self", "cls"}:
            return [
                value
                for (_, bound), values in self._attributes.items()
                if bound == attribute and attribute not in self._written
                for value in values
            ]
        return self._attributes.get((name, attribute), [])

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind_target(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._bind_target(node.target, node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            known = self._bindings.get(self._key(node.target), [])
            if id(node) in self._straight and len(known) == 1 and known[0] is not None:
                joined = ast.BinOp(known[0], node.op, node.value)
                self._bindings[self._key(node.target)] = [ast.copy_location(joined, node)]
            else:
                self._bind_target(node.target, None)
        elif isinstance(node, ast.arg):
            scope = self._scopes.get(id(node))
            self._bindings.setdefault((id(scope), node.arg), []).append(None)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._bind_target(node.target, None)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._bind_target(node.optional_vars, node.context_expr)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            scope = self._scopes.get(id(node))
            if not isinstance(scope, ast.ClassDef):
                self._bindings.setdefault((id(scope), node.name), []).append(None)

    def _bind_target(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            self._bindings.setdefault(self._key(target), []).append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            parts: list[ast.expr | None] = [None] * len(target.elts)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                parts = list(value.elts)
            for element, part in zip(target.elts, parts, strict=True):
                self._bind_target(element, part)
        elif isinstance(target, ast.Starred):
            self._bind_target(target.value, None)

    def _key(self, name: ast.Name) -> tuple[int, str]:
        return id(self._scopes.get(id(name))), name.id


def _enclosing(tree: ast.AST, scope: Scope) -> Iterator[tuple[int, Scope]]:
    """Every node below, with the scope that it stands in."""
    pending: list[tuple[ast.AST, Scope]] = [(tree, scope)]
    while pending:
        node, around = pending.pop()
        inner = node if isinstance(node, Scope) else around
        outside: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            outside = list(node.decorator_list)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            # What stands in a default is looked up around the function and not in it.
            outside += [*node.args.defaults, *node.args.kw_defaults]
        known = {id(each) for each in outside}
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            children += ast.iter_child_nodes(node.args)
        for child in children:
            place = around if id(child) in known else inner
            yield id(child), place
            if not isinstance(child, ast.arguments):
                pending.append((child, place))


def _straight_on(node: ast.AST) -> Iterator[ast.AugAssign]:
    """Additions to a name in the same block in which it was assigned before."""
    for block in ("body", "orelse", "finalbody"):
        assigned: set[str] = set()
        statements = getattr(node, block, [])
        for statement in statements if isinstance(statements, list) else ():
            if isinstance(statement, ast.Assign):
                assigned |= {each.id for each in statement.targets if isinstance(each, ast.Name)}
            elif isinstance(statement, ast.AugAssign):
                target = statement.target
                if isinstance(target, ast.Name) and target.id in assigned:
                    yield statement
