"""Getting one Debian package through the machine's own apt, as an ordinary user.

The archive's address comes from apt's configuration; lists and downloads lie in a private
folder; apt checks the archive's signature against Debian's keyring. Nothing is installed into
the system: the package is only unpacked.
"""

import hashlib
import platform
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

from regreen.tools.catalogue import DebianPackage
from regreen.tools.program import ToolFailedError, ToolUnavailableError, run_program

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MAIN_INDEX = re.compile(r"^'(\S+?)/dists/([^/'\s]+)/main/binary-", re.MULTILINE)


def unpack_debian_package(source: DebianPackage, scratch: Path, destination: Path) -> str:
    """Download a package into `scratch`, check it, unpack it into `destination`.

    Returns the package's version. Raises ToolUnavailableError on a machine that is not a Debian
    with apt, ToolFailedError when the download, the signature or the digest is wrong.
    """
    lines = _source_lines(source)
    options = _private_apt(scratch, lines)
    run_program(["apt-get", *options, "-qq", "update"], scratch)
    wanted = f"{source.package}={source.version}" if source.version else source.package
    run_program(["apt-get", *options, "-qq", "download", wanted], scratch)
    archive = next(scratch.glob("*.deb"), None)
    if archive is None:
        raise ToolFailedError(f"apt-get download {wanted} left no package")
    _check_digest(archive, source)
    run_program(["dpkg", "-x", str(archive), str(destination)], scratch)
    return unquote(archive.name.split("_")[1])


def own_archives(update_uris: str, codename: str) -> tuple[list[str], list[str]]:
    """Find a Debian release's archives in what `apt-get update --print-uris` prints.

    Returns the addresses that offer the release's `main`, the likeliest to be Debian's own
    first, and those that offer its security updates. Other vendors name their suites after
    Debian's releases too, but do not offer the `-updates` suite.
    """
    offers: dict[str, set[str]] = {}
    for address, suite in _MAIN_INDEX.findall(update_uris):
        offers.setdefault(address, set()).add(suite)
    release = [address for address, suites in offers.items() if codename in suites]
    release.sort(key=lambda address: f"{codename}-updates" not in offers[address])
    security = [address for address, suites in offers.items() if f"{codename}-security" in suites]
    return release, security


def _source_lines(source: DebianPackage) -> list[str]:
    codename = _debian_codename()
    if codename is None or not _KEYRING.is_file() or not shutil.which("apt-get"):
        raise ToolUnavailableError(
            f"not available: needs Debian's apt; install {source.package} yourself "
            "and put it on PATH"
        )
    release, security = own_archives(
        run_program(["apt-get", "update", "--print-uris"], Path("/")), codename
    )
    if not release:
        raise ToolUnavailableError(
            f"not available: apt has no source for {codename} main; install "
            f"{source.package} yourself and put it on PATH"
        )
    trust = f"deb [signed-by={_KEYRING}]"
    if source.suite:
        return [f"{trust} {release[0]} {source.suite} main"]
    updates = [f"{trust} {address} {codename}-security main" for address in security]
    return [f"{trust} {release[0]} {codename} main", *updates]


def _debian_codename() -> str | None:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return None
    return release.get("VERSION_CODENAME") if release.get("ID") == "debian" else None


def _private_apt(scratch: Path, lines: list[str]) -> list[str]:
    (scratch / "lists" / "partial").mkdir(parents=True)
    (scratch / "archives" / "partial").mkdir(parents=True)
    sources = scratch / "sources.list"
    sources.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": str(sources),
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": str(scratch / "lists"),
        "Dir::Cache": str(scratch),
        "Dir::Cache::archives": str(scratch / "archives"),
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    return [f"-o{key}={value}" for key, value in settings.items()]


def _check_digest(archive: Path, source: DebianPackage) -> None:
    expected = source.digests.get(archive.name)
    if expected is None and source.version is None:
        return
    if expected is None:
        raise ToolFailedError(f"{archive.name} has no pinned digest")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != expected:
        raise ToolFailedError(f"{archive.name} has digest {found}, pinned is {expected}")
