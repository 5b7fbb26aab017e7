"""Running a command in the sandbox: no secrets, no network but loopback, limits on everything.

With bubblewrap the command sees the system read-only, its workspace at `/workspace`, its
environment at `/environment`, a private `/tmp` and `/home`, its own process ids and no network but
loopback. Where the kernel does not permit that, what remains is an environment built from nothing
and resource limits; `isolation()` says so and the run's report repeats it.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.process import Completed, run_process
from regreen.inherited_variables import INDEX_VARIABLES, NETWORK_VARIABLES
from regreen.tools.locate import find

WORKSPACE = "/workspace"
ENVIRONMENT = "/environment"
RESULTS = "/results"

# What programs need of /etc to resolve names, users, certificates and time zones. The rest of
# /etc can hold secrets and is not shown.
_ETC = (
    "alternatives",
    "ca-certificates",
    "fonts",
    "group",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt")


@dataclass(frozen=True)
class Limits:
    """Resource limits of one sandboxed command, for each of its processes."""

    memory_bytes: int = 16 << 30
    """Of address space, which Go and Node programs reserve far beyond what they use."""
    processes: int = 4096
    """Of the user who runs the worker; the kernel does not apply it to root."""
    file_bytes: int = 4 << 30


@dataclass(frozen=True)
class Mount:
    """One more folder or file to show inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Sandbox:
    """What a command may see and use."""

    workspace: Path | None = None
    """Shown at `/workspace`, writable."""
    environment: Path | None = None
    """The repository's virtual environment, shown at `/environment`."""
    environment_writable: bool = False
    results: Path | None = None
    """An empty folder for the files that the caller reads afterwards, shown at `/results`."""
    mounts: tuple[Mount, ...] = ()
    network: bool = False
    package_index: bool = True
    """Whether a command with network is told which package index to use. Its address may hold a
    password."""
    variables: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Isolation:
    """Whether commands are isolated on this machine."""

    kind: str
    """`bubblewrap` or `none`."""
    reason: str
    """Empty with bubblewrap; otherwise what is missing and the way out, in one line."""


