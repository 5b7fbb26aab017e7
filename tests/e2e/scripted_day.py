"""A day of a repository on GitHub: who pushes, reviews and listens, and what is in between."""

import contextlib
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

from tests.doubles.chat import Chat, chat
from tests.doubles.github.server import GithubDouble, github_double
from tests.doubles.github.state import PullReview
from tests.e2e.plain_repository import git, plain_repository
from tests.e2e.regreen_program import Program, Started, kill_tree, wait_until

NAME = "example/shop"
SECRET = "of-the-scripted-day"
_FILES = {
    "shop.py": "def clamp(value, high):\n    if value < high:\n        return high\n"
    "    return value\n",
    "test_shop.py": """from shop import clamp


def test_above():
    assert clamp(12, 10) == 10


def test_inside():
    assert clamp(5, 10) == 5
""",
    "pyproject.toml": """[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["idna>=3"]
""",
    "regreen.yaml": """on:
  push: [main, develop]
security: null
coverage: null
release:
  targets:
    - kind: github
""",
}


@dataclass
class Day:
    """The processes of a day, and the outside world as doubles."""

    program: Program
    github: GithubDouble
    services: Chat
    commit: str
    stack: ExitStack
    ports: tuple[int, ...]
    running: dict[str, Started] = field(default_factory=dict)
    answers: list[tuple[str, int]] = field(default_factory=list)
    """Event and status of each delivery."""

    def begin(self, *names: str) -> None:
        """Start processes: `up`, `gateway-0`, `gateway-1`."""
        for name in names or ("up", "gateway-0", "gateway-1"):
            words = ["up"] if name == "up" else ["gateway", "--port", str(self._port(name))]
            self.running[name] = self.stack.enter_context(self.program.start(*words))
        wait_until(self._ready, "gateways that reach the server")

    def kill(self, name: str) -> None:
        """SIGKILL a process and all below it, and start it again."""
        kill_tree(self.running[name].process.pid)
        self.running[name].process.wait(30)
        self.begin(name)

    def push(self, ref: str, commit: str) -> dict[str, Any]:
        """What GitHub tells of a push."""
        return self._about(
            {"ref": f"refs/heads/{ref}", "after": commit, "head_commit": {"id": commit}}, "ada"
        )

    def pull_request(self, action: str) -> dict[str, Any]:
        """What GitHub tells of the heals' pull request."""
        return self._about({"action": action, "pull_request": self._pull()}, "regreen")

    def review(self, by: str, state: str, commit: str = "") -> dict[str, Any]:
        """A review on the heals' pull request, which the API knows from now on, too."""
        head = commit or self.head
        number = self.github.state.next_number()
        review = PullReview(
            id=number, pull=self.pull.number, author=by, state=state.upper(), commit=head
        )
        self.github.state.reviews.append(review)
        told = {"id": number, "state": state, "body": "", "commit_id": head}
        about = {"action": "submitted", "review": told, "pull_request": self._pull()}
        return self._about(about, by)

    def comment(self, by: str, text: str) -> dict[str, Any]:
        """A comment on the heals' pull request."""
        comment = {"id": self.github.state.next_number(), "body": text}
        issue = {"number": self.pull.number, "pull_request": {"url": ""}}
        return self._about({"action": "created", "issue": issue, "comment": comment}, by)

    def deliver(self, event: str, payload: dict[str, Any], times: int = 1) -> None:
        """Deliver as GitHub does, to the gateways in turn; a 5xx is delivered again."""
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
                with contextlib.suppress(httpx2.TransportError):
                    answer = httpx2.post(url, content=body, headers=headers, timeout=15)
                    self.answers.append((event, answer.status_code))
                    return answer.status_code < 500
                return False

            wait_until(taken, f"the gateway to take {event}")

    @property
    def pull(self) -> Any:
        """The only pull request."""
        [pull] = self.github.state.pulls.values()
        return pull

    @property
    def head(self) -> str:
        """The commit at the head of its branch."""
        return self.github.state.commit_of(self.pull.head)

    def run(self) -> Any:
        """The document of the push's run."""
        ended = self.program.run("status", self.commit, "--json")
        return ended.document if ended.code == 0 else {"state": "", "workflow_id": ""}

    def wait_for(self, state: str) -> None:
        """Wait until the run is in a state, asking seldom: each question is a process."""
        self.wait_until(lambda run: run["state"] == state, f"the run to be {state}")

    def wait_until(self, true: Callable[[Any], bool], what: str) -> None:
        """Wait until something holds of the run's document."""

        def holds() -> bool:
            time.sleep(1.5)
            return true(self.run())

        wait_until(holds, what, 300)

    def told(self) -> list[str]:
        """The kinds of announcements that Slack has shown, in order."""
        titles = [body["text"].partition(" `")[0] for body in self.services.bodies("slack")]
        return [title.rpartition(": ")[2] for title in titles]

    def _port(self, name: str) -> int:
        return self.ports[int(name.removeprefix("gateway-"))]

    def _ready(self) -> bool:
        for port in self.ports:
            try:
                if httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code != 200:
                    return False
            except httpx2.TransportError:
                return False
        return True

    def _pull(self) -> dict[str, Any]:
        pull = self.pull
        return {
            "number": pull.number,
            "state": pull.state,
            "merged": False,
            "head": {"ref": pull.head, "sha": self.head, "repo": {"full_name": NAME}},
            "base": {"ref": pull.base, "repo": {"full_name": NAME}},
        }

    def _about(self, payload: dict[str, Any], by: str) -> dict[str, Any]:
        clone_url = f"{self.github.address}/{NAME}.git"
        repository = {"full_name": NAME, "clone_url": clone_url, "default_branch": "main"}
        sender = {"login": by, "type": "Bot" if by == "regreen" else "User"}
        return payload | {"repository": repository, "sender": sender}


@contextmanager
def scripted_day(make_program: Any, folder: Path) -> Iterator[Day]:
    """The outside world, and the processes that are not started yet."""
    repository = plain_repository(folder / "shop", _FILES)
    server = folder / "shop.git"
    git(folder, "clone", "--quiet", "--bare", str(repository), str(server))
    commit = git(repository, "rev-parse", "HEAD")
    with github_double(NAME, git=server) as github, chat() as services, ExitStack() as stack:
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
        yield Day(program, github, services, commit, stack, _free_ports(2))
        assert services.refused == []


def disturbances(seed: int) -> Iterator[str]:
    """Names of processes to kill, one between each two steps."""
    chosen = random.Random(seed)
    while True:
        yield chosen.choice(("up", "gateway-0", "gateway-1"))


def _free_ports(count: int) -> tuple[int, ...]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return tuple(listener.getsockname()[1] for listener in listeners)
