"""Verifying a release folder offline: digests, signatures, bills of materials."""

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attestation_check import attested_file, statement_problem, unattested
from activities.bill_consistency import DOCUMENT_ROOT
from activities.checksum_list import folder_entries, is_regular, listed_files
from activities.cosign import BUNDLE_SUFFIX, COSIGN_MISSING, VERIFY_SCRIPT
from activities.cosign_check import Signer, attestation_refusal, refusal
from activities.folder_contents import content_problems
from activities.heartbeat import heartbeating
from activities.release_checklist import CHECKLIST, checklist_problem, says_unsigned
from activities.release_folder import SUMS
from activities.release_signer import check_root, own_signer, signer_problem, trusted_by, undated
from activities.signing_identity import IDENTITY_FILE
from activities.signing_key import PUBLIC_KEY
from activities.syft import CYCLONEDX_SUFFIX, SPDX_SUFFIX
from activities.temporary_folder import temporary_folder
from activities.trusted_root import TRUSTED_ROOT_FILE, trusted_services, untrusted
from activities.workspace import private_folder
from regreen.contracts.release import (
    CertificateIdentity,
    Expectations,
    PublishedRelease,
    VerificationReport,
    VerificationRow,
)
from regreen.errors import UsageError
from regreen.tools.locate import find

_DOCUMENT_BYTES = 64 << 20

NOTHING_EXPECTED = Expectations()

_Digest = Literal["ok", "changed", "missing", "extra", "refused", "unlisted"]
_Services = Literal["none", "own", "pinned"]
_Signature = Literal["ok", "bad", "absent", "unchecked", "none"]


@activity.defn
async def verify_published_release(request: PublishedRelease) -> VerificationReport:
    """Verify the folder as it now lies where users fetch it.

    Raises non-retryable ApplicationError `ReleaseInvalid` with the first thing that is wrong.
    """
    with private_folder() as folder:
        signer, root = await trusted_by(request, folder)
        place = Path(request.directory)
        try:
            check = asyncio.to_thread(verify_release, place, signer, NOTHING_EXPECTED, root)
            report = await heartbeating(check, f"verify: {request.directory}")
        except UsageError as error:
            raise ApplicationError(str(error), type="ReleaseInvalid", non_retryable=True) from error
    if not report.ok:
        raise ApplicationError(
            f"{request.directory}: {report.summary}", type="ReleaseInvalid", non_retryable=True
        )
    return report


