"""Finished cases, remembered by bug, engine and limits, so that a run can be taken up again."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.healing_corpus.cases import Case
from benchmarks.healing_corpus.heal_case import Healed
from benchmarks.healing_corpus.judge import CORRECT, Correctness, Judgement
from benchmarks.healing_corpus.packages import package_named
from benchmarks.healing_corpus.pristine import ROOT


@dataclass(frozen=True)
class Result:
    """What came of one case."""

    key: str
    case: str
    package: str
    part: str
    tier: str
    pattern: str
    healed: bool
    reason: str
    rounds: int
    refused: tuple[str, ...]
    candidates: int
    seconds: float
    searching: float
    load: float = 0.0
    """The machine's load average (1 minute) when the case was healed."""
    patch: str = ""
    judge: str = ""
    """Digest of the judge's code that gave the judgement."""
    correctness: Correctness | None = None
    inputs: int = 0
    detail: str = ""

    @property
    def correct(self) -> bool:
        """Whether the patched program behaves as the original, as far as the judge can tell."""
        return self.correctness in CORRECT


def result_of(case: Case, key: str, healed: Healed, judgement: Judgement | None) -> Result:
    """Healing and judgement of one case as one record."""
    return Result(
        key=key,
        case=case.name,
        package=case.package,
        part=package_named(case.package).part,
        tier=case.mutation.tier,
        pattern=case.mutation.pattern,
        healed=healed.patch is not None,
        reason=healed.reason,
        rounds=healed.rounds,
        refused=healed.refused,
        candidates=healed.candidates,
        seconds=round(healed.seconds, 2),
        searching=round(healed.searching, 2),
        load=round(os.getloadavg()[0], 1),
        patch=(healed.patch or b"").decode("utf-8", "replace"),
        judge=judge_digest(),
        correctness=judgement.correctness if judgement else None,
        inputs=judgement.inputs if judgement else 0,
        detail=judgement.detail if judgement else "",
    )


class ResultStore:
    """A file with one result a line; the last one of a key counts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: dict[str, Result] = {}
        if file.is_file():
            for line in file.read_text("utf-8").splitlines():
                fields = json.loads(line)
                result = Result(**fields | {"refused": tuple(fields["refused"])})
                self._found[result.key] = result

    def get(self, key: str) -> Result | None:
        """The result of a key, if there is one."""
        return self._found.get(key)

    def of_case(self, name: str) -> list[Result]:
        """All results of a case, whatever the engine was, oldest first."""
        return [each for each in self._found.values() if each.case == name]

    def add(self, result: Result) -> None:
        """Remember a result at once."""
        self._found.pop(result.key, None)
        self._found[result.key] = result
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result)) + "\n")


def key_of(case: Case, seconds: float, search_seed: int) -> str:
    """Another bug, engine, time limit or seed is another result."""
    return f"{case.name}-{case.digest}-{engine_digest()}-{seconds:g}-{search_seed}"


def engine_digest() -> str:
    """Changes with the code of the activities: healer, guard, verification."""
    return _digest(sorted((ROOT / "activities").rglob("*.py")))


def judge_digest() -> str:
    """Changes with the code of the judge."""
    folder = Path(__file__).parent
    names = ("judge.py", "changed_functions.py")
    return _digest([folder / name for name in names] + sorted(folder.glob("regreen_replay/*.py")))


def _digest(files: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