@lru_cache(maxsize=1)
def isolation() -> Isolation:
    """Probe once whether bubblewrap works here."""
    bubblewrap = find("bubblewrap")
    if bubblewrap is None:
        return Isolation("none", "bubblewrap not found, `regreen tools install`")
    probe = [str(bubblewrap), "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    ran = os.spawnvp(os.P_WAIT, "sh", ["sh", "-c", '"$@" >/dev/null 2>&1', "sh", *probe])
    if ran == 0:
        return Isolation("bubblewrap", "")
    return Isolation("none", "bubblewrap cannot make namespaces here; permit user namespaces")


def require_isolation(required: bool) -> None:
    """Raise a non-retryable ApplicationError when isolation is required and not to be had."""
    found = isolation()
    if required and found.kind == "none":
        raise ApplicationError(
            f"sandbox required: {found.reason}", type="SandboxUnavailable", non_retryable=True
        )


def inside(sandbox: Sandbox, path: Path) -> str:
    """The name that a path of this machine has for the sandboxed command."""
    if isolation().kind == "none":
        return str(path)
    for folder, target in (
        (sandbox.workspace, WORKSPACE),
        (sandbox.environment, ENVIRONMENT),
        (sandbox.results, RESULTS),
    ):
        if folder is not None and path.is_relative_to(folder):
            relative = path.relative_to(folder)
            return target if relative == Path() else f"{target}/{relative.as_posix()}"
    return str(path)


async def run_sandboxed(
    sandbox: Sandbox,
    command: Sequence[str],
    *,
    output: Path,
    timeout: float,
    subject: str,
) -> Completed:
    """Run a command in the sandbox; see `run_process` for output, timeout and heartbeats.

    Paths among the arguments are given as the sandbox shows them: use `inside`.
    """
    with tempfile.TemporaryDirectory(prefix="regreen-sandbox-") as private:
        argv, variables, cwd = sandbox_command(sandbox, command, Path(private))
        return await run_process(
            argv, output=output, timeout=timeout, subject=subject, env=variables, cwd=cwd
        )


def sandbox_command(
    sandbox: Sandbox, command: Sequence[str], private: Path
) -> tuple[list[str], dict[str, str], Path]:
    """The argument list, environment and working directory that run `command` in the sandbox.

    For programs that keep the process and talk to it. `private` is an empty folder of the caller
    that becomes home and `/tmp` where bubblewrap is not available.
    """
    limits = [
        *_fixed_addresses(),
        _prlimit(),
        f"--as={sandbox.limits.memory_bytes}",
        f"--nproc={sandbox.limits.processes}",
        f"--fsize={sandbox.limits.file_bytes}",
        "--core=0",
        "--",
    ]
    isolated = isolation().kind == "bubblewrap"
    variables = _variables(sandbox, private, isolated)
    if not isolated:
        return [*limits, *command], variables, sandbox.workspace or private
    return [*limits, *_bubblewrap(sandbox), *command], variables, private


def with_scratch(sandbox: Sandbox, folder: Path) -> Sandbox:
    """The sandbox with a folder of the caller's as `/tmp`, home and shared memory.

    What commands leave there lasts from one to the next.
    """
    home, memory = folder / "home", folder / "shm"
    home.mkdir(exist_ok=True)
    memory.mkdir(exist_ok=True)
    if isolation().kind == "none":
        variables = {**sandbox.variables, "HOME": str(home), "TMPDIR": str(folder)}
        return replace(sandbox, variables=variables)
    shown = ((folder, "/tmp"), (home, "/home/sandbox"), (memory, "/dev/shm"))
    mounts = tuple(Mount(source, target, writable=True) for source, target in shown)
    return replace(sandbox, mounts=(*sandbox.mounts, *mounts))


@lru_cache(maxsize=1)
def _fixed_addresses() -> tuple[str, ...]:
    """The words before a command that give it the same addresses each time, where permitted.

    Up to Python 3.11 the hash of None is its address. Tests that are parametrised over a set with
    None in it get other names in each process otherwise, whatever PYTHONHASHSEED says.
    """
    setarch = shutil.which("setarch")
    if setarch is None:
        return ()
    words = (setarch, "--addr-no-randomize")
    permitted = os.spawnvp(
        os.P_WAIT, "sh", ["sh", "-c", '"$@" >/dev/null 2>&1', "sh", *words, "true"]
    )
    return words if permitted == 0 else ()


def _prlimit() -> str:
    found = shutil.which("prlimit")
    if found is None:
        raise ApplicationError(
            "prlimit not found, install util-linux", type="SandboxUnavailable", non_retryable=True
        )
    return found


def _bubblewrap(sandbox: Sandbox) -> list[str]:
    arguments = [str(find("bubblewrap")), "--unshare-all", "--die-with-parent", "--new-session"]
    if sandbox.network:
        arguments.append("--share-net")
    arguments += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"]
    arguments += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--dir", "/home/sandbox"]
    for folder in _SYSTEM:
        path = Path(folder)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), folder]
        elif path.exists():
            arguments += ["--ro-bind", folder, folder]
    for name in _ETC:
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for prefix in _python_prefixes(sandbox.environment):
        arguments += ["--ro-bind", prefix, prefix]
    for mount in sandbox.mounts:
        arguments += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
    if sandbox.environment is not None:
        bind = "--bind" if sandbox.environment_writable else "--ro-bind"
        arguments += [bind, str(sandbox.environment), ENVIRONMENT]
    if sandbox.results is not None:
        arguments += ["--bind", str(sandbox.results), RESULTS]
    if sandbox.workspace is not None:
        arguments += ["--bind", str(sandbox.workspace), WORKSPACE, "--chdir", WORKSPACE]
    return [*arguments, "--"]


def _python_prefixes(environment: Path | None) -> list[str]:
    """Interpreters outside the system folders that the command needs."""
    prefixes = {Path(sys.base_prefix).resolve()}
    if environment is not None and (environment / "pyvenv.cfg").is_file():
        for line in (environment / "pyvenv.cfg").read_text().splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home":
                prefixes.add(Path(value.strip()).resolve().parent)
    return sorted(
        str(prefix)
        for prefix in prefixes
        if prefix.is_dir() and not any(prefix.is_relative_to(folder) for folder in _SYSTEM)
    )


def _variables(sandbox: Sandbox, private: Path, isolated: bool) -> dict[str, str]:
    home, temporary = ("/home/sandbox", "/tmp") if isolated else (str(private), str(private))
    path = ["/usr/local/bin", "/usr/bin", "/bin"]
    variables = {
        "HOME": home,
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "CI": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "SOURCE_DATE_EPOCH": "315532800",
    }
    if sandbox.environment is not None:
        environment = inside(sandbox, sandbox.environment)
        variables["VIRTUAL_ENV"] = environment
        path.insert(0, f"{environment}/bin")
    variables["PATH"] = ":".join(path)
    if sandbox.network:
        hidden = () if sandbox.package_index else INDEX_VARIABLES
        told = [name for name in NETWORK_VARIABLES if name not in hidden]
        variables |= {name: os.environ[name] for name in told if name in os.environ}
    return variables | dict(sandbox.variables)


async def kill_sandboxed(process: asyncio.subprocess.Process) -> None:
    """End a process started from `sandbox_command`, with everything it started."""
    if process.returncode is None:
        process.kill()
        await process.wait()
