"""The load stage: k6 against the repository's own service, both in one sandbox."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from string import Template
from typing import Any

from pydantic import TypeAdapter, ValidationError
from temporalio import activity

from activities import load_service
from activities.artifact_store import put_bytes
from activities.environment import EnvironmentFailed, environment_of
from activities.finding import Fingerprints, kept, one_line
from activities.k6_summary import LoadSummary, Threshold, parse_summary
from activities.k6_verdict import judge
from activities.load_baseline import accepted_figures, figures_of, regressions
from activities.load_report import load_report
from activities.load_service import LoadOutcome, LoadPlan
from activities.log_artifact import put_log
from activities.process import Completed, tail_of
from activities.result_file import is_result, read_result
from activities.sandbox import Mount, Sandbox, inside, require_isolation, run_sandboxed
from activities.workspace import checked_out, private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.gates import FINDINGS_IN_SCAN, Finding, Scan, Severity
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import LoadSection, LoadThresholds
from regreen.tools.locate import find

SUMMARY_FILE = "k6-summary.json"
"""What the artifact with k6's `handleSummary` data is called."""

_ENTRY = ".regreen-load.js"
_SAMPLES = "k6-samples.json.gz"
_OUTPUT_CHARACTERS = 1 << 20

# Explicit exports win over those of `export *`. Every percentile that a threshold names is added
# to the summary, since k6 otherwise says that it was crossed but not by how much.
_ENTRY_TEXT = Template("""\
import * as script from $script;
export * from $script;
export default script.default;

const stages = $stages;
const added = $thresholds;
const usual = ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)'];
const chosen = Object.assign({}, script.options);
if (stages.length) {
  for (const name of ['vus', 'iterations', 'duration', 'scenarios']) delete chosen[name];
  chosen.stages = stages;
}
chosen.thresholds = Object.assign({}, chosen.thresholds);
for (const metric of Object.keys(added)) {
  chosen.thresholds[metric] = [].concat(chosen.thresholds[metric] || [], added[metric]);
}
const named = JSON.stringify(chosen.thresholds || {}).match(/p\\([0-9.]+\\)/g) || [];
chosen.summaryTrendStats = Array.from(
  new Set([].concat(chosen.summaryTrendStats || usual, ['p(95)'], named))
);
export { chosen as options };

export function handleSummary(data) {
  let files = {};
  try {
    files = script.handleSummary ? script.handleSummary(data) : {};
  } catch (error) {
    console.error(error);
  }
  return Object.assign({}, files, { [$summary]: JSON.stringify(data) });
}
""")


@activity.defn
async def run_load_test(request: StageRequest) -> Scan:
    """Run the k6 script of `load.script`, beside the service of `load.service` when there is one.

    Crossed thresholds are findings; a dead target and a script without requests are problems.
    """
    section = request.pipeline.load
    if section is None:
        return _scan(nothing_to_do="no load test configured")
    require_isolation(request.pipeline.sandbox == "required")
    async with checked_out(request.workspace) as copy:
        script = copy / section.script
        if not script.is_file() or not script.resolve().is_relative_to(copy.resolve()):
            return _scan(problem=f"{section.script} not found at this commit")
        k6 = find("k6")
        if k6 is None:
            return _scan(missing_tool="k6")
        environment = None
        if section.service is not None:
            try:
                environment = await environment_of(request.workspace, request.pipeline, copy)
            except EnvironmentFailed as error:
                return _scan(problem=f"environment of the service: {error}")
        with private_folder() as folder:
            return await _load(section, k6, copy, environment, folder, request)


async def _load(
    section: LoadSection,
    k6: Path,
    copy: Path,
    environment: Path | None,
    folder: Path,
    request: StageRequest,
) -> Scan:
    results = folder / "results"
    results.mkdir()
    launcher = Path(load_service.__file__).resolve()
    sandbox = Sandbox(
        workspace=copy,
        environment=environment,
        results=results,
        mounts=(Mount(k6, str(k6)), Mount(launcher, str(launcher))),
        variables={"K6_NO_USAGE_REPORT": "true"},
    )
    plan = _plan(section, sandbox, str(k6), copy, results)
    # This interpreter's real path lies below its base prefix, which every sandbox shows.
    python = str(Path(sys.executable).resolve())
    waiting = 0.0 if section.service is None else section.service.timeout
    done = await run_sandboxed(
        sandbox,
        [python, "-I", str(launcher), json.dumps(asdict(plan))],
        output=folder / "k6-output.txt",
        timeout=waiting + section.timeout + 2 * load_service.STOPPING_SECONDS,
        subject="k6 load",
    )
    artifacts = await _artifacts(done.output, results)
    outcome = _read_outcome(results / "outcome.json")
    if outcome is None:
        return _scan(problem=_no_outcome(done), artifacts=artifacts)
    log = results / "service.log"
    summary = parse_summary(read_result(results / "summary.json"))
    verdict = judge(
        section,
        outcome,
        summary,
        output=tail_of(done.output, _OUTPUT_CHARACTERS),
        service_log=tail_of(log, 2000) if is_result(log) else "",
    )
    worse = [] if verdict.problem else await _worse(section, summary, request)
    if summary is not None:
        page = load_report(
            summary,
            title=f"k6 {section.script}",
            verdict=verdict.problem or verdict.figures,
            regressions=worse,
        )
        artifacts += (await put_bytes("load-report.html", page, "text/html"),)
    findings = _findings(section, verdict.crossed, worse)
    return _scan(
        examined=summary.requests if summary else 0,
        figures="; ".join([verdict.figures, *worse]),
        findings=findings[:FINDINGS_IN_SCAN],
        found=len(findings),
        all_findings=await kept("k6", findings),
        problem=verdict.problem,
        artifacts=artifacts,
    )


