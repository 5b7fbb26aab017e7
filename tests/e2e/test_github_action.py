"""The GitHub Action: its steps, run as a runner runs them, and what the runner is told."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.plain_repository import git, plain_repository
from tests.e2e.regreen_program import PROJECT, Program

ACTION: dict[str, Any] = yaml.safe_load((PROJECT / "action.yml").read_text("utf-8"))
FILES = {
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "test_shop.py": (
        "from shop import total\n\n\ndef test_it():\n    assert total([1]) == 1\n\n\n"
        "def test_wrong():\n    assert total([]) == 7\n"
    ),
    "regreen.yaml": "on:\n  push: [main]\nhealers: []\nsecurity: null\npackage: null\n",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as a job checks it out: a commit, and no branch."""
    root = plain_repository(tmp_path_factory.mktemp("action") / "shop", FILES)
    git(root, "checkout", "--quiet", "--detach")
    return root


def _step(
    folder: Path, hosted: Program, repository: Path, *, detach: str = "false", **event: str
) -> tuple[int, Any, str]:
    """Run the action's last step as a runner does; its exit code, files and printed text."""
    folder.mkdir()
    temporary = folder / "temporary"
    temporary.mkdir()
    (temporary / "regreen").symlink_to(hosted.state)
    step = ACTION["runs"]["steps"][-1]
    inputs = {name: given["default"] for name, given in ACTION["inputs"].items()}
    inputs |= {"repository": str(repository), "detach": detach}
    given = {
        name: inputs[text.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, text in step["env"].items()
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        env={
            **kept,
            **given,
            **hosted.variables,
            "PYTHONPATH": str(PROJECT),
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(PROJECT),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_OUTPUT": str(folder / "outputs"),
            "RUNNER_TEMP": str(temporary),
            **event,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    files = {
        name: (folder / name).read_text("utf-8") if (folder / name).exists() else ""
        for name in ("summary.md", "outputs")
    }
    return done.returncode, files, done.stdout + done.stderr


def test_a_failed_run_is_told_in_summary_outputs_and_annotations(
    repository: Path, hosted: Program, tmp_path: Path
) -> None:
    code, files, said = _step(
        tmp_path / "job",
        hosted,
        repository,
        GITHUB_EVENT_NAME="push",
        GITHUB_REF_NAME="main",
    )

    assert code == 1, said
    assert files["summary.md"].startswith("## 🔴 Regreen: failed\n")
    assert "ref `main`" in files["summary.md"]
    assert "- `test_shop.py::test_wrong`" in files["summary.md"]
    assert "(http" in files["summary.md"]
    assert "state=failed\n" in files["outputs"]
    lines = said.splitlines()
    assert any(line.startswith("::error title=unit failed::") for line in lines)
    assert (
        "::error title=unit%3A failing test,file=test_shop.py::test_shop.py::test_wrong fails"
        in lines
    )


def test_a_detached_run_is_linked_before_it_has_ended(
    repository: Path, hosted: Program, tmp_path: Path
) -> None:
    code, files, said = _step(
        tmp_path / "job",
        hosted,
        repository,
        detach="true",
        GITHUB_EVENT_NAME="push",
        GITHUB_REF_NAME="main",
    )

    assert code == 0, said
    outputs = dict(line.split("=", 1) for line in files["outputs"].splitlines())
    assert outputs["ui"].startswith("http")
    assert f"[The run in the Temporal UI]({outputs['ui']})" in files["summary.md"]
    assert f"note: web UI: {outputs['ui']}\n" in said


def test_an_event_that_is_not_selected_starts_nothing(
    repository: Path, hosted: Program, tmp_path: Path
) -> None:
    code, files, said = _step(
        tmp_path / "job",
        hosted,
        repository,
        GITHUB_EVENT_NAME="push",
        GITHUB_REF_NAME="try-it",
    )

    assert code == 0, said
    assert "skipped: this is a push to `try-it`; `on.push` selects main" in said
    assert files == {"summary.md": "", "outputs": ""}


def test_a_pull_request_is_judged_from_where_it_left_its_branch(
    hosted: Program, tmp_path: Path
) -> None:
    green = {**FILES, "test_shop.py": FILES["test_shop.py"].partition("\n\n\ndef test_wrong")[0]}
    root = plain_repository(tmp_path / "shop", green)
    git(root, "checkout", "--quiet", "-b", "next")
    for number in (1, 2):
        (root / f"more_{number}.py").write_text("A = 1\nB = 2\n")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", f"feat: more {number}")
    fork = git(root, "rev-parse", "main")
    git(root, "checkout", "--quiet", "--detach")

    _, files, _ = _step(
        tmp_path / "job",
        hosted,
        root,
        GITHUB_EVENT_NAME="pull_request",
        GITHUB_HEAD_REF="next",
        GITHUB_BASE_REF="main",
    )

    assert f"of 4 changed lines since main ({fork[:12]})" in files["summary.md"]
