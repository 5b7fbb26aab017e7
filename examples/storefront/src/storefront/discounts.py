"""Discounts for buying many pieces of one product."""

QUANTITY_TIERS = ((100, 15), (25, 10), (10, 5))
"""Pieces from which a tier holds, and its discount in percent; the best tier comes first."""


def quantity_discount(quantity: int) -> int:
    """The discount in percent for that many pieces of one product."""
    for pieces, percent in QUANTITY_TIERS:
        if quantity > pieces:
            return percent
    return 0
