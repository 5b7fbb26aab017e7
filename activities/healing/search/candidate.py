"""One candidate patch: spans of text to replace, what it does in words, and how likely it is."""

from dataclasses import dataclass, replace

from activities.healing.search.source_text import SourceText, Unit, meaning
from regreen.contracts.healing import Edit


@dataclass(frozen=True)
class Replacement:
    """A span of a file's text, in characters, and what comes in its place."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Candidate:
    """One idea for a repair of one file."""

    source: SourceText
    replacements: tuple[Replacement, ...]
    cost: float
    """Lower is tried sooner: the template's tier less the suspicion of the line."""
    line: int
    description: str
    unit: Unit | None = None
    """The function that holds all replacements; None: the file must be imported anew."""
    removes: bool = False
    """It takes functionality away: drops a call or statement, or returns a constant early."""

    def cheaper(self, amount: float) -> "Candidate":
        """The same idea, tried sooner."""
        return replace(self, cost=self.cost - amount)

    def patched_unit(self) -> str | None:
        """The unit after the edit, as a module of its own; None without a unit."""
        unit = self.unit
        if unit is None or any(r.start < unit.start or r.end > unit.end for r in self.replacements):
            return None
        return unit.text(_spliced(self.source.text, self.replacements, unit.start, unit.end))

    def fingerprint(self) -> tuple[str, int, bytes] | None:
        """What it makes of the file, to tell duplicates; None if it does not compile or is a no-op.

        File, start of the unit and the unit's meaning.
        """
        unit, piece = self.unit, self.patched_unit()
        if unit is None or piece is None:
            before = meaning(self.source.text)
            after = meaning(_spliced(self.source.text, self.replacements, 0, None))
            start = -1
        else:
            before, after, start = self.source.meaning_of(unit), meaning(piece), unit.start
        return None if after is None or after == before else (self.source.path, start, after)

    def edits(self) -> tuple[Edit, ...]:
        """The patch as spans of the file's bytes, sorted by start.

        Raises UnicodeEncodeError where the file's encoding cannot say the replacement.
        """
        source = self.source
        return tuple(
            Edit(
                path=source.path,
                start=source.offset(r.start),
                end=source.offset(r.end),
                replacement=r.text.encode(source.encoding),
            )
            for r in sorted(self.replacements, key=lambda r: (r.start, r.end))
        )

    def size(self) -> int:
        """Characters taken away and put in."""
        return sum(len(r.text) + r.end - r.start for r in self.replacements)


def _spliced(text: str, replacements: tuple[Replacement, ...], start: int, end: int | None) -> str:
    pieces: list[str] = []
    position = start
    for one in sorted(replacements, key=lambda r: (r.start, r.end)):
        pieces += [text[position : one.start], one.text]
        position = one.end
    pieces.append(text[position:end])
    return "".join(pieces)
