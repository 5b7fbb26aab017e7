"""GitHub on loopback, its REST API and git: stateful, and as strict as GitHub's own description.

An operation is a function in `_ANSWERS` by its operation id. A request or an answer that breaks
the description is kept in `GithubDouble.violations`, which the block's end asserts to be empty.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.doubles.github.check_answers import ANSWERS as CHECKS
from tests.doubles.github.contract import Operation, contract
from tests.doubles.github.git_service import serve_git
from tests.doubles.github.pull_answers import ANSWERS as PULLS
from tests.doubles.github.release_answers import ANSWERS as RELEASES
from tests.doubles.github.repository_answers import ANSWERS as REPOSITORIES
from tests.doubles.github.request import Answer, Asked, not_found
from tests.doubles.github.state import State
from tests.doubles.loopback import LoopbackHandler, address_of, served

_ANSWERS: dict[str, Callable[[State, Asked], Answer]] = {
    **CHECKS,
    **PULLS,
    **RELEASES,
    **REPOSITORIES,
}


@dataclass
class GithubDouble:
    """A running double. `address` belongs into GITHUB_API_URL and GITHUB_SERVER_URL."""

    address: str
    state: State
    asked: list[str] = field(default_factory=list)
    """Operation ids in the order of the requests."""
    violations: list[str] = field(default_factory=list)
    fails: list[tuple[str, str]] = field(default_factory=list)
    """Operation id and `before` or `after`: answers 500 once, before or after it was done."""
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    """Operation id, and what it answers once, before anything is done."""
    denied: set[str] = field(default_factory=set)
    """Operation ids that the token's permissions are not enough for."""
    refuses: dict[str, int] = field(default_factory=dict)
    """Operation id, and the status that it is always answered with."""
    held: dict[str, threading.Event] = field(default_factory=dict)
    """Operation id, and what its requests wait for, half a minute at most, before they are done."""


@contextmanager
def github_double(
    repository: str, port: int = 0, git: Path | None = None
) -> Iterator[GithubDouble]:
    """Serve one repository on a loopback port until the block ends; `git` is a bare one."""
    lock = threading.Lock()

    class Handler(LoopbackHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            raw = self.content()
            headers = {key.lower(): value for key, value in self.headers.items()}
            if git is not None and url.path.startswith(f"/{repository}.git/"):
                double.asked.append(f"git {self.command} {url.path.rpartition('/')[2]}")
                self._send(serve_git(git, double.state.token, self.command, url, headers, raw))
                return
            operation = contract().find(self.command, url.path)
            if operation is None:
                double.violations.append(f"{self.command} {url.path} is no operation it knows")
                self._send(Answer(404, {"message": "Not Found"}))
                return
            upload = operation.identifier == "repos/upload-release-asset"
            body = raw if upload else (json.loads(raw) if raw else None)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            asked = Asked(operation.parameters, query, headers, body)
            double.asked.append(operation.identifier)
            if operation.identifier in double.held:
                double.held[operation.identifier].wait(30)
            with lock:
                answer = self._done(operation, asked, upload)
            self._send(answer)

        def _done(self, operation: Operation, asked: Asked, upload: bool) -> Answer:
            name, state = operation.identifier, double.state
            if not upload:
                double.violations += contract().request_problems(operation, asked.body)
            if "authorization" not in asked.headers:
                double.violations.append(f"{name} without a token")
            token = asked.headers.get("authorization", "").partition(" ")[2]
            if token != state.token and not name.startswith("apps/"):
                return Answer(401, {"message": "Bad credentials", "status": "401"})
            if name in double.denied:
                message = "Resource not accessible by personal access token"
                return Answer(403, {"message": message, "status": "403"})
            meant = "/".join(asked.parameters.get(key, "") for key in ("owner", "repo"))
            if meant.lower() not in ("/", repository.lower()):
                return not_found()
            for planned in [each for each in double.answers if each[0] == name][:1]:
                double.answers.remove(planned)
                return planned[1]
            if name in double.refuses:
                return Answer(double.refuses[name], {"message": "Not for you"})
            if (name, "before") in double.fails:
                double.fails.remove((name, "before"))
                return Answer(500, {"message": "Server Error"})
            answer = _ANSWERS[name](state, asked)
            if not answer.whole:
                body = contract().filled(operation, answer.status, answer.body)
                answer = Answer(answer.status, body)
            if answer.content is None:
                double.violations += contract().response_problems(
                    operation, answer.status, answer.body
                )
            if (name, "after") in double.fails:
                double.fails.remove((name, "after"))
                return Answer(500, {"message": "Server Error"})
            return answer

        def _send(self, answer: Answer) -> None:
            content = answer.content
            if content is None:
                content = b"" if answer.body is None else json.dumps(answer.body).encode()
            kind = "application/octet-stream" if answer.content else "application/json"
            headers = {"Content-Type": f"{kind}; charset=utf-8"} | answer.headers
            self.reply(answer.status, content, headers)

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._answer)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    address = address_of(server)
    double = GithubDouble(address, State(address, repository, git=git))
    with served(server):
        yield double
        assert double.violations == [], "\n".join(double.violations)
