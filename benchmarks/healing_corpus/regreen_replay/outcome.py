"""What a replayed call comes to, as data that two versions of a program can be compared by."""

import time
import types
from typing import Any

from .arguments import Arguments
from .description import describe, digest
from .time_limit import TooLong, limited

_SHOWN = 300


def outcome(function: types.FunctionType, arguments: Arguments) -> dict[str, Any]:
    """Call, and describe the result or exception and the arguments as they are afterwards.

    `kind` is `value`, `raise`, `too long`, or `unknown` where there is no describing.
    """
    before = time.monotonic()
    raised: list[str] = []
    try:
        with limited():
            try:
                text = describe(arguments.call(function), consume=True)
            except Exception as error:
                raised = [each.__name__ for each in type(error).__mro__]
                text = describe(error)
            left = describe(arguments.values)
    except TooLong:
        return {"kind": "too long", "seconds": time.monotonic() - before}
    except BaseException:
        return {"kind": "unknown", "seconds": time.monotonic() - before}
    return {
        "kind": "raise" if raised else "value",
        "raised": raised,
        "result": digest(text),
        "shown_result": text[:_SHOWN],
        "arguments": digest(left),
        "shown_arguments": left[:_SHOWN],
        "seconds": time.monotonic() - before,
    }
