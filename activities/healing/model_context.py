"""What a model is shown about a failure, within a given number of tokens."""

import hashlib
from collections.abc import Iterator, Sequence
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
from activities.healing.token_estimate import estimate_tokens
from regreen.contracts.testing import TestFailure

SuspiciousLine = tuple[str, int, float]
"""Path, 1-based line, and suspiciousness between 0 and 1."""

_MOST_FAILURES = 5
_MOST_LINES = 10
_MOST_FRAMES = 12
_LEAST_TOKENS = 20
_LONGEST_MODULE = 12_000
_LEFT_OUT = "\n[{} characters left out]\n"


@dataclass(frozen=True)
class Tried:
    """A patch or a reply that came to nothing."""

    what: str
    """Who proposed it, and what became of it."""
    patch: str = ""


@dataclass(frozen=True)
class View:
    """Which facts a prompt shows besides those that each one does.

    What helps with one bug distracts from another, so prompts to the same failure differ in it.
    """

    suspicious: bool = True
    change: bool = True
    whole_modules: bool = False


VIEWS = (
    View(),
    View(change=False),
    View(suspicious=False, whole_modules=True),
    View(suspicious=False, change=False),
    View(change=False, whole_modules=True),
)
"""The views that prompts take in turn."""


@dataclass(frozen=True)
class _Section:
    name: str
    heading: str
    text: str
    share: float
    """Part of the budget that is its own; it gets more of what others leave over."""


def build_context(
    root: Path,
    failures: Sequence[TestFailure],
    suspicious: Sequence[SuspiciousLine],
    change_diff: str,
    tried: Sequence[Tried],
    token_budget: int,
    view: View = VIEWS[0],
) -> str:
    """The model's input: what fails, the code it runs through, and what has been tried.

    `root` is the materialised workspace, `change_diff` the change that broke it, as a unified
    diff, or empty. `tried` has the newest first. The result is at most `token_budget` tokens long
    by `estimate_tokens`; secrets are taken out, and every text from outside stands between marks
    that it cannot contain.
    """
    shown = failures[:_MOST_FAILURES]
    code = _code(root, shown, suspicious, view.whole_modules)
    change = change_diff.strip("\n") if view.change else ""
    lines = _suspicious(root, suspicious) if view.suspicious else ""
    sections = [
        _Section("failures", "The failing tests", _failures(root, shown, len(failures)), 0.3),
        _Section("code", "The code they run through", code, 0.35),
        _Section("suspicious", "The most suspicious lines", lines, 0.05),
        _Section("attempts", "Earlier attempts", _attempts(tried), 0.2),
        _Section("change", "The change that came last", change, 0.1),
    ]
    filled = [
        _Section(each.name, each.heading, redact(each.text), each.share)
        for each in sections
        if each.text
    ]
    # The mark depends on all of the texts, so none of them can hold it.
    digest = hashlib.sha256("\0".join(each.text for each in filled).encode(errors="replace"))
    return _fit(filled, digest.hexdigest()[:12], token_budget)


def _fit(sections: Sequence[_Section], mark: str, budget: int) -> str:
    frames = [
        (f"{each.heading}:\nBEGIN {each.name} {mark}\n", f"\nEND {each.name} {mark}\n\n")
        for each in sections
    ]
    needs = [
        estimate_tokens(before) + estimate_tokens(each.text) + estimate_tokens(after)
        for each, (before, after) in zip(sections, frames, strict=True)
    ]
    shares = sum(each.share for each in sections)
    granted = [
        min(need, int(budget * each.share / shares))
        for each, need in zip(sections, needs, strict=True)
    ]
    left_over = budget - sum(granted)
    parts: list[str] = []
    for each, frame, need, own in zip(sections, frames, needs, granted, strict=True):
        more = min(need - own, left_over)
        left_over -= more
        room = own + more - sum(map(estimate_tokens, frame))
        if room < _LEAST_TOKENS and own + more < need:
            continue
        parts.append(frame[0] + _cut(each.text, room) + frame[1])
    return "".join(parts)


def _cut(text: str, limit: int) -> str:
    tokens = estimate_tokens(text)
    kept = len(text)
    shown = text
    while tokens > limit:
        # Closer with each step, because some parts of a text have more tokens than others.
        kept = min(kept - 1, int(kept * max(limit - 8, 0) / tokens))
        head = kept * 2 // 3
        tail = kept - head
        shown = text[:head] + _LEFT_OUT.format(len(text) - kept) + text[len(text) - tail :]
        tokens = estimate_tokens(shown)
    return shown


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


def _code(
    root: Path,
    failures: Sequence[TestFailure],
    suspicious: Sequence[SuspiciousLine],
    whole_modules: bool,
) -> str:
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
        if seen:
            continue
        excerpt = (_module(root, path) if whole_modules else None) or around_line(root, path, line)
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
        excerpt = None if is_test_path(path) else _module(root, path)
        if excerpt is not None:
            yield excerpt


def _module(root: Path, path: str) -> Excerpt | None:
    text = read_source(root, path)
    if not text or len(text) > _LONGEST_MODULE:
        return None
    return Excerpt(path, 1, text.count("\n") + 1, text.rstrip("\n"))


def _suspicious(root: Path, suspicious: Sequence[SuspiciousLine]) -> str:
    shown: list[str] = []
    for path, line, score in _ranked(suspicious):
        lines = (read_source(root, path) or "").split("\n")
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        shown.append(f"{path}:{line} ({score:.2f}) {text}")
    return "\n".join(shown)


def _ranked(suspicious: Sequence[SuspiciousLine]) -> list[SuspiciousLine]:
    return sorted(suspicious, key=lambda each: (-each[2], each[0], each[1]))[:_MOST_LINES]


def _attempts(tried: Sequence[Tried]) -> str:
    parts = [f"{each.what}\n{each.patch}".strip("\n") for each in tried]
    return "\n\n".join(parts)


def _show(excerpt: Excerpt) -> str:
    return f"{excerpt.path}, lines {excerpt.first} to {excerpt.last}:\n{excerpt.text}"
