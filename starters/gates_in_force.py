"""The gates of a pipeline file with their thresholds, in words."""

from dataclasses import dataclass

from activities.gate_weighing import blocks_at
from regreen.pipeline_file import CoverageSection, LoadSection, Pipeline


@dataclass(frozen=True)
class GateInForce:
    """One gate, and what it takes to pass it."""

    stage: str
    gate: str
    threshold: str


def gates_in_force(pipeline: Pipeline) -> list[GateInForce]:
    """Every gate in the order of the stages; one that is switched off says so."""
    found = []
    for stage in ("unit", "integration", "e2e"):
        section = pipeline.tests(stage)
        if section is not None:
            flaky = "left aside" if pipeline.heal.flaky == "quarantine" else "red"
            threshold = f"all green with {section.tool}; flaky tests are {flaky}"
            found.append(GateInForce(stage, "tests", threshold))
    found.append(GateInForce("coverage", "coverage", _coverage(pipeline.coverage)))
    if pipeline.load is not None:
        found.append(GateInForce("load", "load", _load(pipeline.load)))
    if pipeline.security is None:
        found.append(GateInForce("security", "all", "switched off"))
    else:
        secrets = GateInForce("security", "secrets", "no finding")
        analysis = blocks_at("static-analysis", pipeline)
        dependencies = blocks_at("dependencies", pipeline)
        days = pipeline.security.database_age / 86400
        found += [
            secrets,
            GateInForce("security", "static-analysis", f"no finding of {analysis} or above"),
            GateInForce(
                "security",
                "dependencies",
                f"no vulnerability of {dependencies} or above, advisories of at most {days:g} days",
            ),
        ]
    if pipeline.package is None:
        found.append(GateInForce("package", "packages", "switched off"))
    else:
        threshold = "packages install and start"
        if pipeline.package.reproducible == "required":
            threshold += ", and two builds are the same"
        found.append(GateInForce("package", "packages", threshold))
    return found


def _coverage(section: CoverageSection | None) -> str:
    if section is None:
        return "switched off"
    parts = [f"{section.threshold:g} % of all stages"]
    parts += [f"{percent:g} % of {stage}" for stage, percent in section.stages.items()]
    if section.changed is not None:
        parts.append(f"{section.changed:g} % of changed lines")
    return ", ".join(parts)


def _load(section: LoadSection) -> str:
    limits = section.thresholds
    parts = ["the thresholds of the script"]
    if limits.p95 is not None:
        parts.append(f"p95 within {limits.p95 * 1000:g} ms")
    if limits.error_rate is not None:
        parts.append(f"at most {limits.error_rate * 100:g} % failed")
    if limits.checks is not None:
        parts.append(f"{limits.checks * 100:g} % of checks")
    if limits.throughput is not None:
        parts.append(f"{limits.throughput:g} requests a second")
    if section.regression == "fail":
        parts.append(f"at most {section.noise * 100:g} % worse than before")
    return ", ".join(parts)
