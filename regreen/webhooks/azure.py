"""Azure Repos' service hooks (learn.microsoft.com/azure/devops/service-hooks/events)."""

from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

from regreen.contracts.forge_event import ForgeEvent
from regreen.webhooks import reading

_PULL_REQUESTS = ("git.pullrequest.created", "git.pullrequest.updated", "git.pullrequest.merged")
_COMMENT = "ms.vss-code.git-pullrequest-comment-event"
# 10 approved, 5 approved with suggestions, -5 waits for the author, -10 rejected.
_VOTES: dict[object, Literal["approve", "reject"]] = {10: "approve", 5: "approve", -10: "reject"}
_DELETED = "0" * 40


def azure_events(delivery_id: str, body: dict[str, Any]) -> tuple[ForgeEvent, ...]:
    """What a delivery tells; nothing for what is not acted on. Raises MalformedEvent.

    A push of several branches is one delivery, and so are the votes of several reviewers: an
    update of a pull request does not say whose vote is new.
    """
    name = reading.text(body, "eventType")
    if name not in ("git.push", _COMMENT, *_PULL_REQUESTS):
        return ()
    about = reading.part(body, "resource")
    if name == "git.push":
        told = _pushes(body)
    elif name in _PULL_REQUESTS:
        told = _pull_request(body)
    else:
        told, about = _commands(body), reading.part(about, "pullRequest")
    if not told:
        return ()
    location = _without_user(reading.text(about, "repository", "remoteUrl"))
    common = {
        "provider": "azure",
        "delivery_id": delivery_id,
        "repository": _repository(location),
        "location": reading.clone_url(location),
    }
    return tuple(reading.event(**common, **fields) for fields in told)


def _pushes(body: dict[str, Any]) -> list[dict[str, Any]]:
    actor = _account(reading.part(body, "resource", "pushedBy"))
    told = []
    for update in reading.objects(body, "resource", "refUpdates"):
        full = reading.text(update, "name")
        # A tag's object need not be a commit, and nothing here says which it is.
        if not full.startswith("refs/heads/") or update.get("newObjectId") == _DELETED:
            continue
        ref = reading.branch_or_tag(full)
        if ref.startswith(reading.HEAL_BRANCHES):
            continue
        pushed = reading.commit(update, "newObjectId")
        told.append(
            {
                "kind": "push",
                "identity": f"push/{pushed}/{full}",
                "actor": actor,
                "ref": ref,
                "commit": pushed,
            }
        )
    return told


def _pull_request(body: dict[str, Any]) -> list[dict[str, Any]]:
    pull = reading.part(body, "resource")
    told = _about(pull)
    number, actor = told["pull_request"], _account(reading.part(pull, "createdBy"))
    if reading.text(pull, "status") == "completed":
        made = reading.commit(pull, "lastMergeCommit", "commitId")
        identity = f"merge/{number}/{made}"
        closed_by = reading.optional_part(pull, "closedBy")
        by = _account(closed_by) if closed_by else actor
        return [told | {"kind": "merge", "identity": identity, "actor": by, "commit": made}]
    if pull["status"] != "active" or reading.text(body, "eventType") == "git.pullrequest.merged":
        # `merged` without `completed` is Azure's trial merge.
        return []
    reviews = [
        told
        | {
            "kind": "review",
            "identity": f"review/{number}/{told['commit']}/{_account(each)}/{each['vote']}",
            "actor": _account(each),
            "decision": _VOTES[each["vote"]],
        }
        for each in reading.objects(pull, "reviewers")
        if isinstance(each.get("vote"), int) and each["vote"] in _VOTES and not _is_group(each)
    ]
    if "forkSource" in pull or told["ref"].startswith(reading.HEAL_BRANCHES):
        return reviews
    opened = {"kind": "pull_request", "identity": f"pull_request/{number}/{told['commit']}"}
    return [told | opened | {"actor": actor}, *reviews]


def _commands(body: dict[str, Any]) -> list[dict[str, Any]]:
    comment = reading.part(body, "resource", "comment")
    commanded = reading.command(reading.optional_text(comment, "content"))
    if commanded is None or comment.get("isDeleted") is True:
        return []
    told = _about(reading.part(body, "resource", "pullRequest"))
    # Azure counts comments anew in each thread, and names the thread only in the comment's links.
    thread = reading.text(comment, "_links", "self", "href").rpartition("/comments/")[0]
    where = thread.rpartition("/")[2]
    command = {
        "kind": "command",
        "identity": f"comment/{told['pull_request']}/{where}/{reading.number(comment, 'id')}",
        "actor": _account(reading.part(comment, "author")),
        "command": commanded[0],
        "comment": commanded[1],
    }
    return [told | command]


def _about(pull: dict[str, Any]) -> dict[str, Any]:
    return {
        "pull_request": reading.number(pull, "pullRequestId"),
        "ref": reading.branch_or_tag(reading.text(pull, "sourceRefName")),
        "commit": reading.commit(pull, "lastMergeSourceCommit", "commitId"),
        "base": reading.branch_or_tag(reading.text(pull, "targetRefName")),
    }


def _account(person: dict[str, Any]) -> str:
    return reading.name(reading.text(person, "uniqueName"))


def _is_group(reviewer: dict[str, Any]) -> bool:
    return reviewer.get("isContainer") is True


def _without_user(url: str) -> str:
    """Azure puts the organisation before the host as a user, which is no secret and not needed."""
    scheme, separator, rest = url.partition("://")
    return (
        f"{scheme}{separator}{rest.partition('/')[0].rpartition('@')[2]}/{rest.partition('/')[2]}"
    )


def _repository(location: str) -> str:
    """`organisation/project/name`; blanks in a name stay encoded."""
    address = urlsplit(location)
    parts = [unquote(each) for each in address.path.split("/")]
    parts = [each for each in parts if each not in ("", "DefaultCollection")]
    host = (address.hostname or "").removesuffix(".visualstudio.com")
    if host != address.hostname:
        parts.insert(0, host)
    project, _, name = "/".join(parts).partition("/_git/")
    # A repository that has its project's name is shown without the project.
    whole = [*project.split("/"), name] if "/" in project else [project, name, name]
    return "/".join(quote(each, safe="") for each in whole)
