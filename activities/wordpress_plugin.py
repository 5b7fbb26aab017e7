"""A WordPress plugin: its header and readme checked, and its files in a zip file.

The zip file depends on nothing but the commit: its names are sorted, its times are the commit's.
"""

import os
import zipfile
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from temporalio import activity

from activities.artifact_store import put_file
from activities.git import git
from activities.package_places import commit_time, two_places
from activities.package_scan import PackageFindings, failed
from activities.result_file import is_result
from activities.step_reuse import of_history, reusable
from activities.wordpress_metadata import PluginFile, check_plugin, header_of
from activities.workspace import private_folder
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest
from regreen.errors import UsageError
from regreen.pipeline_file import PackageSection, WordPressSection

_TOOL = "wordpress"
_HEADER_BYTES = 8192

# What people keep beside a plugin to make it, and what no site should serve.
_DEVELOPMENT = (
    ".*",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Gruntfile.js",
    "Makefile",
    "README.md",
    "*.log",
    "*.sh",
    "*.sql",
    "*.zip",
    "__tests__",
    "bin",
    "composer.json",
    "composer.lock",
    "gulpfile.js",
    "node_modules",
    "package-lock.json",
    "package.json",
    "phpcs.xml*",
    "phpstan.neon*",
    "phpunit.xml*",
    "pnpm-lock.yaml",
    "pyproject.toml",
    "regreen.yaml",
    "requirements*.txt",
    "test",
    "tests",
    "tsconfig.json",
    "webpack.config.js",
    "yarn.lock",
)


@activity.defn
@reusable(section="package", tools=(), subject=of_history)
async def package_wordpress_plugin(request: StageRequest) -> Scan:
    """Check the plugin of `package.wordpress` and pack it, from two fresh checkouts.

    What header and readme lack, and versions that disagree, are findings. No plugin, or more than
    one, is a problem.
    """
    section = request.pipeline.package or PackageSection()
    wanted = section.wordpress
    if wanted is None:
        return Scan(gate="packages", tool=_TOOL, nothing_to_do="no WordPress plugin configured")
    findings = PackageFindings(_TOOL)
    async with two_places(request.workspace) as places:
        epoch = int(await commit_time(places[0].copy))
        with private_folder() as folder:
            made: list[dict[str, Path]] = []
            for place in places:
                target = folder / str(place.number)
                target.mkdir()
                try:
                    tracked = await _tracked(place.copy, wanted)
                    plugin = _plugin_file(place.copy, wanted, tracked)
                    packed, left_out = _pack(place.copy, wanted, plugin, tracked, target, epoch)
                except UsageError as error:
                    return failed(_TOOL, str(error))
                made.append({packed.name: packed})
            check_plugin(places[0].copy / wanted.folder, wanted.folder, plugin, findings)
            alike = findings.compare(section, *made)
            with zipfile.ZipFile(packed) as archive:
                amount = f"{len(archive.namelist())} files packed, {left_out} left out"
            stored = await put_file(packed, "application/zip")
            version = plugin.header.get("version", "")
            figures = [f"version {version}"] * bool(version) + [amount]
            figures += ["twice the same bytes"] * alike
            return await findings.scan((stored,), [*figures, "its PHP was not run"])


async def _tracked(copy: Path, wanted: WordPressSection) -> list[str]:
    """Files of the plugin's folder by their paths below it, sorted."""
    base = copy / wanted.folder
    if not base.is_dir() or not base.resolve().is_relative_to(copy.resolve()):
        raise UsageError(f"folder {wanted.folder} not found at this commit")
    listed = await git(["ls-files", "-z", "--", "."], cwd=base)
    return sorted(os.fsdecode(name) for name in listed.split(b"\0") if name)


def _plugin_file(copy: Path, wanted: WordPressSection, tracked: list[str]) -> PluginFile:
    found = []
    for name in tracked:
        path = copy / wanted.folder / name
        if "/" in name or not name.endswith(".php") or not is_result(path):
            continue
        with path.open("rb") as file:
            header = header_of(file.read(_HEADER_BYTES).decode("utf-8", "replace"))
        if "plugin name" in header:
            found.append(PluginFile(name, header))
    if not found:
        raise UsageError(f"no PHP file in {wanted.folder} has a header with `Plugin Name:`")
    if len(found) > 1:
        names = " and ".join(plugin.name for plugin in found[:2])
        raise UsageError(f"both {names} have a header with `Plugin Name:`")
    return found[0]


def _pack(
    copy: Path,
    wanted: WordPressSection,
    plugin: PluginFile,
    tracked: list[str],
    target: Path,
    epoch: int,
) -> tuple[Path, int]:
    """The zip file, and how many files were left out."""
    slug = wanted.slug or plugin.slug
    base = copy / wanted.folder
    patterns = [*_DEVELOPMENT, *wanted.exclude, *_ignored(base)]
    shipped = [name for name in tracked if not _matches(name, patterns)]
    if plugin.name not in shipped:
        raise UsageError(f"{plugin.name}, the plugin's main file, is excluded")
    # A zip file can hold no earlier time than this.
    moment = datetime.fromtimestamp(max(epoch, 315532800), UTC)
    packed = target / f"{slug}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in shipped:
            path = base / name
            if not is_result(path):
                raise UsageError(f"{name} is no regular file and cannot be shipped")
            entry = zipfile.ZipInfo(f"{slug}/{name}", moment.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())
    return packed, len(tracked) - len(shipped)


def _ignored(base: Path) -> list[str]:
    path = base / ".distignore"
    if not is_result(path):
        return []
    lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines()]
    return [line.strip("/") for line in lines if line.strip("/") and not line.startswith("#")]


def _matches(name: str, patterns: list[str]) -> bool:
    parts = name.split("/")
    paths = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    return any(fnmatchcase(each, pattern) for pattern in patterns for each in (*parts, *paths))
