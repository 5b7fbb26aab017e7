"""What the providers' payloads are read as; what is malformed is told from what is declined."""

from collections import Counter
from typing import Any

import pytest

from regreen.contracts.forge_event import Provider
from regreen.webhooks.github import github_event
from regreen.webhooks.reading import MalformedEvent, command
from starters.gateway.providers import PROVIDERS
from tests.unit.webhooks.examples import (
    AZURE,
    BITBUCKET,
    EXAMPLES,
    GITHUB,
    GITLAB,
    HEAD,
    Example,
    official,
    official_github,
)

# Of GitHub's official examples these are acted on; all others are declined on purpose.
_ACTED_ON = {
    ("push", ""): "push",
    ("pull_request", "opened"): "pull_request",
    ("pull_request", "reopened"): "pull_request",
    ("pull_request", "synchronize"): "pull_request",
    ("pull_request", "ready_for_review"): "pull_request",
    ("pull_request_review", "submitted"): "review",
    ("check_suite", "rerequested"): "check",
}

_ALL = [
    pytest.param(provider, example, id=f"{provider}: {example.event} {example.name}")
    for provider, examples in EXAMPLES.items()
    for example in examples
]


def _read(provider: Provider, example: Example, payload: Any = None) -> Any:
    return PROVIDERS[provider].events(
        example.event, "the-delivery", example.payload if payload is None else payload
    )


@pytest.mark.parametrize(("provider", "example"), _ALL)
def test_a_delivery_is_read_as_what_it_tells(provider: Provider, example: Example) -> None:
    events = _read(provider, example)

    assert tuple((each.kind, each.identity) for each in events) == example.read_as
    for event in events:
        assert event.provider == provider
        assert event.delivery_id == "the-delivery"
        assert event.location.startswith("http")


def test_every_official_example_of_github_is_acted_on_or_declined_on_purpose() -> None:
    seen: Counter[str] = Counter()
    for event, payload in official_github():
        read = github_event(event, "d", payload)
        expected = _ACTED_ON.get((event, payload.get("action", "")))
        if payload.get("deleted"):
            expected = None
        assert (read.kind if read else None) == expected, (event, payload.get("action"))
        seen[expected or "declined"] += 1
    assert set(seen) == {"push", "pull_request", "review", "check", "declined"}
    assert sum(seen.values()) > 150


@pytest.mark.parametrize(
    ("provider", "example", "expected"),
    [
        ("github", GITHUB[0], {"repository": "Codertocat/Hello-World", "actor": "Codertocat",
                               "base": "master", "pull_request": 2}),
        ("github", GITHUB[5], {"command": "approve", "comment": "read the diff",
                               "pull_request": 1, "actor": "Codertocat"}),
        ("github", GITHUB[12], {"decision": "approve", "comment": "fine",
                                "commit": "ec26c3e57ca3a959ca5aad62de7213c562f8c821"}),
        ("github", GITHUB[13], {"decision": "reject"}),
        ("gitlab", GITLAB[0], {"repository": "mike/group/diaspora", "actor": "jsmith",
                               "ref": "master", "commit": HEAD}),
        ("gitlab", GITLAB[3], {"ref": "ms-viewport", "base": "master", "pull_request": 1}),
        ("bitbucket", BITBUCKET[7], {"command": "reject", "comment": "no", "pull_request": 1,
                                     "actor": "70121:3046ad5f"}),
        ("azure", AZURE[0], {"repository": "fabrikam/My%20Project/Fabrikam", "ref": "main",
                             "location": "https://dev.azure.com/fabrikam/My%20Project/_git/Fabrikam"}),
    ],
)  # fmt: skip
def test_the_particulars_are_read(
    provider: Provider, example: Example, expected: dict[str, Any]
) -> None:
    event = _read(provider, example)[0]

    assert {key: getattr(event, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://dev.azure.com/org/project/_git/name", "org/project/name"),
        ("https://dev.azure.com/org/_git/name", "org/name/name"),
        ("https://org.visualstudio.com/project/_git/name", "org/project/name"),
        ("https://org.visualstudio.com/DefaultCollection/_git/name", "org/name/name"),
    ],
)
def test_an_azure_repository_has_one_name_whatever_its_address(url: str, repository: str) -> None:
    payload = AZURE[1].payload | {
        "resource": AZURE[1].payload["resource"] | {"repository": {"remoteUrl": url}}
    }

    assert _read("azure", AZURE[1], payload)[0].repository == repository


def _changed(payload: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    key, _, rest = path.partition(".")
    inner = payload.get(key)
    return payload | {
        key: _changed(inner if isinstance(inner, dict) else {}, rest, value) if rest else value
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ref", None),
        ("ref", "refs/notes/commits"),
        ("ref", "refs/heads/" + "x" * 300),
        ("ref", "refs/heads/a\u2028b"),
        ("head_commit", None),
        ("head_commit.id", "HEAD"),
        ("head_commit.id", ["a"]),
        ("repository", []),
        ("repository.full_name", "no-owner"),
        ("repository.full_name", "../../etc"),
        ("repository.full_name", "a/" + "b" * 500),
        ("repository.full_name", "a/\ud800"),
        ("repository.clone_url", "ext::sh -c id"),
        ("repository.clone_url", "--upload-pack=id"),
        ("repository.clone_url", "file:///etc"),
        ("repository.clone_url", "https://user:password@github.com/a/b.git"),
        ("sender", 1),
        ("sender.login", "a\nb"),
    ],
)
def test_a_push_without_what_every_push_has_is_malformed(path: str, value: Any) -> None:
    payload = _changed(official("push", ref="refs/heads/master"), path, value)

    with pytest.raises(MalformedEvent):
        github_event("push", "d", payload)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/regreen approve", ("approve", "")),
        ("/regreen APPROVE because", ("approve", "because")),
        ("text\r\n/regreen reject  fixes the symptom only \r\nmore", ("reject",
         "fixes the symptom only")),
        ("/regreen\tcancel", ("cancel", "")),
        ("/regreen nonsense\n/regreen heal", ("heal", "")),
        (" /regreen approve", None),
        ("> /regreen approve", None),
        ("/regreen", None),
        ("/regreen approved", None),
        ("/regreenapprove", None),
        ("```\n/regreen approve\n```", None),
        ("~~~ sh\r\n/regreen approve\r\n~~~\r\n/regreen reject no", ("reject", "no")),
        ("````\n```\n/regreen approve\n```~\n````\n/regreen heal", ("heal", "")),
        ("It never ends:\n  ```\n/regreen approve", None),
        ("```inline``` code\n/regreen approve", ("approve", "")),
        ("<!--\n/regreen approve\n--> seen\n/regreen cancel", ("cancel", "")),
        ("/regreen retry\n/regreen cancel", ("retry", "")),
        ("", None),
    ],
)  # fmt: skip
def test_commands_stand_at_the_start_of_a_line(written: str, expected: Any) -> None:
    assert command(written) == expected


def test_a_long_comment_is_cut() -> None:
    found = command("/regreen approve " + "x" * 5000)

    assert found is not None
    assert len(found[1]) == 2000
