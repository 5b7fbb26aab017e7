"""What GitHub is given to keep about a pull request or comment: a line that its pages do not show.

It stands at the very beginning, where no text of a repository, a model or a person comes.
"""

import json
import re

from github.PullRequest import PullRequest
from pydantic import ValidationError

from regreen.contracts.pull_request import PullRequestRecord

_KEPT = {"run", "run_id", "ref", "signatures", "superseded", "state", "base", "head", "tree"}
_MARK = re.compile(r"<!-- regreen (\{.*\}) -->\r?\n")


def marked(record: PullRequestRecord, text: str) -> str:
    """A body that `read_record` reads the record from, and that shows the text."""
    kept = json.dumps(record.model_dump(mode="json", include=_KEPT))
    # Nothing in it may end the comment that it stands in.
    hidden = kept.replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<!-- regreen {hidden} -->\n{text}"


def read_record(repository: str, pull: PullRequest) -> PullRequestRecord | None:
    """The record that a pull request of the repository carries; None when it is not Regreen's."""
    body = pull.body or ""
    found = _MARK.match(body)
    # Whoever may write to the repository may write the mark, but not from a fork of it.
    inside = pull.head.repo is not None and pull.head.repo.full_name.lower() == repository.lower()
    if found is None or not inside:
        return None
    try:
        kept = json.loads(found[1])
        return PullRequestRecord(
            **{name: kept[name] for name in _KEPT},
            number=pull.number,
            repository=repository,
            title=pull.title,
            branch=pull.head.ref,
            body=body[found.end() :],
        )
    except (ValueError, KeyError, TypeError, ValidationError):
        return None


def comment_mark(key: str) -> str:
    """The first line of the comment with a key."""
    hidden = json.dumps(key).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<!-- regreen {hidden} -->"
