"""What an announcement says, from a run's report.

A chat is read by more people than a repository: no source, no log, no value that a test compared.
Names of tests, rules and files are told, and otherwise only what Regreen itself has counted.
"""

from typing import Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from regreen.contracts.announcement import (
        FINAL,
        MOST_REMARKS,
        MOST_TESTS,
        AnnouncedPullRequest,
        AnnouncedStage,
        Announcement,
        AnnouncementKind,
        Colour,
    )
    from regreen.contracts.forge_check import Annotation
    from regreen.contracts.run import RunReport, StageReport
    from regreen.counted import counted

_GREEN = ("passed", "released", "healed")
_AMBER = ("started", "waiting", "running", "skipped")
_LONGEST = 300


def announcement_of(
    kind: AnnouncementKind, report: RunReport, *, key: str, stage: StageReport | None = None
) -> Announcement:
    """The announcement of this kind; `stage` is the one that it is about."""
    if kind == "failed":
        stage = next((each for each in report.stages if each.state == "failed"), None)
    state = None if stage is None else stage.state or "running"
    attempts = sum(len(each.attempts) for each in report.stages)
    failing = _failing(stage) if stage is not None and kind == "failed" else ()
    pull_request, request = report.pull_request, report.request
    return Announcement(
        key=key,
        kind=kind,
        colour=_colour(state if kind == "stage" and state else kind),
        repository=_short(request.repository),
        ref=_short(request.ref),
        commit=request.commit,
        run=report.workflow_id,
        run_id=report.run_id,
        reason=_reason(kind, report, stage),
        stage="" if stage is None else stage.name,
        state=state,
        summary=_short(stage.summary) if stage is not None and kind == "stage" else "",
        attempts=len(stage.attempts) if stage is not None and kind != "failed" else attempts,
        tests=tuple(_short(name) for name in failing[:MOST_TESTS]),
        more_tests=max(0, len(failing) - MOST_TESTS),
        remarks=_remarks(stage)[:MOST_REMARKS] if stage is not None and kind == "stage" else (),
        pull_request=None
        if pull_request is None
        else AnnouncedPullRequest(
            number=pull_request.number, branch=pull_request.branch, url=pull_request.url
        ),
        version=report.release.version if report.release is not None else "",
        commands=(f"regreen approve {report.workflow_id}", f"regreen reject {report.workflow_id}")
        if kind == "waiting"
        else (),
        seconds=_since_start() if kind in FINAL else 0.0,
        stages=tuple(_announced(each) for each in report.stages)
        if kind in FINAL or kind == "waiting"
        else (),
    )


def _colour(what: str) -> Colour:
    if what in _GREEN:
        return "green"
    return "amber" if what in _AMBER else "red"


def _since_start() -> float:
    return round(max(0.0, workflow.time() - workflow.info().start_time.timestamp()), 1)


def _announced(stage: StageReport) -> AnnouncedStage:
    state = stage.state or ("running" if stage.running else None)
    attempts = len(stage.attempts)
    return AnnouncedStage(name=stage.name, state=state, seconds=stage.seconds, attempts=attempts)


def _reason(kind: AnnouncementKind, report: RunReport, stage: StageReport | None) -> str:
    if kind == "failed":
        return _own_words(report.reason) if stage is None else _why_failed(stage)
    return _short(report.reason) if kind in FINAL or kind == "waiting" else ""


def _why_failed(stage: StageReport) -> str:
    triage = stage.triage
    if triage is not None:
        tried = counted(len(stage.attempts), "attempt")
        unhealed = f", not healed in {tried}" if stage.attempts else ""
        if triage.kind == "infrastructure":
            return "the machine is to blame and not the code"
        if triage.kind == "flaky":
            return counted(len(triage.flaky), "flaky test")
        upstream = ", red on the parent commit already" if triage.kind == "upstream" else ""
        return f"{counted(len(triage.failing), 'test')} failing each time{upstream}{unhealed}"
    for gate in stage.gates:
        if gate.state == "failed" and gate.blocking:
            first = gate.blocking[0]
            place = f" at {first.place}" if first.place else ""
            found = counted(len(gate.blocking), "finding")
            return _short(f"gate {gate.gate}: {found}, first {first.rule}{place}")
        if gate.state == "failed":
            return f"gate {gate.gate} failed"
    return _own_words(stage.summary)


def _own_words(text: str) -> str:
    # What follows a colon may quote a tool or a test; what stands before it is Regreen's own.
    return _short(text.partition(":")[0])


def _failing(stage: StageReport) -> tuple[str, ...]:
    if stage.triage is None:
        return ()
    return stage.triage.failing or stage.triage.flaky


def _remarks(stage: StageReport) -> tuple[Annotation, ...]:
    found: list[Annotation] = []
    healed = stage.state == "healed"
    for node_id in stage.triage.failing if stage.triage is not None else ():
        said = "failed, and a patch mends it" if healed else "fails each time"
        found.append(_test("notice" if healed else "failure", node_id, said))
    for gate in stage.gates:
        found += [
            Annotation(
                path=each.path,
                line=each.line,
                level="failure",
                title=_short(f"{gate.gate}: {each.rule}"),
                message=each.message,
            )
            for each in gate.blocking
        ]
    found += [_test("warning", node_id, "is flaky") for node_id in stage.quarantined]
    return tuple(found)


def _test(level: Literal["notice", "warning", "failure"], node_id: str, said: str) -> Annotation:
    name = _short(node_id)
    path = node_id.partition("::")[0]
    return Annotation(path=path, level=level, title="test", message=f"{name} {said}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 2]} …"
