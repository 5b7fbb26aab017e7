"""`regreen.yaml`: what is accepted, and one clear line for what is not."""

import json

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from regreen.errors import UsageError
from regreen.pipeline_file import Pipeline, TestSection
from regreen.pipeline_reading import parse_pipeline

FULL = """
version: 1
python: "3.12"
sandbox: required
require: [load, cosign]
healers: [openai, search]
heal:
  budget: {attempts: 3, tokens: 1000, cost_usd: 0.5, seconds: 60}
  search_seconds: 30s
  seed: 7
  flaky: fail
  open_paths: {"docs/**": "generated from the code"}
  open_rules: {lost-comment: "comments are generated"}
build:
  requirements: [requirements/all.txt]
  extras: []
  groups: [test]
  network: false
  timeout: 5m
unit: {paths: [tests/unit], arguments: [-m, not slow], timeout: 90}
integration: {paths: [tests/integration]}
e2e: {}
lint:
  tools: []
  commands:
    - {name: eslint, command: [npx, eslint], sarif: out.sarif, files: ["*.js"]}
  severity: low
load:
  script: load/checkout.js
  service: {command: [python, -m, shop], ready: "http://127.0.0.1:8000/health", timeout: 1.5s}
  environment: {BASE_URL: "http://127.0.0.1:8000"}
security: {paths: [src], severity: high}
package: null
approval: {required: always, reminder: 12h, expires: 3d}
release: {tag_prefix: release-}
"""


def _linters(*names: str, sarif: str = "a.sarif") -> str:
    rest = f"command: [a], sarif: {sarif}, files: ['*']"
    return "lint:\n  commands:\n" + "".join(f"  - {{name: {name}, {rest}}}\n" for name in names)


def _error(text: str) -> str:
    with pytest.raises(UsageError) as raised:
        parse_pipeline(text)
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n", "{}\n"])
def test_nothing_means_the_defaults(text: str) -> None:
    pipeline = parse_pipeline(text)

    assert pipeline == Pipeline()
    assert pipeline.healers == ("search", "openai")
    assert pipeline.heal.budget.attempts == 8
    assert pipeline.tests("unit") == TestSection()
    assert pipeline.tests("integration") is None
    assert pipeline.release is None
    assert pipeline.security is not None


def test_every_key_is_read() -> None:
    pipeline = parse_pipeline(FULL)

    assert pipeline.python == "3.12"
    assert pipeline.sandbox == "required"
    assert pipeline.require == ("load", "cosign")
    assert pipeline.healers == ("openai", "search")
    assert pipeline.heal.budget.attempts == 3
    assert pipeline.heal.search_seconds == 30
    assert pipeline.build.extras == ()
    assert pipeline.build.timeout == 300
    assert pipeline.unit == TestSection(
        paths=("tests/unit",), arguments=("-m", "not slow"), timeout=90
    )
    assert pipeline.tests("e2e") == TestSection()
    assert pipeline.load is not None
    assert pipeline.load.service is not None
    assert pipeline.load.service.timeout == 1.5
    assert pipeline.package is None
    assert pipeline.approval.expires == 3 * 86400
    assert pipeline.release is not None
    assert pipeline.release.tag_prefix == "release-"


def test_a_stage_runs_pytest_or_a_command() -> None:
    pipeline = parse_pipeline(
        "unit: {command: [/usr/bin/node, --test], report: 'out/**/*.xml', timeout: 5m}\ne2e: {}"
    )

    assert (pipeline.unit.runs_pytest, pipeline.unit.tool) == (False, "node")
    assert pipeline.unit.command == ("/usr/bin/node", "--test")
    assert pipeline.e2e is not None
    assert (pipeline.e2e.runs_pytest, pipeline.e2e.tool) == (True, "pytest")


def test_what_is_no_test_stage_has_no_tests() -> None:
    assert parse_pipeline(FULL).tests("load") is None
    assert parse_pipeline(FULL).tests("nonsense") is None


def test_no_healers_means_no_healing() -> None:
    assert parse_pipeline("healers: []").healers == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("7d", 604800),
        ("1.5h", 5400),
        ("45", 45),
        ("0.5", 0.5),
        ('" 30s "', 30),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_pipeline(f"unit: {{timeout: {text}}}").unit.timeout == seconds


