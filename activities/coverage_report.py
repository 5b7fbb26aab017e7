"""Coverage of several test runs together: which lines and branches of a tree any of them ran.

What it reads is coverage.py's JSON report, format 3 (coverage.readthedocs.io, "JSON reporting").
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction

from pydantic import BaseModel


class _File(BaseModel):
    executed_lines: list[int]
    missing_lines: list[int]
    executed_branches: list[tuple[int, int]] = []
    missing_branches: list[tuple[int, int]] = []


class _Report(BaseModel):
    files: dict[str, _File]


@dataclass(frozen=True)
class FileCoverage:
    """One file: its statements' lines and its branches, each run or not."""

    lines: frozenset[int]
    run_lines: frozenset[int]
    branches: frozenset[tuple[int, int]] = frozenset()
    run_branches: frozenset[tuple[int, int]] = frozenset()

    @property
    def missing(self) -> tuple[int, ...]:
        """Lines that no test ran."""
        return tuple(sorted(self.lines - self.run_lines))

    @property
    def possible(self) -> int:
        """Lines and branches."""
        return len(self.lines) + len(self.branches)

    @property
    def run(self) -> int:
        """Those that a test ran."""
        return len(self.run_lines) + len(self.run_branches)


@dataclass(frozen=True)
class Share:
    """How many there are, and how many of them were run."""

    run: int
    possible: int

    @property
    def percent(self) -> Fraction:
        """An exact percentage; 100 of nothing."""
        return percent(self.run, self.possible)

    @property
    def missing(self) -> int:
        """Those that no test ran."""
        return self.possible - self.run


@dataclass(frozen=True)
class Coverage:
    """The files of a tree by their path."""

    files: Mapping[str, FileCoverage] = field(default_factory=dict)

    @property
    def possible(self) -> int:
        """Lines and branches of all files."""
        return sum(file.possible for file in self.files.values())

    @property
    def percent(self) -> Fraction:
        """How much of it was run, in percent; 100 when there is nothing to run."""
        return percent(sum(file.run for file in self.files.values()), self.possible)

    @property
    def lines(self) -> "Share":
        """Of the statements' lines alone."""
        files = self.files.values()
        return Share(sum(len(each.run_lines) for each in files), sum(len(f.lines) for f in files))

    @property
    def branches(self) -> "Share":
        """Of the branches alone."""
        files = self.files.values()
        run = sum(len(each.run_branches) for each in files)
        return Share(run, sum(len(each.branches) for each in files))


def read_coverage(data: bytes) -> Coverage:
    """Read coverage.py's JSON report. Raises pydantic's ValidationError for anything else."""
    report = _Report.model_validate_json(data)
    return Coverage(
        {
            path.replace("\\", "/"): FileCoverage(
                lines=frozenset(file.executed_lines) | frozenset(file.missing_lines),
                run_lines=frozenset(file.executed_lines),
                branches=frozenset(file.executed_branches) | frozenset(file.missing_branches),
                run_branches=frozenset(file.executed_branches),
            )
            for path, file in report.files.items()
        }
    )


def without(coverage: Coverage, patterns: Sequence[str]) -> Coverage:
    """The coverage without the files that match a pattern of `coverage.omit`."""
    return Coverage(
        {
            path: file
            for path, file in coverage.files.items()
            if not any(fnmatchcase(path, pattern) for pattern in patterns)
        }
    )


def combined(runs: Iterable[Coverage]) -> Coverage:
    """What any of the runs ran, the last one on the tree that counts.

    A file whose statements lie on other lines in an earlier run was changed by a heal since; what
    that run says of it does not count.
    """
    *earlier, last = runs
    files = dict(last.files)
    for run in earlier:
        for path, old in run.files.items():
            new = files.get(path)
            if new is None or new.lines != old.lines:
                continue
            files[path] = FileCoverage(
                new.lines,
                new.run_lines | old.run_lines,
                new.branches | old.branches,
                new.run_branches | old.run_branches,
            )
    return Coverage(files)


def changed_coverage(coverage: Coverage, changed: Mapping[str, frozenset[int]]) -> tuple[int, int]:
    """How many of the changed statements' lines were run, and how many there are."""
    statements = run = 0
    for path, lines in changed.items():
        file = coverage.files.get(path)
        if file is not None:
            statements += len(file.lines & lines)
            run += len(file.run_lines & lines)
    return run, statements


def percent(part: int, whole: int) -> Fraction:
    """An exact percentage; 100 of nothing."""
    return Fraction(100 * part, whole) if whole else Fraction(100)


def shown(value: Fraction) -> str:
    """A percentage with one decimal, cut and never rounded up: 79.96 is `79.9 %`."""
    return f"{value.numerator * 10 // value.denominator / 10:.1f} %"