def verify_release(
    directory: Path,
    signer: Signer | None = None,
    expected: Expectations = NOTHING_EXPECTED,
    root: Path | None = None,
) -> VerificationReport:
    """Verify a release folder without network and report on every file in it.

    Every file must be listed in `SHA256SUMS` with its digest, every listed file must be there,
    nothing may be a link, each bill of materials must have components, each item of the checklist
    must be met or say why it need not be, and in a signed folder cosign must accept the bundle of
    every file and of `SHA256SUMS`. `signer` is the public key to trust, or the identity; without it
    the folder's own is used, which shows that the folder is whole but not who made it. In the same
    folder each attestation must be about its file and say what is so, and the provenance must meet
    what is `expected`. Where cosign is missing a signed folder is not ok. A folder without any
    signer or signature can be ok where its checklist says that it was made so, and `signed` is then
    false.
    `root` is a trusted root: the services to trust, transparency log, time-stamp authority and
    certificate authority, whose word every bundle must have then. Without it those are trusted that
    the folder itself names. Raises UsageError when there is no such folder, a file of
    it cannot be read, `root` is no trusted root, or `signer` is an identity and `root` does not
    name who vouches for it, and when.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory}: no such folder; give the folder of a release")
    check_root(root, signer)
    entries = folder_entries(directory)
    for path in sorted(entries):
        if is_regular(directory / path) and not os.access(directory / path, os.R_OK):
            raise UsageError(f"{directory}: {_shown(path)} cannot be read; give yourself the right")
    listed, problems = listed_files(directory)
    rows = [_digest_row(directory, path, listed, entries) for path in sorted(listed)]
    rows += [
        VerificationRow(path=path, digest="refused", signature="none", detail=why, ok=False)
        for path, why in problems
    ]
    unlisted = (SUMS, f"{SUMS}{BUNDLE_SUFFIX}")
    for path in sorted(entries - listed.keys()):
        if path not in unlisted:
            rows.append(_row(path, "extra", "is not listed in SHA256SUMS"))
        elif not is_regular(directory / path):
            rows.append(_row(path, "refused", "is not a regular file"))
        else:
            rows.append(_row(path, "unlisted"))
    whole = {row.path for row in rows if row.digest == "ok"}
    rows = _explained(rows, content_problems(directory, listed, whole))
    pinned = signer is not None or bool(expected.key_sha256)
    signs = (
        pinned
        or root is not None
        or any(
            path in (PUBLIC_KEY, IDENTITY_FILE) or path.endswith(BUNDLE_SUFFIX)
            for path in entries | listed.keys()
        )
    )
    if signs:
        if signer is None:
            signer = own_signer(directory)
        rows = _signed_rows(directory, signer, root, rows)
        rows = _attested_rows(directory, listed, rows, expected)
    elif not any(row.path == CHECKLIST and row.ok for row in rows):
        if CHECKLIST not in listed:
            rows.append(_row(CHECKLIST, "missing", "is needed where nothing is signed, to say so"))
    elif not says_unsigned(directory / CHECKLIST):
        rows = _explained(rows, {CHECKLIST: "does not say that nothing is signed"})
    identity = signer if isinstance(signer, CertificateIdentity) else None
    return _report(directory, rows, signs, pinned, root, identity)


def _attested_rows(
    directory: Path,
    listed: dict[str, str],
    rows: list[VerificationRow],
    expected: Expectations,
) -> list[VerificationRow]:
    """The rows with what attestations say, and what is missing of them."""
    problems = dict.fromkeys(unattested(listed), "has no provenance")
    for row in rows:
        if row.ok and attested_file(row.path) is not None:
            problems[row.path] = statement_problem(directory, row.path, listed, expected)
        elif row.path == PUBLIC_KEY and is_regular(directory / row.path):
            found = hashlib.sha256((directory / row.path).read_bytes()).hexdigest()
            if expected.key_sha256 not in ("", found):
                problems[row.path] = f"is not the expected key: its SHA-256 is {found}"
    checked = _explained(rows, problems)
    if expected.of_provenance and not any(attested_file(row.path) for row in rows):
        checked.append(_row("provenance", "missing", "is expected, and nothing is attested"))
    if expected.key_sha256 and not any(row.path == PUBLIC_KEY for row in rows):
        checked.append(_row(PUBLIC_KEY, "missing", "is expected, and there is no key"))
    return checked


def _explained(rows: list[VerificationRow], problems: Mapping[str, str]) -> list[VerificationRow]:
    """The rows with the problems that were found, by file."""
    explained = []
    for row in rows:
        if problem := problems.get(row.path):
            detail = "; ".join(part for part in (row.detail, problem) if part)
            explained.append(row.model_copy(update={"ok": False, "detail": detail}))
        else:
            explained.append(row)
    return explained


def _signed_rows(
    directory: Path, signer: Signer | None, pinned: Path | None, rows: list[VerificationRow]
) -> list[VerificationRow]:
    with temporary_folder() as private:
        if isinstance(signer, Path):
            # The file is read once, so that what is compared is what signatures are checked with.
            copy = private / PUBLIC_KEY
            copy.write_bytes(signer.read_bytes())
            signer = copy
        root = pinned or _own_root(directory)
        checked = []
        for row in rows:
            if row.path.endswith(BUNDLE_SUFFIX) or row.digest == "missing":
                checked.append(row)
            elif row.path in (PUBLIC_KEY, IDENTITY_FILE):
                why = signer_problem(directory / row.path, signer)
                checked += _explained(
                    [row], {row.path: why} if is_regular(directory / row.path) else {}
                )
            elif row.digest in ("refused", "extra") or row.path == VERIFY_SCRIPT:
                checked.append(row)
            elif row.path == TRUSTED_ROOT_FILE:
                checked += _explained([row], {row.path: _root_problem(directory, pinned)})
            else:
                signature, why = _signature(directory, row.path, signer, root)
                checked.append(
                    row.model_copy(
                        update={
                            "signature": signature,
                            "ok": row.ok and signature == "ok",
                            "detail": "; ".join(part for part in (row.detail, why) if part),
                        }
                    )
                )
        return checked


def _own_root(directory: Path) -> Path | None:
    own = directory / TRUSTED_ROOT_FILE
    return own if is_regular(own) else None


def _trusted(directory: Path, pinned: Path | None) -> tuple[_Services, str]:
    """Whose word is taken on which services."""
    root = pinned or _own_root(directory)
    try:
        names = "" if root is None else trusted_services(root).names
    except ValueError:
        names = ""
    if not names:
        return "none", names
    return ("own" if pinned is None else "pinned"), names


def _root_problem(directory: Path, pinned: Path | None) -> str:
    try:
        return "" if pinned is None else untrusted(directory / TRUSTED_ROOT_FILE, pinned)
    except ValueError as error:
        return str(error)


def _signature(
    directory: Path, path: str, signer: Signer | None, root: Path | None
) -> tuple[_Signature, str]:
    attested = attested_file(path)
    if attested is not None and not is_regular(directory / attested[0]):
        return "bad", f"{attested[0]}, which it is about, is not there"
    bundle = directory / (path if attested else f"{path}{BUNDLE_SUFFIX}")
    if not is_regular(bundle):
        return "absent", f"has no signature, {bundle.name} is missing"
    if signer is None:
        return "unchecked", f"no {PUBLIC_KEY} to check the signature with"
    if isinstance(signer, CertificateIdentity) and (unknown := undated(root)):
        return "unchecked", unknown
    cosign = find("cosign")
    if cosign is None:
        return "unchecked", f"signature not checked: {COSIGN_MISSING}"
    if attested is None:
        problem = refusal(cosign, signer, bundle, directory / path, root)
    else:
        about, _, kind = attested
        problem = attestation_refusal(cosign, signer, bundle, directory / about, kind, root)
    return ("ok", "") if problem is None else ("bad", f"signature refused: {problem}")


def _digest_row(
    directory: Path, path: str, listed: dict[str, str], entries: set[str]
) -> VerificationRow:
    expected = listed[path]
    if path not in entries:
        return _row(path, "missing", "is listed in SHA256SUMS and not there")
    if not is_regular(directory / path):
        return _row(path, "refused", "is not a regular file")
    with (directory / path).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        return _row(path, "changed", f"SHA-256 is {found[:12]}, listed is {expected[:12]}")
    if path == CHECKLIST:
        problem, note = checklist_problem(directory / path, listed), ""
    else:
        problem, note = _bill(directory / path)
    if problem:
        return VerificationRow(path=path, digest="ok", signature="none", detail=problem, ok=False)
    return _row(path, "ok", note)


def _bill(path: Path) -> tuple[str, str]:
    """What is wrong with a bill of materials, or how much it lists; both empty for other files."""
    if path.name.endswith(CYCLONEDX_SUFFIX):
        key = "components"
    elif path.name.endswith(SPDX_SUFFIX):
        key = "packages"
    else:
        return "", ""
    if path.stat().st_size > _DOCUMENT_BYTES:
        return "bill of materials is too large to read", ""
    try:
        parts = json.loads(path.read_bytes())[key]
        # syft's SPDX has one package more: the folder that it looked at.
        count = sum(not str(part.get("SPDXID", "")).startswith(DOCUMENT_ROOT) for part in parts)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "bill of materials cannot be read", ""
    return ("", f"{count} {key}") if count else (f"bill of materials lists no {key}", "")


def _shown(text: str) -> str:
    """Text that may be anybody's, such as a file's name, fit for a terminal and for JSON."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _cause_first(row: VerificationRow) -> int:
    """Sorts what is wrong by what it brings with it.

    Without a list no file is listed. With another key or root every signature is bad, with another
    list every digest; and what other files say of a changed one is no longer so.
    """
    if row.path == SUMS and row.digest == "refused":
        return -1
    causes = (PUBLIC_KEY, IDENTITY_FILE, TRUSTED_ROOT_FILE, SUMS)
    if row.path in causes and row.digest != "extra":
        return causes.index(row.path)
    return len(causes) + (row.digest in ("ok", "unlisted"))


