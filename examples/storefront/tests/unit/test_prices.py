"""Arithmetic on prices."""

import pytest

from storefront.prices import format_price, percent_of, shipping_for


def test_a_share_of_an_even_amount_is_exact():
    assert percent_of(2000, 15) == 300


@pytest.mark.parametrize(("cents", "expected"), [(1249, 62), (1250, 63), (1251, 63)])
def test_half_a_cent_is_rounded_up(cents, expected):
    assert percent_of(cents, 5) == expected


@pytest.mark.parametrize(("goods", "shipping"), [(1, 490), (4999, 490), (5000, 0), (5001, 0)])
def test_shipping_is_free_from_fifty_euros_on(goods, shipping):
    assert shipping_for(goods) == shipping


def test_nothing_is_shipped_for_nothing():
    assert shipping_for(0) == 0


@pytest.mark.parametrize(("cents", "text"), [(1249, "12.49 EUR"), (5, "0.05 EUR")])
def test_prices_are_written_with_two_digits_of_cents(cents, text):
    assert format_price(cents) == text
