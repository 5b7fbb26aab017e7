"""What a model is shown about a failure, within a given number of characters."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.healing.guard_paths import is_test_path
from activities.healing.redaction import redact
from activities.healing.source_excerpts import (
    Excerpt,
    around_line,
    file_of_test,
    imported_modules,
    of_test,
    read_source,
)
from regreen.contracts.healing import Attempt
from regreen.contracts.testing import TestFailure

SuspiciousLine = tuple[str, int, float]
"""Path, 1-based line, and suspiciousness between 0 and 1."""

_MOST_FAILURES = 5
_MOST_LINES = 10
_MOST_FRAMES = 12
_LONGEST_MODULE = 12_000
_LEFT_OUT = "\n[{} characters left out]\n"


@dataclass(frozen=True)
class _Section:
    name: str
    heading: str
    text: str
    share: float
    """Part of the budget that it may use, besides what earlier sections left over."""


def build_context(
    root: Path,
    failures: Sequence[TestFailure],
    suspicious: Sequence[SuspiciousLine],
    change_diff: str,
    earlier: Sequence[Attempt],
    earlier_patches: Mapping[int, str],
    character_budget: int,
) -> str:
    """The model's input: what fails, the code it runs through, and what has been tried.

    `root` is the materialised workspace, `change_diff` the change that broke it, as a unified
    diff, or empty. `earlier_patches` maps an attempt's number to its patch. The result is at most
    `character_budget` characters long; secrets are taken out, and every text from outside stands
    between marks that it cannot contain.
    """
    shown = failures[:_MOST_FAILURES]
    code = _code(root, shown, suspicious)
    sections = [
        _Section("failures", "The failing tests", _failures(root, shown, len(failures)), 0.3),
        _Section("code", "The code they run through", code, 0.35),
        _Section("suspicious", "The most suspicious lines", _suspicious(root, suspicious), 0.05),
        _Section("attempts", "Earlier attempts", _attempts(earlier, earlier_patches), 0.2),
        _Section("change", "The change that came last", change_diff.strip("\n"), 0.1),
    ]
    filled = [
        _Section(each.name, each.heading, redact(each.text), each.share)
        for each in sections
        if each.text
    ]
    # The mark depends on all of the texts, so none of them can hold it.
    digest = hashlib.sha256("\0".join(each.text for each in filled).encode(errors="replace"))
    return _fit(filled, digest.hexdigest()[:12], character_budget)


def _fit(sections: Sequence[_Section], mark: str, budget: int) -> str:
    parts: list[str] = []
    left_over = float(budget)
    shares = sum(each.share for each in sections)
    for each in sections:
        frame = (
            f"{each.heading}:\nBEGIN {each.name} {mark}\n",
            f"\nEND {each.name} {mark}\n\n",
        )
        allowed = int(left_over * each.share / shares) if shares > each.share else int(left_over)
        room = allowed - len(frame[0]) - len(frame[1])
        shares -= each.share
        if room < len(_LEFT_OUT) + 20:
            continue
        part = frame[0] + _cut(each.text, room) + frame[1]
        parts.append(part)
        left_over -= len(part)
    return "".join(parts)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    room = limit - len(_LEFT_OUT) - len(str(len(text)))
    head = room * 2 // 3
    tail = room - head
    note = _LEFT_OUT.format(len(text) - head - tail)
    return text[:head] + note + text[len(text) - tail :]


def _failures(root: Path, failures: Sequence[TestFailure], total: int) -> str:
    parts: list[str] = []
    for failure in failures:
        lines = [
            f"{failure.node_id} fails in {failure.phase} with {failure.exception or 'an error'}"
        ]
        lines.append(failure.message.rstrip())
        lines += [
            f"  at {frame.path}:{frame.line}" + (f" in {frame.function}" if frame.function else "")
            for frame in failure.frames[-_MOST_FRAMES:]
        ]
        source = of_test(root, failure)
        if source is not None:
            lines.append(_show(source))
        if failure.output.strip():
            lines.append(f"Captured output:\n{failure.output.strip()}")
        parts.append("\n".join(lines))
    if total > len(failures):
        parts.append(f"{total - len(failures)} more tests fail.")
    return "\n\n".join(parts)


def _code(root: Path, failures: Sequence[TestFailure], suspicious: Sequence[SuspiciousLine]) -> str:
    places = [
        (frame.path, frame.line)
        for failure in failures
        for frame in reversed(failure.frames)
        if not is_test_path(frame.path)
    ]
    places += [(path, line) for path, line, _ in _ranked(suspicious) if not is_test_path(path)]
    found: list[Excerpt] = []
    for path, line in places:
        seen = any(each.path == path and each.first <= line <= each.last for each in found)
        excerpt = None if seen else around_line(root, path, line)
        if excerpt is not None:
            found.append(excerpt)
    if not found:
        found = list(_imported(root, failures))
    return "\n\n".join(_show(each) for each in found)


def _imported(root: Path, failures: Sequence[TestFailure]) -> Iterator[Excerpt]:
    # Without frames or coverage, what the test imports is the best guess.
    tests = dict.fromkeys(file_of_test(failure) for failure in failures)
    modules = dict.fromkeys(module for test in tests for module in imported_modules(root, test))
    for path in modules:
        text = read_source(root, path)
        if text and not is_test_path(path) and len(text) <= _LONGEST_MODULE:
            yield Excerpt(path, 1, text.count("\n") + 1, text.rstrip("\n"))


def _suspicious(root: Path, suspicious: Sequence[SuspiciousLine]) -> str:
    shown: list[str] = []
    for path, line, score in _ranked(suspicious):
        lines = (read_source(root, path) or "").split("\n")
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        shown.append(f"{path}:{line} ({score:.2f}) {text}")
    return "\n".join(shown)


def _ranked(suspicious: Sequence[SuspiciousLine]) -> list[SuspiciousLine]:
    return sorted(suspicious, key=lambda each: (-each[2], each[0], each[1]))[:_MOST_LINES]


def _attempts(earlier: Sequence[Attempt], patches: Mapping[int, str]) -> str:
    parts: list[str] = []
    # The newest first: it is what is left when the room is short.
    for attempt in sorted(earlier, key=lambda each: -each.number):
        lines = [
            f"Attempt {attempt.number} ({attempt.healer}): {attempt.verdict}. {attempt.reason}"
        ]
        patch = patches.get(attempt.number, "").strip("\n")
        if patch:
            lines.append(patch)
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _show(excerpt: Excerpt) -> str:
    return f"{excerpt.path}, lines {excerpt.first} to {excerpt.last}:\n{excerpt.text}"
