"""The example WordPress plugin runs its own line and is packed for a site."""

import zipfile
from pathlib import Path

from tests.e2e.plain_repository import git
from tests.e2e.regreen_program import Program, stage
from tests.e2e.wordpress_plugin import wordpress_plugin


def test_the_plugin_is_tested_scanned_and_packed(hosted: Program, tmp_path: Path) -> None:
    ended = hosted.run("run", wordpress_plugin(tmp_path / "plugin"), "--json")

    assert (ended.code, ended.document["state"]) == (0, "passed"), ended.errors
    assert stage(ended.document, "unit")["summary"].startswith("8 of 8 green")
    assert "version 0.2.0" in stage(ended.document, "package")["summary"]
    # What no tool here can do is not claimed.
    assert stage(ended.document, "package")["summary"].endswith(", its PHP was not run")
    assert stage(ended.document, "coverage")["summary"] == "no test stage measured coverage"
    assert (
        "opengrep: nothing found; examined 3 files" in stage(ended.document, "security")["summary"]
    )
    [packed] = [
        each["path"]
        for each in ended.document["artifacts"]
        if each["name"] == "readable-reading-time.zip"
    ]
    with zipfile.ZipFile(packed) as archive:
        assert sorted(archive.namelist()) == [
            "readable-reading-time/admin/minutes.js",
            "readable-reading-time/admin/settings.js",
            "readable-reading-time/readable-reading-time.php",
            "readable-reading-time/readme.txt",
        ]


def test_versions_that_disagree_block_it(hosted: Program, tmp_path: Path) -> None:
    repository = wordpress_plugin(tmp_path / "plugin")
    readme = repository / "readme.txt"
    readme.write_text(readme.read_text("utf-8").replace("Stable tag: 0.2.0", "Stable tag: 0.1.0"))
    git(repository, "commit", "--quiet", "--all", "--message", "docs: forget the version")

    ended = hosted.run("run", repository, "--json")

    assert (ended.code, ended.document["state"]) == (1, "failed"), ended.errors
    [blocking] = [
        finding
        for gate in stage(ended.document, "package")["gates"]
        for finding in gate["blocking"]
    ]
    assert (blocking["rule"], blocking["path"], blocking["line"]) == (
        "version-mismatch",
        "readme.txt",
        7,
    )
