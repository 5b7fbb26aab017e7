"""The security stage's search for secrets: gitleaks over the tree and over its whole history.

What gitleaks says of itself is not enough: when git fails under it, it reports no leaks and ends
with 0. A scan counts only when it logged no error and examined something.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from temporalio import activity

from activities.artifact_store import put_bytes
from activities.counted import counted
from activities.process import Completed, tail_of
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, require_isolation, run_sandboxed
from activities.side_by_side import side_by_side
from activities.workspace import checked_out, private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.run import StageRequest, StageVerdict
from regreen.tools.locate import find

_FINDINGS = 3
_LOG_CHARACTERS = 1 << 20
_COMMITS = re.compile(r" INF (\d+) commits scanned")
_BYTES = re.compile(r" INF scanned ~(\d+) bytes")
_ERROR = re.compile(r" (?:ERR|FTL) (.*)")
_REPOSITORY_FILES = (".gitleaks.toml", ".gitleaksignore")

# Left out are the match, the secret, and the commit's message and author: a message can repeat the
# secret, and nothing here needs a person's address.
_KEPT = (
    *("RuleID", "Description", "File", "StartLine", "EndLine", "StartColumn", "EndColumn"),
    *("Commit", "Date", "Fingerprint"),
)

ScanName = Literal["tree", "history"]


@dataclass(frozen=True)
class _Scan:
    name: ScanName
    findings: tuple[dict[str, Any], ...]
    examined: str
    problem: str
    """Why the scan does not count, in one line; empty when it does."""


@activity.defn
async def scan_secrets(request: StageRequest) -> StageVerdict:
    """Search the files and every commit that leads to them for secrets.

    A `.gitleaks.toml` or `.gitleaksignore` of the repository is used, and the verdict says so.
    """
    section = request.pipeline.security
    if section is None:
        return StageVerdict(state="skipped", summary="no security gate configured")
    require_isolation(request.pipeline.sandbox == "required")
    gitleaks = find("gitleaks")
    if gitleaks is None:
        return StageVerdict(
            state="skipped",
            summary="skipped: gitleaks not found, `regreen tools install`",
            missing_tool="gitleaks",
        )
    async with checked_out(request.workspace) as copy:
        settings = [name for name in _REPOSITORY_FILES if (copy / name).is_file()]
        with private_folder() as folder:
            scans = await side_by_side(
                [
                    _scan("tree", gitleaks, copy, folder, section.timeout),
                    _scan("history", gitleaks, copy, folder, section.timeout),
                ]
            )
    artifacts = [await _report(scan) for scan in scans]
    return _verdict(scans, settings, artifacts)


async def _scan(name: ScanName, gitleaks: Path, copy: Path, folder: Path, timeout: float) -> _Scan:
    results = folder / name
    results.mkdir()
    report = results / "report.json"
    sandbox = Sandbox(workspace=copy, results=results, mounts=(Mount(gitleaks, str(gitleaks)),))
    done = await run_sandboxed(
        sandbox,
        [
            *(str(gitleaks), "dir" if name == "tree" else "git", "."),
            *("--no-banner", "--no-color", "--redact", "--exit-code", str(_FINDINGS)),
            *("--report-format", "json", "--report-path", inside(sandbox, report)),
        ],
        output=folder / f"{name}.log",
        timeout=timeout,
        subject=f"gitleaks {name}",
    )
    log = tail_of(done.output, _LOG_CHARACTERS)
    findings = _findings(read_result(report))
    examined, anything = _examined(name, log)
    problem = _problem(name, done, log, findings, timeout)
    if not problem and not anything:
        problem = f"examined nothing in the {name} ({examined})"
    return _Scan(name, findings or (), examined, problem)


def _problem(
    name: ScanName,
    done: Completed,
    log: str,
    findings: tuple[dict[str, Any], ...] | None,
    timeout: float,
) -> str:
    if done.timed_out:
        return f"the {name} scan did not end within {timeout:g} s"
    errors = _ERROR.findall(log)
    if errors:
        return f"the {name} scan failed: {errors[0].strip()[:300]}"
    if done.code not in (0, _FINDINGS):
        lines = log.strip().splitlines() or ["no output"]
        return f"the {name} scan ended with code {done.code}: {lines[-1][:300]}"
    if findings is None:
        return f"the {name} scan left no readable report"
    if bool(findings) != (done.code == _FINDINGS):
        reported = counted(len(findings), "finding")
        return f"the {name} scan ended with code {done.code} and reported {reported}"
    return ""


def _examined(name: ScanName, log: str) -> tuple[str, bool]:
    commits, size = _COMMITS.search(log), _BYTES.search(log)
    amount = int(size[1]) if size else 0
    if name == "tree":
        return f"{counted(amount, 'byte')} of files", amount > 0
    count = int(commits[1]) if commits else 0
    examined = f"{counted(count, 'commit')} with {counted(amount, 'byte')} of changes"
    return examined, count > 0 and amount > 0


def _findings(data: bytes | None) -> tuple[dict[str, Any], ...] | None:
    try:
        records = json.loads(data) if data is not None else None
    except ValueError:
        return None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return None
    return tuple({key: record.get(key) for key in _KEPT} for record in records)


async def _report(scan: _Scan) -> ArtifactRef:
    data = json.dumps(scan.findings, indent=1).encode()
    return await put_bytes(f"gitleaks-{scan.name}.json", data, "application/json")


def _verdict(scans: list[_Scan], settings: list[str], artifacts: list[ArtifactRef]) -> StageVerdict:
    tree, history = scans
    examined = f"{tree.examined} and {history.examined}"
    if settings:
        examined += f", with the repository's {' and '.join(settings)}"
    found = [*tree.findings, *history.findings]
    # A secret in the tree is in the history as well, and it is one secret.
    places = {(item["RuleID"], item["File"], item["StartLine"]) for item in found}
    parts = [scan.problem for scan in scans if scan.problem]
    if found:
        first = found[0]
        place = f"{first['RuleID']} at {first['File']}:{first['StartLine']}"
        commit = f" in commit {str(first['Commit'])[:12]}" if first["Commit"] else ""
        parts.insert(0, f"{counted(len(places), 'secret')}, first {place}{commit}")
    if parts:
        return StageVerdict(
            state="failed",
            summary=f"gitleaks: {'; '.join(parts)}; examined {examined}",
            artifacts=tuple(artifacts),
        )
    return StageVerdict(
        state="passed",
        summary=f"gitleaks: no secrets in {examined}",
        artifacts=tuple(artifacts),
    )
