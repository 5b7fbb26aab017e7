"""What bears witness to signatures: a transparency log, and a time-stamp authority.

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

    @property
    def root(self) -> dict[str, Any] | None:
        """The trusted root that names them; None when there are none."""
        if self.log is None and self.authority is None:
            return None
        return trusted_root(self.log, self.authority)


def chosen_services() -> SignatureServices:
    """The log and the authority of the settings. Raises as `chosen_log`, `chosen_authority` do."""
    return SignatureServices(chosen_log(), chosen_authority())


async def witnessed(
    services: SignatureServices,
    public_key: Path,
    folder: Path,
    bundle: Path,
    check: Check,
    subject: str,
) -> Path:
    """The bundle with what the services say of its signature; the one without stays beside it.

    `folder` is private. Raises ApplicationErrors as `enter` and `stamp` do, and non-retryable
    `LogRefused` or `TimestampRefused` when cosign does not accept what a service says.
    """
    log, authority = services.log, services.authority
    if log is not None:
        logged = bundle.with_name(f"{bundle.name}.{log.identity[:16]}.logged")
        word = _Word("log's entry", "LogRefused", trusted_root(log, None), logged)
        enter_it = partial(enter, log, bundle, public_key)
        bundle = await _once(word, enter_it, folder, check, subject)
    if authority is not None:
        stamped = bundle.with_name(f"{bundle.name}.{authority.identity[:16]}.stamped")
        word = _Word("time-stamp", "TimestampRefused", trusted_root(log, authority), stamped)
        bundle = await _once(word, partial(stamp, authority, bundle), folder, check, subject)
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


async def _once(
    word: _Word,
    ask: Callable[[], Awaitable[dict[str, Any]]],
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
    made.write_text(json.dumps(await ask()))
    if (problem := await asyncio.to_thread(check, made, root)) is not None:
        raise ApplicationError(
            f"{subject}: the {word.what} is refused: {problem}",
            type=word.refusal,
            non_retryable=True,
        )
    keep(made, word.place)
    return word.place
