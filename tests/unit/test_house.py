import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from regreen.tools.catalogue import TOOLS

ROOT = Path(__file__).parents[2]
LOCKS = sorted([*(ROOT / "requirements").glob("*.lock"), ROOT / "regreen/tools/tools.lock"])


def _locked(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_host_and_pins_by_digest(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--|\s--(?!hash=sha256:[0-9a-f]{64}\b)", text, re.MULTILINE)
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert requirements
    assert all("--hash=sha256:" in requirement for requirement in requirements)


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = {_name(line) for line in project["project"]["dependencies"]}
    development = {_name(line) for line in project["dependency-groups"]["dev"]}
    assert runtime <= _locked(ROOT / "requirements/runtime.lock")
    assert runtime | development <= _locked(ROOT / "requirements/development.lock")
    asked = (ROOT / "regreen/tools/tools.in").read_text(encoding="utf-8")
    assert {_name(line) for line in asked.splitlines()} == _locked(
        ROOT / "regreen/tools/tools.lock"
    )


def test_what_the_rooms_import_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {_name(line) for line in project["dependencies"]}
    rooms = ("regreen", "activities", "workflows", "workers", "starters")
    providers = packages_distributions()
    for file in [file for room in rooms for file in (ROOT / room).rglob("*.py")]:
        if file.parent.name == "regreen_fork_server":
            # It runs in the environment of the repository under test.
            continue
        for module in _imported(file) - sys.stdlib_module_names - set(rooms):
            given_by = {name.lower().replace("_", "-") for name in providers[module]}
            assert given_by & asked, f"{file.relative_to(ROOT)} imports {module}"


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    decisions = {page.name for page in folder.glob("[0-9]*.md")}
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert decisions
    assert decisions == set(re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", index))


def test_every_tool_is_on_the_page_of_tools() -> None:
    page = (ROOT / "docs/tools.md").read_text(encoding="utf-8")
    for tool in TOOLS:
        assert f"| `{tool.name}` |" in page, tool.name


def _imported(file: Path) -> set[str]:
    """The top-level modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0].lower()
