"""Payloads of the four providers, and what each has to be read as.

GitHub's are its official examples (`tests/corpus/webhooks`). The others follow the shapes of the
documentation pages that `regreen/webhooks/*.py` name, with the fields that are read and some that
are not.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from regreen.contracts.forge_event import Provider

HEAD, NEXT, MADE, NONE = "d" * 40, "e" * 40, "f" * 40, "0" * 40
_CORPUS = Path(__file__).parents[2] / "corpus" / "webhooks" / "github.jsonl"


class Example(NamedTuple):
    """A delivery and what it is read as: kind and identity of each event; none when declined."""

    name: str
    event: str
    payload: dict[str, Any]
    read_as: tuple[tuple[str, str], ...] = ()


def official_github() -> list[tuple[str, dict[str, Any]]]:
    """Event and payload of GitHub's official examples."""
    lines = _CORPUS.read_text("utf-8").splitlines()
    return [(each["event"], each["payload"]) for each in map(json.loads, lines)]


def official(event: str, **wanted: Any) -> dict[str, Any]:
    """A copy of the first official example of an event with these values at its top."""
    for name, payload in official_github():
        if name == event and all(payload.get(key) == value for key, value in wanted.items()):
            copy: dict[str, Any] = json.loads(json.dumps(payload))
            return copy
    raise KeyError(event)


def _github_pull(action: str, **changes: Any) -> dict[str, Any]:
    payload = official("pull_request", action="opened") | {"action": action}
    payload["pull_request"] |= changes
    return payload


def _github_comment(text: str, **changes: Any) -> dict[str, Any]:
    payload = official("issue_comment", action="created")
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/pulls/1"}
    payload["comment"]["body"] = text
    return payload | changes


def _github_review(state: str, text: str | None = None, **changes: Any) -> dict[str, Any]:
    payload = official("pull_request_review", action="submitted")
    payload["review"] |= {"state": state, "body": text}
    return payload | changes


_REPOSITORY = {"name": "Hello-World", "full_name": "Codertocat/Hello-World"}
_GITHUB_HEAD = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
_BOT = {"sender": {"login": "regreen[bot]", "type": "Bot"}}


def _rerequested(name: str) -> dict[str, Any]:
    payload = official("check_run", action="rerequested")
    payload["check_run"]["name"] = name
    return payload


GITHUB = [
    Example(
        "merged",
        "pull_request",
        _github_pull("closed", merged=True, merge_commit_sha=MADE),
        (("merge", f"merge/2/{MADE}"),),
    ),
    Example("closed", "pull_request", _github_pull("closed", merged=False)),
    Example(
        "of a fork",
        "pull_request",
        _github_pull(
            "opened",
            head={"ref": "x", "sha": HEAD, "repo": {"full_name": "stranger/Hello-World"}},
        ),
    ),
    Example(
        "of a fork that is gone",
        "pull_request",
        _github_pull("synchronize", head={"ref": "x", "sha": HEAD, "repo": None}),
    ),
    Example(
        "of a heal",
        "pull_request",
        _github_pull("opened", head={"ref": "auto-heal/unit/1", "sha": HEAD, "repo": _REPOSITORY}),
    ),
    Example(
        "approve",
        "issue_comment",
        _github_comment("Looks right.\n/regreen approve  read the diff\n"),
        (("command", "comment/492700400"),),
    ),
    Example(
        "retry",
        "pull_request_review_comment",
        official("pull_request_review_comment", action="created")
        | {"comment": {"id": 5, "body": "/regreen retry"}},
        (("command", "review-comment/5"),),
    ),
    Example("unknown command", "issue_comment", _github_comment("/regreen destroy")),
    Example("in a sentence", "issue_comment", _github_comment("say /regreen approve there")),
    Example("by a robot", "issue_comment", _github_comment("/regreen approve", **_BOT)),
    Example(
        "by Regreen",
        "issue_comment",
        _github_comment("/regreen approve\n<!-- regreen: reminder -->"),
    ),
    Example("edited", "issue_comment", _github_comment("/regreen cancel", action="edited")),
    Example(
        "approved",
        "pull_request_review",
        _github_review("approved", "fine"),
        (("review", "review/237895671"),),
    ),
    Example(
        "changes requested",
        "pull_request_review",
        _github_review("changes_requested", "no"),
        (("review", "review/237895671"),),
    ),
    Example(
        "command in a review",
        "pull_request_review",
        _github_review("commented", "/regreen cancel"),
        (("command", "review/237895671"),),
    ),
    Example("robot", "pull_request_review", _github_review("approved", **_BOT)),
    Example(
        "own check",
        "check_run",
        _rerequested("regreen / unit"),
        (("check", "check/run/4/2018-05-04T01:14:52Z"),),
    ),
    Example("somebody's check", "check_run", _rerequested("lint")),
    Example(
        "pushed heal",
        "push",
        official("push", ref="refs/heads/master") | {"ref": "refs/heads/auto-heal/unit/1"},
    ),
    Example(
        "tag of a robot",
        "push",
        official("push", ref="refs/tags/simple-tag", deleted=False) | _BOT,
    ),
    Example("ping", "ping", official("ping")),
]

