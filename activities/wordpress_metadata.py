"""What the header of a WordPress plugin and its readme.txt have to say, and whether they agree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from activities.package_scan import PackageFindings
from activities.result_file import is_result, read_result

_FIELD = re.compile(r"^(?:[ \t]*<\?php)?[ \t/*#@]*([A-Za-z][A-Za-z ]{2,40}):[ \t]*(.*?)[ \t*/]*$")
_TITLE = re.compile(r"^\ufeff?=== .+ ===\s*$")
_CONSTANT = re.compile(r"""define\(\s*['"]\w*VERSION['"]\s*,\s*['"]([^'"]+)['"]\s*\)""")
_HEADER_FIELDS = ("Plugin Name", "Description", "Version", "License", "Text Domain")
_README_FIELDS = ("Contributors", "Tested up to", "Stable tag", "License")


@dataclass(frozen=True)
class PluginFile:
    """A plugin's main file."""

    name: str
    header: Mapping[str, str]
    """Its fields, by their names in lower case."""

    @property
    def slug(self) -> str:
        """The name of the plugin's folder on a site."""
        name = self.header.get("text domain") or self.name.removesuffix(".php")
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "plugin"


def header_of(text: str) -> dict[str, str]:
    """Fields of a plugin's header or a readme's, by their names in lower case; the first counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _FIELD.match(line)
        if match and match[2]:
            found.setdefault(match[1].strip().lower(), match[2])
    return found


def check_plugin(base: Path, folder: str, plugin: PluginFile, findings: PackageFindings) -> None:
    """Note what header and readme lack, and versions that disagree.

    `base` is the plugin's folder on this machine, `folder` its path in the repository.
    """
    main = _path(folder, plugin.name)
    for name in _HEADER_FIELDS:
        if not plugin.header.get(name.lower()):
            findings.add(
                "missing-field", f"the plugin's header has no `{name}:`", path=main, subject=name
            )
    version = plugin.header.get("version", "")
    source = (read_result(base / plugin.name) or b"").decode("utf-8", "replace")
    for match in _CONSTANT.finditer(source):
        if version and match[1] != version:
            findings.add(
                "version-mismatch",
                f"the constant says {match[1]}, the header's `Version:` {version}",
                path=main,
                line=source.count("\n", 0, match.start()) + 1,
                subject="constant",
            )
    _check_readme(base, _path(folder, "readme.txt"), version, findings)


def _check_readme(base: Path, shown: str, version: str, findings: PackageFindings) -> None:
    if not is_result(base / "readme.txt"):
        findings.add("missing-readme", "the plugin has no readme.txt", path=shown)
        return
    text = (read_result(base / "readme.txt") or b"").decode("utf-8", "replace")
    lines = text.splitlines()
    if not lines or not _TITLE.match(lines[0]):
        findings.add(
            "missing-field",
            "readme.txt does not begin with `=== Plugin Name ===`",
            path=shown,
            subject="title",
        )
    fields = header_of(text.partition("\n==")[0])
    for name in _README_FIELDS:
        if not fields.get(name.lower()):
            findings.add("missing-field", f"readme.txt has no `{name}:`", path=shown, subject=name)
    stable = fields.get("stable tag", "")
    if stable and version and stable != version:
        line = next(n for n, text in enumerate(lines, 1) if "stable tag" in text.lower())
        findings.add(
            "version-mismatch",
            f"readme.txt says `Stable tag: {stable}`, the header `Version: {version}`",
            path=shown,
            line=line,
            subject="Stable tag",
        )


def _path(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
