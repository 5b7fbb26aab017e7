"""`regreen init`: write a pipeline file from what a repository has."""

import json as json_module
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.git import git
from regreen.errors import EXIT_OK, UsageError
from regreen.pipeline_reading import FILE_NAME, parse_pipeline
from starters.console import note, output, print_json
from starters.repository_survey import Load, Survey, Tests, survey


async def init(path: Path, *, force: bool, show: bool, json: bool) -> int:
    """Write `regreen.yaml`, or only print it with `show`. Returns the exit code.

    Raises UsageError when there is one already, and when nothing was found that could be run.
    """
    root = await _root(path)
    target = root / FILE_NAME
    if target.exists() and not (force or show):
        raise UsageError(f"{target} is there already; --force replaces it, --print shows a new one")
    listed = await git(["ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root)
    files = [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name]
    tags = (await git(["tag", "--list"], cwd=root)).decode("utf-8", "replace").split()
    found = survey(root, files, tags)
    if not found.tests:
        raise UsageError(
            f"no tests found in {root}: no test_*.py, no package.json with tests, no phpunit.xml, "
            "no go.mod; write tests first, or a `unit:` section with `command` and `report`"
        )
    text = pipeline_text(found)
    parse_pipeline(text)
    if not show:
        target.write_text(text, "utf-8")
    if json:
        print_json({"path": None if show else str(target), "text": text, **_decided(found)})
    elif show:
        output.print(text, end="", markup=False, highlight=False, soft_wrap=True)
    else:
        output.print(f"wrote {target}", markup=False, highlight=False, soft_wrap=True)
    for remark in found.remarks:
        note(remark)
    if not show:
        note(f"commit it, then: regreen run {path}")
    return EXIT_OK


def pipeline_text(found: Survey) -> str:
    """The pipeline file for a survey, with comments that say why."""
    parts = [
        "# How Regreen delivers this repository. Every key is optional; `regreen schema` prints\n"
        "# all of them, and docs/pipeline-file.md of Regreen explains them.\nversion: 1\n"
    ]
    if not any(not tests.command for tests in found.tests):
        parts.append(
            "# The search healer reads Python only, so a language model mends this code.\n"
            "healers: [openai]\n"
        )
    parts += [_tests_text(tests) for tests in found.tests]
    if found.ruff or found.linter is not None:
        parts.append(_lint_text(found))
    elif found.python:
        parts.append(
            "# No linter is configured here: ruff looks at the Python files by its default rules.\n"
            "# At `high`, syntax errors, undefined names and the like fail the lint stage; at\n"
            "# `medium`, all that it finds.\nlint:\n  severity: high\n"
        )
    if found.load is not None:
        parts.append(_load_text(found.load))
    if found.plugin is not None:
        parts.append(
            "# A PHP file has the header of a WordPress plugin: a zip file for sites is made of "
            "it.\n# Header, readme.txt and versions have to agree.\n"
            f"package:\n  wordpress:\n    folder: {_quoted(found.plugin)}\n"
        )
    elif not found.packaged:
        parts.append("# Nothing here builds a package that is known.\npackage: null\n")
    parts.append(
        "# A person approves what was healed before it goes on. `always` asks every time.\n"
        "approval:\n  required: healed\n"
    )
    if found.packaged:
        release = (
            "# The tags here name versions: the next follows from the commits since the last.\n"
            "# What cannot be shown blocks a release, unless it is off with a reason: without a\n"
            "# database of advisories nothing is known of vulnerabilities, for one.\n"
            "release:\n  tag_prefix: v\n"
            "  # checklist: {off: {vulnerabilities: WHY}}\n"
            if found.versions
            else "# Uncomment for signed releases; the version follows from conventional commits.\n"
            "# release:\n#   tag_prefix: v\n"
        )
        parts.append(release)
    return "\n".join(parts)


def _tests_text(tests: Tests) -> str:
    lines = [f"# {tests.stage} tests: {tests.why}."]
    lines.append(f"{tests.stage}:")
    if tests.command:
        lines.append("  command:")
        lines += [f"    - {_quoted(word)}" for word in tests.command]
        lines.append(f"  report: {_quoted(tests.report)}")
    elif tests.paths:
        lines.append(f"  paths: [{', '.join(_quoted(path) for path in tests.paths)}]")
    else:
        lines.append("  paths: []")
    return "\n".join(lines) + "\n"


def _lint_text(found: Survey) -> str:
    seen = [name for name, there in (("ruff", found.ruff), ("ESLint", found.linter)) if there]
    are = "is" if len(seen) == 1 else "are"
    lines = [f"# {' and '.join(seen)} {are} configured here: a finding fails the lint stage."]
    lines += ["lint:", f"  tools: [{'ruff' if found.ruff else ''}]"]
    if found.linter is not None:
        command = ", ".join(_quoted(word) for word in found.linter.command)
        files = ", ".join(_quoted(pattern) for pattern in found.linter.files)
        lines += [
            "  commands:",
            f"    - name: {found.linter.name}",
            f"      command: [{command}]",
            f"      sarif: {_quoted(found.linter.sarif)}",
            f"      files: [{files}]",
        ]
    return "\n".join(lines) + "\n"


def _load_text(load: Load) -> str:
    """The section in comments: without its service a load test can only fail."""
    url = load.url or "http://127.0.0.1:8000/"
    lines = [
        "The load test. k6 runs the script in the sandbox, where only loopback answers: name the",
        "command that starts the service, and uncomment this.",
        "load:",
        f"  script: {_quoted(load.script)}",
        "  service:",
        "    command: [python, -m, YOUR_MODULE]",
        f"    ready: {_quoted(url)}",
    ]
    if load.variable:
        lines += ["  environment:", f"    {load.variable}: {_quoted(url)}"]
    return "".join(f"# {line}\n" for line in lines)


def _quoted(text: str) -> str:
    """A YAML scalar: plain where that is safe, else in JSON's quotes, which YAML reads."""
    plain = text and all(c.isalnum() or c in "_./" for c in text) and text[0].isalpha()
    words = {"true", "false", "null", "yes", "no", "on", "off"}
    return text if plain and text.lower() not in words else json_module.dumps(text)


def _decided(found: Survey) -> dict[str, object]:
    return {
        "stages": {tests.stage: tests.why for tests in found.tests},
        "load": found.load.script if found.load else None,
        "lint": _linters(found),
        "package": found.packaged,
        "wordpress": found.plugin,
        "remarks": list(found.remarks),
    }


def _linters(found: Survey) -> list[str]:
    """The names of the linters that will run."""
    if found.linter is None:
        return ["ruff"] if found.ruff or found.python else []
    return [*(["ruff"] if found.ruff else []), found.linter.name]


async def _root(path: Path) -> Path:
    if not path.is_dir():
        raise UsageError(f"{path}: no such folder")
    try:
        return Path((await git(["rev-parse", "--show-toplevel"], cwd=path)).decode().strip())
    except ApplicationError as error:
        raise UsageError(f"{path} is not a git repository; run `git init` and commit") from error
