"""The security stage's search for secrets: gitleaks over the tree and over its whole history.

What gitleaks says of itself is not enough: when git fails under it, it reports no leaks and ends
with 0. A scan counts only when it logged no error and examined something.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from temporalio import activity

from activities.artifact_store import put_bytes
from activities.finding import Fingerprints, kept, one_line
from activities.process import Completed, tail_of
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, require_isolation, run_sandboxed
from activities.side_by_side import side_by_side
from activities.step_reuse import of_history, reusable
from activities.workspace import checked_out, private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan
from regreen.contracts.run import StageRequest
from regreen.counted import counted
from regreen.tools.locate import find

_FINDINGS = 3
_LOG_CHARACTERS = 1 << 20
_COMMITS = re.compile(r" INF (\d+) commits scanned")
_BYTES = re.compile(r" INF scanned ~(\d+) bytes")
_ERROR = re.compile(r" (?:ERR|FTL) (.*)")
_REPOSITORY_FILES = (".gitleaks.toml", ".gitleaksignore")
# gitleaks' own choice of what git shows, and merges, which can hold what neither side had. Only
# against the first parent: gitleaks misreads git's other ways to show what a merge itself changed.
_CHANGES = "--full-history --all --diff-filter=tuxdb --diff-merges=first-parent"

# Left out are the match, the secret, and the commit's message and author: a message can repeat the
# secret, and nothing here needs a person's address.
_KEPT = (
    *("RuleID", "Description", "File", "StartLine", "EndLine", "StartColumn", "EndColumn"),
    *("Commit", "Date", "Fingerprint"),
)

SearchName = Literal["tree", "history"]


@dataclass(frozen=True)
class _Search:
    name: SearchName
    findings: tuple[dict[str, Any], ...]
    examined: str
    commits: int
    problem: str
    """Why the scan does not count, in one line; empty when it does."""


@activity.defn
@reusable(section="security", tools=("gitleaks",), subject=of_history)
async def scan_secrets(request: StageRequest) -> Scan:
    """Search the files and every commit that leads to them for secrets.

    A `.gitleaks.toml` or `.gitleaksignore` of the repository is used, and the figures say so.
    """
    section = request.pipeline.security
    if section is None:
        return _result(nothing_to_do="no security gate configured")
    require_isolation(request.pipeline.sandbox == "required")
    gitleaks = find("gitleaks")
    if gitleaks is None:
        return _result(missing_tool="gitleaks")
    async with checked_out(request.workspace) as copy:
        # A tree that calls its files binary would keep their changes from being shown.
        (copy / ".git" / "info" / "attributes").write_text("* !diff\n")
        settings = [name for name in _REPOSITORY_FILES if (copy / name).is_file()]
        with private_folder() as folder:
            searches = await side_by_side(
                [
                    _search("tree", gitleaks, copy, folder, section.timeout),
                    _search("history", gitleaks, copy, folder, section.timeout),
                ]
            )
    findings = _secrets(searches)
    used = f", with the repository's {' and '.join(settings)}" if settings else ""
    return _result(
        examined=searches[1].commits,
        figures=f"{' and '.join(search.examined for search in searches)}{used}",
        findings=tuple(findings[:FINDINGS_IN_SCAN]),
        found=len(findings),
        all_findings=await kept("gitleaks", findings),
        problem="; ".join(search.problem for search in searches if search.problem),
        artifacts=tuple([await _report(search) for search in searches]),
    )


def _result(**found: Any) -> Scan:
    return Scan(gate="secrets", tool="gitleaks", unit="commit", **found)


async def _search(
    name: SearchName, gitleaks: Path, copy: Path, folder: Path, timeout: float
) -> _Search:
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
            *([f"--log-opts={_CHANGES}"] if name == "history" else []),
        ],
        output=folder / f"{name}.log",
        timeout=timeout,
        subject=f"gitleaks {name}",
    )
    log = tail_of(done.output, _LOG_CHARACTERS)
    findings = _findings(read_result(report))
    examined, commits, anything = _examined(name, log)
    problem = _problem(name, done, log, findings, timeout)
    if not problem and not anything:
        problem = f"examined nothing in the {name} ({examined})"
    return _Search(name, findings or (), examined, commits, problem)


def _problem(
    name: SearchName,
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


def _examined(name: SearchName, log: str) -> tuple[str, int, bool]:
    commits, size = _COMMITS.search(log), _BYTES.search(log)
    amount = int(size[1]) if size else 0
    if name == "tree":
        return f"{counted(amount, 'byte')} of files", 0, amount > 0
    count = int(commits[1]) if commits else 0
    return f"{counted(amount, 'byte')} of changes", count, count > 0 and amount > 0


def _findings(data: bytes | None) -> tuple[dict[str, Any], ...] | None:
    try:
        records = json.loads(data) if data is not None else None
    except ValueError:
        return None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return None
    return tuple({key: record.get(key) for key in _KEPT} for record in records)


async def _report(search: _Search) -> ArtifactRef:
    data = json.dumps(search.findings, indent=1).encode()
    return await put_bytes(f"gitleaks-{search.name}.json", data, "application/json")


def _secrets(searches: Sequence[_Search]) -> list[Finding]:
    """One finding a secret: one in the tree is in the history as well."""
    fingerprints = Fingerprints("gitleaks")
    found: dict[tuple[object, ...], Finding] = {}
    for item in (item for search in searches for item in search.findings):
        rule, path, line = str(item["RuleID"]), str(item["File"]), int(item["StartLine"] or 0)
        if (rule, path, line) in found:
            continue
        commit = f", in commit {str(item['Commit'])[:12]}" if item["Commit"] else ""
        found[rule, path, line] = Finding(
            tool="gitleaks",
            rule=rule,
            severity="critical",
            path=path,
            line=line,
            message=one_line(f"{str(item['Description'] or 'a secret').rstrip('.')}{commit}"),
            fingerprint=fingerprints.of(rule, path),
        )
    return list(found.values())
