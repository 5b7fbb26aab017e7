import pytest

from regreen.errors import UsageError
from regreen.tools.catalogue import TOOLS, describe
from regreen.tools.pins import read_pins


def test_every_wheel_is_pinned_with_digests() -> None:
    pins = read_pins()
    wheels = {tool.wheel.distribution for tool in TOOLS if tool.wheel}
    assert wheels == set(pins)
    for pin in pins.values():
        assert "--hash=sha256:" in pin.requirement
        assert f"=={pin.version}" in pin.requirement


def test_every_environment_is_pinned_with_digests_of_all_that_is_in_it() -> None:
    environments = [tool.environment for tool in TOOLS if tool.environment]
    assert environments
    for environment in environments:
        pins = read_pins(environment.lock)
        assert len(pins) > 1
        assert environment.distribution in pins
        for pin in pins.values():
            assert "--hash=sha256:" in pin.requirement


def test_every_exact_debian_version_has_a_digest() -> None:
    exact = [package for tool in TOOLS for package in tool.packages if package.version]
    assert exact
    for package in exact:
        assert package.version is not None
        assert all(package.version in name for name in package.digests)
        assert all(len(digest) == 64 for digest in package.digests.values())
        assert package.digests


def test_a_tool_is_known_by_its_executable_too() -> None:
    assert describe("bwrap") is describe("bubblewrap")


@pytest.mark.parametrize(("name", "hint"), [("cosing", "did you mean `cosign`?"), ("zz", "known")])
def test_an_unknown_tool_is_refused_with_a_way_out(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"unknown tool `{name}`") as refused:
        describe(name)
    assert hint in str(refused.value)
