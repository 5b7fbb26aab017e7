"""Who must have signed a release, and whether the folder says the same."""

from pathlib import Path

from activities.artifact_store import get_file
from activities.checksum_list import is_regular
from activities.cosign_check import Signer
from activities.signing_identity import IDENTITY_FILE, recorded_identity
from activities.signing_key import PUBLIC_KEY
from activities.trusted_root import TRUSTED_ROOT_FILE, trusted_services
from regreen.contracts.publishing import TargetRequest
from regreen.contracts.release import CertificateIdentity, PublishedRelease
from regreen.errors import UsageError


async def trusted_by(
    request: PublishedRelease | TargetRequest, folder: Path
) -> tuple[Signer | None, Path | None]:
    """Who must have signed what is fetched back, and the trusted root; the files go to `folder`."""
    signer: Signer | None = request.identity
    if request.public_key is not None:
        signer = folder / PUBLIC_KEY
        await get_file(request.public_key, signer)
    if request.trusted_root is None:
        return signer, None
    root = folder / TRUSTED_ROOT_FILE
    await get_file(request.trusted_root, root)
    return signer, root


def check_root(root: Path | None, signer: Signer | None) -> None:
    """Raise UsageError when a trusted root cannot show what it is to show of a signer."""
    identity = isinstance(signer, CertificateIdentity)
    if root is None:
        if identity:
            raise UsageError(
                "an identity shows nothing until it is said whose certificates count: give "
                "--trusted-root"
            )
        return
    try:
        services = trusted_services(root)
    except ValueError as error:
        raise UsageError(f"{root}: {error}") from error
    if not services.dated:
        raise UsageError(f"{root}: names neither transparency log nor time-stamp authority")
    if identity and not services.certificate_authorities:
        raise UsageError(f"{root}: names no certificate authority to vouch for an identity")


def own_signer(directory: Path) -> Signer | None:
    """Who signed by the folder's own word; None when it does not say so in a readable way."""
    if is_regular(directory / IDENTITY_FILE):
        try:
            return recorded_identity(directory / IDENTITY_FILE)
        except ValueError:
            return None
    return directory / PUBLIC_KEY if is_regular(directory / PUBLIC_KEY) else None


def signer_problem(own: Path, signer: Signer | None) -> str:
    """Why the key or the identity that lies in a folder is not the one to trust; empty if it is."""
    if own.name == PUBLIC_KEY:
        if isinstance(signer, CertificateIdentity):
            return "is a key, and the release is to be signed by an identity"
        return (
            "" if signer and own.read_bytes() == signer.read_bytes() else "is not the key to trust"
        )
    if isinstance(signer, Path):
        return "names an identity, and the release is to be signed with a key"
    try:
        found = recorded_identity(own)
    except ValueError as error:
        return str(error)
    return "" if found == signer else f"names {found}, and the identity to trust is {signer}"


def undated(root: Path | None) -> str:
    """Why a trusted root is not enough for certificates, which hold for minutes; empty if it is."""
    try:
        dated = root is not None and trusted_services(root).dated
    except ValueError as error:
        return str(error)
    return "" if dated else f"no {TRUSTED_ROOT_FILE} that shows when it was signed"
