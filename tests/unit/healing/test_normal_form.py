"""When two patches are the same."""

import pytest

from activities.healing.guard_change import ChangedFile
from activities.healing.normal_form import normal_form

PATCHED = b"def half(n):\n    return n / 2\n"


def changed(after: bytes | None, path: str = "shop.py") -> ChangedFile:
    return ChangedFile(path=path, before=b"def half(n):\n    return n\n", after=after)


@pytest.mark.parametrize(
    "other",
    [
        b"def half(n):\n    # the half\n    return n / 2\n",
        b"def half(n):\r\n    return n/2",
        b"def half( n ):\n\n    return (n / 2)\n",
        b"# coding: latin-1\ndef half(n):\n    return n / 2  # \xe9\n",
    ],
)
def test_comments_blanks_and_the_way_of_writing_do_not_count(other: bytes) -> None:
    assert normal_form([changed(other)]) == normal_form([changed(PATCHED)])


@pytest.mark.parametrize(
    "other",
    [
        [changed(b"def half(n):\n    return n // 2\n")],
        [changed(PATCHED, "other.py")],
        [changed(PATCHED), changed(b"x = 1\n", "other.py")],
        [changed(None)],
        [changed(b"def half(n):\n    return n / 2 '''\n")],
        [],
    ],
)
def test_another_program_is_another_patch(other: list[ChangedFile]) -> None:
    assert normal_form(other) != normal_form([changed(PATCHED)])


def test_the_order_of_files_does_not_count() -> None:
    files = [changed(PATCHED), changed(b"x = 1\n", "other.py")]
    assert normal_form(files) == normal_form(files[::-1])


def test_text_counts_but_for_blanks_at_the_ends_of_its_lines() -> None:
    first, second, third = (changed(text, "a.txt") for text in (b"a\nb\n", b"a  \nb", b"a\n b"))
    assert normal_form([first]) == normal_form([second]) != normal_form([third])


def test_bytes_that_are_no_text_have_a_form() -> None:
    assert normal_form([changed(b"\xff\x00", "a.py")]) != normal_form([changed(b"\xff", "a.txt")])
