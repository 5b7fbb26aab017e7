"""Licences of components: what is read of them, and what the pipeline file permits."""

import pytest

from activities.components import components_of
from activities.licence_policy import permits


@pytest.mark.parametrize(
    ("expression", "allow", "deny", "permitted"),
    [
        ("MIT", (), (), True),
        ("MIT", ("MIT",), (), True),
        ("MIT", ("Apache-2.0",), (), False),
        ("GPL-3.0-only", (), ("GPL-3.0-only",), False),
        ("GPL-3.0-only", ("GPL-3.0-only",), ("GPL-3.0-only",), False),
        ("MIT OR GPL-3.0-only", (), ("GPL-3.0-only",), True),
        ("MIT AND GPL-3.0-only", (), ("GPL-3.0-only",), False),
        ("MIT AND PSF-2.0", ("MIT",), (), False),
        ("MIT AND (PSF-2.0 OR GPL-3.0-only)", ("MIT", "PSF-2.0"), (), True),
        ("(MIT OR ISC) AND (GPL-3.0-only)", (), ("GPL-3.0-only",), False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ("GPL-2.0-only",), (), True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", (), ("GPL-2.0-only",), False),
        (
            "GPL-2.0-only WITH Classpath-exception-2.0",
            ("GPL-2.0-only WITH Classpath-exception-2.0",),
            ("GPL-2.0-only",),
            True,
        ),
        ("MIT AND ISC OR GPL-3.0-only", ("MIT", "ISC"), (), True),
    ],
)
def test_a_choice_is_enough_and_what_is_joined_is_kept_both(
    expression: str, allow: tuple[str, ...], deny: tuple[str, ...], permitted: bool
) -> None:
    assert permits(expression, allow, deny) is permitted


@pytest.mark.parametrize(
    ("licences", "expression"),
    [
        (None, ""),
        ([], ""),
        ([{"license": {"id": "MIT"}}], "MIT"),
        ([{"license": {"name": "BSD License"}}], ""),
        ([{"license": {"name": "mit"}}], "MIT"),
        ([{"expression": "apache-2.0 or MIT"}], "Apache-2.0 OR MIT"),
        (
            [{"expression": "MIT OR ISC"}, {"license": {"id": "PSF-2.0"}}],
            "(MIT OR ISC) AND PSF-2.0",
        ),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "my own"}}], ""),
        ([{"license": {}}], ""),
    ],
)
def test_licences_of_a_bill_become_one_expression(licences: object, expression: str) -> None:
    part = {"purl": "pkg:npm/%40shop/cart@2.0.0", "licenses": licences}
    (component,) = components_of(
        {"components": [part if licences is not None else {"purl": part["purl"]}, {"name": "x"}]}
    )
    assert (component.kind, component.name, component.version) == ("npm", "@shop/cart", "2.0.0")
    assert component.licence == expression
