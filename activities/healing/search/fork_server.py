"""Runs candidate patches against a repository's tests, fast. Standard library and pytest only.

This file is not imported: it is shown to the sandbox and run there with the repository's own
interpreter, so it keeps to what Python 3.9 understands. It reads one JSON request a line from
standard input and writes one JSON answer a line to standard output.

Three processes. The *server* has pytest imported and nothing of the repository; it puts candidates
on disk and takes them off again. From it is forked, for each cold run, a child that runs pytest
from the start, and once a *warm* process that has collected the tests. The warm process forks a
child for each candidate and exchanges the code of the edited function there, which takes
milliseconds. What a candidate's child does to itself never reaches the next candidate.
"""

import base64
import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import resource
import select
import signal
import stat
import sys
import tempfile
import time
import types

_ROOT = os.path.realpath(os.getcwd())
_FUTURES = 0x01FFE000 | 0x20000
_WRITTEN_BYTES = 256 << 20
_MOST_COLLECTED = 200_000

_settings = {"arguments": [], "paths": [], "required": [], "skipped": [], "ignored": []}
_pristine = {}
_host = []
"""The server's descriptor to its caller; empty in the processes forked from it."""


class Channel:
    """One JSON document a line, in both directions, over two file descriptors."""

    def __init__(self, reading, writing):
        self.reading = reading
        self.writing = writing
        self._buffer = b""

    def send(self, message):
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.writing, data) :]

    def receive(self, deadline=None, until=None):
        """The next message; None when the other side is gone, the deadline passed or `until()`."""
        while b"\n" not in self._buffer:
            wait = 0.05 if deadline is not None or until is not None else None
            ready, _, _ = select.select([self.reading], [], [], wait)
            if ready:
                piece = os.read(self.reading, 1 << 20)
                if not piece:
                    return None
                self._buffer += piece
            elif _host_gone() or (until is not None and until()) or (deadline is not None and time.monotonic() > deadline):
                return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def close(self):
        for descriptor in {self.reading, self.writing}:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _host_gone():
    if not _host:
        return False
    poll = select.poll()
    poll.register(_host[0], 0)
    return bool(poll.poll(0))


def _prctl(option, value):
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start_child(body):
    """Fork a child that runs `body(channel)` in its own session; return its pid and a channel."""
    down_read, down_write = os.pipe()
    up_read, up_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _host.clear()
            os.setsid()
            _prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nobody outlives the server
            os.close(down_write)
            os.close(up_read)
            body(Channel(down_read, up_write))
        except BaseException:
            if os.environ.get("REGREEN_SERVER_DEBUG"):
                import traceback

                traceback.print_exc()
        finally:
            os._exit(0)
    os.close(down_read)
    os.close(up_write)
    return pid, Channel(up_read, down_write)


