"""Whether a test fails as it did before, or gets further: what an edit changed though it is red."""

from __future__ import annotations

import hashlib
from typing import Any

from .workspace_files import ROOT


def fingerprint(failure: Any) -> str:
    """Eight digits over a pytest `ExceptionInfo`: type, message, the test's line, the last place.

    Of the last place only the function counts, for an edit moves the lines of its own file.
    """
    places = []
    trace = failure.tb
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(str(ROOT)):
            places.append((code.co_filename, code.co_name, trace.tb_lineno))
        trace = trace.tb_next
    last = places[-1][:2] if places else ()
    told = f"{failure.typename} {_message(failure.value)} {places[:1]} {last}"
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:8]


def _message(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except Exception:  # its own code may be what is broken
        return ""