_PROJECT = {
    "id": 15,
    "name": "Diaspora",
    "path_with_namespace": "mike/group/diaspora",
    "git_http_url": "http://gitlab.example/mike/group/diaspora.git",
}


def _gitlab_push(ref: str, checkout: str | None = HEAD, **more: Any) -> dict[str, Any]:
    return {
        "object_kind": "push",
        "before": NONE,
        "after": checkout or NONE,
        "ref": ref,
        "checkout_sha": checkout,
        "user_name": "John Smith",
        "project": _PROJECT,
        "total_commits_count": 4,
    } | more


def _gitlab_request(action: str, **changes: Any) -> dict[str, Any]:
    return {
        "object_kind": "merge_request",
        "user": {"id": 1, "name": "Administrator", "username": "root"},
        "project": _PROJECT,
        "object_attributes": {
            "id": 99,
            "iid": 1,
            "target_branch": "master",
            "source_branch": "ms-viewport",
            "source_project_id": 15,
            "target_project_id": 15,
            "state": "opened",
            "last_commit": {"id": HEAD, "message": "fixed readme"},
            "action": action,
        }
        | changes,
    }


def _gitlab_note(text: str, **changes: Any) -> dict[str, Any]:
    request = _gitlab_request("open")["object_attributes"]
    return {
        "object_kind": "note",
        "user": {"username": "root"},
        "project": _PROJECT,
        "object_attributes": {
            "id": 1244,
            "note": text,
            "noteable_type": "MergeRequest",
            "system": False,
            "action": "create",
        }
        | changes,
        "merge_request": request,
    }


GITLAB = [
    Example(
        "push",
        "Push Hook",
        _gitlab_push("refs/heads/master", user_username="jsmith"),
        (("push", f"push/{HEAD}/refs/heads/master"),),
    ),
    Example(
        "tag",
        "Tag Push Hook",
        _gitlab_push("refs/tags/v1.0.0"),
        (("push", f"push/{HEAD}/refs/tags/v1.0.0"),),
    ),
    Example("deleted", "Push Hook", _gitlab_push("refs/heads/old", None)),
    Example(
        "opened",
        "Merge Request Hook",
        _gitlab_request("open"),
        (("pull_request", f"pull_request/1/{HEAD}"),),
    ),
    Example(
        "pushed to",
        "Merge Request Hook",
        _gitlab_request("update", oldrev=NEXT),
        (("pull_request", f"pull_request/1/{HEAD}"),),
    ),
    Example("renamed", "Merge Request Hook", _gitlab_request("update")),
    Example("of a fork", "Merge Request Hook", _gitlab_request("open", source_project_id=16)),
    Example(
        "approval",
        "Merge Request Hook",
        _gitlab_request("approval"),
        (("review", f"review/1/{HEAD}/root"),),
    ),
    Example(
        "approved",
        "Merge Request Hook",
        _gitlab_request("approved"),
        (("review", f"review/1/{HEAD}/root"),),
    ),
    Example("unapproved", "Merge Request Hook", _gitlab_request("unapproved")),
    Example(
        "merged",
        "Merge Request Hook",
        _gitlab_request("merge", merge_commit_sha=MADE),
        (("merge", f"merge/1/{MADE}"),),
    ),
    Example(
        "fast-forward",
        "Merge Request Hook",
        _gitlab_request("merge", merge_commit_sha=None),
        (("merge", f"merge/1/{HEAD}"),),
    ),
    Example("command", "Note Hook", _gitlab_note("/regreen heal"), (("command", "comment/1244"),)),
    Example("talk", "Note Hook", _gitlab_note("This MR needs work.")),
    Example("on an issue", "Note Hook", _gitlab_note("/regreen heal", noteable_type="Issue")),
    Example("edited", "Note Hook", _gitlab_note("/regreen heal", action="update")),
    Example("issue", "Issue Hook", {"object_kind": "issue", "project": _PROJECT}),
    Example("pipeline", "Pipeline Hook", {"object_kind": "pipeline"}),
]