def _end_child(pid):
    for end in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            end(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.waitpid(pid, 0)


def _end_strays(keep=0):
    """Kill processes that tests left behind; as a subreaper, the server has inherited them."""
    path = "/proc/self/task/%d/children" % os.getpid()
    for _ in range(20):
        try:
            with open(path) as file:
                strays = [int(pid) for pid in file.read().split() if int(pid) != keep]
        except OSError:
            return
        if not strays:
            return
        for pid in strays:
            _end_child(pid)


def _limit(seconds):
    for what, most in (
        (resource.RLIMIT_CPU, int(seconds) + 2),
        (resource.RLIMIT_FSIZE, _WRITTEN_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (value, hard))


# --- files on disk -------------------------------------------------------------------------------


def _open_source(name, flags):
    path = os.path.join(_ROOT, name)
    if os.path.realpath(os.path.dirname(path)) != os.path.normpath(os.path.dirname(path)):
        raise ValueError("%s lies behind a symbolic link" % name)
    if not os.path.normpath(path).startswith(_ROOT + os.sep):
        raise ValueError("%s lies outside the workspace" % name)
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("%s is not a regular file" % name)
    return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "wb")


def _write_source(name, content):
    with _open_source(name, os.O_WRONLY | os.O_TRUNC) as file:
        file.write(content)


def _apply(edits):
    """Write the candidate's files and return their names."""
    changed = {}
    for name, start, end, replacement in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if name not in _pristine:
            with _open_source(name, os.O_RDONLY) as file:
                _pristine[name] = file.read()
        text = changed.get(name, _pristine[name])
        changed[name] = text[:start] + base64.b64decode(replacement) + text[end:]
    for name, content in changed.items():
        _write_source(name, content)
    return list(changed)


def _restore(names):
    for name in names:
        try:
            _write_source(name, _pristine[name])
        except OSError:  # a test removed it or put something else in its place
            path = os.path.join(_ROOT, name)
            if os.path.islink(path) or os.path.isfile(path):
                os.unlink(path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_pristine[name])


# --- pytest --------------------------------------------------------------------------------------


def _arguments(paths):
    chosen = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:sugar"]
    chosen += _settings["arguments"]
    # As `sys` capture keeps output in memory, a killed child leaves nothing behind for the next.
    chosen += ["--capture=sys", "--assert=plain", "--tb=no", "-q", "--maxfail=0"]
    chosen += ["--basetemp=" + os.path.join(tempfile.gettempdir(), "regreen-tests")]
    if importlib.util.find_spec("xdist"):
        chosen.append("-n0")
    if importlib.util.find_spec("pytest_cov"):
        chosen.append("--no-cov")
    if "rootdir" in _settings:
        chosen.append("--rootdir=" + _settings["rootdir"])
        if _settings.get("inifile"):
            chosen += ["-c", _settings["inifile"]]
    return chosen + list(paths)


class Recorder:
    """A pytest plugin: which tests there are, which of them run, and how they ended."""

    def __init__(self, tests=None, stop=False):
        self.tests = tests
        self.stop = stop
        self.collected = []
        self.files = {}
        self.errors = []
        self.outcomes = {}
        self.seconds = {}
        self.session = None
        self.config = None

    def pytest_sessionstart(self, session):
        self.session = session
        self.config = session.config

    def pytest_collectreport(self, report):
        if report.failed:
            self.errors.append(report.nodeid)

    def note_collected(self, items):
        self.collected = [item.nodeid for item in items][:_MOST_COLLECTED]
        for item in items:
            path = str(getattr(item, "path", None) or item.fspath)
            self.files[item.nodeid] = os.path.relpath(os.path.realpath(path), _ROOT)

    def pytest_runtest_logreport(self, report):
        name = report.nodeid
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        before = self.outcomes.get(name)
        if report.failed:
            self.outcomes[name] = "failed"
        elif report.skipped:
            self.outcomes[name] = before if before == "failed" else "skipped"
        elif report.when == "call" and before != "failed":
            self.outcomes[name] = "passed"
        if self.stop and not self.good(name) and self.session is not None:
            self.session.shouldstop = "a test failed"

    def good(self, name):
        outcome = self.outcomes.get(name)
        if outcome is None or name in _settings["ignored"]:
            return True
        if outcome == "skipped":
            return name in _settings["skipped"] and name not in _settings["required"]
        return outcome == "passed"

    def answer(self, wanted):
        """The verdict over the wanted tests; those that did not run have failed."""
        failed = [name for name in self.outcomes if not self.good(name)]
        missing = [] if failed and self.stop else [n for n in wanted if n not in self.outcomes]
        red = failed or missing or self.errors
        return {
            "verdict": "fail" if red else "pass",
            "failed": failed or self.errors or missing,
            "passed": [name for name in wanted if self.outcomes.get(name) == "passed"],
        }


def _select(items, tests):
    by_name = {}
    for item in items:
        by_name.setdefault(item.nodeid, item)
    return [by_name[name] for name in tests if name in by_name]


def _cold_hooks():
    import pytest

    class Cold(Recorder):
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, items):
            self.note_collected(items)
            if self.tests is not None:
                items[:] = _select(items, self.tests)

    return Cold


def _run_cold(request):
    def body(channel):
        import pytest

        _limit(request["limit"])
        recorder = _cold_hooks()(request["tests"], request["stop"])
        pytest.main(_arguments(request["paths"]), plugins=[recorder])
        channel.send(recorder.answer(request["tests"]))

    return _supervise(body, request["limit"])


def _supervise(body, limit):
    pid, channel = _start_child(body)
    exited = []

    def gone():
        if not exited:
            with contextlib.suppress(OSError):
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    exited.append(pid)
                    return False  # look once more: its last words may be in the pipe
        return bool(exited)

    deadline = time.monotonic() + limit
    answer = channel.receive(deadline, gone)
    if answer is None:
        late = time.monotonic() > deadline and not exited
        answer = {"verdict": "timeout" if late else "crash", "failed": [], "passed": []}
    _end_child(pid)
    channel.close()
    return answer