def _row(path: str, digest: _Digest, detail: str = "") -> VerificationRow:
    ok = digest in ("ok", "unlisted")
    return VerificationRow(path=path, digest=digest, signature="none", detail=detail, ok=ok)


def _report(
    directory: Path,
    rows: list[VerificationRow],
    signs: bool,
    pinned: bool,
    root: Path | None,
    identity: CertificateIdentity | None,
) -> VerificationReport:
    own = directory / PUBLIC_KEY
    key = hashlib.sha256(own.read_bytes()).hexdigest() if is_regular(own) else ""
    services, names = _trusted(directory, root)
    rows = [
        row.model_copy(update={"path": _shown(row.path), "detail": _shown(row.detail)})
        for row in rows
    ]
    bad = sorted((row for row in rows if not row.ok), key=_cause_first)
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        summary = f"not verified: {bad[0].path}: {bad[0].detail}{more}"
    elif signs:
        summary = f"verified: {len(rows)} files, digests and signatures good"
        if identity is not None:
            summary += f", signed by {identity}"
        if services == "own":
            summary += f"; by the folder's own {names}"
        if not pinned:
            what = "key" if identity is None else "identity"
            summary += f"; the {what} is the folder's own: whole, but not shown who made it"
    else:
        summary = f"verified: {len(rows)} files, digests good, nothing is signed"
    return VerificationReport(
        directory=str(directory),
        ok=not bad,
        signed=signs and not bad,
        key=key,
        identity=identity,
        pinned=pinned,
        services=services,
        summary=summary,
        rows=tuple(rows),
    )
