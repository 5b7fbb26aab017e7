"""Products on the shelf, and taking pieces off it."""

import sqlite3

from storefront.catalogue import Product
from storefront.errors import conflict, not_found


def all_products(connection: sqlite3.Connection) -> list[Product]:
    """Every product, ordered by SKU."""
    rows = connection.execute("SELECT sku, name, price, stock FROM products ORDER BY sku")
    return [Product(*row) for row in rows]


def find_product(connection: sqlite3.Connection, sku: str) -> Product:
    """The product of that SKU. Raises StoreError when there is none."""
    row = connection.execute(
        "SELECT sku, name, price, stock FROM products WHERE sku = ?", (sku,)
    ).fetchone()
    if row is None:
        raise not_found("product", sku)
    return Product(*row)


def take(connection: sqlite3.Connection, sku: str, quantity: int) -> None:
    """Take that many pieces off the shelf. Raises StoreError, taking none, if too few are left."""
    changed = connection.execute(
        "UPDATE products SET stock = stock - ? WHERE sku = ? AND stock >= ?",
        (quantity, sku, quantity),
    )
    if changed.rowcount == 0:
        left = find_product(connection, sku).stock
        raise conflict("out_of_stock", f"{quantity} pieces of {sku} were ordered, {left} are left")
