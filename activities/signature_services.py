"""What bears witness to signatures: a transparency log, and a time-stamp authority.

A certificate authority says who signed, and what it says is in a signature from the beginning.

Neither's word can be taken back. So each signature is made once, kept, entered once and stamped
once, and a release that is made again has the same bundles.
"""

import asyncio
import json
import secrets
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.certificate_authority import (
    CertificateAuthority,
    chosen_certificate_authority,
)
from activities.timestamp_authority import TimestampAuthority, chosen_authority, stamp
from activities.transparency_log import TransparencyLog, chosen_log, enter
from activities.trusted_root import TRUSTED_ROOT_FILE, trusted_root

Check = Callable[[Path, Path | None], str | None]
"""Why a bundle is refused with a trusted root; None when it is good."""


@dataclass(frozen=True)
class SignatureServices:
    """Those that the operator chose."""

    log: TransparencyLog | None = None
    authority: TimestampAuthority | None = None
    certificates: CertificateAuthority | None = None

    @property
    def root(self) -> dict[str, Any] | None:
        """The trusted root that names them; None when there are none."""
        if self.log is None and self.authority is None:
            return None
        return trusted_root(self.log, self.authority, self.certificates)


def chosen_services() -> SignatureServices:
    """Those of the settings. Raises as `chosen_log`, `chosen_authority` and
    `chosen_certificate_authority` do."""
    return SignatureServices(chosen_log(), chosen_authority(), chosen_certificate_authority())


async def kept_bundle(
    services: SignatureServices, folder: Path, bundle: Path, check: Check
) -> Path | None:
    """What an earlier attempt kept of a signature with all that the services say; None without.

    `folder` is private.
    """
    words = _words(services, bundle, None)
    kept, root = bundle, None
    if words:
        kept, root = words[-1].place, folder / TRUSTED_ROOT_FILE
        root.write_text(json.dumps(words[-1].root))
    return kept if await asyncio.to_thread(check, kept, root) is None else None


def forget(bundle: Path) -> None:
    """Remove what was said of a signature that cannot be used any more."""
    for said in bundle.parent.glob(f"{bundle.name}.*"):
        said.unlink()


async def witnessed(
    services: SignatureServices,
    public_key: Path | None,
    folder: Path,
    bundle: Path,
    check: Check,
    subject: str,
) -> Path:
    """The bundle with what the services say of its signature; the one without stays beside it.

    `public_key` verifies it, or None: the certificate in it does. `folder` is private. Raises
    ApplicationErrors as `enter` and `stamp` do, and non-retryable `LogRefused` or
    `TimestampRefused` when cosign does not accept what a service says.
    """
    for word in _words(services, bundle, public_key):
        bundle = await _once(word, bundle, folder, check, subject)
    return bundle


def keep(made: Path, place: Path) -> None:
    """Put a copy of a file in its place, which is complete as soon as it is there."""
    staged = place.with_name(f".{secrets.token_hex(8)}")
    shutil.copyfile(made, staged)
    staged.replace(place)


@dataclass(frozen=True)
class _Word:
    what: str
    refusal: str
    root: dict[str, Any]
    place: Path
    ask: Callable[[Path], Awaitable[dict[str, Any]]]
    """Returns the bundle with the word."""


def _words(services: SignatureServices, bundle: Path, public_key: Path | None) -> list[_Word]:
    """What is said of a bundle's signature, in order. Each place holds all that was said so far."""
    log, authority, certificates = services.log, services.authority, services.certificates
    words, place = [], bundle
    if log is not None:
        place = place.with_name(f"{place.name}.{log.identity[:16]}.logged")
        root = trusted_root(log, None, certificates)
        ask = partial(enter, log, public_key=public_key)
        words.append(_Word("log's entry", "LogRefused", root, place, ask))
    if authority is not None:
        place = place.with_name(f"{place.name}.{authority.identity[:16]}.stamped")
        root = trusted_root(log, authority, certificates)
        stamp_it = partial(stamp, authority)
        words.append(_Word("time-stamp", "TimestampRefused", root, place, stamp_it))
    return words


async def _once(
    word: _Word,
    bundle: Path,
    folder: Path,
    check: Check,
    subject: str,
) -> Path:
    root, made = folder / TRUSTED_ROOT_FILE, folder / "witnessed.bundle"
    root.write_text(json.dumps(word.root))
    if await asyncio.to_thread(check, word.place, root) is None:
        return word.place
    if activity.in_activity():
        activity.heartbeat(f"{subject}: {word.what}")
    made.write_text(json.dumps(await word.ask(bundle)))
    if (problem := await asyncio.to_thread(check, made, root)) is not None:
        raise ApplicationError(
            f"{subject}: the {word.what} is refused: {problem}",
            type=word.refusal,
            non_retryable=True,
        )
    keep(made, word.place)
    return word.place
