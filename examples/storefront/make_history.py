"""Make a git repository of the storefront, with the history that led to it.

    python make_history.py DESTINATION

Same content, same names and same dates every time, so the commits have the same hashes. The last
commit brings the bug. Prints the hash of the last commit.
Exit codes: 0 made, 2 wrong usage (DESTINATION holds something, or git is missing).
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
FIRST_COMMIT = 1767603600
"""Monday 2026-01-05, 09:00 UTC; one commit follows each working hour."""
HOUR = 3600


@dataclass(frozen=True)
class Step:
    """A commit: its message, the files it adds or brings to their next text, and a tag on it.

    `earlier` gives, for a file, pairs of the final text and what stood there at that time.
    """

    message: str
    files: tuple[str, ...]
    earlier: dict[str, tuple[tuple[str, str], ...]]
    tag: str | None = None


EARLIER_PROJECT = (('version = "0.2.0"', 'version = "0.1.0"'),)

EARLIER_ROUNDING = (
    (
        '"""That share of an amount, half a cent rounded up."""\n'
        "    return (cents * percent + 50) // 100",
        '"""That share of an amount."""\n    return cents * percent // 100',
    ),
)
EARLIER_ROUNDING_TESTS = (
    (
        """@pytest.mark.parametrize(("cents", "expected"), [(1249, 62), (1250, 63), (1251, 63)])
def test_half_a_cent_is_rounded_up(cents, expected):
    assert percent_of(cents, 5) == expected


""",
        "",
    ),
)

# Two tiers, the best one last, and the comparison that the last commit gets wrong.
EARLIER_DISCOUNTS = (
    ("((100, 15), (25, 10), (10, 5))", "((10, 5), (25, 10))"),
    ("the best tier comes first", "the best tier comes last"),
    (
        """    for pieces, percent in QUANTITY_TIERS:
        if quantity > pieces:
            return percent
    return 0
""",
        """    discount = 0
    for pieces, percent in QUANTITY_TIERS:
        if quantity >= pieces:
            discount = percent
    return discount
""",
    ),
)
EARLIER_DISCOUNT_TESTS = (
    (
        """

@pytest.mark.parametrize("quantity", [100, 101, 1000])
def test_a_hundred_pieces_or_more_are_fifteen_percent_cheaper(quantity):
    assert quantity_discount(quantity) == 15
