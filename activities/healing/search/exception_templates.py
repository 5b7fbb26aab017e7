"""Templates for exceptions: which ones are raised, and which are caught."""

import ast
from collections.abc import Iterator

from activities.healing.search.candidate import Replacement
from activities.healing.search.site import Idea, Site

_FAMILIES = (
    ("KeyError", "IndexError", "LookupError"),
    ("ValueError", "TypeError"),
    ("AttributeError", "TypeError"),
    ("KeyError", "AttributeError"),
    ("KeyError", "ValueError"),
    ("IndexError", "ValueError"),
    ("StopIteration", "IndexError"),
    ("FileNotFoundError", "OSError"),
    ("UnicodeDecodeError", "UnicodeError", "ValueError"),
    ("ImportError", "ModuleNotFoundError"),
    ("NotImplementedError", "TypeError"),
    ("ZeroDivisionError", "ValueError", "ArithmeticError", "OverflowError"),
    ("AssertionError", "ValueError"),
    ("RuntimeError", "ValueError"),
)
_TOO_BROAD = frozenset({"Exception", "BaseException", "AssertionError", "Failed"})


def exception_ideas(site: Site) -> Iterator[Idea]:
    """Everything these templates can do to a `raise` or a `try`."""
    match site.statement:
        case ast.Raise(exc=ast.Call(func=ast.Name() as name)) | ast.Raise(exc=ast.Name() as name):
            expected = sorted(site.hints.raises - _TOO_BROAD)
            for rank, other in enumerate(_others(name.id, [*expected, *_own(site)])):
                eager = 0.3 if other in expected else 0.0
                yield site.replaced(name, other, 0.6 - eager + 0.06 * rank)
        case ast.Try():
            for handler in site.statement.handlers:
                yield from _caught(site, handler)


def _caught(site: Site, handler: ast.ExceptHandler) -> Iterator[Idea]:
    """Another type in the place of one, or beside it; what was raised and not caught first."""
    seen = sorted(site.hints.exceptions - _TOO_BROAD)
    caught = handler.type
    if isinstance(caught, ast.Name):
        for rank, other in enumerate(_others(caught.id, [*seen, *_own(site)])):
            eager = 0.5 if other in seen else 0.0
            yield site.replaced(caught, other, 0.6 - eager + 0.05 * rank)
            start, end = site.source.span(caught)
            both = f"({caught.id}, {other})"
            yield Idea(0.8 - eager + 0.05 * rank, f"caught `{other}`, too",
                       (Replacement(start, end, both),))  # fmt: skip
    elif isinstance(caught, ast.Tuple) and caught.elts:
        known = {site.source.segment(one) for one in caught.elts}
        end = site.source.span(caught.elts[-1])[1]
        for rank, other in enumerate(name for name in seen if name not in known):
            yield Idea(0.3 + 0.05 * rank, f"caught `{other}`, too",
                       (Replacement(end, end, f", {other}"),))  # fmt: skip


def _others(name: str, preferred: list[str]) -> list[str]:
    relatives = [other for family in _FAMILIES if name in family for other in family]
    return [other for other in dict.fromkeys([*preferred, *relatives]) if other != name][:10]


def _own(site: Site) -> list[str]:
    """Exceptions of the repository that the file knows by name."""
    endings = ("Error", "Exception", "Warning", "Exit")
    return [name for name in site.module.callables if name.endswith(endings)]
