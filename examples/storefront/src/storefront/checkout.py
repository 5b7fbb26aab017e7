"""Checkout: a cart becomes an order, and its pieces leave the shelf."""

import sqlite3
from dataclasses import dataclass

from storefront.carts import find_open_cart
from storefront.customers import normal_email
from storefront.errors import invalid, not_found
from storefront.quotes import Line, Quote, quote
from storefront.stock import take


@dataclass(frozen=True)
class Order:
    """An order as it was placed: later changes of prices do not touch it."""

    number: int
    email: str
    lines: tuple[Line, ...]
    quote: Quote


def check_out(connection: sqlite3.Connection, cart_id: str, email: str) -> Order:
    """Order what is in the cart.

    Call it inside a writing transaction: when one product has run out the StoreError rolls back
    what was taken of the others. A cart is ordered once.
    """
    address = normal_email(email)
    cart = find_open_cart(connection, cart_id)
    if not cart.lines:
        raise invalid("the cart is empty")
    for line in cart.lines:
        take(connection, line.sku, line.quantity)
    price = quote(cart.lines)
    number = connection.execute(
        "INSERT INTO orders (email, subtotal, discount, shipping) VALUES (?, ?, ?, ?)",
        (address, price.subtotal, price.discount, price.shipping),
    ).lastrowid
    if number is None:
        raise RuntimeError("the database gave the order no number")
    connection.executemany(
        "INSERT INTO order_lines (number, sku, name, price, quantity) VALUES (?, ?, ?, ?, ?)",
        [(number, line.sku, line.name, line.price, line.quantity) for line in cart.lines],
    )
    connection.execute("UPDATE carts SET order_number = ? WHERE id = ?", (number, cart_id))
    return Order(number, address, cart.lines, price)


def find_order(connection: sqlite3.Connection, number: int) -> Order:
    """The order of that number. Raises StoreError when there is none."""
    order = connection.execute(
        "SELECT email, subtotal, discount, shipping FROM orders WHERE number = ?", (number,)
    ).fetchone()
    if order is None:
        raise not_found("order", number)
    lines = connection.execute(
        "SELECT sku, name, price, quantity FROM order_lines WHERE number = ? ORDER BY sku",
        (number,),
    )
    price = Quote(order["subtotal"], order["discount"], order["shipping"])
    return Order(number, order["email"], tuple(Line(*row) for row in lines), price)
