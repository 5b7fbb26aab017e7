"""Reading what customers send."""

import pytest

from storefront.api import email_in, quantity_in
from storefront.customers import normal_email
from storefront.errors import StoreError


def test_a_quantity_is_read_from_the_body():
    assert quantity_in({"quantity": 3}) == 3


@pytest.mark.parametrize("body", [None, [], {}, {"quantity": "3"}, {"quantity": True}])
def test_a_body_without_a_whole_number_is_refused(body):
    with pytest.raises(StoreError, match="quantity") as refusal:
        quantity_in(body)
    assert refusal.value.status == 400


def test_an_email_that_is_not_text_is_refused():
    with pytest.raises(StoreError, match="email must be text"):
        email_in({"email": 7})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@example.org", "ann@example.org"),
        (" Ann@Example.ORG ", "Ann@example.org"),
        ("ann@münchen.example", "ann@xn--mnchen-3ya.example"),
    ],
)
def test_the_domain_of_an_address_becomes_lower_case_ascii(text, address):
    assert normal_email(text) == address


@pytest.mark.parametrize("text", ["", "ann", "@example.org", "a b@example.org", "a@b@example.org"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(StoreError, match="not an e-mail address"):
        normal_email(text)


@pytest.mark.parametrize("text", ["ann@localhost", "ann@-.example", "ann@exa mple.org"])
def test_an_address_without_a_valid_domain_is_refused(text):
    with pytest.raises(StoreError, match="domain"):
        normal_email(text)
