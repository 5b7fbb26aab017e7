"""uv in the sandbox: its package cache, its settings, and the line of its output that matters."""

import hashlib
import re
from pathlib import Path

from activities.sandbox import Mount, Sandbox, isolation
from regreen.pipeline_file import Pipeline
from regreen.settings import load_settings


def uv_sandbox(
    uv: Path,
    interpreter: Path,
    pipeline: Pipeline,
    repository: str,
    *,
    workspace: Path | None = None,
    environment: Path | None = None,
    results: Path | None = None,
    epoch: str = "315532800",
) -> Sandbox:
    """A sandbox in which uv builds and installs, with a package cache for this repository only.

    An `environment` is shown writable. `epoch` is SOURCE_DATE_EPOCH in seconds; the default is the
    first moment that a zip file can hold.
    """
    cache = _cache(repository)
    prefix = interpreter.resolve().parent.parent
    isolated = isolation().kind == "bubblewrap"
    return Sandbox(
        workspace=workspace,
        environment=environment,
        environment_writable=True,
        results=results,
        mounts=(Mount(uv, str(uv)), Mount(prefix, str(prefix)), cache),
        network=pipeline.build.network,
        variables={
            "UV_CACHE_DIR": cache.target if isolated else str(cache.source),
            "UV_LINK_MODE": "copy",
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "NO_COLOR": "1",
            "SOURCE_DATE_EPOCH": epoch,
        },
    )


def last_error(output: str) -> str:
    """The line of uv's or a build back end's output that says what went wrong."""
    lines = [line.strip(" \t×╰│▶─>├") for line in output.splitlines()]
    lines = [line for line in lines if line and not line.startswith("hint:")]
    # A back end's own exception comes last of all; uv repeats only that it failed.
    for line in reversed(lines):
        if re.match(r"[\w.]*(Error|Exception|Exit)\b", line):
            return line[:300]
    for line in lines:
        if line.lower().startswith("error:") or "No solution found" in line:
            return " ".join(lines[lines.index(line) :][:2])[:300]
    return lines[-1][:300] if lines else "no output"


def _cache(repository: str) -> Mount:
    # With the digest, since `a/b-c` and `a-b/c` are two.
    digest = hashlib.sha256(repository.encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]+", "-", repository)[:80]
    folder = load_settings().cache / "uv" / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return Mount(folder, "/cache/uv", writable=True)
