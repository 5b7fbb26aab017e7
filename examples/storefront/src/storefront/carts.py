"""Carts: what a customer means to buy."""

import secrets
import sqlite3
from dataclasses import dataclass

from storefront.errors import conflict, invalid, not_found
from storefront.quotes import Line
from storefront.stock import find_product

MOST_PIECES = 1000


@dataclass(frozen=True)
class Cart:
    """A cart and its lines; `order_number` once it is ordered."""

    id: str
    lines: tuple[Line, ...]
    order_number: int | None


def create_cart(connection: sqlite3.Connection) -> Cart:
    """A new, empty cart."""
    cart_id = secrets.token_hex(8)
    connection.execute("INSERT INTO carts (id) VALUES (?)", (cart_id,))
    return Cart(cart_id, (), None)


def find_cart(connection: sqlite3.Connection, cart_id: str) -> Cart:
    """The cart with its lines at today's prices. Raises StoreError when there is none."""
    cart = connection.execute("SELECT order_number FROM carts WHERE id = ?", (cart_id,)).fetchone()
    if cart is None:
        raise not_found("cart", cart_id)
    rows = connection.execute(
        "SELECT sku, name, price, quantity FROM cart_lines JOIN products USING (sku)"
        " WHERE cart = ? ORDER BY sku",
        (cart_id,),
    )
    return Cart(cart_id, tuple(Line(*row) for row in rows), cart["order_number"])


def find_open_cart(connection: sqlite3.Connection, cart_id: str) -> Cart:
    """The cart, if it can still change. Raises StoreError otherwise."""
    cart = find_cart(connection, cart_id)
    if cart.order_number is not None:
        raise conflict("already_ordered", f"the cart is order {cart.order_number} already")
    return cart


def set_quantity(connection: sqlite3.Connection, cart_id: str, sku: str, quantity: int) -> Cart:
    """Put exactly that many pieces of a product into the cart; 0 removes the line."""
    if not 0 <= quantity <= MOST_PIECES:
        raise invalid(f"quantity must be between 0 and {MOST_PIECES}, not {quantity}")
    find_open_cart(connection, cart_id)
    find_product(connection, sku)
    if quantity == 0:
        connection.execute("DELETE FROM cart_lines WHERE cart = ? AND sku = ?", (cart_id, sku))
    else:
        connection.execute(
            "INSERT INTO cart_lines (cart, sku, quantity) VALUES (?, ?, ?)"
            " ON CONFLICT (cart, sku) DO UPDATE SET quantity = excluded.quantity",
            (cart_id, sku, quantity),
        )
    return find_cart(connection, cart_id)
