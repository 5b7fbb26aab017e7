"""Packages beside wheel and sdist: a command's, a WordPress plugin, an executable."""

import io
import zipfile
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifact_store import get_bytes
from activities.package_outputs import PackageCommandRequest, package_by_command
from activities.pyinstaller import package_executable
from activities.wordpress_plugin import package_wordpress_plugin
from regreen.pipeline_file import (
    BuildSection,
    ExecutableSection,
    PackageCommandSection,
    PackageSection,
    Pipeline,
    TestSection,
    WordPressSection,
)
from tests.integration.gate_repository import Files, Gate, stage_request, waiving, weighed
from tests.integration.wheel_project import need

MAIN = """\
<?php
/**
 * Plugin Name: Shop Hours
 * Description: Says when the shop is open.
 * Version: 1.2.0
 * License: GPL-2.0-or-later
 * Text Domain: shop-hours
 */
define( 'SHOP_HOURS_VERSION', '1.2.0' );
"""
README = """\
=== Shop Hours ===
Contributors: shop
Tested up to: 6.8
Stable tag: 1.2.0
License: GPL-2.0-or-later

Says when the shop is open.

== Description ==
Stable tag: elsewhere
"""
PLUGIN = {
    "shop-hours.php": MAIN,
    "readme.txt": README,
    "includes/hours.php": "<?php\n",
    "tests/test-hours.php": "<?php\n",
    "assets/node_modules/x/index.js": "",
    ".github/workflows/x.yml": "",
    "composer.json": "{}",
    "notes/private.txt": "",
    ".distignore": "# ours\n/notes\n",
    "package.json": "{}",
}


@pytest.fixture(autouse=True)
def _tools(own_state: Path) -> None:
    need("uv", "bubblewrap")


async def _plugin(folder: Path, files: Files, section: WordPressSection | None = None) -> Gate:
    wanted = section or WordPressSection()
    pipeline = Pipeline(package=PackageSection(wordpress=wanted))
    request = await stage_request(folder, "package", pipeline, [files])
    return await weighed(
        request, await ActivityEnvironment().run(package_wordpress_plugin, request)
    )


async def _command(folder: Path, files: Files, wanted: PackageCommandSection, **more: str) -> Gate:
    # A repository without Python, so that no environment is made.
    pipeline = Pipeline(
        unit=TestSection(command=("true",), report="x.xml"),
        build=BuildSection(network=False),
        package=PackageSection.model_validate({"commands": (wanted,), **more}),
    )
    request = await stage_request(folder, "package", pipeline, [files])
    asked = PackageCommandRequest(stage=request, number=0)
    return await weighed(request, await ActivityEnvironment().run(package_by_command, asked))


async def test_a_plugin_is_packed_without_what_is_for_its_makers(tmp_path: Path) -> None:
    verdict = await _plugin(tmp_path / "plugin", PLUGIN)
    assert verdict.state == "passed", verdict.summary
    assert verdict.summary.endswith(
        "version 1.2.0, 3 files packed, 7 left out, twice the same bytes, its PHP was not run"
    )
    (packed,) = verdict.artifacts
    with zipfile.ZipFile(io.BytesIO(await get_bytes(packed))) as archive:
        assert archive.namelist() == [
            "shop-hours/includes/hours.php",
            "shop-hours/readme.txt",
            "shop-hours/shop-hours.php",
        ]


@pytest.mark.parametrize(
    ("name", "before", "after", "rule", "place", "message"),
    [
        (
            "readme.txt",
            "Stable tag: 1.2.0",
            "Stable tag: 1.1.0",
            "version-mismatch",
            "readme.txt:4",
            "readme.txt says `Stable tag: 1.1.0`, the header `Version: 1.2.0`",
        ),
        (
            "shop-hours.php",
            "'1.2.0'",
            "'1.0'",
            "version-mismatch",
            "shop-hours.php:9",
            "the constant says 1.0, the header's `Version:` 1.2.0",
        ),
        (
            "shop-hours.php",
            " * License: GPL-2.0-or-later\n",
            "",
            "missing-field",
            "shop-hours.php",
            "the plugin's header has no `License:`",
        ),
        (
            "readme.txt",
            "Stable tag: 1.2.0\n",
            "",
            "missing-field",
            "readme.txt",
            "readme.txt has no `Stable tag:`",
        ),
    ],
)
async def test_what_is_wrong_with_a_plugin_is_found(
    tmp_path: Path, name: str, before: str, after: str, rule: str, place: str, message: str
) -> None:
    files = PLUGIN | {name: PLUGIN[name].replace(before, after, 1)}
    verdict = await _plugin(tmp_path / "plugin", files)
    assert verdict.state == "failed"
    (finding,) = verdict.scan.findings
    assert (finding.rule, finding.place, finding.message) == (rule, place, message)


