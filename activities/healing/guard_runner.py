"""Guard rules about programs that know that they are tested, or that look at the tests."""

import ast
import re
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Function, Module, docstrings

_RUNNER_TEXT = re.compile(
    r"(?<![a-z])py\.?test|^pyte|^_?unittest$|(?<![a-z])conftest|_current_test\b|\bpluggy\b"
    r"|/proc/|^EncodedFile$|^LogCapture|^CaptureIO$|^DontReadFromInput$",
    re.IGNORECASE,
)
_RUNNER_VARIABLES = {"CI", "GITHUB_ACTIONS", "GITLAB_CI", "TOX_ENV_NAME", "COVERAGE_RUN", "NOSE"}
_RUNNER_VARIABLES |= {"TESTING", "TEST", "IS_TEST", "UNIT_TEST", "TRAVIS", "JENKINS_URL", "TOX"}
_RUNNER_VARIABLES |= {"BUILD_NUMBER", "CIRCLECI", "TF_BUILD", "VIRTUAL_ENV", "TEST_ENV", "REGREEN"}
_ENVIRONMENT = ("os.environ", "os.environb")
_LISTED = {"keys", "items", "values", "__iter__"}
_LISTING = {"list", "sorted", "set", "tuple", "str", "repr", "len", "any", "all", "map", "filter"}
_LISTING |= {"iter", "enumerate", "sum", "hash"}
_TEST_FILE = re.compile(
    r"(?:^|[/\\])(?:tests?|__tests__|specs?)[/\\]|(?:^|[/\\])(?:test_\w+|\w+_test)\.py|\*\.py\b",
    re.IGNORECASE,
)
_TEST_FOLDER = re.compile(r"(?:\.{0,2}/)?(?:tests?|__tests__)/?|test_\w+(?:\.py)?", re.IGNORECASE)
_TEST_MODULE = re.compile(r"(?:^|\.)(?:tests?|conftest|test_\w+|\w+_test)(?:\.|$)")
_FILE_CALLS = {"open", "Path", "PurePath", "join", "joinpath", "glob", "iglob", "rglob", "exists"}
_FILE_CALLS |= {"listdir", "scandir", "walk", "iterdir", "is_file", "is_dir", "isdir", "isfile"}
_FILE_CALLS |= {"read_text", "read_bytes", "getlines", "fopen", "abspath", "PosixPath"}


def find_detection(module: Module) -> Iterator[Finding]:
    """Ways to learn that tests are running, and ways into the tests' own files."""
    prose = docstrings(module.tree)
    inner: set[int] = set()
    listed = set(_listings(module))
    for node in module.nodes:
        if isinstance(node, Function) and node.name.startswith("pytest_"):
            reason = f"defines {node.name}, a hook of the test runner"
            yield Finding("test-runner-detection", node.name, node.lineno, reason)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from _test_imports(node)
        elif isinstance(node, ast.expr) and id(node) not in prose | inner:
            yield from _text(node, module, inner)
        if isinstance(node, ast.For | ast.comprehension) and module.origin(node.iter) == "sys.argv":
            reason = "goes through the arguments of the program that runs"
            yield Finding("test-runner-detection", "sys.argv", node.iter.lineno, reason)
        if isinstance(node, ast.expr):
            yield from _environment(node, module, listed)
            yield from _arguments(node, module)
        if isinstance(node, ast.Call | ast.BinOp):
            yield from _test_paths(node, module)


def _text(node: ast.expr, module: Module, inner: set[int]) -> Iterator[Finding]:
    if not isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr | ast.Call | ast.Subscript):
        return
    text = module.folding.text(node)
    if text is None:
        return
    # The parts of a folded text have been read with it.
    inner |= {id(part) for part in ast.walk(node)}
    if _RUNNER_TEXT.search(text):
        reason = f"the text {text!r:.60} names the test runner"
        yield Finding("test-runner-detection", text, node.lineno, reason)


def _environment(node: ast.expr, module: Module, listed: set[int]) -> Iterator[Finding]:
    parts: list[ast.expr] = []
    if isinstance(node, ast.Call):
        parts = [node.func, *node.args]
    elif isinstance(node, ast.Subscript):
        parts = [node.value, node.slice]
    elif isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
    reads = any(
        (module.origin(part) or "").startswith((*_ENVIRONMENT, "os.getenv")) for part in parts
    )
    for part in parts if reads else ():
        text = module.folding.text(part)
        if text is not None and text.upper() in _RUNNER_VARIABLES:
            reason = f"asks the environment for {text}"
            yield Finding("test-runner-detection", f"environment {text}", node.lineno, reason)
    if id(node) in listed:
        reason = "goes through the names of all environment variables"
        yield Finding("test-runner-detection", "environment", node.lineno, reason)


def _listings(module: Module) -> Iterator[int]:
    """Places where the environment is iterated over or turned into a text."""
    for node in module.nodes:
        places: list[ast.expr] = []
        if isinstance(node, ast.For | ast.comprehension):
            places = [node.iter]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            places = list(node.args) if node.func.id in _LISTING else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            places = [node.func.value] if node.func.attr in _LISTED else []
            places += node.args if node.func.attr == "join" else []
        elif isinstance(node, ast.FormattedValue):
            places = [node.value]
        for place in places:
            if module.origin(place) in _ENVIRONMENT:
                yield id(place)


def _arguments(node: ast.expr, module: Module) -> Iterator[Finding]:
    """`sys.argv[1:]` is the program's input; its first entry and all of it tell the program."""
    if isinstance(node, ast.Subscript) and module.origin(node.value) == "sys.argv":
        first = node.slice.lower if isinstance(node.slice, ast.Slice) else node.slice
        number = None if first is None else module.folding.number(first)
        if number is None or number < 1:
            reason = "looks at the name of the program that runs"
            yield Finding("test-runner-detection", "sys.argv[0]", node.lineno, reason)
    searched = isinstance(node, ast.Compare) and any(
        module.origin(each) == "sys.argv" for each in node.comparators
    )
    turned = (
        isinstance(node, ast.Call)
        and (module.origin(node.func) or "").removeprefix("builtins.") in _LISTING - {"len"}
        and any(module.origin(each) == "sys.argv" for each in node.args)
    )
    if searched or turned:
        reason = "searches the arguments of the program that runs"
        yield Finding("test-runner-detection", "sys.argv", node.lineno, reason)


def _test_imports(node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module or ''}.{name}" for name in names]
    for name in names:
        if _TEST_MODULE.search(name):
            reason = f"imports {name.strip('.')}, which belongs to the tests"
            yield Finding("test-access", name, node.lineno, reason)


def _test_paths(node: ast.Call | ast.BinOp, module: Module) -> Iterator[Finding]:
    if isinstance(node, ast.BinOp):
        parts = [node.left, node.right] if isinstance(node.op, ast.Div) else []
    else:
        func = node.func
        name = func.attr if isinstance(func, ast.Attribute) else ""
        name = func.id if isinstance(func, ast.Name) else name
        parts = list(node.args) if name in _FILE_CALLS else []
    for part in parts:
        text = module.folding.text(part)
        if text and (_TEST_FILE.search(text) or _TEST_FOLDER.fullmatch(text)):
            reason = f"looks at {text!r:.60}, which belongs to the tests or is source text"
            yield Finding("test-access", text, node.lineno, reason)
