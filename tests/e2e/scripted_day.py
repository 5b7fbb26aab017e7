"""A day of a repository on GitHub: who pushes, reviews and listens, and what is in between."""

import hashlib
import hmac
import json
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from regreen.contracts.run import RunReport
from tests.doubles.chat import Chat, Service, chat
from tests.doubles.github.server import GithubDouble, github_double
from tests.doubles.github.state import Pull
from tests.e2e.plain_repository import SHOP_PROJECT, git, plain_repository
from tests.e2e.regreen_program import Program, Started, kill_tree, wait_until
from tests.e2e.server_questions import executions, report

NAME = "example/shop"
SECRET = "of-the-scripted-day"
Delivery = tuple[str, dict[str, Any]]
"""An event's name and what GitHub tells of it."""

# More than GitHub is asked between two of a run's states.
_REQUESTS = 30
_FILES = {
    "shop.py": "def clamp(value, high):\n    if value < high:\n        return high\n"
    "    return value\n",
    "test_shop.py": """from shop import clamp


def test_above():
    assert clamp(12, 10) == 10


def test_inside():
    assert clamp(5, 10) == 5
""",
    "pyproject.toml": SHOP_PROJECT,
    "regreen.yaml": """on:
  push: [main, develop]
security: null
coverage: null
release:
  targets:
    - kind: github
  checklist:
    off: {coverage: switched off here, vulnerabilities: switched off here}
""",
}


@dataclass
class Day:
    """The processes of a day, and the outside world as doubles."""

    program: Program
    github: GithubDouble
    services: Chat
    bare: Path
    """The repository on the double."""
    commit: str
    stack: ExitStack
    ports: tuple[int, ...]
    running: dict[str, Started] = field(default_factory=dict)
    statuses: set[int] = field(default_factory=set)
    """Of what the gateways answered, without those that are delivered again."""

    @property
    def run(self) -> str:
        """The workflow id of the push's run."""
        return f"pipeline/{NAME}/{self.commit}"

    @property
    def pull(self) -> Pull:
        """The only pull request."""
        [pull] = self.github.state.pulls.values()
        return pull

    @property
    def head(self) -> str:
        """The commit at the head of its branch."""
        return self.github.state.commit_of(self.pull.head)

    def begin(self, *names: str) -> None:
        """Start processes: `up`, `gateway-0`, `gateway-1`."""
        for name in names or ("up", "gateway-0", "gateway-1"):
            words = ["up"] if name == "up" else ["gateway", "--port", str(self._port(name))]
            self.running[name] = self.stack.enter_context(self.program.start(*words))
            # A gateway without a server tries again after half a minute to make its schedules.
            wait_until((self.program.state / "server.json").exists, "the server")
        wait_until(self._ready, "gateways that reach the server")

    def kill(self, name: str) -> None:
        """SIGKILL a process and all below it, and start it again."""
        kill_tree(self.running[name].process.pid)
        self.running[name].process.wait(30)
        self.begin(name)

    def deliver(self, delivery: Delivery, times: int = 1) -> None:
        """Deliver as GitHub does, to the gateways in turn; a 5xx is delivered again."""
        event, payload = delivery
        body = json.dumps(payload).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        for number in range(times):
            port = self.ports[number % len(self.ports)]

            def taken(port: int = port) -> bool:
                url = f"http://127.0.0.1:{port}/webhooks/github"
                try:
                    status = httpx2.post(url, content=body, headers=headers, timeout=15).status_code
                except httpx2.TransportError:
                    return False
                if status < 500:
                    self.statuses.add(status)
                return status < 500

            wait_until(taken, f"the gateway to take {event}")

    def report(self) -> RunReport | None:
        """What the run tells of itself."""
        return report(self.program.state, self.run)

    def wait_for(self, true: Callable[[RunReport], bool], what: str) -> None:
        """Wait until something holds of the run's report."""

        def holds() -> bool:
            time.sleep(0.3)
            known = self.report()
            assert known is None or known.state in ("running", "waiting", "released"), known.reason
            return known is not None and true(known)

        wait_until(holds, what, 300)

    def wait_until_told(self) -> None:
        """Wait until all that there is to tell of the run is told."""
        query = "WorkflowType = 'AnnouncementWorkflow' AND ExecutionStatus = 'Running'"
        wait_until(lambda: executions(self.program.state, query) == [], "the announcements")

    def told(self, service: Service) -> list[str]:
        """The kinds of announcements that a service has shown, in order."""
        bodies = self.services.bodies(service)
        titles = [body.get("text") or body["embeds"][0]["title"] for body in bodies]
        return [title.partition(": ")[2].split()[0] for title in titles]

    def _port(self, name: str) -> int:
        return self.ports[int(name.removeprefix("gateway-"))]

    def _ready(self) -> bool:
        for name in self.running:
            if name == "up":
                continue
            try:
                url = f"http://127.0.0.1:{self._port(name)}/readyz"
                if httpx2.get(url, timeout=5).status_code != 200:
                    return False
            except httpx2.TransportError:
                return False
        return True


@contextmanager
def scripted_day(make_program: Any, folder: Path) -> Iterator[Day]:
    """The outside world, and the processes that are not started yet."""
    repository = plain_repository(folder / "shop", _FILES)
    bare = folder / "shop.git"
    git(folder, "clone", "--quiet", "--bare", str(repository), str(bare))
    commit = git(repository, "rev-parse", "HEAD")
    with github_double(NAME, git=bare) as github, chat() as services, ExitStack() as stack:
        github.state.permissions |= {"grace": "write", "mallory": "read", "ada": "write"}
        github.state.authors[commit] = ("ada", "ada")
        program = make_program(
            GITHUB_API_URL=github.address,
            GITHUB_SERVER_URL=github.address,
            GITHUB_TOKEN=github.state.token,
            REGREEN_GITHUB_WEBHOOK_SECRETS=SECRET,
            REGREEN_PUBLISH_TO=github.address,
            REGREEN_RECONCILE=f"{github.address}/{NAME}.git",
            SLACK_WEBHOOK=services.addresses["slack"],
            DISCORD_WEBHOOK=services.addresses["discord"],
        )
        yield Day(program, github, services, bare, commit, stack, _free_ports(2))
        assert services.refused == []


def kills(day: Day, seed: int) -> Callable[[str], None]:
    """Kills a process by chance: at once, or before the run gets to a state, at any moment."""
    chosen = random.Random(seed)

    def kill(before: str = "") -> None:
        if before:
            moment = len(day.github.asked) + chosen.randrange(1, _REQUESTS)

            def come() -> bool:
                known = day.report() if len(day.github.asked) < moment else None
                return len(day.github.asked) >= moment or (
                    known is not None and known.state == before
                )

            wait_until(come, f"request {moment} to GitHub", 300)
            day.kill("up")
        else:
            day.kill(chosen.choice(("up", "gateway-0", "gateway-1")))

    return kill


def _free_ports(count: int) -> tuple[int, ...]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return tuple(listener.getsockname()[1] for listener in listeners)
