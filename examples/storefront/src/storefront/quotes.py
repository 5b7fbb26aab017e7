"""What a cart costs, worked out from its lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from storefront.discounts import quantity_discount
from storefront.prices import percent_of, shipping_for


@dataclass(frozen=True)
class Line:
    """So many pieces of one product at its price in cents."""

    sku: str
    name: str
    price: int
    quantity: int

    @property
    def full_price(self) -> int:
        """Cents before the discount."""
        return self.price * self.quantity

    @property
    def discount(self) -> int:
        """Cents off for the quantity."""
        return percent_of(self.full_price, quantity_discount(self.quantity))


@dataclass(frozen=True)
class Quote:
    """The amounts of a cart, in cents."""

    subtotal: int
    discount: int
    shipping: int

    @property
    def total(self) -> int:
        """What the customer pays."""
        return self.subtotal - self.discount + self.shipping


def quote(lines: Sequence[Line]) -> Quote:
    """Add up the lines; shipping depends on the goods after their discounts."""
    subtotal = sum(line.full_price for line in lines)
    discount = sum(line.discount for line in lines)
    return Quote(subtotal, discount, shipping_for(subtotal - discount))
