"""What the benchmark's rounds say: medians, spreads, paired ratios."""

import statistics
from dataclasses import dataclass, field
from typing import Any

from benchmarks.regreen_run import RegreenRun
from benchmarks.shell_run import ShellRun


@dataclass
class Round:
    """One run of each variant, close together in time."""

    shell: ShellRun | None = None
    regreen: dict[str, RegreenRun] = field(default_factory=dict)

    def seconds(self) -> dict[str, float]:
        """Wall-clock seconds by variant."""
        shell = {} if self.shell is None else {"shell": round(self.shell.seconds, 2)}
        return shell | {name: round(run.seconds, 2) for name, run in self.regreen.items()}


@dataclass(frozen=True)
class Figures:
    """Everything that was measured."""

    rounds: tuple[Round, ...]
    memory: dict[str, float]
    """MB by process."""
    load: tuple[float, ...]
    """The machine's load average (1 minute) before each run."""

    @property
    def sequential_ratio(self) -> float:
        """Median over the rounds of Regreen's sequential seconds to the shell script's."""
        return statistics.median(self._ratios("sequential"))

    def document(self) -> dict[str, Any]:
        """The figures as plain data; seconds are wall-clock."""
        shell = [run.shell for run in self.rounds if run.shell is not None]
        variants: dict[str, Any] = {
            "shell": _summary([run.seconds for run in shell])
            | {"steps": _medians([run.steps for run in shell])}
        }
        for name in self.rounds[0].regreen:
            runs = [each.regreen[name] for each in self.rounds]
            variants[name] = _summary([run.seconds for run in runs]) | {
                "ratios": [round(ratio, 3) for ratio in self._ratios(name)],
                "ratio": round(statistics.median(self._ratios(name)), 3),
                "ratio_of_fastest": round(
                    min(run.seconds for run in runs) / min(run.seconds for run in shell), 3
                ),
                "outside_activities": _summary([run.outside for run in runs]),
                "events": statistics.median([run.events for run in runs]),
                "activities": statistics.median([run.activities for run in runs]),
                "sandbox": runs[0].sandbox,
                "steps": _medians([run.steps for run in runs]),
            }
        return {
            "rounds": len(self.rounds),
            "variants": variants,
            "memory_mb": self.memory,
            "load_average": {"least": min(self.load), "most": max(self.load)},
        }

    def _ratios(self, name: str) -> list[float]:
        return [
            each.regreen[name].seconds / each.shell.seconds
            for each in self.rounds
            if each.shell is not None
        ]


def table(document: dict[str, Any]) -> str:
    """The document for a person's eyes."""
    lines = [
        f"{document['rounds']} rounds after one warm-up; wall-clock seconds, median (range)",
        "",
    ]
    for name, found in document["variants"].items():
        line = f"{name:<11} {_range(found)}"
        if "ratio" in found:
            each = ", ".join(f"{ratio:.2f}" for ratio in found["ratios"])
            outside = _range(found["outside_activities"])
            line += f"  x{found['ratio']:.2f} of shell (each round {each}; "
            line += f"fastest of each x{found['ratio_of_fastest']:.2f})\n{'':<12}"
            line += f"outside activities {outside}; {found['activities']:g} activities, "
            line += f"{found['events']:g} events; sandbox: {found['sandbox']}"
        lines.append(line)
    lines += ["", "seconds by step:"]
    for name, found in document["variants"].items():
        steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in found["steps"].items())
        lines.append(f"{name:<11} {steps}")
    shell = document["variants"]["shell"]
    noise = (shell["most"] - shell["least"]) / shell["median"]
    load = document["load_average"]
    memory = ", ".join(f"{name} {size:.0f} MB" for name, size in document["memory_mb"].items())
    lines += [
        "",
        f"resident memory: {memory}",
        f"noise: the shell script's range is {100 * noise:.0f} % of its median; "
        f"load average {load['least']:.1f} to {load['most']:.1f}",
    ]
    return "\n".join(lines)


def _summary(seconds: list[float]) -> dict[str, Any]:
    return {
        "median": round(statistics.median(seconds), 3),
        "least": round(min(seconds), 3),
        "most": round(max(seconds), 3),
    }


def _medians(steps: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median([each[name] for each in steps]), 3) for name in steps[0]}


def _range(found: dict[str, Any]) -> str:
    return f"{found['median']:.2f} ({found['least']:.2f} to {found['most']:.2f})"
