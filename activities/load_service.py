"""The program that runs inside the sandbox for a load test: service, k6, and what became of both.

`activities/k6.py` starts this file with an isolated Python and one JSON argument, a `LoadPlan`.
It uses the standard library only, since nothing of Regreen is visible in the sandbox. One process
does both, because only processes of one sandbox share its loopback interface.
"""

import contextlib
import http.client
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 2.0
_STOP_SECONDS = 5.0
# k6 writes its summary after SIGTERM, once its running iterations have stopped.
_SUMMARY_SECONDS = 10.0

STOPPING_SECONDS = _STOP_SECONDS + _SUMMARY_SECONDS
"""How long this program may need past the time-outs of its plan."""

ServiceState = Literal["none", "ready", "not_found", "ended", "not_ready"]


@dataclass(frozen=True)
class LoadPlan:
    """What to run. Paths are as the sandbox shows them."""

    k6: list[str]
    """The command line of k6, up to and without the script."""
    entry: str
    """Where to write the module that k6 runs: beside the user's script, so that `open()` and
    imports find their files."""
    entry_text: str
    k6_timeout: float
    outcome: str
    """Where to write the `LoadOutcome` as JSON."""
    service: list[str] = field(default_factory=list)
    """The service's command; empty when there is none."""
    service_log: str = ""
    ready: str = ""
    ready_timeout: float = 0.0


@dataclass
class LoadOutcome:
    """What happened."""

    service: ServiceState = "none"
    service_code: int | None = None
    """The service's exit code when it ended by itself, at any moment before k6's end."""
    k6_code: int | None = None
    """None when k6 was not run."""
    k6_timed_out: bool = False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an answer, and does not follow it to anywhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def run(plan: LoadPlan) -> LoadOutcome:
    """Start the service, wait until it is ready, run k6, stop the service."""
    outcome = LoadOutcome()
    if not plan.service:
        _run_k6(plan, outcome)
        return outcome
    with Path(plan.service_log).open("wb") as log:
        try:
            service = subprocess.Popen(
                plan.service, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        except OSError:
            outcome.service = "not_found"
            return outcome
    try:
        outcome.service = _wait_until_ready(service, plan)
        if outcome.service == "ready":
            _run_k6(plan, outcome)
        outcome.service_code = service.poll()
    finally:
        _stop(service, _STOP_SECONDS)
    return outcome


def _wait_until_ready(service: "subprocess.Popen[bytes]", plan: LoadPlan) -> ServiceState:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Redirects())
    deadline = time.monotonic() + plan.ready_timeout
    while time.monotonic() < deadline:
        answered = _answers(opener, plan.ready)
        # Asked after the answer: on a port that another program holds, the answer is that one's.
        if service.poll() is not None:
            return "ended"
        if answered:
            return "ready"
        time.sleep(_POLL_SECONDS)
    return "not_ready"


def _answers(opener: urllib.request.OpenerDirector, url: str) -> bool:
    try:
        with opener.open(url, timeout=_ANSWER_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _run_k6(plan: LoadPlan, outcome: LoadOutcome) -> None:
    entry = Path(plan.entry)
    entry.write_text(plan.entry_text)
    k6 = subprocess.Popen([*plan.k6, str(entry)], stdin=subprocess.DEVNULL)
    try:
        k6.wait(plan.k6_timeout)
    except subprocess.TimeoutExpired:
        outcome.k6_timed_out = True
        _stop(k6, _SUMMARY_SECONDS)
    outcome.k6_code = k6.returncode


def _stop(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.wait()


def main() -> None:
    """Run the plan given as the first argument and write its outcome."""
    plan = LoadPlan(**json.loads(sys.argv[1]))
    Path(plan.outcome).write_text(json.dumps(asdict(run(plan))))


if __name__ == "__main__":
    main()
