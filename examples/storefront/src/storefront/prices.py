"""Arithmetic on prices. Every amount is a whole number of cents."""

SHIPPING = 490
FREE_SHIPPING_FROM = 5000


def percent_of(cents: int, percent: int) -> int:
    """That share of an amount, half a cent rounded up."""
    return (cents * percent + 50) // 100


def shipping_for(goods: int) -> int:
    """What shipping costs for goods of that total; an empty cart ships nothing."""
    if goods == 0 or goods >= FREE_SHIPPING_FROM:
        return 0
    return SHIPPING


def format_price(cents: int) -> str:
    """An amount for people: 1249 becomes `12.49 EUR`."""
    return f"{cents // 100}.{cents % 100:02d} EUR"
