"""Guard rules about what a heal must not lose: assertions, comments, docstrings, tight limits."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from activities.healing.guard_change import line_after
from activities.healing.guard_module import Comment, Finding, Module, definitions, resolve

_LIMIT = re.compile(r"time_?out|deadline|max_wait|retries|max_attempts|retry_count", re.IGNORECASE)
_SLEEPS = {"time.sleep", "asyncio.sleep", "trio.sleep", "anyio.sleep"}


def find_losses(before: Module, after: Module) -> Iterator[Finding]:
    """What the old file had and the new one has not, and limits that were raised."""
    yield from _lost_assertions(before, after)
    yield from lost_comments(before.comments, after.comments, before.lines, after.lines)
    yield from _lost_docstrings(before, after)
    yield from _raised_limits(before, after)


def lost_comments(
    before: list[Comment], after: list[Comment], old: list[str], new: list[str]
) -> Iterator[Finding]:
    """Comments that disappear. A new comment makes up for one that was reworded."""
    old_texts = Counter(_plain(comment.text) for comment in before)
    new_texts = Counter(_plain(comment.text) for comment in after)
    lost, gained = old_texts - new_texts, new_texts - old_texts
    missing = lost.total() - gained.total()
    for comment in before:
        key = _plain(comment.text)
        if missing > 0 and lost[key] > 0:
            lost[key] -= 1
            missing -= 1
            reason = f"the comment `# {comment.text[:60]}` disappears"
            yield Finding("lost-comment", key, line_after(old, new, comment.line), reason)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _lost_assertions(before: Module, after: Module) -> Iterator[Finding]:
    left = Counter(key for key, _, _ in _assertions(after))
    for key, line, shown in _assertions(before):
        if left[key] > 0:
            left[key] -= 1
            continue
        where = line_after(before.lines, after.lines, line)
        reason = f"`{shown[:80]}` is removed or changed"
        yield Finding("removed-assertion", key, where, reason)


def _assertions(module: Module) -> Iterator[tuple[str, int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assert):
            yield ast.dump(node.test), node.lineno, f"assert {ast.unparse(node.test)}"
        elif isinstance(node, ast.Call):
            dotted = resolve(node.func, module.imports) or ""
            name = dotted.split(".")[-1]
            if re.match(r"assert[A-Z_]", name) or dotted in {"pytest.raises", "pytest.warns"}:
                yield ast.dump(node), node.lineno, ast.unparse(node)


def _lost_docstrings(before: Module, after: Module) -> Iterator[Finding]:
    old, new = dict(_docstrings(before)), dict(_docstrings(after))
    kept = Counter(text for text, _ in new.values())
    for name, (text, line) in old.items():
        if name not in new and not kept[text]:
            where = line_after(before.lines, after.lines, line)
            shown = f"of {name}" if name else "of the module"
            yield Finding("lost-docstring", name, where, f"the docstring {shown} disappears")


def _docstrings(module: Module) -> Iterator[tuple[str, tuple[str, int]]]:
    everything = [("", module.tree), *definitions(module.tree)]
    for name, node in everything:
        text = ast.get_docstring(node)
        if text:
            yield name, (text, node.body[0].lineno)


def _raised_limits(before: Module, after: Module) -> Iterator[Finding]:
    old, new = _limits(before), _limits(after)
    for name, values in new.items():
        added = Counter(value for value, _ in values) - Counter(value for value, _ in old[name])
        gone = Counter(value for value, _ in old[name]) - Counter(value for value, _ in values)
        for value, line in values:
            if added[value] > 0 and gone and value > max(gone):
                added[value] -= 1
                reason = f"{name} grows from {max(gone):g} to {value:g}"
                yield Finding("longer-timeout", name, line, reason)


def _limits(module: Module) -> defaultdict[str, list[tuple[float, int]]]:
    found: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for node in ast.walk(module.tree):
        for name, value in _named_values(node, module):
            number = _number(value)
            if number is not None:
                found[name].append((number, value.lineno))
    return found


def _named_values(node: ast.AST, module: Module) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Call):
        yield from _limit_named((each.arg, each.value) for each in node.keywords)
        if node.args and resolve(node.func, module.imports) in _SLEEPS:
            yield "sleep", node.args[0]
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from _limit_named((ast.unparse(target), node.value) for target in targets)
    elif isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        first = len(positional) - len(node.defaults)
        arguments = [*positional[first:], *node.kwonlyargs]
        defaults = [*node.defaults, *node.kw_defaults]
        pairs = zip(arguments, defaults, strict=True)
        yield from _limit_named((argument.arg, default) for argument, default in pairs)
    elif isinstance(node, ast.Dict):
        pairs_of_dict = zip(node.keys, node.values, strict=True)
        yield from _limit_named(
            (str(key.value), value) for key, value in pairs_of_dict if isinstance(key, ast.Constant)
        )


def _limit_named(
    pairs: Iterable[tuple[str | None, ast.expr | None]],
) -> Iterator[tuple[str, ast.expr]]:
    for name, value in pairs:
        if name and value is not None and _LIMIT.search(name):
            yield name, value


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant):
        if node.value is None:
            return float("inf")
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return float(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = _number(node.left), _number(node.right)
        return None if left is None or right is None else left * right
    return None
