"""Customers' e-mail addresses."""

import idna

from storefront.errors import invalid


def normal_email(text: str) -> str:
    """The address in the form that mail servers understand.

    The domain becomes lower-case ASCII (`Ann@MÜNCHEN.example` → `Ann@xn--mnchen-3ya.example`).
    Raises StoreError for what cannot be an address.
    """
    local, _, domain = text.strip().rpartition("@")
    if not local or "@" in local or any(character.isspace() for character in local):
        raise invalid(f"{text!r} is not an e-mail address")
    if "." not in domain.strip("."):
        raise invalid(f"the domain of {text!r} is not complete")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError as error:
        raise invalid(f"the domain of {text!r} is not valid") from error
