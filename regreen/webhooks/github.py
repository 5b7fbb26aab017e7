"""GitHub's webhooks (docs.github.com/webhooks/webhook-events-and-payloads)."""

from typing import Any, Literal

from regreen.contracts.forge_event import ForgeEvent
from regreen.webhooks import reading

_REVIEWS: dict[str, Literal["approve", "reject", "comment"]] = {
    "approved": "approve",
    "changes_requested": "reject",
    "commented": "comment",
}
_STARTING = ("opened", "reopened", "synchronize", "ready_for_review")
_OWN_CHECKS = "regreen"


def github_event(event_name: str, delivery_id: str, body: dict[str, Any]) -> ForgeEvent | None:
    """What a delivery tells, by the name in `X-GitHub-Event`; None for what is not acted on.

    Raises MalformedEvent.
    """
    read = _READERS.get(event_name)
    fields = None if read is None else read(body)
    if fields is None:
        return None
    return reading.event(
        provider="github",
        delivery_id=delivery_id,
        repository=reading.text(body, "repository", "full_name"),
        location=reading.clone_url(reading.text(body, "repository", "clone_url")),
        actor=reading.name(reading.text(body, "sender", "login")),
        **fields,
    )


def _push(body: dict[str, Any]) -> dict[str, Any] | None:
    full = reading.text(body, "ref")
    ref = reading.branch_or_tag(full)
    if body.get("deleted") is True or ref.startswith(reading.HEAL_BRANCHES):
        return None
    if full.startswith("refs/tags/") and _is_robot(body):
        # A release's own tag would release once more.
        return None
    # `after` is an annotated tag's object; the head commit is what it leads to.
    pushed = reading.commit(body, "head_commit", "id")
    return {"kind": "push", "identity": f"push/{pushed}/{full}", "ref": ref, "commit": pushed}


def _pull_request(body: dict[str, Any]) -> dict[str, Any] | None:
    action = reading.text(body, "action")
    pull = reading.part(body, "pull_request")
    if action == "closed" and pull.get("merged") is True:
        made = reading.commit(pull, "merge_commit_sha")
        told = _about(pull)
        return told | {"kind": "merge", "identity": f"merge/{told['pull_request']}/{made}",
                       "commit": made}  # fmt: skip
    if action not in _STARTING:
        return None
    told = _about(pull)
    # What a stranger's fork proposes is not run with this installation's credentials.
    foreign = reading.optional_text(pull, "head", "repo", "full_name") != reading.text(
        pull, "base", "repo", "full_name"
    )
    if foreign or told["ref"].startswith(reading.HEAL_BRANCHES):
        return None
    identity = f"pull_request/{told['pull_request']}/{told['commit']}"
    return told | {"kind": "pull_request", "identity": identity}


def _review(body: dict[str, Any]) -> dict[str, Any] | None:
    if reading.text(body, "action") != "submitted":
        return None
    review = reading.part(body, "review")
    written = reading.optional_text(review, "body")
    if _is_robot(body) or reading.MARKER in written:
        return None
    decision = _REVIEWS.get(reading.text(review, "state").lower())
    if decision is None:
        return None
    # The author of a pull request cannot approve it on GitHub, but can command in a comment.
    commanded = reading.command(written) if decision == "comment" else None
    told = _about(reading.part(body, "pull_request")) | {
        "identity": f"review/{reading.number(review, 'id')}",
        "commit": reading.commit(review, "commit_id"),
    }
    if commanded is not None:
        return told | {"kind": "command", "command": commanded[0], "comment": commanded[1]}
    comment = reading.shortened(written)
    return told | {"kind": "review", "decision": decision, "comment": comment}


def _issue_comment(body: dict[str, Any]) -> dict[str, Any] | None:
    issue = reading.part(body, "issue")
    about_pull = isinstance(issue.get("pull_request"), dict)
    if reading.text(body, "action") != "created" or not about_pull:
        return None
    return _commanded(body, "comment", {"pull_request": reading.number(issue, "number")})


def _review_comment(body: dict[str, Any]) -> dict[str, Any] | None:
    if reading.text(body, "action") != "created":
        return None
    return _commanded(body, "review-comment", _about(reading.part(body, "pull_request")))


def _commanded(body: dict[str, Any], kind: str, told: dict[str, Any]) -> dict[str, Any] | None:
    comment = reading.part(body, "comment")
    commanded = reading.command(reading.optional_text(comment, "body"))
    if commanded is None or _is_robot(body):
        return None
    return told | {
        "kind": "command",
        "identity": f"{kind}/{reading.number(comment, 'id')}",
        "command": commanded[0],
        "comment": commanded[1],
    }


def _check_run(body: dict[str, Any]) -> dict[str, Any] | None:
    check = reading.part(body, "check_run")
    own = reading.text(check, "name").lower().startswith(_OWN_CHECKS)
    if reading.text(body, "action") != "rerequested" or not own:
        return None
    return _check(check, reading.part(check, "check_suite"), "run")


def _check_suite(body: dict[str, Any]) -> dict[str, Any] | None:
    suite = reading.part(body, "check_suite")
    # A repository's own hook is told of every app's suites, an app only of its own.
    if reading.text(body, "action") != "rerequested" or "installation" not in body:
        return None
    return _check(suite, suite, "suite")


def _check(check: dict[str, Any], suite: dict[str, Any], kind: str) -> dict[str, Any]:
    # The same check can be asked for again and again; each time its suite is another.
    when = reading.text(suite, "updated_at")
    return {
        "kind": "check",
        "identity": f"check/{kind}/{reading.number(check, 'id')}/{when}",
        "commit": reading.commit(check, "head_sha"),
        "ref": reading.optional_text(suite, "head_branch"),
    }


def _about(pull: dict[str, Any]) -> dict[str, Any]:
    return {
        "pull_request": reading.number(pull, "number"),
        "ref": reading.name(reading.text(pull, "head", "ref")),
        "commit": reading.commit(pull, "head", "sha"),
        "base": reading.name(reading.text(pull, "base", "ref")),
    }


def _is_robot(body: dict[str, Any]) -> bool:
    return reading.optional_text(body, "sender", "type") == "Bot"


_READERS = {
    "push": _push,
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "pull_request_review_comment": _review_comment,
    "issue_comment": _issue_comment,
    "check_run": _check_run,
    "check_suite": _check_suite,
}
