from regreen.tools.debian import own_archives


def _index(address: str, suite: str, component: str = "main") -> str:
    return f"'{address}/dists/{suite}/{component}/binary-amd64/Packages.xz' name 0 \n"


def test_the_archive_with_updates_comes_before_other_vendors() -> None:
    printed = (
        _index("https://vendor.test", "bookworm")
        + _index("http://archive.test/debian", "bookworm")
        + _index("http://archive.test/debian", "bookworm-updates")
        + _index("http://archive.test/security", "bookworm-security")
        + _index("https://other.test", "bookworm", "stable")
    )
    release, security = own_archives(printed, "bookworm")
    assert release == ["http://archive.test/debian", "https://vendor.test"]
    assert security == ["http://archive.test/security"]


def test_a_machine_of_another_release_has_no_archive() -> None:
    assert own_archives(_index("http://archive.test/debian", "trixie"), "bookworm") == ([], [])
    assert own_archives("", "bookworm") == ([], [])
