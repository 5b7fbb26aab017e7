"""The packages whose bugs the healing benchmark heals, and which of them are held out.

The division is fixed: the search healer's templates may be developed on what the development
packages show. The held-out ones are looked at by nobody who writes templates.
"""

from dataclasses import dataclass
from typing import Literal

Part = Literal["development", "held-out"]


@dataclass(frozen=True)
class Package:
    """One source distribution, and what of it makes the benchmark's repository."""

    name: str
    part: Part
    sources: tuple[str, ...]
    """Folders and files with the package's code; only these get bugs."""
    tests: tuple[str, ...]
    """What pytest collects; inside `sources` or beside them."""
    left_out: tuple[str, ...] = ()
    """Test files, or node ids of tests, that need what the sandbox does not have."""


PACKAGES = (
    Package("cachetools", "development", ("src/cachetools",), ("tests",)),
    Package("inflection", "development", ("inflection",), ("test_inflection.py",)),
    Package("isodate", "development", ("src/isodate",), ("tests",)),
    # The left-out file runs the package's command, which is not installed.
    Package("num2words", "development", ("num2words",), ("tests",), ("tests/test_cli.py",)),
    # The left-out file measures seconds on the clock.
    Package(
        "sqlparse", "development", ("sqlparse",), ("tests",), ("tests/test_dos_prevention.py",)
    ),
    # The left-out file asks for the version of the installed package.
    Package(
        "toolz",
        "development",
        ("toolz", "tlz"),
        ("toolz/tests",),
        ("toolz/tests/test_package.py",),
    ),
    Package("boltons", "development", ("boltons",), ("tests",)),
    # The left-out file needs pytest-benchmark, the test gettext's programs.
    Package(
        "humanize",
        "held-out",
        ("src/humanize",),
        ("tests",),
        ("tests/test_benchmarks.py", "tests/test_i18n.py::test_update_translations"),
    ),
    Package("parse", "held-out", ("parse",), ("tests",)),
    Package("tabulate", "held-out", ("tabulate",), ("test",)),
    Package("tinydb", "held-out", ("tinydb",), ("tests",)),
    Package("tomlkit", "held-out", ("tomlkit",), ("tests",)),
    Package("voluptuous", "held-out", ("voluptuous",), ("voluptuous/tests",)),
    Package("xmltodict", "held-out", ("xmltodict.py",), ("tests",)),
)


def package_named(name: str) -> Package:
    """The package of that name; KeyError when there is none."""
    return {package.name: package for package in PACKAGES}[name]
