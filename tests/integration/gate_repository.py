"""Small real repositories for the tests of the gates."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.gate_weighing import weigh_gates
from activities.source import SourceRequest, fetch_source
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.gates import GateVerdict, GateWeighing, Scan, WeighedGates
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Workspace
from regreen.pipeline_file import Pipeline

Files = Mapping[str, str | bytes | Path | None]


async def stage_request(
    folder: Path, stage: str, pipeline: Pipeline, commits: Sequence[Files]
) -> StageRequest:
    """Make a repository with these commits and ask for a stage of its last one.

    A commit is its changed files; a path makes a symbolic link, None deletes the file.
    """
    folder.mkdir(parents=True)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    for number, files in enumerate(commits):
        for name, content in files.items():
            path = folder / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                path.symlink_to(content)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        _git(folder, "add", "--all", "--force")
        _git(folder, "commit", "--quiet", "--allow-empty", "--message", f"feat: change {number}")
    return await request_of(folder, stage, pipeline)


async def request_of(folder: Path, stage: str, pipeline: Pipeline) -> StageRequest:
    """Ask for a stage of the last commit of a repository that is there."""
    commit = _git(folder, "rev-parse", "HEAD")
    fetch = SourceRequest(
        repository="local/gates", location=str(folder), ref="refs/heads/main", commit=commit
    )
    fetched = await ActivityEnvironment().run(fetch_source, fetch)
    workspace = Workspace(source=fetched.source)
    return StageRequest(stage=stage, workspace=workspace, pipeline=pipeline)


@dataclass(frozen=True)
class Gate:
    """What a gate's tool found, and the verdict over it."""

    scan: Scan
    verdict: GateVerdict
    weighed: WeighedGates

    @property
    def state(self) -> str:
        return self.verdict.state

    @property
    def summary(self) -> str:
        return self.verdict.summary

    @property
    def artifacts(self) -> tuple[ArtifactRef, ...]:
        return self.scan.artifacts


async def weighed(
    request: StageRequest, scan: Scan, *others: Scan, now: str = "2026-11-25T12:00:00Z"
) -> Gate:
    """Weigh scans as their stage does; the verdict is the first one's gate's."""
    weighing = GateWeighing(
        stage=request.stage,
        workspace=request.workspace,
        pipeline=request.pipeline,
        scans=(scan, *others),
        now=now,
    )
    found = await ActivityEnvironment().run(weigh_gates, weighing)
    return Gate(scan, found.verdicts[0], found)


def waiving(rule: str) -> dict[str, str]:
    """The document of a waiver that excuses a rule's findings for years."""
    statement = {
        "vulnerability": {"name": rule},
        "status": "affected",
        "action_statement": "known, and put up with for now",
        "status_notes": "owner: shop; expires: 2099-01-01",
    }
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://shop.example/vex/1",
        "author": "shop",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
        "statements": [statement],
    }
    return {".vex/shop.json": json.dumps(document)}


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
