"""The shop's HTTP interface without the network: a request in, a status and a document out."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from storefront import carts, checkout, stock
from storefront.catalogue import Product
from storefront.database import Database
from storefront.errors import StoreError, invalid, not_found
from storefront.prices import format_price
from storefront.quotes import Line, Quote, quote

Document = dict[str, Any]
Answer = tuple[int, Document]
Handler = Callable[..., Answer]


def answer(database: Database, method: str, path: str, body: object) -> Answer:
    """Answer one request; `body` is the decoded JSON, None if there was none."""
    try:
        handler, names = _route(method, path)
        return handler(database, body, **names)
    except StoreError as error:
        return error.status, {"error": {"code": error.code, "message": str(error)}}


def quantity_in(body: object) -> int:
    """The `quantity` of a request. Raises StoreError unless it is a whole number."""
    quantity = _field(body, "quantity")
    if not isinstance(quantity, int) or isinstance(quantity, bool):
        raise invalid("quantity must be a whole number")
    return quantity


def email_in(body: object) -> str:
    """The `email` of a request. Raises StoreError unless it is text."""
    email = _field(body, "email")
    if not isinstance(email, str):
        raise invalid("email must be text")
    return email


def _field(body: object, name: str) -> object:
    if not isinstance(body, dict) or name not in body:
        raise invalid(f'the body must be a JSON object with "{name}"')
    return body[name]


def _health(database: Database, body: object) -> Answer:
    with database.reading() as connection:
        connection.execute("SELECT 1 FROM products LIMIT 1")
    return 200, {"status": "ok"}


def _list_products(database: Database, body: object) -> Answer:
    with database.reading() as connection:
        products = stock.all_products(connection)
    return 200, {"products": [_product_document(product) for product in products]}


def _show_product(database: Database, body: object, sku: str) -> Answer:
    with database.reading() as connection:
        return 200, _product_document(stock.find_product(connection, sku))


def _create_cart(database: Database, body: object) -> Answer:
    with database.writing() as connection:
        return 201, _cart_document(carts.create_cart(connection))


def _show_cart(database: Database, body: object, cart: str) -> Answer:
    with database.reading() as connection:
        return 200, _cart_document(carts.find_cart(connection, cart))


def _set_quantity(database: Database, body: object, cart: str, sku: str) -> Answer:
    quantity = quantity_in(body)
    with database.writing() as connection:
        return 200, _cart_document(carts.set_quantity(connection, cart, sku, quantity))


def _check_out(database: Database, body: object, cart: str) -> Answer:
    email = email_in(body)
    with database.writing() as connection:
        return 201, _order_document(checkout.check_out(connection, cart, email))


def _show_order(database: Database, body: object, number: str) -> Answer:
    with database.reading() as connection:
        return 200, _order_document(checkout.find_order(connection, int(number)))


def _product_document(product: Product) -> Document:
    return {
        "sku": product.sku,
        "name": product.name,
        "price": product.price,
        "stock": product.stock,
    }


def _cart_document(cart: carts.Cart) -> Document:
    return {
        "id": cart.id,
        "order": cart.order_number,
        **_priced_document(cart.lines, quote(cart.lines)),
    }


def _order_document(order: checkout.Order) -> Document:
    return {
        "number": order.number,
        "email": order.email,
        **_priced_document(order.lines, order.quote),
    }


def _priced_document(lines: Sequence[Line], price: Quote) -> Document:
    return {
        "lines": [
            {"sku": line.sku, "name": line.name, "price": line.price, "quantity": line.quantity}
            for line in lines
        ],
        "subtotal": price.subtotal,
        "discount": price.discount,
        "shipping": price.shipping,
        "total": price.total,
        "to_pay": format_price(price.total),
    }


_ROUTES: tuple[tuple[re.Pattern[str], dict[str, Handler]], ...] = (
    (re.compile(r"/health"), {"GET": _health}),
    (re.compile(r"/products"), {"GET": _list_products}),
    (re.compile(r"/products/(?P<sku>[\w-]+)"), {"GET": _show_product}),
    (re.compile(r"/carts"), {"POST": _create_cart}),
    (re.compile(r"/carts/(?P<cart>\w+)"), {"GET": _show_cart}),
    (re.compile(r"/carts/(?P<cart>\w+)/lines/(?P<sku>[\w-]+)"), {"PUT": _set_quantity}),
    (re.compile(r"/carts/(?P<cart>\w+)/checkout"), {"POST": _check_out}),
    (re.compile(r"/orders/(?P<number>[0-9]{1,18})"), {"GET": _show_order}),
)


def _route(method: str, path: str) -> tuple[Handler, dict[str, str]]:
    for pattern, handlers in _ROUTES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if method not in handlers:
            allowed = ", ".join(handlers)
            raise StoreError(405, "method_not_allowed", f"{path} answers {allowed}, not {method}")
        return handlers[method], match.groupdict()
    raise not_found("page", path)
