"""The tiers of the quantity discount, below, at and above each boundary."""

import pytest

from storefront.discounts import quantity_discount


@pytest.mark.parametrize("quantity", [1, 5, 9])
def test_few_pieces_cost_the_full_price(quantity):
    assert quantity_discount(quantity) == 0


@pytest.mark.parametrize("quantity", [10, 11, 24])
def test_ten_pieces_or_more_are_five_percent_cheaper(quantity):
    assert quantity_discount(quantity) == 5


@pytest.mark.parametrize("quantity", [25, 26, 99])
def test_twenty_five_pieces_or_more_are_ten_percent_cheaper(quantity):
    assert quantity_discount(quantity) == 10


@pytest.mark.parametrize("quantity", [100, 101, 1000])
def test_a_hundred_pieces_or_more_are_fifteen_percent_cheaper(quantity):
    assert quantity_discount(quantity) == 15
