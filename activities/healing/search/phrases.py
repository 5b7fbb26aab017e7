"""Whether a patch says things as the repository says them elsewhere.

Code repeats itself: what is wrong is on average said less often than its repair (Ray et al.,
"On the naturalness of buggy code", 2016). A phrase is three tokens.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from activities.healing.search.candidate import Candidate

Phrase = tuple[str, ...]

_TOKEN = re.compile(r"\w+|[<>=!+\-*/%&|^]=|\*\*|//|<<|>>|->|\S")
_LENGTH = 3


def phrases_of(texts: Iterable[str]) -> Counter[Phrase]:
    """How often each phrase is said in some files."""
    return Counter(phrase for text in texts for phrase in _phrases(text))


def familiarity(candidate: Candidate, known: Counter[Phrase]) -> float:
    """How much more usual what the candidate says is than what it replaces.

    The difference of the mean logarithms of how often the phrases are said elsewhere; 0 without
    a function.
    """
    unit, after = candidate.unit, candidate.patched_unit()
    if unit is None or after is None:
        return 0.0
    before = Counter(_phrases(candidate.source.text[unit.start : unit.end]))
    patched = Counter(_phrases(after))
    added, removed = patched - before, before - patched
    return _usual(added, known) - _usual(removed, known - removed)


def _usual(said: Counter[Phrase], known: Counter[Phrase]) -> float:
    if not said:
        return 0.0
    return sum(math.log1p(known[phrase]) * count for phrase, count in said.items()) / said.total()


def _phrases(text: str) -> Iterator[Phrase]:
    tokens = _TOKEN.findall(text)
    return zip(*(islice(tokens, place, None) for place in range(_LENGTH)), strict=False)
