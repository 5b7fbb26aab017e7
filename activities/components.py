"""The components of a CycloneDX bill of materials, as gates compare them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

ECOSYSTEMS = {"pypi": "PyPI", "npm": "npm"}
"""By type of package URL: the ecosystem's name in OSV's records (ossf.github.io/osv-schema)."""


@dataclass(frozen=True)
class Component:
    """One component. A package URL names it (github.com/package-url/purl-spec)."""

    purl: str
    package: str
    """The package URL without version: the same for all versions."""
    version: str
    licence: str
    """An SPDX expression; empty when the licence is unknown."""

    @property
    def kind(self) -> str:
        """The type of the package URL: `pypi`, `npm`."""
        return self.package.removeprefix("pkg:").partition("/")[0]

    @property
    def name(self) -> str:
        """The name that its index knows it by: `urllib3`, `@scope/name`."""
        name = unquote(self.package.partition("/")[2])
        return canonicalize_name(name) if self.kind == "pypi" else name


def components_of(document: Mapping[str, Any]) -> list[Component]:
    """The components of a bill that have a version, each once, sorted by package URL."""
    found = {}
    for part in document.get("components", ()):
        purl = str(part.get("purl", ""))
        package, _, version = purl.partition("?")[0].partition("#")[0].rpartition("@")
        if package.startswith("pkg:") and version:
            found[purl] = Component(
                purl, package, unquote(version), _expression(part.get("licenses", ()))
            )
    return [found[purl] for purl in sorted(found)]


def _expression(licences: Sequence[Mapping[str, Any]]) -> str:
    """The component's licences as one expression; one that is unknown makes it unknown."""
    terms = []
    for each in licences:
        named = each.get("license", {})
        text = str(each.get("expression") or named.get("id") or named.get("name") or "")
        try:
            term = canonicalize_license_expression(text)
        except InvalidLicenseExpression:
            return ""
        terms.append(f"({term})" if " OR " in term and len(licences) > 1 else str(term))
    return " AND ".join(terms)
