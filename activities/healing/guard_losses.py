"""Guard rules about what a heal must not lose: tests, assertions, comments, docstrings."""

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterator

from activities.healing.guard_change import line_after
from activities.healing.guard_module import Comment, Finding, Function, Module, definitions
from activities.healing.guard_operations import Unknown

_DONE = re.compile(r"(?:TODO|FIXME|XXX|HACK|BUG)\b", re.IGNORECASE)
_MOST_LINES_COMPARED = 4_000


def find_losses(before: Module, after: Module, is_test: bool) -> Iterator[Finding]:
    """What the old file had and the new one has not."""
    yield from _lost_assertions(before, after, is_test)
    if is_test:
        yield from _lost_tests(before, after)
    gone = _removed_definitions(before, after)
    yield from lost_comments(before.comments, after.comments, before.lines, after.lines, gone)
    yield from _lost_docstrings(before, after)


def gains(before: Module | None, after: Module, is_test: bool) -> Counter[tuple[str, str]]:
    """What is new here and makes up for the same thing lost in another file: it was moved."""
    found = _movable(after, is_test)
    return found if before is None else found - _movable(before, is_test)


def _movable(module: Module, is_test: bool) -> Counter[tuple[str, str]]:
    found = Counter(("lost-comment", _plain(each.text)) for each in module.comments)
    found.update(("lost-docstring", text) for _, (text, _) in _docstrings(module))
    found.update(("removed-assertion", key) for key, _, _ in _assertions(module, is_test))
    return found


def lost_comments(
    before: list[Comment],
    after: list[Comment],
    old: list[str],
    new: list[str],
    gone: frozenset[int] = frozenset(),
) -> Iterator[Finding]:
    """Comments that disappear while their code stays. A new comment makes up for a reworded one.

    `gone` are lines of the old text that belong to what was removed as a whole.
    """
    old_texts = Counter(_plain(comment.text) for comment in before)
    new_texts = Counter(_plain(comment.text) for comment in after)
    lost, gained = old_texts - new_texts, new_texts - old_texts
    missing = lost.total() - gained.total()
    removed = gone | _removed_with_code(old, new, before) if missing > 0 else gone
    for comment in sorted(before, key=lambda each: each.line not in removed):
        key = _plain(comment.text)
        if missing > 0 and lost[key] > 0:
            lost[key] -= 1
            missing -= 1
            if comment.line in removed or _DONE.match(key) or _is_code(comment.text):
                continue
            reason = f"the comment `# {comment.text[:60]}` disappears"
            yield Finding("lost-comment", key, line_after(old, new, comment.line), reason)


def _removed_with_code(old: list[str], new: list[str], comments: list[Comment]) -> set[int]:
    """Lines with comments that go together with the code beside or below them, unreplaced."""
    if len(old) + len(new) > _MOST_LINES_COMPARED:
        return set()
    lines = {comment.line for comment in comments}
    found: set[int] = set()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, _, _ in matcher.get_opcodes():
        if kind != "delete":
            continue
        for line in range(start + 1, end + 1):
            follows = [text.strip() for text in old[line - 1 : end]]
            if line in lines and any(text and not text.startswith("#") for text in follows):
                found.add(line)
    return found


def _removed_definitions(before: Module, after: Module) -> frozenset[int]:
    """The lines of functions and classes that are gone, unless others came in their place."""
    old, new = dict(definitions(before.tree)), dict(definitions(after.tree))
    gone = [node for name, node in old.items() if name not in new]
    if any(name not in old for name in new):
        return frozenset()
    return frozenset(
        line for node in gone for line in range(node.lineno, (node.end_lineno or 0) + 1)
    )


