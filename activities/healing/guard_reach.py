"""Guard rules about names that a heal has no business to reach for."""

import ast
from collections.abc import Iterator

from activities.healing.guard_module import Finding, Module, Use, resolve

_NAMES: dict[str, tuple[str, ...]] = {
    "dynamic-code": (
        "builtins.eval",
        "builtins.exec",
        "builtins.compile",
        "builtins.globals",
        "builtins.__import__",
        "builtins.__builtins__",
        "builtins.__loader__",
        "importlib.import_module",
        "importlib.reload",
        "importlib.__import__",
        "importlib.util",
        "importlib.machinery",
        "importlib.abc",
        "pkgutil.resolve_name",
        "pydoc.locate",
        "runpy",
        "timeit",
        "cProfile",
        "profile",
        "pdb",
        "bdb",
        "code",
        "codeop",
        "marshal",
        "shelve",
        "dill",
        "cloudpickle",
        "yaml.unsafe_load*",
        "pickle.load*",
        "ctypes",
        "cffi",
        "types.FunctionType",
        "types.CodeType",
        "sys.meta_path",
        "sys.path_hooks",
        "sys.path",
    ),
    "process-use": (
        "subprocess",
        "multiprocessing",
        "pty",
        "os.system",
        "os.popen",
        "os.exec*",
        "os.spawn*",
        "os.posix_spawn*",
        "os.fork*",
        "os.startfile",
        "os.kill*",
        "asyncio.create_subprocess*",
        "asyncio.subprocess",
        "concurrent.futures.ProcessPoolExecutor",
        "signal.raise_signal",
        "signal.signal",
        "signal.alarm",
        "signal.setitimer",
    ),
    "network-use": (
        "socket",
        "socketserver",
        "ssl",
        "urllib.request",
        "http.client",
        "http.server",
        "xmlrpc",
        "ftplib",
        "smtplib",
        "poplib",
        "imaplib",
        "telnetlib",
        "webbrowser",
        "asyncio.open_connection",
        "asyncio.start_server",
        "requests",
        "httpx",
        "httpx2",
        "aiohttp",
        "urllib3",
        "paramiko",
        "websocket",
        "websockets",
    ),
    "process-exit": (
        "sys.exit",
        "os._exit",
        "os.abort",
        "pytest.exit",
        "atexit",
    ),
    "test-runner-detection": (
        "_pytest",
        "sys.modules",
        "sys._getframe*",
        "sys._current_frames",
        "sys.gettrace",
        "sys.settrace",
        "sys.getprofile",
        "sys.setprofile",
        "sys.monitoring",
        "sys.orig_argv",
        "threading.settrace*",
        "threading.setprofile*",
        "inspect.stack",
        "inspect.trace",
        "inspect.currentframe",
        "inspect.getouterframes",
        "traceback.extract_stack",
        "traceback.format_stack",
        "traceback.print_stack",
        "traceback.walk_stack",
        "gc.get_objects",
        "gc.get_referrers",
    ),
    "test-skip": (
        "pytest.skip",
        "pytest.xfail",
        "pytest.importorskip",
        "pytest.mark.skip*",
        "pytest.mark.xfail",
        "unittest.skip*",
        "unittest.expectedFailure",
        "unittest.SkipTest",
        "unittest.case.SkipTest",
    ),
    "suppressed-warning": (
        "warnings.filterwarnings",
        "warnings.simplefilter",
        "warnings.catch_warnings",
        "warnings.resetwarnings",
        "typing.no_type_check",
        "typing_extensions.no_type_check",
        "logging.disable",
        "numpy.seterr*",
        "numpy.errstate",
    ),
    "swallowed-exception": ("contextlib.suppress",),
    "added-delay": (
        "time.sleep",
        "asyncio.sleep",
        "trio.sleep*",
        "anyio.sleep*",
        "gevent.sleep",
        "tenacity",
        "backoff",
        "retrying",
    ),
}
_TEST_LIBRARIES = ("pytest", "unittest", "nose", "doctest", "coverage")
_HANDED_AROUND = {"os", "sys", "builtins", "importlib", "subprocess", "asyncio", "inspect"}
_INTERNALS = {
    "__subclasses__",
    "__self__",
    "__globals__",
    "__builtins__",
    "__code__",
    "__import__",
    "__loader__",
    "f_back",
    "f_globals",
    "f_locals",
    "gi_frame",
    "tb_frame",
}


def find_reach(module: Module, own: set[str], is_test: bool) -> Iterator[Finding]:
    """Mentions of watched names. `own` are the original file's functions, which may share one."""
    names = dict(_NAMES)
    if not is_test:
        names["test-runner-detection"] = (*names["test-runner-detection"], *_TEST_LIBRARIES)
    harmless = _yields_to_loop(module)
    rules: dict[str, list[str]] = {}
    for use in module.uses:
        if use.dotted.removeprefix("builtins.") in own or id(use.node) in harmless:
            continue
        if use.dotted not in rules:
            rules[use.dotted] = [
                rule
                for rule, patterns in names.items()
                if any(_matches(use.dotted, pattern) for pattern in patterns)
            ]
        for rule in rules[use.dotted]:
            shown = use.dotted.removeprefix("builtins.")
            yield Finding(rule, use.dotted, use.node.lineno, f"new use of {shown}")
        yield from _handed_around(use)
    yield from _patched(module)
    yield from _internals(module)


def _matches(dotted: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return dotted.startswith(pattern[:-1])
    if dotted.endswith(".*"):
        source = dotted[:-2]
        return pattern == source or pattern.startswith(f"{source}.")
    return dotted == pattern or dotted.startswith(f"{pattern}.")


def _handed_around(use: Use) -> Iterator[Finding]:
    if not use.imported and isinstance(use.node, ast.Name) and use.dotted in _HANDED_AROUND:
        reason = f"hands the module {use.dotted} around as a value"
        yield Finding("dynamic-code", f"value {use.dotted}", use.node.lineno, reason)


def _yields_to_loop(module: Module) -> set[int]:
    # asyncio.sleep(0) is no delay: it lets other tasks run.
    return {
        id(node.func)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and resolve(node.func, module.imports) == "asyncio.sleep"
        and isinstance(node.args[0] if node.args else None, ast.Constant)
        and ast.literal_eval(node.args[0]) == 0
    }


def _patched(module: Module) -> Iterator[Finding]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            base = node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"setattr", "delattr"}
            and node.args
        ):
            base = node.args[0]
        else:
            continue
        root = base
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in module.imports:
            origin = resolve(base, module.imports) or root.id
            reason = f"assigns to an attribute of {origin}, which this file imports"
            yield Finding("patched-module", ast.unparse(node), node.lineno, reason)


def _internals(module: Module) -> Iterator[Finding]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in _INTERNALS:
            reason = f"reaches for the interpreter's {node.attr}"
            yield Finding("dynamic-code", node.attr, node.lineno, reason)
