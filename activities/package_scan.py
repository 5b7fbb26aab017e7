"""The scan of one kind of package: what was made, whether twice the same, and whether it runs."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from activities.finding import Fingerprints, kept, one_line
from activities.log_artifact import put_log
from activities.process import Completed
from activities.sandbox import Sandbox, run_sandboxed
from activities.uv import last_error
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.pipeline_file import PackageSection
from regreen.printable import printable

SMOKE_SECONDS = 60.0
"""How long a smoke run may take."""


class PackageFindings:
    """What one packager found."""

    def __init__(self, tool: str) -> None:
        self.tool = tool
        self.found: list[Finding] = []
        self._fingerprints = Fingerprints(tool)

    def add(
        self,
        rule: str,
        message: str,
        *,
        severity: Severity = "high",
        path: str = "",
        line: int = 0,
        subject: str = "",
    ) -> None:
        """Note a finding."""
        self.found.append(
            Finding(
                tool=self.tool,
                rule=rule,
                severity=severity,
                path=path,
                line=line,
                subject=subject,
                message=one_line(message),
                fingerprint=self._fingerprints.of(rule, path, subject),
            )
        )

    def compare(
        self, section: PackageSection, first: Mapping[str, Path], second: Mapping[str, Path]
    ) -> bool:
        """Note each file that two builds did not make alike; whether there was none.

        The maps have the files of a build by their names.
        """
        severity: Severity = "high" if section.reproducible == "required" else "medium"
        alike = True
        for name in sorted(first.keys() | second.keys()):
            digests = [_digest(build[name]) if name in build else "" for build in (first, second)]
            if digests[0] == digests[1]:
                continue
            alike = False
            if all(digests):
                why = f"built twice, SHA-256 {digests[0][:12]} and {digests[1][:12]}"
            else:
                why = f"made by the {'first' if digests[0] else 'second'} of two builds only"
            self.add("not-reproducible", f"{name}: {why}", severity=severity, subject=name)
        return alike

    async def smoke(
        self, sandbox: Sandbox, command: Sequence[str], *, what: str, log: Path
    ) -> tuple[ArtifactRef, ...]:
        """Run what was packaged; an exit code other than 0 is a finding, and its log is kept."""
        done = await run_sandboxed(
            sandbox, command, output=log, timeout=SMOKE_SECONDS, subject=f"smoke run: {what}"
        )
        if done.code == 0 and not done.timed_out:
            return ()
        self.add("smoke-run", f"{what}: {reason(done, SMOKE_SECONDS)}", subject=what)
        return (await put_log(log),)

    async def scan(self, packages: Sequence[ArtifactRef], figures: Sequence[str]) -> Scan:
        """The scan: `packages` were made, and logs are among them where something went wrong."""
        made = [ref for ref in packages if ref.media_type != "text/plain"]
        return Scan(
            gate="packages",
            tool=self.tool,
            examined=len(made),
            unit="package",
            figures=", ".join([*(f"{ref.name} ({_kilobytes(ref)})" for ref in made), *figures]),
            findings=tuple(self.found[:FINDINGS_IN_SCAN]),
            found=len(self.found),
            all_findings=await kept(self.tool, self.found),
            artifacts=tuple(packages),
        )


def failed(tool: str, problem: str, *artifacts: ArtifactRef) -> Scan:
    """The scan of a packager that made nothing."""
    problem = one_line(printable(problem))
    return Scan(
        gate="packages", tool=tool, unit="package", problem=problem, artifacts=tuple(artifacts)
    )


async def failed_command(tool: str, what: str, done: Completed, timeout: float) -> Scan:
    """The scan of a packager whose command failed, with its log."""
    log = await put_log(done.output)
    return failed(tool, f"{what} failed: {reason(done, timeout)}", log)


def reason(done: Completed, timeout: float) -> str:
    """Why a command did not end well, in one line."""
    if done.timed_out:
        return f"not done after {timeout:g} s"
    said = last_error(done.tail(8000))
    return said if said != "no output" else f"exit code {done.code} and no output"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kilobytes(ref: ArtifactRef) -> str:
    return f"{max(1, round(ref.bytes / 1000))} kB"