def _measure(request):
    """Run the whole stage once under coverage, a context for each test."""

    def body(channel):
        import pytest

        os.environ["COVERAGE_CORE"] = "ctrace"
        coverage = None
        if importlib.util.find_spec("coverage"):
            import coverage as module

            coverage = module.Coverage(
                data_file=None, config_file=False, include=[_ROOT + "/*"], messages=False
            )

        class Slow(Exception):
            pass

        def too_slow(*_):
            raise Slow("took too long")

        class Measured(_cold_hooks()):
            @pytest.hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_runtest_protocol(self, item):
                channel.send({"running": item.nodeid})
                if coverage is not None:
                    coverage.switch_context(item.nodeid)
                if item.nodeid in _settings["required"]:
                    signal.signal(signal.SIGALRM, too_slow)
                    signal.setitimer(signal.ITIMER_REAL, request["each"])
                yield
                signal.setitimer(signal.ITIMER_REAL, 0)
                if coverage is not None:
                    coverage.switch_context("")

            @pytest.hookimpl(trylast=True)
            def pytest_collection_modifyitems(self, items):
                self.note_collected(items)
                items[:] = [item for item in items if item.nodeid not in request["without"]]

        recorder = Measured()
        if coverage is not None:
            coverage.start()
        pytest.main(
            [*_arguments(_settings["paths"]), "--continue-on-collection-errors"],
            plugins=[recorder],
        )
        if coverage is not None:
            coverage.stop()
        config = recorder.config
        root, ini = "", ""
        if config is not None:
            root = str(getattr(config, "rootpath", None) or config.rootdir)
            ini = str(getattr(config, "inipath", None) or getattr(config, "inifile", None) or "")
        channel.send(
            {
                "verdict": "measured",
                "collected": recorder.collected,
                "files": recorder.files,
                "errors": recorder.errors,
                "outcomes": recorder.outcomes,
                "seconds": recorder.seconds,
                "rootdir": root,
                "inifile": ini,
                "lines": _spectra(coverage, recorder.outcomes),
            }
        )

    pid, channel = _start_child(body)
    deadline = time.monotonic() + request["limit"]
    running = ""
    while True:
        answer = channel.receive(deadline)
        if answer is None or "verdict" in answer:
            break
        running = answer["running"]
    late = time.monotonic() > deadline
    _end_child(pid)
    channel.close()
    _end_strays()
    if answer is None:
        return {"verdict": "timeout" if late else "crash", "running": running}
    if answer["rootdir"]:
        _settings["rootdir"] = answer["rootdir"]
        _settings["inifile"] = answer["inifile"]
    return answer


def _spectra(coverage, outcomes):
    """For each file and line: failing tests, passing tests, and whether collecting ran it."""
    found = {}
    if coverage is None:
        return found
    data = coverage.get_data()
    for path in data.measured_files():
        name = os.path.relpath(os.path.realpath(path), _ROOT)
        lines = {}
        for line, contexts in data.contexts_by_lineno(path).items():
            ends = [outcomes.get(context) for context in contexts if context]
            lines[line] = [ends.count("failed"), ends.count("passed"), int("" in contexts)]
        found[name] = lines
    return found


# --- the warm process ----------------------------------------------------------------------------


def _warm_body(channel):
    import pytest

    class Warm(Recorder):
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session):
            self.note_collected(session.items)
            functions = _functions_by_place()
            loaded = {
                os.path.realpath(module.__file__)
                for module in list(sys.modules.values())
                if isinstance(getattr(module, "__file__", None), str)
            }
            gc.collect()
            gc.freeze()
            channel.send({"verdict": "warm", "collected": self.collected, "errors": self.errors})
            while True:
                request = channel.receive()
                if request is None:
                    os._exit(0)
                channel.send(_try_warm(self, session, request, functions, loaded))

    pytest.main(_arguments(_settings["paths"]), plugins=[Warm()])
    channel.send({"verdict": "crash"})


def _functions_by_place():
    places = {}
    real = {}
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType:
            code = thing.__code__
            path = real.get(code.co_filename)
            if path is None:
                path = real[code.co_filename] = os.path.realpath(code.co_filename)
            if path.startswith(_ROOT):
                places.setdefault((path, code.co_name, code.co_firstlineno), []).append(thing)
    return places


