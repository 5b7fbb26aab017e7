"""The benchmark's figures: by part, tier and package, as data and as Markdown."""

import dataclasses
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.healing_corpus.candidate_rate import Rates
from benchmarks.healing_corpus.mutation import TIERS
from benchmarks.healing_corpus.results import Result

_HEADER = (
    "| {0} | cases | healed | correct | candidates/s | seconds, median | seconds, 90 % |\n"
    "|---|---|---|---|---|---|---|"
)
_HIDDEN = {"pattern": "", "reason": "", "refused": (), "patch": "", "detail": ""}


def document(
    results: Sequence[Result], rates: Rates | None, limits: dict[str, Any], *, reveal: bool
) -> dict[str, Any]:
    """All figures as plain data. What held-out cases are about is left out, unless `reveal`."""
    parts = {
        part: [each for each in results if each.part == part]
        for part in ("development", "held-out")
    }
    found: dict[str, Any] = {"limits": limits, "parts": {}}
    for part, members in parts.items():
        if members:
            found["parts"][part] = {
                "all": _figures(members),
                "tiers": _grouped(members, lambda each: each.tier),
                "packages": _grouped(members, lambda each: each.package),
                "verdicts": dict(Counter(each.correctness or "not healed" for each in members)),
                "load_average": [min(each.load for each in members),
                                 max(each.load for each in members)],
            }  # fmt: skip
            if reveal or part == "development":
                patterns = _grouped(members, lambda each: f"{each.tier} {each.pattern}")
                found["parts"][part]["patterns"] = patterns
    if rates is not None:
        found["candidate_rate"] = dataclasses.asdict(rates) | {
            "ratio": round(rates.healer / rates.processes, 1)
        }
    found["cases"] = [
        dataclasses.asdict(
            each if reveal or each.part == "development" else dataclasses.replace(each, **_HIDDEN)  # type: ignore[arg-type]
        )
        for each in results
    ]
    return found


def _grouped(members: Sequence[Result], key: Callable[[Result], str]) -> dict[str, dict[str, Any]]:
    names = sorted({key(each) for each in members})
    return {name: _figures([each for each in members if key(each) == name]) for name in names}


def _figures(members: Sequence[Result]) -> dict[str, Any]:
    healed = [each for each in members if each.healed]
    times = sorted(each.seconds for each in healed)
    searching = sum(each.searching for each in members)
    return {
        "cases": len(members),
        "healed": len(healed),
        "correct": sum(each.correct for each in members),
        "healed_percent": round(100 * len(healed) / len(members), 1),
        "correct_percent": round(100 * sum(each.correct for each in members) / len(members), 1),
        "candidates_per_second": round(
            sum(each.candidates for each in members) / searching if searching else 0.0, 1
        ),
        "seconds_median": round(statistics.median(times), 1) if times else None,
        "seconds_p90": round(times[min(len(times) - 1, int(0.9 * len(times)))], 1)
        if times
        else None,
    }


def markdown(found: dict[str, Any]) -> str:
    """The document's figures as tables. Seconds are those of the cases that were healed."""
    limits = found["limits"]
    lines = [
        f"{limits['cases']} bugs a package, seed {limits['seed']}, {limits['seconds']:g} s each, "
        f"engine {limits['engine']}, {limits['jobs']} at a time on {limits['cores']} cores.",
        "",
        _HEADER.format("packages"),
    ]
    lines += [_row(part, each["all"]) for part, each in found["parts"].items()]
    for part, each in found["parts"].items():
        tiers = {f"{name}: {TIERS[name]}": figures for name, figures in each["tiers"].items()}
        for what, groups in (("tier", tiers), ("package", each["packages"])):
            lines += ["", _HEADER.format(f"{what}, {part}")]
            lines += [_row(name, figures) for name, figures in groups.items()]
        verdicts = ", ".join(f"{count} {name}" for name, count in sorted(each["verdicts"].items()))
        least, most = each["load_average"]
        lines += ["", f"Verdicts, {part}: {verdicts}. Load average {least:g} to {most:g}."]
    rate = found.get("candidate_rate")
    if rate:
        lines += [
            "",
            f"Candidate rate on a test of a millisecond: {rate['healer']:.0f} a second "
            f"({rate['candidates']} in {rate['seconds']:.1f} s); one pytest process for each: "
            f"{rate['processes']:.1f} a second; ratio {rate['ratio']:g}.",
        ]
    return "\n".join(lines)


def _row(name: str, figures: dict[str, Any]) -> str:
    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    return (
        f"| {name} | {figures['cases']} | {figures['healed_percent']:g} % "
        f"| {figures['correct_percent']:g} % | {figures['candidates_per_second']:g} "
        f"| {seconds(figures['seconds_median'])} | {seconds(figures['seconds_p90'])} |"
    )
