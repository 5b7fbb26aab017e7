"""Which tests a stage has, so that a heal can neither lose nor add any."""

import hashlib
from collections.abc import Collection

from regreen.contracts.testing import TestReport


def digest_of(node_ids: Collection[str]) -> str:
    """SHA-256 over node ids, in whatever order they came."""
    return hashlib.sha256("\n".join(sorted(node_ids)).encode("utf-8", "replace")).hexdigest()


def seen_by(original: TestReport, node_ids: list[str]) -> list[str]:
    """Those that the original run came to: none of files it could not collect, none after its end.

    A patch that mends an import or an endless loop lets more tests be seen than there were.
    """
    unread = [failure.node_id for failure in original.failures if failure.phase == "collect"]
    below = tuple(f"{name}{separator}" for name in unread for separator in ("::", "/"))
    seen = [node_id for node_id in node_ids if not node_id.startswith(below)]
    return seen if original.finished else seen[: original.total]