@pytest.mark.parametrize("text", ["0", "-5", "0s", "soon", "5 minutes", "1h30m", "''", "[1]", "''"])
def test_what_is_no_duration(text: str) -> None:
    assert _error(f"unit:\n  timeout: {text}\n").startswith("regreen.yaml:2: unit.timeout: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unti: {}", "regreen.yaml:1: unknown key `unti`; did you mean `unit`?"),
        ("version: 1\n\nsecurty: {}", "regreen.yaml:3: unknown key `securty`; did you mean `secur"),
        ("unit:\n  path: [a]", "regreen.yaml:2: unknown key `unit.path`; did you mean `paths`?"),
        (
            "build:\n  lint: true",
            "regreen.yaml:2: `build.lint` is no key any more; linters have a stage of their own: "
            "`lint: {tools: [ruff]}`",
        ),
        (
            "heal:\n  budget:\n    token: 5",
            "regreen.yaml:3: unknown key `heal.budget.token`; did you mean `tokens`?",
        ),
        (
            "load:\n  script: a.js\n  service:\n    command: [a]\n    ready: b\n    time: 5",
            "regreen.yaml:6: unknown key `load.service.time`; did you mean `timeout`?",
        ),
        (
            "approval:\n  zzz: 1",
            "unknown key `approval.zzz`; known keys: required, reminder, expires",
        ),
    ],
)
def test_an_unknown_key_is_told_with_its_line_and_the_nearest(text: str, message: str) -> None:
    assert message in _error(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b", "regreen.yaml:1: expected keys such as `unit:`, found a list"),
        ("words", "regreen.yaml:1: expected keys such as `unit:`, found a text"),
        ("5", "regreen.yaml:1: expected keys such as `unit:`, found a int"),
        ("version: 2", "regreen.yaml:1: version: "),
        ("\nsandbox: never", "regreen.yaml:2: sandbox: "),
        ("healers: [search, luck]", "regreen.yaml:1: healers.1: "),
        ("healers: search", "regreen.yaml:1: healers: "),
        ("unit: tests", "regreen.yaml:1: unit: "),
        ("unit: {paths: tests}", "regreen.yaml:1: unit.paths: "),
        ("heal:\n  budget:\n    attempts: 9", "regreen.yaml:3: heal.budget.attempts: "),
        ("heal:\n  budget: {attempts: -1}", "regreen.yaml:2: heal.budget.attempts: "),
        ("load: {}", "regreen.yaml:1: load.script: "),
        ("lint: {tools: [flake8]}", "regreen.yaml:1: lint.tools.0: "),
        ("lint: {tools: ruff}", "regreen.yaml:1: lint.tools: expected a list"),
        ("lint:\n  commands:\n  - {name: a}", "regreen.yaml:3: lint.commands.0.command: "),
        (_linters("ruff"), "regreen.yaml:2: lint.commands: ruff is a tool of Regreen; give the"),
        (_linters("osv"), "regreen.yaml:2: lint.commands: osv is a tool of Regreen; give the"),
        (_linters("a", "b", "a"), "regreen.yaml:2: lint.commands: two linters are called a"),
        (_linters("a b"), "regreen.yaml:3: lint.commands.0.name: "),
        (_linters("a", sarif="../a"), "regreen.yaml:3: lint.commands.0.sarif: `../a` has to be"),
        ("coverage: {branches: 101}", "regreen.yaml:1: coverage.branches: "),
        ("coverage:\n  stages:\n    unit: 101", "regreen.yaml:3: coverage.stages.unit: "),
        ("python: 3.12", "regreen.yaml:1: python: "),
        ("unit:\n  paths:\n  - a\n  - 5", "regreen.yaml:4: unit.paths.1: "),
        (
            "unit:\n  command: node --test\n  report: a.xml",
            "regreen.yaml:2: unit.command: expected a list, such as [first, second]",
        ),
        (
            "\nunit: {command: [node, --test]}",
            "regreen.yaml:2: unit: `command` needs `report`, the JUnit XML file that it writes",
        ),
        (
            "e2e: {report: a.xml}",
            "regreen.yaml:1: e2e: `report` belongs to `command`, which is missing",
        ),
        (
            "unit: {command: [a], report: a.xml, paths: [tests]}",
            "regreen.yaml:1: unit: `paths` is for pytest and does not go with `command`",
        ),
        (
            "unit: {command: [a], report: a.xml, arguments: [-q]}",
            "regreen.yaml:1: unit: `arguments` is for pytest and does not go with `command`",
        ),
        ("unit: {command: [a], report: /tmp/a.xml}", "has to be a path below the root"),
        ("unit: {command: [a], report: ../a.xml}", "has to be a path below the root"),
        ("unit: {command: [a], report: .git/a.xml}", "has to be a path below the root"),
        ("unit: {command: [a], report: .}", "has to be a path below the root"),
        ("unit: {command: [a], report: 'a**/b.xml'}", "`**` stands for folders and stands alone"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(text: str, message: str) -> None:
    assert message in _error(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("unit: [\n", 2),
        ("unit:\n\tpaths: [a]\n", 2),
        ("a: b: c\n", 1),
        ("'open\n", 2),
        ("a: *nowhere\n", 1),
        ("a: !!python/object/apply:os.system [true]\n", 1),
        ("a: \0\n", 1),
        ("---\na: 1\n---\nb: 2\n", 3),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(text: str, line: int) -> None:
    message = _error(text)

    assert message.startswith("regreen.yaml")
    assert "not valid YAML" in message
    if "\0" not in text:
        assert message.startswith(f"regreen.yaml:{line}: ")


def test_the_name_of_the_file_is_the_one_given() -> None:
    with pytest.raises(UsageError, match=r"^other\.yaml:1: "):
        parse_pipeline("unti: {}", "other.yaml")


def test_aliases_and_merges_are_plain_yaml() -> None:
    text = "unit: &tests {timeout: 30s}\nintegration: *tests\ne2e:\n  <<: *tests\n  paths: [e2e]\n"

    pipeline = parse_pipeline(text)

    assert pipeline.integration == pipeline.unit
    assert pipeline.e2e == TestSection(paths=("e2e",), timeout=30)


def test_the_schema_for_editors_agrees() -> None:
    schema = json.loads(json.dumps(Pipeline.model_json_schema()))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)

    assert not list(validator.iter_errors(yaml.safe_load(FULL)))
    command = "unit: {command: [node, --test], report: a.xml, paths: []}"
    assert not list(validator.iter_errors(yaml.safe_load(command)))
    for wrong in (
        "unti: {}",
        "unit: {timeout: soon}",
        "version: 2",
        "heal: {budget: {attempts: 9}}",
        "unit: {command: [node, --test]}",
        "unit: {report: a.xml}",
        "unit: {command: [node], report: a.xml, paths: [tests]}",
    ):
        assert list(validator.iter_errors(yaml.safe_load(wrong))), wrong


def test_a_pipeline_survives_its_way_through_json() -> None:
    pipeline = parse_pipeline(FULL)

    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline


def test_a_rule_can_be_opened_with_a_reason() -> None:
    heal = parse_pipeline("heal: {open_rules: {lost-comment: comments are generated}}").heal

    assert heal.open_rules == {"lost-comment": "comments are generated"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            "lost-coment: a",
            "regreen.yaml:3: heal.open_rules.lost-coment: unknown rule `lost-coment`; "
            "did you mean `lost-comment`?",
        ),
        ("zzz: a", "regreen.yaml:3: heal.open_rules.zzz: unknown rule `zzz`; docs/guard.md lists"),
        (
            "symlink: a",
            "regreen.yaml:3: heal.open_rules.symlink: the rule `symlink` cannot be opened",
        ),
        ("path-escape: a", "the rule `path-escape` cannot be opened"),
        ("submodule: a", "the rule `submodule` cannot be opened"),
        ("binary-file: a", "the rule `binary-file` cannot be opened"),
        ("syntax-error: a", "the rule `syntax-error` cannot be opened"),
        ("policy-file: a", "the rule `policy-file` cannot be opened"),
        ('lost-comment: " "', "heal.open_rules.lost-comment: the reason must not be empty"),
        ("lost-comment:", "heal.open_rules.lost-comment: Input should be a valid string"),
    ],
)
def test_a_rule_that_cannot_be_opened_is_an_error(rules: str, expected: str) -> None:
    assert expected in _error(f"heal:\n  open_rules:\n    {rules}\n")


def test_an_open_path_needs_a_reason() -> None:
    assert "the reason must not be empty" in _error('heal: {open_paths: {"a/**": ""}}')


def test_licences_are_spdx_identifiers_in_their_own_spelling() -> None:
    security = parse_pipeline("security: {licences: {allow: [mit], deny: [GPL-3.0-only]}}").security

    assert security is not None
    assert (security.licences.allow, security.licences.deny) == (("MIT",), ("GPL-3.0-only",))


@pytest.mark.parametrize("name", ["BSD License", "MIT OR ISC", "''", "(MIT)"])
def test_what_is_no_licence_is_an_error_with_its_line(name: str) -> None:
    assert _error(f"security:\n  licences:\n    allow: [{name}]\n").startswith(
        "regreen.yaml:3: security.licences.allow"
    )
