"""Guard rule `test-skip`: marks and settings that take tests out of the run."""

import ast
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Module

_TEST_MARKS = {"__test__", "pytestmark", "collect_ignore", "collect_ignore_glob", "pytest_plugins"}
_TEST_MARKS |= {"__unittest_skip__", "__unittest_skip_why__", "__unittest_expecting_failure__"}
_TEST_MARKS |= {"load_tests", "python_functions", "python_classes", "python_files"}


def find_skips(module: Module) -> Iterator[Finding]:
    """Names that change what the test runner collects, in any way of setting them."""
    for node in module.nodes:
        names: list[str] = []
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names = [node.id if isinstance(node, ast.Name) else node.attr]
        elif isinstance(node, ast.FunctionDef):
            names = [node.name] if node.name == "load_tests" else []
        elif isinstance(node, ast.Call):
            texts = [module.folding.text(each) for each in node.args]
            names = [text for text in texts if text is not None]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            names = [module.folding.text(node.slice) or ""]
        for name in names:
            if name in _TEST_MARKS:
                line = getattr(node, "lineno", 0)
                rule = "test-runner-detection" if name == "pytest_plugins" else "test-skip"
                reason = f"sets {name}, which changes what the test runner collects"
                yield Finding(rule, name, line, reason)
