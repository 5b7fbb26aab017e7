"""GitLab's webhooks (docs.gitlab.com/user/project/integrations/webhook_events)."""

from typing import Any, Literal

from regreen.contracts.forge_event import ForgeEvent
from regreen.webhooks import reading

_STARTING = ("open", "reopen")
# `approval` is one person's, `approved` says in addition that nobody's is missing any more.
_REVIEWS: dict[str, Literal["approve", "comment"]] = {
    "approval": "approve",
    "approved": "approve",
}


def gitlab_event(event_name: str, delivery_id: str, body: dict[str, Any]) -> ForgeEvent | None:
    """What a delivery tells, by the name in `X-Gitlab-Event`; None for what is not acted on.

    Raises MalformedEvent.
    """
    read = _READERS.get(event_name)
    fields = None if read is None else read(body)
    if fields is None:
        return None
    return reading.event(
        provider="gitlab",
        delivery_id=delivery_id,
        repository=reading.text(body, "project", "path_with_namespace"),
        location=reading.clone_url(reading.text(body, "project", "git_http_url")),
        **fields,
    )


def _push(body: dict[str, Any]) -> dict[str, Any] | None:
    full = reading.text(body, "ref")
    ref = reading.branch_or_tag(full)
    # Null when the branch or tag was deleted.
    if body.get("checkout_sha") is None or ref.startswith(reading.HEAL_BRANCHES):
        return None
    pushed = reading.commit(body, "checkout_sha")
    # Tag events have no account, only a name.
    actor = reading.optional_text(body, "user_username") or reading.text(body, "user_name")
    return {
        "kind": "push",
        "identity": f"push/{pushed}/{full}",
        "actor": reading.name(actor),
        "ref": ref,
        "commit": pushed,
    }


def _merge_request(body: dict[str, Any]) -> dict[str, Any] | None:
    request = reading.part(body, "object_attributes")
    action = reading.optional_text(request, "action")
    told = _about(request) | {"actor": _user(body)}
    number = told["pull_request"]
    if action == "merge":
        # Fast-forward merges make no commit of their own.
        made = next(
            (sha for key in ("merge_commit_sha", "squash_commit_sha") if (sha := request.get(key))),
            told["commit"],
        )
        told["commit"] = reading.commit({"merge_commit_sha": made}, "merge_commit_sha")
        return told | {"kind": "merge", "identity": f"merge/{number}/{told['commit']}"}
    if action in _REVIEWS:
        # An approval has no number of its own; a person approves a commit once.
        identity = f"review/{number}/{told['commit']}/{told['actor']}"
        return told | {"kind": "review", "identity": identity, "decision": _REVIEWS[action]}
    pushed = action == "update" and "oldrev" in request
    foreign = request.get("source_project_id") != request.get("target_project_id")
    own = told["ref"].startswith(reading.HEAL_BRANCHES)
    if not (action in _STARTING or pushed) or foreign or own:
        return None
    return told | {"kind": "pull_request", "identity": f"pull_request/{number}/{told['commit']}"}


def _note(body: dict[str, Any]) -> dict[str, Any] | None:
    note = reading.part(body, "object_attributes")
    if reading.optional_text(note, "noteable_type") != "MergeRequest" or (
        reading.optional_text(note, "action") == "update"
    ):
        return None
    commanded = reading.command(reading.optional_text(note, "note"))
    if commanded is None or note.get("system") is True:
        return None
    return _about(reading.part(body, "merge_request")) | {
        "kind": "command",
        "identity": f"comment/{reading.number(note, 'id')}",
        "actor": _user(body),
        "command": commanded[0],
        "comment": commanded[1],
    }


def _about(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "pull_request": reading.number(request, "iid"),
        "ref": reading.name(reading.text(request, "source_branch")),
        "commit": reading.commit(request, "last_commit", "id"),
        "base": reading.name(reading.text(request, "target_branch")),
    }


def _user(body: dict[str, Any]) -> str:
    return reading.name(reading.text(body, "user", "username"))


_READERS = {
    "Push Hook": _push,
    "Tag Push Hook": _push,
    "Merge Request Hook": _merge_request,
    "Note Hook": _note,
}
