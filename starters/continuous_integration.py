"""Which continuous-integration service this process runs in, and what it says of the event.

The variables are those that the services document:
GitHub Actions (docs.github.com/actions/reference/workflows-and-actions/variables),
GitLab CI (docs.gitlab.com/ci/variables/predefined_variables),
Bitbucket Pipelines (support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets) and
Azure Pipelines (learn.microsoft.com/azure/devops/pipelines/build/variables).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from regreen.event_selection import Event


@dataclass(frozen=True)
class Job:
    """A job of a continuous-integration service."""

    service: str
    """Its name for a person."""
    event: Event
    """What started it; `manual` for all that a person or an API call started."""
    ref: str
    """The branch or tag that was pushed, or the branch that a pull request comes from."""
    base: str = ""
    """The branch that a pull request goes to; empty for other events."""
    summary: Path | None = None
    """The file for the step's summary in Markdown, where the service has one."""
    outputs: Path | None = None
    """The file for the step's outputs, a line `name=value` each."""
    annotates: bool = False
    """Whether it reads GitHub's workflow commands from what a step prints."""


def job_of(environment: Mapping[str, str]) -> Job | None:
    """The job that a process with this environment belongs to; None outside of the services."""
    for variable, read in _SERVICES.items():
        if environment.get(variable):
            return read(environment)
    return None


def _github(environment: Mapping[str, str]) -> Job:
    event = _event(environment.get("GITHUB_EVENT_NAME", ""), _GITHUB_EVENTS)
    name = environment.get("GITHUB_REF_NAME", "")
    return Job(
        service="GitHub Actions",
        event=event,
        ref=environment.get("GITHUB_HEAD_REF") or name,
        base=environment.get("GITHUB_BASE_REF") or _queued_for(name),
        summary=_path(environment.get("GITHUB_STEP_SUMMARY")),
        outputs=_path(environment.get("GITHUB_OUTPUT")),
        annotates=True,
    )


def _gitlab(environment: Mapping[str, str]) -> Job:
    return Job(
        service="GitLab CI",
        event=_event(environment.get("CI_PIPELINE_SOURCE", ""), _GITLAB_EVENTS),
        ref=environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")
        or environment.get("CI_COMMIT_REF_NAME", ""),
        base=environment.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
    )


def _bitbucket(environment: Mapping[str, str]) -> Job:
    base = environment.get("BITBUCKET_PR_DESTINATION_BRANCH", "")
    return Job(
        service="Bitbucket Pipelines",
        # It does not tell pushes from what a person or a schedule started.
        event="pull_request" if base else "push",
        ref=environment.get("BITBUCKET_BRANCH") or environment.get("BITBUCKET_TAG", ""),
        base=base,
    )


def _azure(environment: Mapping[str, str]) -> Job:
    source = environment.get("SYSTEM_PULLREQUEST_SOURCEBRANCH") or environment.get(
        "BUILD_SOURCEBRANCH", ""
    )
    return Job(
        service="Azure Pipelines",
        event=_event(environment.get("BUILD_REASON", ""), _AZURE_EVENTS),
        ref=_short(source),
        base=_short(environment.get("SYSTEM_PULLREQUEST_TARGETBRANCH", "")),
    )


_SERVICES = {
    "GITHUB_ACTIONS": _github,
    "GITLAB_CI": _gitlab,
    "BITBUCKET_BUILD_NUMBER": _bitbucket,
    "TF_BUILD": _azure,
}
_GITHUB_EVENTS: dict[str, Event] = {
    "push": "push",
    "pull_request": "pull_request",
    "pull_request_target": "pull_request",
    # A merge queue runs what pull requests would make of the branch that they go to.
    "merge_group": "pull_request",
    "schedule": "schedule",
}
_GITLAB_EVENTS: dict[str, Event] = {
    "push": "push",
    "merge_request_event": "pull_request",
    "external_pull_request_event": "pull_request",
    "schedule": "schedule",
}
_AZURE_EVENTS: dict[str, Event] = {
    "IndividualCI": "push",
    "BatchedCI": "push",
    "PullRequest": "pull_request",
    "Schedule": "schedule",
}


def _event(name: str, known: Mapping[str, Event]) -> Event:
    return known.get(name, "manual")


def _queued_for(ref: str) -> str:
    """The branch that a merge queue's branch goes to; empty for other branches."""
    queue, separator, rest = ref.partition("gh-readonly-queue/")
    return rest.rpartition("/")[0] if separator and not queue else ""


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _short(ref: str) -> str:
    for prefix in ("refs/heads/", "refs/tags/"):
        if ref.startswith(prefix):
            return ref.removeprefix(prefix)
    return ref
