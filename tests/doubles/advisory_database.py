"""A database of advisories as trivy reads it, with advisories of the test's own making.

No registry holds trivy's database. It is a bbolt file: pages of 4096 bytes, two of them with meta
data, one with the list of free pages, and one leaf for each bucket, which may be longer than a page
(go.etcd.io/bbolt, `internal/common`). Buckets: `data-source`, `vulnerability`, and one for each
source with a bucket for each package.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_PAGE = 4096
_META, _FREE, _LEAF = 4, 16, 2
_SOURCES = {"PyPI": "pip::GitHub Security Advisory Pip", "npm": "npm::GitHub Security Advisory npm"}

Bucket = Mapping[str, "Bucket | bytes"]


@dataclass(frozen=True)
class Advisory:
    """One vulnerability of the versions of a package."""

    name: str
    package: str
    vulnerable: str
    """Such as `<0.2.0`."""
    fixed: str
    severity: str
    title: str = "a bad thing"
    ecosystem: str = "PyPI"
    """`PyPI` or `npm`."""
    osv: str = ""
    """OSV's own name of it, of which `name` is an alias then."""


def advisory_database(folder: Path, *advisories: Advisory, age: timedelta = timedelta()) -> Path:
    """Write `db/trivy.db` and `db/metadata.json`; returns the folder, which is a cache of trivy."""
    sources: dict[str, dict[str, dict[str, Bucket | bytes]]] = {}
    details: dict[str, Bucket | bytes] = {}
    for each in advisories:
        versions = {"PatchedVersions": [each.fixed], "VulnerableVersions": [each.vulnerable]}
        packages = sources.setdefault(_SOURCES[each.ecosystem], {})
        packages.setdefault(each.package, {})[each.name] = json.dumps(versions).encode()
        levels = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")
        detail = {
            "Title": each.title,
            "Severity": each.severity,
            "VendorSeverity": {"ghsa": levels.index(each.severity)},
        }
        details[each.name] = json.dumps(detail).encode()
    source = {"ID": "ghsa", "Name": "Advisories of a test", "URL": "https://example.invalid/"}
    root: Bucket = {
        "data-source": {name: json.dumps(source).encode() for name in _SOURCES.values()},
        **sources,
        "vulnerability": details,
    }
    database = folder / "db"
    database.mkdir(parents=True)
    (database / "trivy.db").write_bytes(_file(root))
    made = datetime.now(UTC) - age
    times = {"UpdatedAt": made, "DownloadedAt": made, "NextUpdate": made + timedelta(days=1)}
    written = {name: time.isoformat().replace("+00:00", "Z") for name, time in times.items()}
    (database / "metadata.json").write_text(json.dumps({"Version": 2, **written}))
    return folder


def _file(root: Bucket) -> bytes:
    pages: list[bytes] = [b"", b"", _page(2, _FREE, 0, b"")]
    first = _bucket(root, pages)
    end = len(b"".join(pages[2:])) // _PAGE + 2
    for number in (0, 1):
        meta = struct.pack("<IIII", 0xED0CDAED, 2, _PAGE, 0)
        meta += struct.pack("<QQQQQ", first, 0, 2, end, number)
        pages[number] = _page(number, _META, 0, meta + struct.pack("<Q", _checksum(meta)))
    return b"".join(pages)


def _bucket(bucket: Bucket, pages: list[bytes]) -> int:
    """Add a bucket's pages, those of its buckets first; returns the number of its first page."""
    items = []
    for key in sorted(bucket, key=str.encode):
        value = bucket[key]
        if isinstance(value, bytes):
            items.append((0, key.encode(), value))
        else:
            items.append((1, key.encode(), struct.pack("<QQ", _bucket(value, pages), 0)))
    heads, data, size = b"", b"", 16
    for index, (kind, key, value) in enumerate(items):
        position = size * len(items) + len(data) - size * index
        heads += struct.pack("<IIII", kind, position, len(key), len(value))
        data += key + value
    number = len(b"".join(pages[2:])) // _PAGE + 2
    pages.append(_page(number, _LEAF, len(items), heads + data))
    return number


def _page(number: int, kind: int, count: int, body: bytes) -> bytes:
    needed = -(-(16 + len(body)) // _PAGE)
    head = struct.pack("<QHHI", number, kind, count, needed - 1)
    return (head + body).ljust(needed * _PAGE, b"\0")


def _checksum(data: bytes) -> int:
    """FNV-1a with 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value