async def test_a_plugin_without_readme_fails_until_that_is_waived(tmp_path: Path) -> None:
    files = {name: text for name, text in PLUGIN.items() if name != "readme.txt"}
    verdict = await _plugin(tmp_path / "plugin", files)
    assert "missing-readme at readme.txt: the plugin has no readme.txt" in verdict.summary
    waived = await _plugin(tmp_path / "waived", files | waiving("missing-readme"))
    assert waived.state == "waived", waived.summary


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"index.php": "<?php\n"}, "no PHP file in . has a header with `Plugin Name:`"),
        ({"a.php": MAIN, "b.php": MAIN}, "both a.php and b.php have a header"),
        ({"shop-hours.php": MAIN, "link.php": Path("/etc/passwd")}, "link.php is no regular file"),
        ({"shop-hours.php": b"\xff\xfe\x00garbage"}, "no PHP file in ."),
    ],
)
async def test_what_is_no_plugin_fails_in_one_line(
    tmp_path: Path, files: Files, problem: str
) -> None:
    verdict = await _plugin(tmp_path / "plugin", files)
    assert verdict.state == "failed"
    assert problem in verdict.summary


async def test_a_command_makes_packages_in_two_places(tmp_path: Path) -> None:
    wanted = PackageCommandSection(
        command=("sh", "-c", "mkdir dist && cp shop.txt dist/shop-1.bin"),
        outputs=("dist/*.bin",),
        smoke=("test", "-s", "shop-1.bin"),
    )
    verdict = await _command(tmp_path / "shop", {"shop.txt": "wares"}, wanted)
    assert verdict.state == "passed", verdict.summary
    assert "smoke run well, twice the same bytes" in verdict.summary
    assert await get_bytes(verdict.artifacts[0]) == b"wares"


async def test_a_path_of_the_build_in_the_package_is_found(tmp_path: Path) -> None:
    wanted = PackageCommandSection(command=("sh", "-c", "pwd > shop.bin"), outputs=("*.bin",))
    verdict = await _command(tmp_path / "shop", {"a": ""}, wanted, reproducible="required")
    assert verdict.state == "failed"
    (finding,) = verdict.scan.findings
    assert (finding.rule, finding.subject) == ("not-reproducible", "shop.bin")
    excused = waiving("not-reproducible")
    waived = await _command(tmp_path / "waived", excused, wanted, reproducible="required")
    assert waived.state == "waived", waived.summary


@pytest.mark.parametrize(
    ("script", "smoke", "problem"),
    [
        ("true", (), "outputs: `*.bin` matches no file after the command"),
        ("ln -s /etc/passwd shop.bin", (), "outputs: `*.bin` matches no file after the command"),
        ("echo no clay >&2; exit 3", (), "`sh` failed: no clay"),
        ("exit 3", (), "`sh` failed: exit code 3 and no output"),
        ("touch shop.bin", ("test", "-s", "shop.bin"), "smoke-run at `test`"),
    ],
)
async def test_a_command_that_makes_nothing_good_fails_in_one_line(
    tmp_path: Path, script: str, smoke: tuple[str, ...], problem: str
) -> None:
    wanted = PackageCommandSection(command=("sh", "-c", script), outputs=("*.bin",), smoke=smoke)
    verdict = await _command(tmp_path / "shop", {"a": ""}, wanted)
    assert verdict.state == "failed"
    assert problem in verdict.summary


@pytest.mark.parametrize("pattern", [".", "dist**"])
async def test_a_pattern_that_is_none_fails_in_one_line(tmp_path: Path, pattern: str) -> None:
    wanted = PackageCommandSection(command=("true",), outputs=(pattern,))
    verdict = await _command(tmp_path / "shop", {"a": ""}, wanted)
    assert verdict.state == "failed"
    assert f"outputs: `{pattern}`" in verdict.summary


async def test_an_executable_starts_and_is_the_same_twice(tmp_path: Path) -> None:
    program = "import sys, wares\nsys.exit('out of stock' if 'sell' in sys.argv else wares.PRICE)\n"
    files = {"app/main.py": program, "app/wares.py": "PRICE = 0\n"}
    wanted = ExecutableSection(script="app/main.py", name="till")
    pipeline = Pipeline(package=PackageSection(executable=wanted))
    request = await stage_request(tmp_path / "good", "package", pipeline, [files])
    scan = await ActivityEnvironment().run(package_executable, request)
    verdict = await weighed(request, scan)
    assert verdict.state == "passed", verdict.summary
    assert verdict.summary.endswith(", it starts, twice the same bytes")

    sells = wanted.model_copy(update={"smoke": ("sell",)})
    pipeline = Pipeline(package=PackageSection(executable=sells))
    request = await stage_request(tmp_path / "till", "package", pipeline, [files])
    scan = await ActivityEnvironment().run(package_executable, request)
    verdict = await weighed(request, scan)
    assert verdict.state == "failed"
    (finding,) = verdict.scan.findings
    assert (finding.rule, finding.message) == ("smoke-run", "till sell: out of stock")
    assert "examined 1 package, till (" in verdict.summary
    assert verdict.summary.endswith("twice the same bytes")
    excused = await stage_request(
        tmp_path / "excused", "package", pipeline, [files | waiving("smoke-run")]
    )
    waived = await weighed(excused, scan)
    assert waived.state == "waived", waived.summary


async def test_a_script_that_is_not_there_fails_at_once(tmp_path: Path) -> None:
    wanted = ExecutableSection(script="main.py", name="till")
    pipeline = Pipeline(package=PackageSection(executable=wanted))
    request = await stage_request(tmp_path / "till", "package", pipeline, [{"a": ""}])
    scan = await ActivityEnvironment().run(package_executable, request)
    assert scan.problem == "main.py not found at this commit"
