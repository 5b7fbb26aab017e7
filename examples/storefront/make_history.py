"""Make a git repository of the storefront, with the history that led to it.

    python make_history.py DESTINATION

Same content, same names and same dates every time, so the commits have the same hashes. The last
commit brings the bug. Prints the hash of the last commit.
Exit codes: 0 made, 2 wrong usage (DESTINATION holds something, or git is missing).
"""

import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
sys.path.insert(0, str(EXAMPLE.parent))

from history import History, Step  # noqa: E402

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
    ),
    Step("test(load): walk through the checkout with k6", ("load/checkout.js",)),
    Step("chore: deliver with Regreen", ("regreen.yaml",)),
    Step("chore: prepare 0.2.0", ("pyproject.toml",)),
    Step(
        "feat(discounts): add a tier for 100 pieces and stop at the best one",
        (
            "README.md",
            "src/storefront/discounts.py",
            "tests/unit/test_quantity_discounts.py",
        ),
    ),
)


if __name__ == "__main__":
    # The first commit is of Monday 2026-01-05, 09:00 UTC.
    history = History(
        EXAMPLE, "Storefront Example", "storefront@example.invalid", 1767603600, STEPS
    )
    sys.exit(history.replay(sys.argv[1:]))