def _scan(**found: Any) -> Scan:
    return Scan(gate="load", tool="k6", unit="request", **found)


async def _worse(
    section: LoadSection, summary: LoadSummary | None, request: StageRequest
) -> list[str]:
    source = request.workspace.source
    now = None if summary is None else figures_of(summary)
    if now is None:
        return []
    accepted = await accepted_figures(source.repository, source.ref)
    return regressions(now, accepted, section.noise)


def _findings(
    section: LoadSection, crossed: Sequence[Threshold], worse: Sequence[str]
) -> tuple[Finding, ...]:
    fingerprints = Fingerprints("k6")

    def finding(rule: str, severity: Severity, subject: str, message: str) -> Finding:
        return Finding(
            tool="k6",
            rule=rule,
            severity=severity,
            path=section.script,
            subject=subject,
            message=one_line(message),
            fingerprint=fingerprints.of(rule, section.script, subject),
        )

    grade: Severity = "high" if section.regression == "fail" else "medium"
    return (
        *(
            finding("crossed-threshold", "high", f"{each.metric}:{each.rule}", str(each))
            for each in crossed
        ),
        *(finding("load-regression", grade, "accepted runs", line) for line in worse),
    )


def _plan(section: LoadSection, sandbox: Sandbox, k6: str, copy: Path, results: Path) -> LoadPlan:
    script = PurePosixPath(inside(sandbox, copy)) / section.script
    text = _ENTRY_TEXT.substitute(
        script=json.dumps(f"./{script.name}"),
        summary=json.dumps(inside(sandbox, results / "summary.json")),
        stages=json.dumps(
            [
                {"duration": f"{each.duration * 1000:.0f}ms", "target": each.target}
                for each in section.stages
            ]
        ),
        thresholds=json.dumps(_thresholds(section.thresholds)),
    )
    variables = [f"--env={name}={value}" for name, value in section.environment.items()]
    service = section.service
    return LoadPlan(
        # Without an address k6 serves no control interface, which could hold the service's port.
        k6=[k6, "run", "--quiet", "--no-color", "--address=", *variables]
        # By its name k6 knows that it is to be compressed.
        + ["--out", f"json={inside(sandbox, results / _SAMPLES)}"],
        entry=str(script.parent / _ENTRY),
        entry_text=text,
        k6_timeout=section.timeout,
        outcome=inside(sandbox, results / "outcome.json"),
        service=[] if service is None else list(service.command),
        service_log=inside(sandbox, results / "service.log"),
        ready="" if service is None else service.ready,
        ready_timeout=0.0 if service is None else service.timeout,
    )


def _thresholds(wanted: LoadThresholds) -> dict[str, list[str]]:
    rules = {
        "http_req_duration": None if wanted.p95 is None else f"p(95)<={wanted.p95 * 1000:g}",
        "http_req_failed": None if wanted.error_rate is None else f"rate<={wanted.error_rate:g}",
        "checks": None if wanted.checks is None else f"rate>={wanted.checks:g}",
        "http_reqs": None if wanted.throughput is None else f"rate>={wanted.throughput:g}",
    }
    return {metric: [rule] for metric, rule in rules.items() if rule is not None}


def _read_outcome(path: Path) -> LoadOutcome | None:
    data = read_result(path)
    try:
        return None if data is None else TypeAdapter(LoadOutcome).validate_json(data)
    except ValidationError:
        return None


def _no_outcome(done: Completed) -> str:
    if done.timed_out:
        return f"did not end within {done.seconds:.0f} s"
    lines = done.tail().strip().splitlines() or ["no output"]
    return f"ended with code {done.code} without a result: {lines[-1][:300]}"


async def _artifacts(output: Path, results: Path) -> tuple[ArtifactRef, ...]:
    stored = [await put_log(output)]
    summary = read_result(results / "summary.json")
    if summary is not None:
        stored.insert(0, await put_bytes(SUMMARY_FILE, summary, "application/json"))
    # One that is larger than what is read of any result is left out.
    samples = read_result(results / _SAMPLES)
    if samples is not None:
        stored.append(await put_bytes(_SAMPLES, samples, "application/gzip"))
    if is_result(results / "service.log"):
        stored.append(await put_log(results / "service.log"))
    return tuple(stored)
