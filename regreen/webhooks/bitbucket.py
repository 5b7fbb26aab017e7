"""Bitbucket Cloud's webhooks (support.atlassian.com/bitbucket-cloud/docs/event-payloads)."""

from typing import Any, Literal

from regreen.contracts.forge_event import ForgeEvent
from regreen.webhooks import reading

_REVIEWS: dict[str, Literal["approve", "reject"]] = {
    "pullrequest:approved": "approve",
    "pullrequest:changes_request_created": "reject",
}


def bitbucket_events(
    event_name: str, delivery_id: str, body: dict[str, Any]
) -> tuple[ForgeEvent, ...]:
    """What a delivery tells, by the name in `X-Event-Key`; nothing for what is not acted on.

    A push of several branches is one delivery. Pull requests carry commits shortened to twelve
    digits, so that they start nothing and their merges are not told: the push of the branch does
    and says the same. Raises MalformedEvent.
    """
    if event_name == "repo:push":
        told = _pushes(body)
    elif event_name in _REVIEWS:
        told = [_review(body, _REVIEWS[event_name])]
    elif event_name == "pullrequest:comment_created":
        told = _commands(body)
    else:
        return ()
    if not told:
        return ()
    page = reading.text(body, "repository", "links", "html", "href")
    common = {
        "provider": "bitbucket",
        "delivery_id": delivery_id,
        "repository": reading.text(body, "repository", "full_name"),
        "location": reading.clone_url(f"{page}.git"),
        "actor": _account(reading.part(body, "actor")),
    }
    return tuple(reading.event(**common, **fields) for fields in told)


def _pushes(body: dict[str, Any]) -> list[dict[str, Any]]:
    told = []
    for change in reading.objects(body, "push", "changes"):
        new = reading.optional_part(change, "new")
        ref = reading.optional_text(new, "name")
        # Without it the branch was deleted.
        if not new or ref.startswith(reading.HEAL_BRANCHES):
            continue
        full = f"refs/{'tags' if new.get('type') == 'tag' else 'heads'}/{reading.name(ref)}"
        pushed = reading.commit(new, "target", "hash")
        identity = f"push/{pushed}/{full}"
        told.append({"kind": "push", "identity": identity, "ref": ref, "commit": pushed})
    return told


def _review(body: dict[str, Any], decision: Literal["approve", "reject"]) -> dict[str, Any]:
    told = _about(body)
    given = "approval" if decision == "approve" else "changes_request"
    # A review has no number of its own: its time tells it from the person's next one.
    when = reading.text(body, given, "date")
    who = _account(reading.part(body, "actor"))
    identity = f"review/{told['pull_request']}/{who}/{when}"
    return told | {"kind": "review", "identity": identity, "decision": decision}


def _commands(body: dict[str, Any]) -> list[dict[str, Any]]:
    comment = reading.part(body, "comment")
    commanded = reading.command(reading.optional_text(comment, "content", "raw"))
    if commanded is None:
        return []
    about = _about(body)
    command = {
        "kind": "command",
        "identity": f"comment/{reading.number(comment, 'id')}",
        "command": commanded[0],
        "comment": commanded[1],
    }
    return [about | command]


def _about(body: dict[str, Any]) -> dict[str, Any]:
    pull = reading.part(body, "pullrequest")
    return {
        "pull_request": reading.number(pull, "id"),
        "ref": reading.name(reading.text(pull, "source", "branch", "name")),
        "base": reading.name(reading.text(pull, "destination", "branch", "name")),
    }


def _account(actor: dict[str, Any]) -> str:
    # The nickname can be changed and is nobody's for ever, the account's id is.
    known = reading.optional_text(actor, "account_id") or reading.text(actor, "uuid")
    return reading.name(known)
