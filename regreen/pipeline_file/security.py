"""The section of the security stage."""

import re
from typing import Annotated, Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import AfterValidator, Field

from regreen.pipeline_file.section import Section
from regreen.pipeline_file.values import Duration


def _check_licence(name: str) -> str:
    try:
        known = str(canonicalize_license_expression(name))
    except InvalidLicenseExpression:
        known = ""
    if not known or re.search(r"[()]| (AND|OR) ", known):
        raise ValueError(f"`{name}` is not the identifier of one SPDX licence, such as Apache-2.0")
    return known


LicenceName = Annotated[str, AfterValidator(_check_licence)]


class LicencesSection(Section):
    """Which licences dependencies may have, by their SPDX identifiers."""

    allow: tuple[LicenceName, ...] = ()
    """Only these; a licence that is not known is none of them. Empty: any."""
    deny: tuple[LicenceName, ...] = ()
    """None of these."""


class SecuritySection(Section):
    """The security gate: secrets, static analysis and known vulnerabilities."""

    paths: tuple[str, ...] | None = None
    """Files or folders for static analysis. Unset: the repository without its tests."""
    rules: tuple[str, ...] | None = None
    """Files or folders with the repository's rules for opengrep. Unset: `.semgrep`."""
    severity: Literal["low", "medium", "high"] = "medium"
    """Findings of static analysis at this severity or above fail the stage."""
    vulnerabilities: Literal["low", "medium", "high", "critical"] = "high"
    """Known vulnerabilities of dependencies at this severity or above fail the stage."""
    database_age: Duration = 7 * 86400.0
    """Advisories older than this are as good as none: the scan fails."""
    licences: LicencesSection = Field(default_factory=LicencesSection)
    new_dependencies: Literal["report", "fail"] = "report"
    """What it does to the stage that the last accepted commit did not have a dependency."""
    score: int = Field(default=70, ge=0, le=100)
    """A security score below this is said in the summary; it decides nothing."""
    timeout: Duration = 600.0
