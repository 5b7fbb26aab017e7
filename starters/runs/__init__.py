"""Runs as the command line sees them: started, found, followed and steered."""

from starters.runs.finding import find_run, has_ended, known_of, report_of
from starters.runs.following import Progress, Step, follow, waits_of_release
from starters.runs.server_answers import LOST, ConnectionLost, translated
from starters.runs.steering import cancel, left_waiting, review, start, weighed

__all__ = [
    "LOST",
    "ConnectionLost",
    "Progress",
    "Step",
    "cancel",
    "find_run",
    "follow",
    "has_ended",
    "known_of",
    "left_waiting",
    "report_of",
    "review",
    "start",
    "translated",
    "waits_of_release",
    "weighed",
]
