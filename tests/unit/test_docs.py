"""The documentation says what the code does."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from regreen import errors
from regreen.contracts.announcement import Announcement, AnnouncementKind
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.healing import Attempt, AttemptVerdict
from regreen.contracts.run import (
    PipelineRequest,
    PullRequest,
    Release,
    RunReport,
    RunState,
    StageReport,
    StageState,
)
from regreen.contracts.testing import Evidence, Triage
from regreen.pipeline_file import Pipeline
from regreen.pipeline_reading import parse_pipeline
from regreen.roles import ROLES
from regreen.settings import Settings
from starters.command_line import app
from starters.run_document import run_document
from workflows.search_attributes import ALL
from workflows.stage_table import STAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "examples/README.md",
        *DOCS.rglob("*.md"),
    ]
)
# What settings accept that do not accept `17`.
_ACCEPTED = {"REGREEN_ALERT_SUCCESS_RATE": "0.5", "REGREEN_NOTIFY_KINDS": "failed"}
# Sections of the pipeline file that have the same keys are described once, under the first.
_SAME_KEYS = {"integration": "unit", "e2e": "unit"}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def _without_code(text: str) -> str:
    return re.sub(r"^( *)(```+).*?^\1\2", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(
        r"^#+ (.+)$", _without_code(page.read_text(encoding="utf-8")), re.MULTILINE
    )
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def _links(page: Path) -> Iterator[str]:
    text = _without_code(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in _anchors(target), link


def test_every_page_is_in_the_index() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in _links(DOCS / "README.md")}
    assert {page for page in DOCS.glob("*.md") if page.name != "README.md"} <= linked


def _yaml_examples() -> Iterator[Any]:
    fence = re.compile(r"^( *)```yaml\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    for page in PAGES:
        for number, (_, block) in enumerate(fence.findall(page.read_text(encoding="utf-8"))):
            yield pytest.param(textwrap.dedent(block), id=f"{_name(page)}-{number}")


@pytest.mark.parametrize("block", list(_yaml_examples()))
def test_yaml_examples_are_pipeline_files(block: str) -> None:
    assert parse_pipeline(block).model_fields_set


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field.default
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel) and name not in _SAME_KEYS:
                yield from _keys(part, f"{prefix}{name}.")


def _rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `([\w.]+)` \|(.*)\|$", text, re.MULTILINE))


def test_the_page_of_the_pipeline_file_has_every_key_and_no_other() -> None:
    keys = dict(_keys(Pipeline))
    assert "heal.budget.attempts" in keys
    assert set(_rows(_text("pipeline-file.md"))) == set(keys)


@pytest.mark.parametrize(
    ("key", "default"),
    [(key, default) for key, default in _keys(Pipeline) if isinstance(default, str | int | bool)],
)
def test_defaults_that_are_words_or_whole_numbers_are_the_schemas(key: str, default: Any) -> None:
    shown = _rows(_text("pipeline-file.md"))[key].split(" | ")[1]
    assert shown.strip(" `") == str(default).lower()


@pytest.mark.parametrize(("key", "default"), list(_keys(Pipeline)))
def test_defaults_that_are_durations_are_the_schemas(key: str, default: Any) -> None:
    columns = _rows(_text("pipeline-file.md"))[key].split(" | ")
    if columns[0].strip() == "duration" and isinstance(default, float):
        value = columns[1].strip(" `")
        parsed = parse_pipeline(f"unit: {{timeout: {value}}}").unit.timeout
        assert parsed == default


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    # Typer brings a click of its own, so a group is known by what it has.
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from _commands(child, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(_commands(typer.main.get_command(app)))


def _section(name: str) -> str:
    parts = re.split(r"^### `regreen ([\w ]+)`$", _text("command-line.md"), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return sections[name].partition("\n## ")[0]


def test_the_page_of_the_command_line_has_every_command_and_no_other() -> None:
    described = re.findall(r"^### `regreen ([\w ]+)`$", _text("command-line.md"), re.MULTILINE)
    assert set(described) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_described_with_its_options_and_an_example(name: str) -> None:
    section = _section(name)
    options = {
        each
        for parameter in COMMANDS[name].params
        if parameter.param_type_name == "option"
        for each in parameter.opts
        if each.startswith("--") and each != "--help"
    }
    assert set(re.findall(r"`(--[\w-]+)", section)) == options
    assert re.search(rf"```sh\n.*regreen {name}\b", section)


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in COMMANDS if not re.search(rf"\b{name}\b", readme)} == set()


def test_every_exit_code_is_listed() -> None:
    codes = {str(value) for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert set(re.findall(r"^\| (\d+) \|", _text("command-line.md"), re.MULTILINE)) == codes


def test_the_json_document_is_described(tmp_path: Path) -> None:
    reference = ArtifactRef(name="a.patch", sha256="0" * 64, bytes=1)
    attempt = Attempt(
        number=1, healer="search", verdict="healed", reason="46 green", patch=reference
    )
    evidence = (Evidence(check="alone", runs=5, result="red"),)
    triage = Triage(kind="upstream", reason="red", upstream=("a",), evidence=evidence)
    stage = StageReport(
        name="unit",
        state="healed",
        attempts=(attempt,),
        quarantined=("b",),
        triage=triage,
        artifacts=(reference,),
    )
    report = RunReport(
        workflow_id="pipeline/local/shop/0",
        run_id="1",
        state="released",
        request=PipelineRequest(repository="local/shop", location="/shop", ref="main", commit="0"),
        stages=(stage,),
        pull_request=PullRequest(branch="b", url="u", number=1, head="h", tree="t"),
        release=Release(version="1.0.0", directory="d", tag="v1.0.0"),
    )
    section = _without_code(_text("command-line.md").partition("\n## The JSON document\n")[2])
    described = set(re.findall(r"\.?(\w+)(?:\[\])?", " ".join(re.findall(r"`([^`]+)`", section))))
    document = run_document(report, Settings(state=tmp_path), None)
    assert _fields(document) <= described
    assert {*get_args(RunState), *get_args(StageState)} <= described


def _fields(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_fields(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(_fields(each) for each in value))
    return set()


def test_every_verdict_of_an_attempt_is_described() -> None:
    section = _text("healing.md").partition("\n## Verdicts\n")[2].partition("\n## ")[0]
    assert set(_rows(section)) == set(get_args(AttemptVerdict))


def test_every_kind_of_failure_is_described() -> None:
    section = _text("healing.md").partition("\n## Verdicts\n")[0]
    rows = set(re.findall(r"^\| (\w+) \|", section, re.MULTILINE))
    assert set(get_args(Triage.model_fields["kind"].annotation)) <= rows


def test_the_states_and_stages_are_described() -> None:
    rows = set(re.findall(r"`(\w+)`", _text("concepts.md")))
    assert {*get_args(RunState), *get_args(StageState), *(stage.name for stage in STAGES)} <= rows


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_listed_under_the_name_that_is_read(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = re.findall(
        r"`([A-Z0-9_]+)`", _text("operations.md").partition("## The state folder")[0]
    )
    for variable in listed:
        monkeypatch.delenv(variable, raising=False)
    before = getattr(Settings(), setting)
    changed = []
    for variable in listed:
        monkeypatch.setenv(variable, _ACCEPTED.get(variable, "17"))
        changed.append(getattr(Settings(), setting) != before)
        monkeypatch.delenv(variable)
    assert sum(changed) == 1


def test_the_page_of_notifications_has_every_kind_and_every_field_of_a_webhook() -> None:
    page = _text("notifications.md")
    fields = page.partition("\n## Webhooks\n")[2].partition("\n## ")[0]
    left_out = {"summary", "remarks", "state"}
    assert set(_rows(fields)) == set(Announcement.model_fields) - left_out | {"page"}
    kinds = page.partition("\n## What is told\n")[2].partition("\n## ")[0]
    assert set(_rows(kinds)) == set(get_args(AnnouncementKind)) - {"stage"}


def test_the_commands_that_make_the_search_attributes_are_right() -> None:
    made = re.findall(r"--name (Regreen\w+) --type (\w+)", _text("operations.md"))
    assert dict(made) == {key.name: key.indexed_value_type.name.title() for key in ALL}


@pytest.mark.parametrize("page", ["operations.md", "security.md"])
def test_every_role_is_described(page: str) -> None:
    rows = re.findall(r"^\| (\w+) \|", _text(page), re.MULTILINE)
    assert set(ROLES) <= set(rows)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_names_no_folder_of_whoever_wrote_it(page: Path) -> None:
    assert not re.search(r"(?<![\w./])/(root|work|home/(?!sandbox)\w+)/", page.read_text("utf-8"))


def test_pictures_are_small_enough_to_load_quickly() -> None:
    pictures = sorted((DOCS / "images").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.suffix == ".png"
        assert picture.stat().st_size < 300_000