def _is_code(comment: str) -> bool:
    """Whether a comment is code that was commented out."""
    try:
        body = ast.parse(comment.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    plain = (ast.Name, ast.Constant, ast.Attribute, ast.Tuple, ast.BinOp, ast.Compare)
    annotated = any(isinstance(each, ast.AnnAssign) and each.value is None for each in body)
    expressions = [each.value for each in body if isinstance(each, ast.Expr)]
    return bool(body) and not annotated and not any(isinstance(each, plain) for each in expressions)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _lost_assertions(before: Module, after: Module, is_test: bool) -> Iterator[Finding]:
    left = Counter(key for key, _, _ in _assertions(after, is_test))
    for key, line, shown in _assertions(before, is_test):
        if left[key] > 0:
            left[key] -= 1
            continue
        where = line_after(before.lines, after.lines, line)
        reason = f"`{shown[:80]}` is removed or changed"
        yield Finding("removed-assertion", key, where, reason)


def _assertions(module: Module, is_test: bool) -> Iterator[tuple[str, int, str]]:
    """Key, line and text of what is asserted where the program gets there."""
    for node in _reached(module.tree.body, module):
        if isinstance(node, ast.Assert):
            key = ast.dump(node.test) + _worth(node.test, module, is_test)
            yield key, node.lineno, f"assert {ast.unparse(node.test)}"
        elif isinstance(node, ast.Call):
            dotted = module.origin(node.func) or ""
            name = node.func.attr if isinstance(node.func, ast.Attribute) else dotted.split(".")[-1]
            if re.match(r"assert[A-Z_]", name) or dotted in {"pytest.raises", "pytest.warns"}:
                key = ast.dump(node) + _worth(node, module, is_test)
                yield key, node.lineno, ast.unparse(node)
            elif name == "parametrize" and len(node.args) > 1:
                cases = node.args[1]
                for case in cases.elts if isinstance(cases, ast.Tuple | ast.List) else [cases]:
                    shown = f"case {ast.unparse(case)}"
                    yield ast.dump(case) + _worth(case, module, is_test), case.lineno, shown


def _worth(node: ast.expr, module: Module, is_test: bool) -> str:
    """The constants behind the names of an assertion, so that changing them changes it."""
    found: list[str] = []
    for name in ast.walk(node) if is_test else ():
        if isinstance(name, ast.Name):
            try:
                found.append(f"{name.id}={module.folding.value(name)!r}")
            except Unknown:
                continue
    return " ".join(sorted(found))


def _reached(body: list[ast.stmt], module: Module) -> Iterator[ast.AST]:
    """All nodes of some statements, without those after a `return` or behind a false test."""
    for statement in body:
        blocks: list[list[ast.stmt]] = []
        for name, value in ast.iter_fields(statement):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                never = isinstance(statement, ast.If | ast.While) and name == "body"
                if not (never and _is_false(statement, module)):
                    blocks.append(value)
            elif isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.ExceptHandler | ast.match_case):
                        blocks.append(each.body)
                    elif isinstance(each, ast.AST):
                        yield from ast.walk(each)
            elif isinstance(value, ast.AST):
                yield from ast.walk(value)
        yield statement
        for block in blocks:
            yield from _reached(block, module)
        if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
            return


def _is_false(statement: ast.stmt, module: Module) -> bool:
    assert isinstance(statement, ast.If | ast.While)
    try:
        return not module.folding.value(statement.test)
    except Unknown:
        return False


def _lost_tests(before: Module, after: Module) -> Iterator[Finding]:
    kept = dict(_tests(after))
    for name, line in _tests(before):
        if name not in kept:
            where = line_after(before.lines, after.lines, line)
            reason = f"the test {name} is removed or no longer collected"
            yield Finding("removed-test", name, where, reason)


def _tests(module: Module) -> Iterator[tuple[str, int]]:
    classes = {
        name
        for name, node in definitions(module.tree)
        if isinstance(node, ast.ClassDef)
        and (node.name.startswith("Test") or any("Test" in ast.unparse(b) for b in node.bases))
    }
    for name, node in definitions(module.tree):
        owner, _, own = name.rpartition(".")
        if (
            isinstance(node, Function)
            and own.startswith("test")
            and (not owner or owner in classes)
        ):
            yield name, node.lineno


def _lost_docstrings(before: Module, after: Module) -> Iterator[Finding]:
    old, new = dict(_docstrings(before)), dict(_docstrings(after))
    kept = Counter(text for text, _ in new.values())
    known = {name for name, _ in definitions(before.tree)}
    present = {name for name, _ in definitions(after.tree)}
    undocumented = sum(1 for name in present if name not in known and name not in new)
    for name, (text, line) in old.items():
        if name in new or kept[text]:
            continue
        if name and name not in present:
            # What is gone needs no words; what only has another name does.
            undocumented -= 1
            if undocumented < 0:
                continue
        where = line_after(before.lines, after.lines, line)
        shown = f"of {name}" if name else "of the module"
        yield Finding("lost-docstring", text, where, f"the docstring {shown} disappears")


def _docstrings(module: Module) -> Iterator[tuple[str, tuple[str, int]]]:
    everything = [("", module.tree), *definitions(module.tree)]
    for name, node in everything:
        text = ast.get_docstring(node)
        if text and text.strip():
            yield name, (text, node.body[0].lineno)
