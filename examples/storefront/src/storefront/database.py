"""The shop's SQLite file: its tables, and transactions on it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storefront.catalogue import STARTING_RANGE

_TABLES = """
CREATE TABLE IF NOT EXISTS products (
    sku TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    price INTEGER NOT NULL CHECK (price > 0),
    stock INTEGER NOT NULL CHECK (stock >= 0)
);
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL,
    subtotal INTEGER NOT NULL,
    discount INTEGER NOT NULL,
    shipping INTEGER NOT NULL,
    placed_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS order_lines (
    number INTEGER NOT NULL REFERENCES orders,
    sku TEXT NOT NULL REFERENCES products,
    name TEXT NOT NULL,
    price INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (number, sku)
);
CREATE TABLE IF NOT EXISTS carts (
    id TEXT PRIMARY KEY,
    order_number INTEGER REFERENCES orders
);
CREATE TABLE IF NOT EXISTS cart_lines (
    cart TEXT NOT NULL REFERENCES carts,
    sku TEXT NOT NULL REFERENCES products,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (cart, sku)
);
"""


class Database:
    """One connection to the file, shared by the threads of a server, one transaction at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file; a new one gets the tables and the starting range."""
        self._connection = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._lock = threading.Lock()
        self._connection.executescript(_TABLES)
        with self.writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO products (sku, name, price, stock) VALUES (?, ?, ?, ?)",
                [(item.sku, item.name, item.price, item.stock) for item in STARTING_RANGE],
            )

    def close(self) -> None:
        """Close the connection once the running transaction has ended."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent view of the file for several queries."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that keeps everything, or nothing when an error leaves the block."""
        # A deferred transaction that starts with a read fails at its first write when another
        # process has written in between; taking the write lock at once makes it wait instead.
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute(begin)
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
