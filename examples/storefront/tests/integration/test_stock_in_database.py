"""Pieces on the shelf, with several customers and processes at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from storefront.database import Database
from storefront.errors import StoreError
from storefront.stock import all_products, find_product, take

CUP = "CUP-BLU-001"


def stock_of(database, sku):
    with database.reading() as connection:
        return find_product(connection, sku).stock


def test_a_new_shop_has_its_starting_range(database):
    with database.reading() as connection:
        products = all_products(connection)
    assert len(products) == 5
    assert [product.sku for product in products] == sorted(product.sku for product in products)


def test_pieces_are_taken_off_the_shelf(database):
    with database.writing() as connection:
        take(connection, CUP, 5)
    assert stock_of(database, CUP) == 7


def test_the_last_piece_can_be_taken_but_no_more(database):
    with database.writing() as connection:
        take(connection, CUP, 12)
    with (
        pytest.raises(StoreError, match="0 are left") as refusal,
        database.writing() as connection,
    ):
        take(connection, CUP, 1)
    assert refusal.value.code == "out_of_stock"
    assert stock_of(database, CUP) == 0


def test_an_unknown_product_cannot_be_taken(database):
    with pytest.raises(StoreError, match="no product NOPE"), database.writing() as connection:
        take(connection, "NOPE", 1)


def test_stock_survives_closing_the_shop(database, database_file):
    with database.writing() as connection:
        take(connection, CUP, 4)
    database.close()
    reopened = Database(database_file)
    assert stock_of(reopened, CUP) == 8
    reopened.close()


def test_no_piece_is_sold_twice(database, database_file):
    """Two connections to one file, as two processes have, and 30 customers for 12 cups."""
    second = Database(database_file)

    def buy(number):
        try:
            with (database, second)[number % 2].writing() as connection:
                take(connection, CUP, 1)
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(8) as customers:
        sold = list(customers.map(buy, range(30)))
    second.close()
    assert sold.count(True) == 12
    assert stock_of(database, CUP) == 0