""",
        "",
    ),
)
EARLIER_README = (
    ("5 % cheaper, 25 or more 10 %, 100 or more 15 %.", "5 % cheaper, 25 or more 10 %."),
)

STEPS = (
    Step(
        "chore: start the project",
        (".gitignore", "pyproject.toml", "src/storefront/__init__.py"),
        {"pyproject.toml": EARLIER_PROJECT},
    ),
    Step(
        "feat(catalogue): add products, prices and quantity discounts",
        (
            "src/storefront/catalogue.py",
            "src/storefront/discounts.py",
            "src/storefront/prices.py",
            "src/storefront/quotes.py",
            "tests/unit/test_prices.py",
            "tests/unit/test_quantity_discounts.py",
            "tests/unit/test_quotes.py",
        ),
        {
            "src/storefront/discounts.py": EARLIER_DISCOUNTS,
            "src/storefront/prices.py": EARLIER_ROUNDING,
            "tests/unit/test_prices.py": EARLIER_ROUNDING_TESTS,
            "tests/unit/test_quantity_discounts.py": EARLIER_DISCOUNT_TESTS,
        },
    ),
    Step(
        "feat(checkout): keep stock, carts and orders in SQLite",
        (
            "src/storefront/carts.py",
            "src/storefront/checkout.py",
            "src/storefront/customers.py",
            "src/storefront/database.py",
            "src/storefront/errors.py",
            "src/storefront/stock.py",
            "tests/integration/conftest.py",
            "tests/integration/test_orders_in_database.py",
            "tests/integration/test_stock_in_database.py",
        ),
        {},
    ),
    Step(
        "feat(http): serve products, carts and orders as JSON",
        (
            "src/storefront/__main__.py",
            "src/storefront/api.py",
            "src/storefront/server.py",
            "tests/e2e/conftest.py",
            "tests/e2e/test_shopping.py",
            "tests/unit/test_requests.py",
        ),
        {},
    ),
    Step(
        "docs: describe requests, prices and tests",
        ("README.md",),
        {"README.md": EARLIER_README},
        tag="v0.1.0",
    ),
    Step(
        "fix(prices): round half a cent up",
        ("src/storefront/prices.py", "tests/unit/test_prices.py"),
        {},
    ),
    Step("test(load): walk through the checkout with k6", ("load/checkout.js",), {}),
    Step("chore: deliver with Regreen", ("regreen.yaml",), {}),
    Step("chore: prepare 0.2.0", ("pyproject.toml",), {}),
    Step(
        "feat(discounts): add a tier for 100 pieces and stop at the best one",
        (
            "README.md",
            "src/storefront/discounts.py",
            "tests/unit/test_quantity_discounts.py",
        ),
        {},
    ),
)


def main(arguments: list[str]) -> int:
    """Make the history in the folder that is named on the command line."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return refuse("usage: python make_history.py DESTINATION")
    destination = Path(arguments[0]).absolute()
    if destination.exists() and not destination.is_dir():
        return refuse(f"{destination} is not a folder; name one that is new or empty")
    if destination.is_dir() and any(destination.iterdir()):
        return refuse(f"{destination} is not empty; name a folder that is new or empty")
    if shutil.which("git") is None:
        return refuse("git was not found; install it and try again")
    destination.mkdir(parents=True, exist_ok=True)
    git(destination, "init", "--quiet", "--template=", "--initial-branch=main")
    for number, step in enumerate(STEPS):
        commit(destination, step, FIRST_COMMIT + number * HOUR)
    print(git(destination, "rev-parse", "HEAD"))
    return 0


def refuse(reason: str) -> int:
    """Say on stderr why nothing was made; gives the exit code."""
    print(f"make_history: {reason}", file=sys.stderr)
    return 2


def commit(repository: Path, step: Step, moment: int) -> None:
    """Bring the step's files to their text of that time and commit them."""
    for name in step.files:
        text = text_of(name, step.earlier.get(name, ()))
        target = repository / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    git(repository, "add", "--", *step.files, moment=moment)
    git(repository, "commit", "--quiet", "--no-verify", "-m", step.message, moment=moment)
    if step.tag is not None:
        git(repository, "tag", "-a", "-m", f"storefront {step.tag}", step.tag, moment=moment)


def text_of(name: str, earlier: tuple[tuple[str, str], ...]) -> str:
    """A file of the example, with what stood there earlier."""
    text = (EXAMPLE / name).read_bytes().decode()
    for final, before in earlier:
        if text.count(final) != 1:
            raise SystemExit(f"make_history: {name} does not hold exactly once: {final!r}")
        text = text.replace(final, before)
    return text


def git(repository: Path, *arguments: str, moment: int = FIRST_COMMIT) -> str:
    """Run git without anybody's configuration, so that every machine makes the same commits."""
    settings = ("core.hooksPath=/dev/null", "core.autocrlf=false", "core.excludesFile=/dev/null")
    options = [part for setting in settings for part in ("-c", setting)]
    return subprocess.run(
        ["git", *options, *arguments],
        cwd=repository,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_AUTHOR_NAME": "Storefront Example",
            "GIT_AUTHOR_EMAIL": "storefront@example.invalid",
            "GIT_AUTHOR_DATE": f"{moment} +0000",
            "GIT_COMMITTER_NAME": "Storefront Example",
            "GIT_COMMITTER_EMAIL": "storefront@example.invalid",
            "GIT_COMMITTER_DATE": f"{moment} +0000",
            "LC_ALL": "C",
        },
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
