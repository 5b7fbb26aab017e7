"""The lint stage: ruff and the repository's own linters, side by side."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gate_weighing import weigh_gates
    from activities.lint_command import LintCommandRequest, lint_by_command
    from activities.ruff import lint_with_ruff
    from regreen.contracts.run import StageReport
    from regreen.roles import Role
    from workflows.calls import call
    from workflows.gates import judged_gates
    from workflows.line import Line
    from workflows.side_by_side import side_by_side


async def execute(line: Line) -> StageReport:
    """Look at the sources with each linter."""
    section = line.pipeline.lint
    if section is None:
        return StageReport(name="lint", state="skipped", summary="switched off")
    request = line.stage_request("lint")
    calls = []
    if section.tools is None or section.tools:
        timeout = section.timeout + 60
        calls.append(call("runner", lint_with_ruff, request, summary="ruff", timeout=timeout))
    calls += [
        call(
            "runner",
            lint_by_command,
            LintCommandRequest(**request.model_dump(), linter=linter),
            summary=linter.name,
            timeout=section.timeout + line.pipeline.build.timeout + 60,
        )
        for linter in section.commands
    ]
    if not calls:
        return StageReport(name="lint", state="skipped", summary="no linters configured")
    return await judged_gates(line, "lint", *await side_by_side(calls))


ACTIVITIES: dict[Role, list[object]] = {"runner": [lint_with_ruff, lint_by_command, weigh_gates]}
