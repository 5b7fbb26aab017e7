"""Whether the licence of a component is one that the pipeline file permits.

Licences are SPDX expressions (spdx.github.io/spdx-spec, annex "SPDX License Expressions"): of
`A OR B` the user chooses, `A AND B` has to be kept both.
"""

import re
from collections.abc import Callable, Collection

_WORD = re.compile(r"[()]|[^\s()]+")


def permits(expression: str, allow: Collection[str], deny: Collection[str]) -> bool:
    """Whether an expression has a choice with none of `deny`, and with all of `allow` if given.

    An exception (`WITH`) adds permissions: `X WITH Y` is what `X` is, unless it is listed itself.
    """

    def permitted(licence: str) -> bool:
        plain = licence.partition(" WITH ")[0]
        if licence in allow:
            return licence not in deny
        if {licence, plain} & set(deny):
            return False
        return not allow or plain in allow

    return _Choice(_WORD.findall(expression), permitted).either()


class _Choice:
    """Reads an expression from left to right. It is well-formed: packaging has written it."""

    def __init__(self, words: list[str], permitted: Callable[[str], bool]) -> None:
        self._words = words
        self._permitted = permitted

    def either(self) -> bool:
        found = self._both()
        while self._take("OR"):
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._take("AND"):
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._take("("):
            found = self.either()
            self._take(")")
            return found
        licence = self._words.pop(0)
        if self._take("WITH"):
            licence = f"{licence} WITH {self._words.pop(0)}"
        return self._permitted(licence)

    def _take(self, word: str) -> bool:
        if self._words[:1] != [word]:
            return False
        self._words.pop(0)
        return True
