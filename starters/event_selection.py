"""Whether the pipeline file's `on` selects the event that started a job."""

from fnmatch import fnmatchcase

from regreen.pipeline_file import OnSection
from starters.continuous_integration import Job


def why_not_selected(section: OnSection, job: Job) -> str:
    """Why the job's event does not start the pipeline, in one line; empty when it does."""
    if job.event in ("manual", "schedule"):
        selected = section.manual if job.event == "manual" else section.schedule
        return "" if selected else f"`on.{job.event}: false`"
    pull_request = job.event == "pull_request"
    patterns = section.pull_request if pull_request else section.push
    branch = job.base if pull_request else job.ref
    if any(fnmatchcase(branch, pattern) for pattern in patterns):
        return ""
    what = f"a pull request to `{branch}`" if pull_request else f"a push to `{branch}`"
    named = ", ".join(patterns) or "nothing"
    return f"this is {what}; `on.{job.event}` selects {named}"
