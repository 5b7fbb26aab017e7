"""Whether the pipeline file's `on` selects an event."""

from fnmatch import fnmatchcase
from typing import Literal

from regreen.pipeline_file import OnSection

Event = Literal["push", "pull_request", "manual", "schedule"]


def why_not_selected(section: OnSection, event: Event, ref: str, base: str) -> str:
    """Why the event does not start the pipeline, in one line; empty when it does.

    `ref` is the branch or tag that was pushed, `base` the branch that a pull request goes to.
    """
    if event in ("manual", "schedule"):
        selected = section.manual if event == "manual" else section.schedule
        return "" if selected else f"`on.{event}: false`"
    pull_request = event == "pull_request"
    patterns = section.pull_request if pull_request else section.push
    branch = base if pull_request else ref
    if any(fnmatchcase(branch, pattern) for pattern in patterns):
        return ""
    what = f"a pull request to `{branch}`" if pull_request else f"a push to `{branch}`"
    named = ", ".join(patterns) or "nothing"
    return f"this is {what}; `on.{event}` selects {named}"