def _try_warm(recorder, session, request, functions, loaded):
    def body(channel):
        _limit(request["limit"])
        if not _exchange(request["hot"], functions, loaded):
            channel.send({"verdict": "unsupported", "failed": [], "passed": []})
            return
        gc.disable()
        recorder.session = session
        recorder.stop = request["stop"]
        recorder.errors = [
            name
            for name in recorder.errors
            if any(test.startswith(name) for test in request["tests"])
        ]
        items = _select(session.items, request["tests"])
        for number, item in enumerate(items):
            following = items[number + 1] if number + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldstop or session.shouldfail:
                break
        channel.send(recorder.answer(request["tests"]))

    return _supervise(body, request["limit"])


def _exchange(hot, functions, loaded):
    """Give the live functions on the way to the edit their new code; False when that cannot be."""
    path = os.path.realpath(os.path.join(_ROOT, hot["path"]))
    if path not in loaded:
        return True  # it is imported by the test itself, from the edited file
    chain = [tuple(place) for place in hot["chain"]]
    live = [functions.get((path, name, line), []) for name, line in chain]
    if not live or not live[0]:
        return False
    flags = live[0][0].__code__.co_flags & _FUTURES
    try:
        code = compile(hot["text"], live[0][0].__code__.co_filename, "exec", flags, True)
    except (SyntaxError, ValueError):
        return False
    for (name, line), targets in zip(chain, live):
        code = _find_code(code, name, line)
        if code is None:
            return False
        for function in targets:
            try:
                function.__code__ = code
            except ValueError:  # it closes over other variables than before
                return False
    return True


def _find_code(code, name, line):
    waiting = [code]
    while waiting:
        current = waiting.pop()
        for constant in current.co_consts:
            if isinstance(constant, types.CodeType):
                if constant.co_name == name and constant.co_firstlineno == line:
                    return constant
                waiting.append(constant)
    return None


class WarmProcess:
    """The warm process as the server sees it: started when needed, again after it died."""

    def __init__(self):
        self.pid = 0
        self.channel = None
        self.started = 0

    def start(self, limit):
        self.end()
        self.started += 1
        self.pid, self.channel = _start_child(_warm_body)
        answer = self.channel.receive(time.monotonic() + limit)
        if answer is None or answer["verdict"] != "warm":
            self.end()
            return {"verdict": "crash", "collected": [], "errors": []}
        return answer

    def run(self, request):
        if self.channel is None and (
            self.started > 5 or self.start(request["limit"] + 30)["verdict"] != "warm"
        ):
            return {"verdict": "unsupported", "failed": [], "passed": []}
        with contextlib.suppress(OSError):
            self.channel.send(request)
            answer = self.channel.receive(time.monotonic() + request["limit"] + 5)
            if answer is not None:
                return answer
        self.end()
        return {"verdict": "crash", "failed": [], "passed": []}

    def end(self):
        if self.pid:
            _end_child(self.pid)
            self.channel.close()
        self.pid, self.channel = 0, None


# --- the server ----------------------------------------------------------------------------------


def _remove_bytecode():
    """Compiled files of before an edit must never stand in for it."""
    for folder, _, names in os.walk(_ROOT):
        if os.path.basename(folder) == "__pycache__":
            for name in names:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))


def _serve(channel):
    warm = WarmProcess()
    while True:
        request = channel.receive()
        if request is None:
            break
        kind = request["request"]
        if kind == "settings":
            _settings.update(request["settings"])
            answer = {"verdict": "settings"}
        elif kind == "measure":
            answer = _measure(request)
        elif kind == "warm":
            answer = warm.start(request["limit"])
        else:
            changed = _apply(request["edits"])
            try:
                answer = warm.run(request) if request.get("hot") else _run_cold(request)
            finally:
                _end_strays(warm.pid)
                _restore(changed)
        channel.send(answer)
    warm.end()
    _end_strays()


def main():
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1) if os.environ.get("REGREEN_SERVER_DEBUG") else (0, 1, 2):
        os.dup2(nothing, descriptor)
    _prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
    sys.dont_write_bytecode = True
    sys.argv = ["pytest"]
    # As `python -m pytest` does, and unlike this script's own folder.
    sys.path[0] = _ROOT
    _remove_bytecode()
    import pytest  # noqa: F401

    _host.append(reading)
    _serve(Channel(reading, writing))
    os._exit(0)


if __name__ == "__main__":
    main()