def _bitbucket(**more: Any) -> dict[str, Any]:
    return {
        "actor": {"type": "user", "nickname": "Emma", "account_id": "70121:3046ad5f"},
        "repository": {
            "type": "repository",
            "full_name": "team_name/repo_name",
            "links": {"html": {"href": "https://bitbucket.org/team_name/repo_name"}},
        },
    } | more


def _change(name: str | None, kind: str = "branch", commit: str = HEAD) -> dict[str, Any]:
    old = {"type": kind, "name": name or "old", "target": {"type": "commit", "hash": NEXT}}
    new = {"type": kind, "name": name, "target": {"type": "commit", "hash": commit}}
    return {"old": old, "new": new if name else None, "closed": name is None, "truncated": False}


_PULL = {
    "pullrequest": {
        "id": 1,
        "title": "Title of pull request",
        "state": "OPEN",
        "source": {"branch": {"name": "branch2"}, "commit": {"hash": "d3022fc0ca3d"}},
        "destination": {"branch": {"name": "master"}, "commit": {"hash": "ce5965ddd289"}},
    }
}
_GIVEN = {"date": "2015-04-06T16:34:59.195330+00:00", "user": {"nickname": "Emma"}}

BITBUCKET = [
    Example(
        "push",
        "repo:push",
        _bitbucket(push={"changes": [_change("main"), _change("v1", "tag", NEXT)]}),
        (("push", f"push/{HEAD}/refs/heads/main"), ("push", f"push/{NEXT}/refs/tags/v1")),
    ),
    Example("deleted", "repo:push", _bitbucket(push={"changes": [_change(None)]})),
    Example("pushed heal", "repo:push", _bitbucket(push={"changes": [_change("auto-heal/x")]})),
    Example("created", "pullrequest:created", _bitbucket(**_PULL)),
    Example("merged", "pullrequest:fulfilled", _bitbucket(**_PULL)),
    Example(
        "approved",
        "pullrequest:approved",
        _bitbucket(approval=_GIVEN, **_PULL),
        (("review", f"review/1/70121:3046ad5f/{_GIVEN['date']}"),),
    ),
    Example(
        "changes requested",
        "pullrequest:changes_request_created",
        _bitbucket(changes_request=_GIVEN, **_PULL),
        (("review", f"review/1/70121:3046ad5f/{_GIVEN['date']}"),),
    ),
    Example(
        "command",
        "pullrequest:comment_created",
        _bitbucket(comment={"id": 17, "content": {"raw": "/regreen reject no"}}, **_PULL),
        (("command", "comment/17"),),
    ),
    Example(
        "talk",
        "pullrequest:comment_created",
        _bitbucket(comment={"id": 17, "content": {"raw": "Comment text"}}, **_PULL),
    ),
    Example("fork", "repo:fork", _bitbucket()),
]

