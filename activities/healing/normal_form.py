"""What two patches have in common that change a program in the same way."""

import ast
import hashlib
import json
import warnings
from collections.abc import Sequence

from activities.healing.guard_change import ChangedFile
from activities.healing.guard_module import decode


def normal_form(changes: Sequence[ChangedFile]) -> str:
    """Sixteen hexadecimal digits over the changed files as they are afterwards.

    Of Python, comments, blanks and the way of writing do not count; of other text, blanks at the
    ends of lines do not.
    """
    files = [(change.path, _reduced(change)) for change in changes]
    return hashlib.sha256(json.dumps(sorted(files)).encode()).hexdigest()[:16]


def _reduced(change: ChangedFile) -> str:
    if change.after is None:
        return "removed"
    if change.path.endswith((".py", ".pyi")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.dump(ast.parse(decode(change.after)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    lines = (line.rstrip() for line in change.after.decode("utf-8", "replace").splitlines())
    return "\n".join(lines).strip("\n")
