"""What has changed between two lists of components."""

from activities.components import Component
from activities.dependency_review import changes_between


def component(name: str, version: str, licence: str = "MIT") -> Component:
    return Component(f"pkg:pypi/{name}@{version}", f"pkg:pypi/{name}", version, licence)


def test_each_kind_of_change_is_told_and_the_known_bad_first() -> None:
    before = [
        component("up", "1.9"),
        component("down", "2.0"),
        component("gone", "1"),
        component("same", "1"),
        component("odd", "one"),
        component("two", "1"),
    ]
    now = [
        component("up", "1.10"),
        component("down", "1.0"),
        component("same", "1"),
        component("odd", "other"),
        component("two", "1"),
        component("two", "2"),
        component("fresh", "1", ""),
        component("bad", "1"),
    ]

    changes = changes_between(before, now, {"pkg:pypi/bad@1": ["CVE-2099-0001"]})

    assert [change.line for change in changes] == [
        "new: bad 1 (MIT); known bad: CVE-2099-0001",
        "new: fresh 1 (licence unknown)",
        "downgraded: down 2.0 to 1.0",
        "changed: odd one to other",
        "changed: two 1 to 1, 2",
        "upgraded: up 1.9 to 1.10",
        "removed: gone 1",
    ]


def test_equal_lists_have_no_changes() -> None:
    assert changes_between([component("a", "1")], [component("a", "1")], {}) == []
