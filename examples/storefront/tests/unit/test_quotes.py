"""What a cart costs."""

from storefront.quotes import Line, Quote, quote


def test_an_empty_cart_costs_nothing():
    assert quote([]) == Quote(subtotal=0, discount=0, shipping=0)


def test_a_small_cart_pays_shipping():
    price = quote([Line("TEA", "Tea", price=645, quantity=2)])
    assert price == Quote(subtotal=1290, discount=0, shipping=490)
    assert price.total == 1780


def test_the_discount_counts_the_pieces_of_each_line_alone():
    lines = [Line("TEA", "Tea", price=1000, quantity=8), Line("COF", "Coffee", 1000, quantity=8)]
    assert quote(lines).discount == 0


def test_every_line_has_its_own_discount():
    lines = [Line("TEA", "Tea", price=1000, quantity=30), Line("COF", "Coffee", 500, quantity=12)]
    assert quote(lines) == Quote(subtotal=36000, discount=3000 + 300, shipping=0)


def test_shipping_depends_on_the_goods_after_the_discount():
    price = quote([Line("CUP", "Cup", price=425, quantity=12)])
    assert price == Quote(subtotal=5100, discount=255, shipping=490)
