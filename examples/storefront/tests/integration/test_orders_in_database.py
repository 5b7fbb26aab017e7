"""Carts and orders in a real database file."""

import pytest

from storefront.carts import create_cart, find_cart, set_quantity
from storefront.checkout import check_out, find_order
from storefront.database import Database
from storefront.errors import StoreError
from storefront.stock import find_product

CUP, TEA = "CUP-BLU-001", "TEA-EGR-100"


@pytest.fixture
def cart(database):
    with database.writing() as connection:
        return create_cart(connection).id


def fill(database, cart, **quantities):
    with database.writing() as connection:
        for sku, quantity in quantities.items():
            set_quantity(connection, cart, {"cup": CUP, "tea": TEA}[sku], quantity)


def order(database, cart):
    with database.writing() as connection:
        return check_out(connection, cart, "ann@example.org")


def test_setting_a_quantity_again_replaces_it(database, cart):
    fill(database, cart, tea=3)
    fill(database, cart, tea=4)
    with database.reading() as connection:
        lines = find_cart(connection, cart).lines
    assert [(line.sku, line.quantity) for line in lines] == [(TEA, 4)]


def test_a_quantity_of_zero_removes_the_line(database, cart):
    fill(database, cart, tea=3, cup=1)
    fill(database, cart, tea=0)
    with database.reading() as connection:
        assert [line.sku for line in find_cart(connection, cart).lines] == [CUP]


@pytest.mark.parametrize("quantity", [-1, 1001])
def test_an_impossible_quantity_is_refused(database, cart, quantity):
    with pytest.raises(StoreError, match="between 0 and 1000"):
        fill(database, cart, tea=quantity)


def test_an_order_takes_its_pieces_and_survives_closing_the_shop(database, database_file, cart):
    fill(database, cart, tea=2, cup=3)
    placed = order(database, cart)
    database.close()
    reopened = Database(database_file)
    with reopened.reading() as connection:
        assert find_order(connection, placed.number) == placed
        assert find_product(connection, CUP).stock == 9
    reopened.close()
    assert placed.quote.total == 2 * 645 + 3 * 2450


def test_an_order_that_cannot_be_filled_takes_nothing(database, cart):
    fill(database, cart, tea=2, cup=13)
    with pytest.raises(StoreError, match="12 are left"):
        order(database, cart)
    with database.reading() as connection:
        assert find_product(connection, TEA).stock == 50_000
        assert find_cart(connection, cart).order_number is None


def test_a_cart_is_ordered_once(database, cart):
    fill(database, cart, cup=1)
    first = order(database, cart)
    with pytest.raises(StoreError, match=f"order {first.number} already"):
        order(database, cart)
    with pytest.raises(StoreError, match=f"order {first.number} already"):
        fill(database, cart, tea=1)


def test_an_empty_cart_cannot_be_ordered(database, cart):
    with pytest.raises(StoreError, match="empty"):
        order(database, cart)


def test_a_later_price_does_not_change_an_order(database, cart):
    fill(database, cart, cup=1)
    placed = order(database, cart)
    with database.writing() as connection:
        connection.execute("UPDATE products SET price = 9900 WHERE sku = ?", (CUP,))
    with database.reading() as connection:
        assert find_order(connection, placed.number).lines[0].price == 2450


@pytest.mark.parametrize("find", [find_cart, find_order])
def test_what_does_not_exist_is_not_found(database, find):
    with pytest.raises(StoreError) as refusal, database.reading() as connection:
        find(connection, 404)
    assert refusal.value.status == 404
