"""Running pip-audit: Python components, against a service with OSV's API.

pip-audit ends with 0 when it audited nothing, and with 1 for findings as for a crash. So its report
decides: each component that it was asked about has to stand in it, and none may be skipped. It runs
in the sandbox with the network and a list of names and versions, and with nothing of a repository.
"""

import asyncio
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ValidationError

from activities.components import Component
from activities.finding import one_line
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, run_sandboxed
from activities.workspace import private_folder
from regreen.counted import counted

_TRIES = 3
_SECONDS_PER_REQUEST = 60
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_ERROR = re.compile(r"^(?:ERROR:)?([\w.]+: ?\S.*)$", re.MULTILINE)


class AuditFailed(Exception):
    """pip-audit did not do its work; the message is one line."""


class Vulnerability(BaseModel):
    """One vulnerability of a component, as pip-audit reports it."""

    id: str
    aliases: list[str]
    fix_versions: list[str]
    description: str

    @property
    def names(self) -> tuple[str, ...]:
        """Its names, pip-audit's own first."""
        return (self.id, *sorted(self.aliases))


class _Answer(BaseModel):
    name: str
    version: str = ""
    skip_reason: str = ""
    vulns: list[Vulnerability] | None = None


class _Report(BaseModel):
    dependencies: list[_Answer]


@dataclass(frozen=True)
class _Pin:
    """A component as a requirement names it."""

    name: str
    version: Version


async def audited(
    program: Path, url: str, components: Sequence[Component], timeout: float
) -> list[list[Vulnerability]]:
    """For each Python component its vulnerabilities, as pip-audit has them from the service.

    `url` is the address of the service's API, without `/v1`. `timeout` is in seconds, for all of
    it. Raises AuditFailed when pip-audit does not say of each component that it was audited, within
    three tries where it ends without a report.
    """
    pins = [_pin(component) for component in components]
    deadline = time.monotonic() + timeout
    known: dict[_Pin, list[Vulnerability]] = {}
    for together in _each_name_once(pins):
        known |= await _tried(program, url, together, deadline)
    return [known[pin] for pin in pins]


def _pin(component: Component) -> _Pin:
    # Names and versions are what packages say of themselves; one with a line break would be a
    # second requirement, or an option.
    try:
        version = Version(component.version)
    except InvalidVersion:
        version = None
    if version is None or not _NAME.fullmatch(component.name):
        raise AuditFailed(one_line(f"cannot be asked about {component.purl[:200]}"))
    return _Pin(component.name, version)


def _each_name_once(pins: Sequence[_Pin]) -> list[list[_Pin]]:
    """pip-audit takes one version of a package at a time; some packages bring others along."""
    rounds: list[dict[str, _Pin]] = []
    for pin in dict.fromkeys(pins):
        free = next((each for each in rounds if pin.name not in each), None)
        if free is None:
            rounds.append({pin.name: pin})
        else:
            free[pin.name] = pin
    return [list(each.values()) for each in rounds]


async def _tried(
    program: Path, url: str, pins: Sequence[_Pin], deadline: float
) -> dict[_Pin, list[Vulnerability]]:
    """The answers of one run. A run without a report is repeated: it ends at the first trouble."""
    for attempt in range(_TRIES):
        if attempt:
            await asyncio.sleep(0.5 * 2**attempt)
        with private_folder() as folder:
            done, data = await _run(program, url, pins, folder, deadline)
            if done.timed_out:
                raise AuditFailed("did not end within `security.timeout`")
            if data is not None:
                return _answers(data, done, pins)
            reason = _reason(done, url)
    raise AuditFailed(f"ended with code {done.code} and no report: {reason}")


async def _run(
    program: Path, url: str, pins: Sequence[_Pin], folder: Path, deadline: float
) -> tuple[Completed, bytes | None]:
    results = folder / "results"
    results.mkdir()
    requirements, report = results / "requirements.txt", results / "pip-audit.json"
    requirements.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins))
    sandbox, command = _program(program, url, results)
    done = await run_sandboxed(
        sandbox,
        [
            *command,
            *("--vulnerability-service", "osv", "--osv-url", f"{url}/v1/query"),
            *("--requirement", inside(sandbox, requirements), "--no-deps", "--disable-pip"),
            *("--timeout", str(_SECONDS_PER_REQUEST), "--progress-spinner", "off"),
            *("--format", "json", "--desc", "on", "--aliases", "on"),
            *("--output", inside(sandbox, report)),
        ],
        output=folder / "pip-audit.log",
        timeout=max(0.0, deadline - time.monotonic()),
        subject=f"pip-audit: {counted(len(pins), 'component')}",
    )
    return done, read_result(report)


def _program(program: Path, url: str, results: Path) -> tuple[Sandbox, list[str]]:
    """A sandbox that shows the program, and the words that start it there."""
    sandbox = Sandbox(results=results, network=True, only_service=url)
    authorities = os.environ.get("SSL_CERT_FILE")
    if authorities and Path(authorities).is_file():
        # The variable that everything else here reads is none of pip-audit's.
        mounts = (Mount(Path(authorities).resolve(), authorities),)
        variables = {"REQUESTS_CA_BUNDLE": authorities}
        sandbox = replace(sandbox, mounts=mounts, variables=variables)
    environment = program.resolve().parents[1]
    if not (environment / "pyvenv.cfg").is_file():
        shown = Mount(program, str(program))
        return replace(sandbox, mounts=(*sandbox.mounts, shown)), [str(program)]
    sandbox = replace(sandbox, environment=environment)
    return sandbox, [inside(sandbox, environment / "bin" / "python"), "-I", "-m", "pip_audit"]


def _answers(data: bytes, done: Completed, pins: Sequence[_Pin]) -> dict[_Pin, list[Vulnerability]]:
    try:
        answers = _Report.model_validate_json(data).dependencies
    except ValidationError as error:
        raise AuditFailed("no readable report") from error
    known: dict[_Pin, list[Vulnerability]] = {}
    for answer in answers:
        if answer.skip_reason or answer.vulns is None:
            reason = answer.skip_reason or "no reason given"
            raise AuditFailed(one_line(f"skipped {answer.name[:60]}: {reason[:200]}"))
        known[_answered(answer)] = answer.vulns
    unasked = [pin for pin in known if pin not in set(pins)]
    left_out = [pin for pin in pins if pin not in known]
    if left_out or unasked:
        first = (left_out or unasked)[0]
        kind = "left out" if left_out else "was not asked about"
        raise AuditFailed(
            f"answered about {len(known)} of {counted(len(pins), 'component')}, {kind} "
            f"{first.name} {first.version}"
        )
    found = sum(map(len, known.values()))
    if done.code != (1 if found else 0):
        raise AuditFailed(f"ended with code {done.code} and reported {found} vulnerabilities")
    return known


def _answered(answer: _Answer) -> _Pin:
    try:
        return _Pin(canonicalize_name(answer.name), Version(answer.version))
    except InvalidVersion as error:
        raise AuditFailed("no readable report") from error


def _reason(done: Completed, url: str) -> str:
    """The last error that it tells, in its own words."""
    text = done.tail(8000).replace(url, "")
    said = _ERROR.findall(text) or text.strip().splitlines() or ["no output"]
    return one_line(said[-1])[:300]
