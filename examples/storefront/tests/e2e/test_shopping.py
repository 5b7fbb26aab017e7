"""A customer's way through the shop, over HTTP."""

import http.client
import json

import pytest


def cart_with(request_json, sku, quantity):
    _, cart = request_json("POST", "/carts")
    status, _ = request_json("PUT", f"/carts/{cart['id']}/lines/{sku}", {"quantity": quantity})
    assert status == 200
    return f"/carts/{cart['id']}"


def test_the_shop_is_healthy(request_json):
    assert request_json("GET", "/health") == (200, {"status": "ok"})


def test_products_are_listed_and_shown(request_json):
    status, listing = request_json("GET", "/products")
    assert status == 200
    first = listing["products"][0]
    assert request_json("GET", f"/products/{first['sku']}") == (200, first)


def test_a_customer_orders_coffee(request_json):
    cart = cart_with(request_json, "COF-FLT-500", 30)
    status, priced = request_json("GET", cart)
    assert status == 200
    assert (priced["subtotal"], priced["discount"], priced["shipping"]) == (37470, 3747, 0)
    status, order = request_json("POST", f"{cart}/checkout", {"email": "ann@Example.org"})
    assert status == 201
    assert order["email"] == "ann@example.org"
    assert order["to_pay"] == "337.23 EUR"
    assert request_json("GET", f"/orders/{order['number']}") == (200, order)
    assert request_json("GET", cart)[1]["order"] == order["number"]


def test_an_order_lowers_the_stock(request_json):
    before = request_json("GET", "/products/TEA-SEN-080")[1]["stock"]
    cart = cart_with(request_json, "TEA-SEN-080", 7)
    request_json("POST", f"{cart}/checkout", {"email": "ann@example.org"})
    assert request_json("GET", "/products/TEA-SEN-080")[1]["stock"] == before - 7


def test_more_cups_than_there_are_cannot_be_ordered(request_json):
    cart = cart_with(request_json, "CUP-BLU-001", 13)
    status, answer = request_json("POST", f"{cart}/checkout", {"email": "ann@example.org"})
    assert status == 409
    assert answer["error"]["code"] == "out_of_stock"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("GET", "/products/NOPE", None, 404),
        ("GET", "/carts/0000", None, 404),
        ("GET", "/orders/999999", None, 404),
        ("DELETE", "/products", None, 405),
        ("POST", "/carts/0000/checkout", None, 400),
        ("POST", "/carts/0000/checkout", b"{not json", 400),
        ("POST", "/carts/0000/checkout", b"[" * 5000, 400),
        ("OPTIONS", "/products", None, 501),
    ],
)
def test_errors_are_json_with_a_code_and_a_message(request_json, method, path, content, status):
    answered, document = request_json(method, path, content=content)
    assert answered == status
    assert document["error"].keys() == {"code", "message"}


def test_a_large_body_is_refused_before_it_is_sent(shop):
    connection = http.client.HTTPConnection(shop.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/carts")
    connection.putheader("Content-Length", "70000")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert json.load(response)["error"]["code"] == "too_large"
    connection.close()


def test_the_shop_is_healthy_after_errors(request_json):
    request_json("POST", "/carts", content=b"{not json")
    assert request_json("GET", "/health")[0] == 200