_AZURE_REPOSITORY = {
    "id": "4bc14d40-c903-45e2-872e-0462c7748079",
    "name": "Fabrikam",
    "project": {"name": "Fabrikam", "state": "wellFormed"},
    "remoteUrl": "https://fabrikam@dev.azure.com/fabrikam/My%20Project/_git/Fabrikam",
}
_JAMAL = {"displayName": "Jamal Hartnett", "uniqueName": "fabrikamfiber4@hotmail.com"}


def _azure(event: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "subscriptionId": "00000000-0000-0000-0000-000000000000",
        "notificationId": 3,
        "id": "03c164c2-8912-4d5e-8009-3707d5f83734",
        "eventType": event,
        "publisherId": "tfs",
        "resource": resource,
        "resourceVersion": "1.0",
    }


def _updated(name: str, commit: str) -> dict[str, str]:
    return {"name": name, "oldObjectId": NEXT, "newObjectId": commit}


def _azure_push(*updates: dict[str, str]) -> dict[str, Any]:
    resource = {"refUpdates": list(updates), "repository": _AZURE_REPOSITORY, "pushedBy": _JAMAL}
    return _azure("git.push", resource)


def _azure_pull(event: str, **changes: Any) -> dict[str, Any]:
    return _azure(f"git.pullrequest.{event}", _azure_request(**changes))


def _azure_request(**changes: Any) -> dict[str, Any]:
    return {
        "repository": _AZURE_REPOSITORY,
        "pullRequestId": 1,
        "status": "active",
        "createdBy": _JAMAL,
        "sourceRefName": "refs/heads/mytopic",
        "targetRefName": "refs/heads/master",
        "mergeStatus": "succeeded",
        "lastMergeSourceCommit": {"commitId": HEAD},
        "lastMergeCommit": {"commitId": MADE},
        "reviewers": [{"vote": 10, "isContainer": True, "uniqueName": "vstfs:///x\\Mobile Team"}],
    } | changes


_THREAD = "https://dev.azure.com/fabrikam/_apis/git/pullRequests/1/threads/9/comments/2"


def _azure_comment(text: str, **changes: Any) -> dict[str, Any]:
    comment = {"id": 2, "content": text, "author": _JAMAL} | changes
    comment["_links"] = {"self": {"href": _THREAD}}
    resource = {"comment": comment, "pullRequest": _azure_request()}
    return _azure("ms.vss-code.git-pullrequest-comment-event", resource)


AZURE = [
    Example(
        "push",
        "",
        _azure_push(
            _updated("refs/heads/main", HEAD),
            _updated("refs/heads/gone", NONE),
            _updated("refs/tags/v1", MADE),
            _updated("refs/heads/next", NEXT),
        ),
        (
            ("push", f"push/{HEAD}/refs/heads/main"),
            ("push", f"push/{NEXT}/refs/heads/next"),
        ),
    ),
    Example("created", "", _azure_pull("created"), (("pull_request", f"pull_request/1/{HEAD}"),)),
    Example(
        "voted",
        "",
        _azure_pull("updated", reviewers=[_JAMAL | {"vote": -10}]),
        (
            ("pull_request", f"pull_request/1/{HEAD}"),
            ("review", f"review/1/{HEAD}/fabrikamfiber4@hotmail.com/-10"),
        ),
    ),
    Example("of a fork", "", _azure_pull("created", forkSource={"name": "refs/heads/x"})),
    Example("trial merge", "", _azure_pull("merged")),
    Example(
        "merged", "", _azure_pull("updated", status="completed"), (("merge", f"merge/1/{MADE}"),)
    ),
    Example("abandoned", "", _azure_pull("updated", status="abandoned")),
    Example("command", "", _azure_comment("/regreen retry"), (("command", "comment/1/9/2"),)),
    Example("talk", "", _azure_comment("This is my comment.")),
    Example("work item", "", _azure("workitem.created", {"id": 5})),
]

EXAMPLES: dict[Provider, list[Example]] = {
    "github": GITHUB,
    "gitlab": GITLAB,
    "bitbucket": BITBUCKET,
    "azure": AZURE,
}
