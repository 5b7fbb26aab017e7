"""What happens on GitHub on a day: people's doings, known to its API and told by webhook."""

from datetime import UTC, datetime
from typing import Any

from tests.doubles.github.state import PullReview
from tests.e2e.plain_repository import git
from tests.e2e.scripted_day import NAME, Day, Delivery


def pushed(day: Day, ref: str, commit: str, by: str = "ada", kind: str = "push") -> Delivery:
    """A push to a branch or, of one that names it in full, to a tag."""
    full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    known = {
        "activity_type": kind,
        "ref": full,
        "before": "0" * 40,
        "after": commit,
        "timestamp": _now(),
        "actor": {"login": by},
    }
    day.github.state.pushes.insert(0, known)
    told = {"ref": full, "after": commit, "head_commit": {"id": commit}}
    return "push", _about(day, told, by)


def pull_request(day: Day, action: str, by: str = "regreen") -> Delivery:
    """Something about the heals' pull request."""
    return "pull_request", _about(day, {"action": action, "pull_request": _pull(day)}, by)


def reviewed(day: Day, by: str, state: str, commit: str = "") -> Delivery:
    """A review of the heals' pull request, of its head if of no other commit."""
    read = commit or day.head
    number = day.github.state.next_number()
    day.github.state.reviews.append(
        PullReview(number, day.pull.number, by, state.upper(), read, submitted_at=_now())
    )
    told = {"id": number, "state": state, "body": "", "commit_id": read}
    about = {"action": "submitted", "review": told, "pull_request": _pull(day)}
    return "pull_request_review", _about(day, about, by)


def commented(day: Day, by: str, text: str) -> Delivery:
    """A comment on the heals' pull request."""
    comment = {"id": day.github.state.next_number(), "body": text}
    issue = {"number": day.pull.number, "pull_request": {"url": ""}}
    return "issue_comment", _about(
        day, {"action": "created", "issue": issue, "comment": comment}, by
    )


def squashed(day: Day, by: str) -> tuple[str, Delivery, Delivery]:
    """The heals' pull request is merged by squashing: the commit, the merge, its push."""
    tree = git(day.bare, "rev-parse", f"{day.head}^{{tree}}")
    words = ("commit-tree", tree, "-p", day.commit, "-m", "fix: clamp")
    made = git(day.bare, *words)
    git(day.bare, "update-ref", f"refs/heads/{day.pull.base}", made, day.commit)
    pull = day.pull
    pull.state, pull.merged_by, pull.merge_commit, pull.updated_at = "closed", by, made, _now()
    merge = pull_request(day, "closed", by)
    return made, merge, pushed(day, pull.base, made, by, "pr_merge")


def _pull(day: Day) -> dict[str, Any]:
    pull = day.pull
    return {
        "number": pull.number,
        "state": pull.state,
        "merged": bool(pull.merged_by),
        "merge_commit_sha": pull.merge_commit or None,
        "head": {"ref": pull.head, "sha": day.head, "repo": {"full_name": NAME}},
        "base": {"ref": pull.base, "repo": {"full_name": NAME}},
    }


def _about(day: Day, payload: dict[str, Any], by: str) -> dict[str, Any]:
    clone_url = f"{day.github.address}/{NAME}.git"
    repository = {"full_name": NAME, "clone_url": clone_url, "default_branch": "main"}
    sender = {"login": by, "type": "Bot" if by == "regreen" else "User"}
    return payload | {"repository": repository, "sender": sender}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
