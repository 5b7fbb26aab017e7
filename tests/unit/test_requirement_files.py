"""Which files decide what a repository's environment holds."""

from pathlib import Path

from activities.requirement_files import dependency_files


def _write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_those_at_the_root_and_in_their_folder_count(tmp_path: Path) -> None:
    names = ("pyproject.toml", "requirements-dev.txt", "requirements/test.txt", "shop.py")
    _write(tmp_path, **dict.fromkeys(names, ""))

    assert dependency_files(tmp_path, ()) == [
        "pyproject.toml",
        "requirements-dev.txt",
        "requirements/test.txt",
    ]


def test_configured_ones_count_with_all_that_they_name(tmp_path: Path) -> None:
    _write(
        tmp_path,
        **{
            "services/till/needs.txt": "-r ../../shared/base.txt  # all of us\n-e ../stock[test]\n",
            "shared/base.txt": "--constraint=limits.txt\nidna==3.6\n",
            "shared/limits.txt": "-r base.txt\n",
            "services/stock/pyproject.toml": "",
            "services/other/needs.txt": "",
        },
    )

    assert dependency_files(tmp_path, ["services/till/needs.txt", "gone.txt"]) == [
        "services/stock/pyproject.toml",
        "services/till/needs.txt",
        "shared/base.txt",
        "shared/limits.txt",
    ]


def test_nothing_outside_of_the_repository_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("idna\n")
    root = tmp_path / "shop"
    _write(root, **{"requirements.txt": "-r ../secret.txt\n-r /etc/hostname\n", "deps/a.txt": ""})
    (root / "requirements-link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "requirements-real.txt").symlink_to(root / "deps" / "a.txt")

    assert dependency_files(root, ()) == ["deps/a.txt", "requirements.txt"]
