"""Versions and notes from conventional commits."""

import pytest
from packaging.version import Version

from activities.conventional_commits import Change, read_change
from activities.release_notes import release_notes
from activities.versioning import built_version, next_version, pre_release, spelled
from regreen.contracts.artifacts import ArtifactRef


def _changes(*messages: str) -> list[Change]:
    return [read_change(f"{number:040x}", message) for number, message in enumerate(messages)]


@pytest.mark.parametrize(
    ("message", "section", "scope", "text", "breaking"),
    [
        ("feat: sell tea", "Features", "", "sell tea", ""),
        ("fix(cart): add up", "Fixes", "cart", "add up", ""),
        ("perf: be quick", "Performance", "", "be quick", ""),
        ("docs: explain", "Other", "", "explain", ""),
        ("feat!: sell only tea", "Features", "", "sell only tea", "sell only tea"),
        ("refactor(api)!: drop v1", "Other", "api", "drop v1", "drop v1"),
        ("fix: x\n\nBREAKING CHANGE: y is gone", "Fixes", "", "x", "y is gone"),
        ("fix: x\n\nBREAKING-CHANGE: y is gone", "Fixes", "", "x", "y is gone"),
        ("fix: x\n\nnot a BREAKING CHANGE: at all", "Fixes", "", "x", ""),
        ("FEAT: loud", "Features", "", "loud", ""),
        ("Merge things", "Other", "", "Merge things", ""),
        ("feature request: tea", "Other", "", "feature request: tea", ""),
        ("feat:no space", "Other", "", "feat:no space", ""),
        ("", "Other", "", "", ""),
    ],
)
def test_commit_messages_are_read(
    message: str, section: str, scope: str, text: str, breaking: str
) -> None:
    assert read_change("c" * 40, message) == Change("c" * 40, section, scope, text, breaking)


@pytest.mark.parametrize(
    ("previous", "messages", "package", "version", "bump"),
    [
        ("1.2.3", ["fix: a"], None, "1.2.4", "patch"),
        ("1.2.3", ["perf: a"], None, "1.2.4", "patch"),
        ("1.2.3", ["fix: a", "feat: b"], None, "1.3.0", "minor"),
        ("1.2.3", ["feat: a", "fix!: b"], None, "2.0.0", "major"),
        ("0.2.3", ["feat!: a"], None, "0.3.0", "minor"),
        ("0.2.3", ["fix: a"], None, "0.2.4", "patch"),
        ("1.2.3", ["docs: a"], None, "1.2.4", "patch"),
        ("1.2.3", [], None, "1.2.4", "patch"),
        ("1!1.2.3", ["fix: a"], None, "1!1.2.4", "patch"),
        ("1!1.2.3", ["feat: a"], None, "1!1.3.0", "minor"),
        ("1!1.2.3", ["fix!: a"], None, "1!2.0.0", "major"),
        (None, ["feat: a"], None, "0.1.0", "initial"),
        (None, ["feat: a"], "3.1.0", "3.1.0", "initial"),
        ("1.2.3", ["fix: a"], "1.5.0", "1.5.0", "package"),
        ("1.2.3", ["fix: a"], "1.2.3", "1.2.4", "patch"),
        ("1.2.3", ["feat: a"], "0.9.0", "1.3.0", "minor"),
    ],
)
def test_the_next_version(
    previous: str | None, messages: list[str], package: str | None, version: str, bump: str
) -> None:
    found = next_version(
        Version(previous) if previous else None,
        _changes(*messages),
        Version(package) if package else None,
    )
    assert (found.version, found.bump) == (Version(version), bump)


def test_versions_of_other_branches_are_passed_by() -> None:
    taken = [Version("1.2.4"), Version("1.2.5"), Version("9.0.0")]
    changes = _changes("fix: a")
    found = next_version(Version("1.2.3"), changes, None, taken)
    assert (found.version, found.bump) == (Version("1.2.6"), "patch")


def test_the_packages_own_version_is_not_changed_for_a_tag_elsewhere() -> None:
    taken = [Version("2.0.0")]
    found = next_version(Version("1.0.0"), _changes("fix: a"), Version("2.0.0"), taken)
    assert (found.version, found.bump) == (Version("2.0.0"), "package")


def test_notes_are_in_sections_with_hashes() -> None:
    changes = _changes(
        "feat(tea): sell tea", "fix: add up", "chore: tidy", "feat!: drop coffee", "perf: hurry"
    )
    notes = release_notes("shop 2.0.0", "v1.0.0", changes, ["the sum was off by one"], ["look"])
    assert notes == (
        "# shop 2.0.0\n\n5 commits since v1.0.0.\n\nNote: look\n"
        "\n## Heals\n\n- the sum was off by one\n"
        "\n## Breaking\n\n- drop coffee (0000000)\n"
        "\n## Features\n\n- **tea:** sell tea (0000000)\n- drop coffee (0000000)\n"
        "\n## Fixes\n\n- add up (0000000)\n"
        "\n## Performance\n\n- hurry (0000000)\n"
        "\n## Other\n\n- tidy (0000000)\n"
    )


def test_foreign_text_is_no_markup_and_stays_on_its_line() -> None:
    (change,) = _changes("feat: <img src=x> [click](javascript:x) `code`")
    notes = release_notes("shop 1.0.0", None, [change], ["one\n\n# Title\n<b>"])
    assert "First release, 1 commit." in notes
    assert "\\<img src=x> \\[click\\](javascript:x) \\`code\\`" in notes
    assert "- one # Title \\<b>\n" in notes


def test_long_history_is_cut() -> None:
    notes = release_notes("shop 1.0.0", None, _changes(*(f"fix: {n}" for n in range(250))))
    assert notes.count("\n- ") == 201
    assert "- and 50 more" in notes


@pytest.mark.parametrize(
    ("names", "version"),
    [
        (["shop-1.2.tar.gz", "shop-1.2-py3-none-any.whl"], "1.2"),
        (["shop-1.2+local.3-py3-none-any.whl"], "1.2"),
        (["notes.txt", "nonsense.whl"], None),
        ([], None),
    ],
)
def test_the_built_version_is_in_the_wheels_name(names: list[str], version: str | None) -> None:
    packages = [ArtifactRef(name=name, sha256="0" * 64, bytes=1) for name in names]
    assert built_version(packages) == (Version(version) if version else None)


@pytest.mark.parametrize(
    ("base", "identifier", "taken", "version", "semver"),
    [
        ("1.2.0", "rc", [], "1.2.0rc1", "1.2.0-rc.1"),
        ("1.2.0", "rc", ["1.2.0rc1", "1.2.0-rc.9", "1.2.0b12"], "1.2.0rc10", "1.2.0-rc.10"),
        ("1.2.0", "alpha", ["1.3.0a4", "1.2.0a1"], "1.2.0a2", "1.2.0-alpha.2"),
        ("1.2", "beta", ["1.2.0b1"], "1.2b2", "1.2.0-beta.2"),
        ("1.2.0", "dev", ["1.2.0.dev3", "1.2.0rc4.dev7"], "1.2.0.dev4", "1.2.0-dev.4"),
    ],
)
def test_pre_releases_count_on_in_both_spellings(
    base: str, identifier: str, taken: list[str], version: str, semver: str
) -> None:
    found = pre_release(Version(base), identifier, map(Version, taken))
    assert spelled(found, python=True) == version
    assert spelled(found, python=False) == semver
    assert Version(semver) == found
