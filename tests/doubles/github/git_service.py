"""git over HTTP as GitHub serves it: the real `git http-backend`, behind the token."""

import base64
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult

from tests.doubles.github.request import Answer


def serve_git(
    repository: Path,
    token: str,
    method: str,
    url: SplitResult,
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    """Answer one request of git's; `headers` by name in lower case."""
    pair = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    if headers.get("authorization") != f"Basic {pair}":
        refusal = {"WWW-Authenticate": 'Basic realm="GitHub"'}
        return Answer(401, content=b"Invalid username or token.\n", headers=refusal)
    _, _, service = url.path.partition(".git")
    done = subprocess.run(
        ["git", "http-backend"],
        input=body,
        env={
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(repository),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "PATH_INFO": service,
            "QUERY_STRING": url.query,
            "REMOTE_USER": "x-access-token",
            "REQUEST_METHOD": method,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
        },
        capture_output=True,
        check=False,
        timeout=30,
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    told = dict(line.split(": ", 1) for line in head.decode().splitlines())
    status = int(told.pop("Status", "200 OK").split()[0])
    return Answer(status, content=content, headers=told)
