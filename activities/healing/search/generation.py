"""From suspicion to an ordered list of candidates: every template on every suspected statement."""

import ast
import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence

from activities.healing.search.candidate import Candidate
from activities.healing.search.commit_templates import reverted_hunks
from activities.healing.search.exception_templates import exception_ideas
from activities.healing.search.expression_templates import expression_ideas
from activities.healing.search.name_templates import name_ideas
from activities.healing.search.repository_names import repository_names
from activities.healing.search.site import (
    FunctionNames,
    Hints,
    Idea,
    Site,
    function_names,
    module_names,
)
from activities.healing.search.source_text import Function, SourceText
from activities.healing.search.statement_templates import header_ideas, statement_ideas
from regreen.contracts.testing import TestFailure

_SUSPICION_WEIGHT = 2.0
_REMOVAL_PENALTY = 0.4
_MOST_CANDIDATES = 40_000
"""More than any time limit lets run; a bound on memory where whole packages are under suspicion."""
_FULLY_EXPLORED = 150
"""Statements, the most suspected first, that get every idea; others get the likely ones alone."""
_LIKELY_COST = 1.2
_DEFINITION_SHARE = 0.85
"""A constant is as suspicious as the most suspicious line that uses it, less this."""
_DID_NOT_RAISE = re.compile(r"DID NOT RAISE (?:any of )?\(?(?:<class ')?([\w.]+)")


def hints_of(failures: Sequence[TestFailure]) -> Hints:
    """What the failures say about the kind of fault."""
    exceptions = {failure.exception.rpartition(".")[2] for failure in failures}
    text = "\n".join(failure.message for failure in failures)
    raises = {name.rpartition(".")[2] for name in _DID_NOT_RAISE.findall(text)}
    return Hints(frozenset(exceptions - {""}), frozenset(raises))


def ordered_candidates(
    sources: Mapping[str, SourceText],
    scores: Mapping[str, Mapping[int, float]],
    failures: Sequence[TestFailure],
    previous: Mapping[str, bytes],
    seed: int,
) -> list[Candidate]:
    """All candidates, the most promising first. The order depends on the arguments alone.

    `previous` holds files as they were one commit earlier, where they differ.
    """
    hints = hints_of(failures)
    chance = random.Random(seed)
    found: list[tuple[float, float, Candidate]] = []
    for path in sorted(set(sources) & set(previous)):
        lines = scores.get(path, {})
        best = max(lines.values(), default=0.0)
        for candidate in reverted_hunks(sources[path], previous[path]):
            cheaper = candidate.cheaper(_SUSPICION_WEIGHT * lines.get(candidate.line, best))
            found.append((cheaper.cost, chance.random(), cheaper))
    names = {path: module_names(source) for path, source in sources.items()}
    repository = repository_names(sources)
    functions: dict[Function, FunctionNames] = {}
    for rank, (score, source, node) in enumerate(_suspected_statements(sources, scores)):
        if len(found) > _MOST_CANDIDATES:
            break
        unit, function = source.unit_of(node), source.function_of(node)
        module = names[source.path]
        if function is None:
            inside = FunctionNames(locals=module.values)
        else:
            if function not in functions:
                functions[function] = function_names(source, function, module, repository)
            inside = functions[function]
        site = Site(source, node, function, module, repository, hints, inside)
        likely_alone = rank >= _FULLY_EXPLORED
        for idea in _likely_ideas(site) if likely_alone else _ideas(site):
            if likely_alone and idea.cost > _LIKELY_COST:
                continue
            cost = idea.cost - _SUSPICION_WEIGHT * score
            cost += _REMOVAL_PENALTY if idea.removes else 0.0
            line = source.line_of(idea.replacements[0].start)
            candidate = Candidate(
                source, idea.replacements, cost, line, idea.description, unit, idea.removes
            )
            found.append((cost, chance.random(), candidate))
    found.sort(key=lambda entry: entry[:2])
    return [candidate for _, _, candidate in found]


def _suspected_statements(
    sources: Mapping[str, SourceText], scores: Mapping[str, Mapping[int, float]]
) -> list[tuple[float, SourceText, ast.stmt]]:
    """The statements under suspicion, the most suspected first."""
    by_name = _scores_by_name(sources, scores)
    found = [
        (_statement_score(source, node, scores.get(path, {}), by_name), source, node)
        for path, source in sorted(sources.items())
        for node in ast.walk(source.tree)
        if isinstance(node, ast.stmt)
    ]
    found.sort(key=lambda entry: -entry[0])
    return [entry for entry in found if entry[0] > 0]


def distinct(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """The candidates that compile, change something and repeat none before them."""
    seen: set[tuple[str, int, bytes]] = set()
    for candidate in candidates:
        fingerprint = candidate.fingerprint()
        if fingerprint is None or fingerprint in seen:
            continue
        try:
            candidate.edits()
        except UnicodeEncodeError:
            continue
        seen.add(fingerprint)
        yield candidate


def _likely_ideas(site: Site) -> Iterator[Idea]:
    """The templates that make cheap ideas for the most part."""
    if isinstance(site.statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return expression_ideas(site)
    return itertools.chain(
        expression_ideas(site), name_ideas(site, donors=False), exception_ideas(site)
    )


def _ideas(site: Site) -> Iterator[Idea]:
    if isinstance(site.statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return itertools.chain(expression_ideas(site), header_ideas(site))
    return itertools.chain(
        expression_ideas(site), name_ideas(site), statement_ideas(site), exception_ideas(site)
    )


def _statement_score(
    source: SourceText,
    node: ast.stmt,
    lines: Mapping[int, float],
    by_name: Mapping[str, float],
) -> float:
    assert node.end_lineno is not None
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        inside = range(node.body[0].lineno, node.end_lineno + 1)
        called = max((lines.get(line, 0.0) for line in inside), default=0.0)
        return _DEFINITION_SHARE * called
    body = getattr(node, "body", None)
    end = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno
    own = max(
        (lines.get(line, 0.0) for line in range(node.lineno, max(end, node.lineno) + 1)),
        default=0.0,
    )
    if isinstance(node, ast.Assign | ast.AnnAssign) and source.function_of(node) is None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [t.id for t in targets if isinstance(t, ast.Name)]
        used = max((by_name.get(name, 0.0) for name in names), default=0.0)
        return max(own, _DEFINITION_SHARE * used)
    return own


def _scores_by_name(
    sources: Mapping[str, SourceText], scores: Mapping[str, Mapping[int, float]]
) -> dict[str, float]:
    """For each name that code reads, how suspicious the most suspicious reading line is."""
    found: dict[str, float] = {}
    for path, source in sources.items():
        lines = scores.get(path, {})
        for node in ast.walk(source.tree):
            name = ""
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                name = node.id
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = node.attr
            if name:
                score = lines.get(node.lineno, 0.0) if hasattr(node, "lineno") else 0.0
                found[name] = max(found.get(name, 0.0), score)
    return found
