"""Pull requests, what is said about them, and reviews."""

from collections.abc import Callable
from typing import Any

from tests.doubles.github.request import Answer, Asked, invalid, not_found, part
from tests.doubles.github.state import Pull, PullReview, Remark, State


def paged(asked: Asked, found: list[Any]) -> list[Any]:
    """The page of a list that is asked for."""
    page, size = int(asked.query.get("page", 1)), int(asked.query.get("per_page", 30))
    return found[(page - 1) * size : page * size]


def _list(state: State, asked: Asked) -> Answer:
    wanted, head = asked.query.get("state", "open"), asked.query.get("head")
    found = [
        pull
        for pull in state.pulls.values()
        if wanted in (pull.state, "all")
        and head in (None, f"{state.repository.partition('/')[0]}:{pull.head}")
    ]
    if asked.query.get("sort") == "updated":
        found.sort(key=lambda pull: pull.updated_at, reverse=True)
    else:
        found.sort(key=lambda pull: -pull.number)
    return part(200, [_shown(state, pull) for pull in paged(asked, found)])


def _get(state: State, asked: Asked) -> Answer:
    pull = state.pulls.get(int(asked.parameters["pull_number"]))
    return not_found() if pull is None else part(200, _shown(state, pull))


def _create(state: State, asked: Asked) -> Answer:
    body = asked.body
    for side in ("head", "base"):
        if not state.commit_of(f"refs/heads/{body[side]}"):
            return invalid("invalid", side, resource="PullRequest")
    if body.get("draft") and not state.drafts:
        return invalid(
            "custom",
            "draft",
            resource="PullRequest",
            message="Draft pull requests are not supported in this repository.",
        )
    if any(p.head == body["head"] and p.state == "open" for p in state.pulls.values()):
        taken = f"A pull request already exists for {state.repository.partition('/')[0]}:"
        return invalid("custom", "head", resource="PullRequest", message=f"{taken}{body['head']}.")
    pull = Pull(
        number=state.next_number(),
        title=body["title"],
        body=body.get("body", ""),
        head=body["head"],
        base=body["base"],
        draft=body.get("draft", False),
    )
    state.pulls[pull.number] = pull
    return part(201, _shown(state, pull))


def _update(state: State, asked: Asked) -> Answer:
    pull = state.pulls.get(int(asked.parameters["pull_number"]))
    if pull is None:
        return not_found()
    for key in ("title", "body", "state", "base"):
        if key in asked.body:
            setattr(pull, key, asked.body[key])
    return part(200, _shown(state, pull))


def _list_comments(state: State, asked: Asked) -> Answer:
    number = int(asked.parameters["issue_number"])
    found = [each for each in state.remarks if each.pull == number]
    return part(200, [_remark(state, each) for each in paged(asked, found)])


def _create_comment(state: State, asked: Asked) -> Answer:
    number = int(asked.parameters["issue_number"])
    if number not in state.pulls:
        return not_found()
    remark = Remark(state.next_number(), number, "regreen", asked.body["body"])
    state.remarks.append(remark)
    return part(201, _remark(state, remark))


def _list_reviews(state: State, asked: Asked) -> Answer:
    number = int(asked.parameters["pull_number"])
    found = [each for each in state.reviews if each.pull == number]
    return part(200, [_review(state, each) for each in paged(asked, found)])


def _shown(state: State, pull: Pull) -> dict[str, Any]:
    base = f"{state.address}/repos/{state.repository}"
    merged = {"merged_at": pull.updated_at, "merged": True} if pull.merged_by else {}
    return {
        "number": pull.number,
        "url": f"{base}/pulls/{pull.number}",
        "issue_url": f"{base}/issues/{pull.number}",
        "html_url": f"{state.address}/{state.repository}/pull/{pull.number}",
        "title": pull.title,
        "body": pull.body,
        "state": pull.state,
        "draft": pull.draft,
        "user": state.user_json(pull.author),
        "head": _side(state, pull.head, pull.head_repository or state.repository),
        "base": _side(state, pull.base, state.repository),
        "updated_at": pull.updated_at,
        "merge_commit_sha": pull.merge_commit or None,
        "merged_by": state.user_json(pull.merged_by) if pull.merged_by else None,
        **merged,
    }


def _side(state: State, branch: str, repository: str) -> dict[str, Any]:
    return {
        "ref": branch,
        "sha": state.commit_of(f"refs/heads/{branch}"),
        "repo": {"full_name": repository},
    }


def _remark(state: State, remark: Remark) -> dict[str, Any]:
    return {"id": remark.id, "body": remark.body, "user": state.user_json(remark.author)}


def _review(state: State, review: PullReview) -> dict[str, Any]:
    return {
        "id": review.id,
        "user": state.user_json(review.author),
        "state": review.state,
        "commit_id": review.commit,
        "body": review.body,
        "submitted_at": review.submitted_at,
    }


ANSWERS: dict[str, Callable[[State, Asked], Answer]] = {
    "issues/create-comment": _create_comment,
    "issues/list-comments": _list_comments,
    "pulls/create": _create,
    "pulls/get": _get,
    "pulls/list": _list,
    "pulls/list-reviews": _list_reviews,
    "pulls/update": _update,
}
