"""`regreen verify`: a release folder, checked offline."""

from pathlib import Path

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from activities.cosign_check import Signer
from activities.release_verification import verify_release
from regreen.contracts.release import CertificateIdentity, Expectations
from regreen.errors import EXIT_FAILED, EXIT_OK, UsageError
from starters.console import output, print_json


def trusted_signer(key: Path | None, identity: str, issuer: str) -> Signer | None:
    """Who must have signed, from the options; None when none of them is given.

    Raises UsageError for options that do not go together, and for a key that is not there.
    """
    if key is not None and (identity or issuer):
        raise UsageError("--key and --certificate-identity: a release is signed with one of them")
    if key is not None:
        if not key.is_file():
            raise UsageError(f"{key}: no such public key")
        return key
    if not identity and not issuer:
        return None
    try:
        return CertificateIdentity(identity=identity, issuer=issuer)
    except ValidationError as error:
        raise UsageError(
            "--certificate-identity and --certificate-oidc-issuer belong together: give both, "
            "without blanks"
        ) from error


async def verify(
    directory: Path,
    signer: Signer | None,
    root: Path | None,
    expected: Expectations,
    *,
    json: bool,
) -> int:
    """Print what was checked of each file; returns 1 when anything is wrong."""
    if not directory.is_dir():
        raise UsageError(f"{directory}: no such folder")
    if root is not None and not root.is_file():
        raise UsageError(f"{root}: no such trusted root")
    report = verify_release(directory, signer, expected, root)
    if json:
        print_json(report.model_dump(mode="json"))
        return EXIT_OK if report.ok else EXIT_FAILED
    table = Table(box=None, pad_edge=False)
    for column in ("file", "digest", "signature", "detail"):
        table.add_column(column, overflow="fold")
    for row in report.rows:
        table.add_row(Text(row.path), row.digest, row.signature, Text(row.detail))
    output.print(table)
    verdict = (
        report.summary if report.ok else report.summary.replace("not verified", "NOT VERIFIED", 1)
    )
    output.print(verdict, style="green" if report.ok else "bold red", markup=False)
    return EXIT_OK if report.ok else EXIT_FAILED
