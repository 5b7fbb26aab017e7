"""What went wrong, as annotations beside the code: GitHub's workflow commands.

At most ten errors and ten warnings of a step are shown by GitHub
(docs.github.com/actions/reference/limits); what goes beyond is left to the summary.
"""

from collections.abc import Iterator

from regreen.contracts.run import RunReport, StageReport

_OF_A_KIND = 10
_MESSAGE = 500


def annotations(report: RunReport) -> list[str]:
    """The lines to print: failed stages, failing tests, findings; then heals and flaky tests."""
    errors = [line for stage in report.stages for line in _errors(stage)]
    warnings = [line for stage in report.stages for line in _warnings(stage, report)]
    return errors[:_OF_A_KIND] + warnings[:_OF_A_KIND]


def _errors(stage: StageReport) -> Iterator[str]:
    if stage.state != "failed":
        return
    yield _command("error", stage.summary, title=f"{stage.name} failed")
    for node_id in stage.triage.failing if stage.triage else ():
        yield _test("error", node_id, f"{node_id} fails", title=f"{stage.name}: failing test")
    for gate in stage.gates:
        for finding in gate.blocking:
            place = {"file": finding.path, "line": str(finding.line or "")}
            yield _command("error", finding.message, title=f"{gate.gate}: {finding.rule}", **place)


def _warnings(stage: StageReport, report: RunReport) -> Iterator[str]:
    if stage.state == "healed":
        where = f"; see {report.pull_request.url}" if report.pull_request else ""
        yield _command("warning", f"{stage.summary}{where}", title=f"{stage.name} healed")
    for node_id in stage.quarantined:
        text = f"{node_id} is flaky: it failed, and passed when run again"
        yield _test("warning", node_id, text, title=f"{stage.name}: flaky test")


def _test(kind: str, node_id: str, text: str, *, title: str) -> str:
    return _command(kind, text, title=title, file=node_id.partition("::")[0])


def _command(kind: str, text: str, **properties: str) -> str:
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{kind} {written}::{_data(text[:_MESSAGE])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
