"""Workspaces: the same tree from (source, patches) anywhere, whatever the files hold."""

import asyncio
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.artifact_store import local_path, put_bytes
from activities.workspace import checked_out, patch_of, private_folder, sweep
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.source import Workspace
from regreen.pipeline_file import Pipeline
from regreen.settings import load_settings
from tests.integration.gate_repository import Files, stage_request

pytestmark = pytest.mark.usefixtures("own_state")

BINARY = bytes(range(256)) * 4
TREE: Files = {
    "plain.txt": "one\ntwo\nthree\n",
    "windows.txt": b"one\r\ntwo\r\nthree\r\n",
    "no-newline.txt": "one\ntwo",
    "data.bin": BINARY,
    "src/deep/mödule.py": "VALUE = 1\n",
    "link": Path("plain.txt"),
    ".gitignore": "*.ignored\n",
}


async def _workspace(folder: Path, *commits: Files) -> Workspace:
    request = await stage_request(folder / "repository", "unit", Pipeline(), commits or (TREE,))
    return request.workspace


async def _patched(workspace: Workspace, name: str = "heal.patch") -> Workspace:
    """A patch that changes, adds and deletes text, binary and CRLF files."""
    async with checked_out(workspace) as copy:
        (copy / "plain.txt").write_bytes(b"one\n2\nthree\n")
        (copy / "windows.txt").write_bytes(b"one\r\n2\r\nthree\r\n")
        (copy / "no-newline.txt").write_bytes(b"one\n2")
        (copy / "data.bin").write_bytes(BINARY[::-1])
        (copy / "new").mkdir()
        (copy / "new" / "file.py").write_bytes(b"NEW = True\r\n")
        (copy / "new.bin").write_bytes(b"\0\1\2")
        (copy / "src/deep/mödule.py").unlink()
        (copy / "cache.ignored").write_text("not part of the change")
        return workspace.with_patch(await put_bytes(name, await patch_of(copy)))


def _content(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if ".git" in name.parts or path.is_dir():
            continue
        mode = stat.S_IMODE(path.lstat().st_mode)
        data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        found[str(name)] = f"{mode:o} {hashlib.sha256(data).hexdigest()}"
    return found


async def test_a_source_is_checked_out_to_the_byte(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path)

    async with checked_out(workspace) as copy:
        assert (copy / "windows.txt").read_bytes() == b"one\r\ntwo\r\nthree\r\n"
        assert (copy / "data.bin").read_bytes() == BINARY
        assert (copy / "link").readlink() == Path("plain.txt")
        assert _content(copy) == _content(tmp_path / "repository")


async def test_a_copy_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path)

    async with checked_out(workspace) as one, checked_out(workspace) as other:
        (one / "plain.txt").write_text("scribbled")
        (one / "made.txt").write_text("made")
        assert (other / "plain.txt").read_text() == "one\ntwo\nthree\n"
        assert not (other / "made.txt").exists()

    assert not one.exists()
    assert not other.exists()
    async with checked_out(workspace) as later:
        assert (later / "plain.txt").read_text() == "one\ntwo\nthree\n"


async def test_patches_carry_text_binary_line_ends_new_and_deleted_files(tmp_path: Path) -> None:
    workspace = await _patched(await _workspace(tmp_path))

    async with checked_out(workspace) as copy:
        assert (copy / "plain.txt").read_bytes() == b"one\n2\nthree\n"
        assert (copy / "windows.txt").read_bytes() == b"one\r\n2\r\nthree\r\n"
        assert (copy / "no-newline.txt").read_bytes() == b"one\n2"
        assert (copy / "data.bin").read_bytes() == BINARY[::-1]
        assert (copy / "new" / "file.py").read_bytes() == b"NEW = True\r\n"
        assert (copy / "new.bin").read_bytes() == b"\0\1\2"
        assert not (copy / "src/deep/mödule.py").exists()
        assert not (copy / "cache.ignored").exists()
        assert await patch_of(copy) == b"", "the base of the next patch is the patched tree"


async def test_patches_are_applied_in_order(tmp_path: Path) -> None:
    workspace = await _patched(await _workspace(tmp_path))
    async with checked_out(workspace) as copy:
        (copy / "plain.txt").write_bytes(b"one\n2\n3\n")
        second = await put_bytes("second.patch", await patch_of(copy))

    async with checked_out(workspace.with_patch(second)) as copy:
        assert (copy / "plain.txt").read_bytes() == b"one\n2\n3\n"
    wrong = workspace.model_copy(update={"patches": (second, *workspace.patches)})
    with pytest.raises(ApplicationError, match=r"patch second\.patch does not apply"):
        async with checked_out(wrong):
            pytest.fail("the second patch needs the first")


async def test_another_machine_gets_the_same_tree(
    tmp_path: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = await _patched(await _workspace(tmp_path))
    async with checked_out(workspace) as copy:
        here = _content(copy)
    monkeypatch.setenv("REGREEN_ARTIFACTS", (own_state / "artifacts").as_uri())
    monkeypatch.setenv("REGREEN_STATE", str(tmp_path / "another"))
    # A user's own git configuration must not change a byte.
    (tmp_path / "gitconfig").write_text(
        "[core]\nautocrlf = true\neol = crlf\n[apply]\nwhitespace=fix\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    (tmp_path / "repository").rename(tmp_path / "moved")

    async with checked_out(workspace) as copy:
        assert copy.is_relative_to(tmp_path / "another")
        assert _content(copy) == here


async def test_many_at_once_get_the_same_tree(tmp_path: Path) -> None:
    workspace = await _patched(await _workspace(tmp_path))

    async def content() -> dict[str, str]:
        async with checked_out(workspace) as copy:
            return _content(copy)

    found = await asyncio.gather(*(content() for _ in range(6)))

    assert all(each == found[0] for each in found)


async def test_a_patch_that_does_not_apply_is_refused_for_good(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path)
    patch = b"--- a/plain.txt\n+++ b/plain.txt\n@@ -1 +1 @@\n-other\n+text\n"

    for content in (patch, b"not a patch at all\n"):
        broken = workspace.with_patch(await put_bytes("broken.patch", content))
        with pytest.raises(ApplicationError, match=r"patch broken\.patch does not apply") as raised:
            async with checked_out(broken):
                pytest.fail("it does not apply")
        assert raised.value.type == "PatchRejected"
        assert raised.value.non_retryable


async def test_a_patch_cannot_write_outside_the_workspace(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path)
    patch = (
        b"diff --git a/../../outside b/../../outside\nnew file mode 100644\n"
        b"--- /dev/null\n+++ b/../../outside\n@@ -0,0 +1 @@\n+x\n"
    )

    with pytest.raises(ApplicationError) as raised:
        async with checked_out(workspace.with_patch(await put_bytes("p", patch))):
            pytest.fail("it does not apply")

    assert raised.value.type == "PatchRejected"
    assert not list(tmp_path.rglob("outside"))


async def test_a_patch_cannot_write_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    workspace = await _workspace(tmp_path, {"out": tmp_path / "target", "a.txt": "a\n"})
    patch = (
        b"diff --git a/out/made b/out/made\nnew file mode 100644\n"
        b"--- /dev/null\n+++ b/out/made\n@@ -0,0 +1 @@\n+x\n"
    )

    with pytest.raises(ApplicationError) as raised:
        async with checked_out(workspace.with_patch(await put_bytes("p", patch))):
            pytest.fail("it does not apply")

    assert raised.value.type == "PatchRejected"
    assert list((tmp_path / "target").iterdir()) == []


async def test_a_bundle_with_another_tree_is_corrupt(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path)
    source = workspace.source.model_copy(update={"tree": "0" * 40})

    with pytest.raises(ApplicationError, match="expected 000000000000") as raised:
        async with checked_out(Workspace(source=source)):
            pytest.fail("another tree")

    assert raised.value.type == "SourceCorrupt"
    assert raised.value.non_retryable


async def test_a_damaged_bundle_is_found_out_before_git_sees_it(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path)
    path = local_path(workspace.source.bundle, load_settings().artifacts_url)
    assert path is not None
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)

    with pytest.raises(ApplicationError) as raised:
        async with checked_out(workspace):
            pytest.fail("damaged")

    assert raised.value.type == "ArtifactCorrupt"


async def test_something_that_is_no_bundle_fails(tmp_path: Path) -> None:
    workspace = await _workspace(tmp_path)
    ref: ArtifactRef = await put_bytes("source.bundle", b"no bundle")
    source = workspace.source.model_copy(update={"bundle": ref})

    with pytest.raises(ApplicationError, match="git fetch") as raised:
        async with checked_out(Workspace(source=source)):
            pytest.fail("no bundle")

    assert raised.value.type == "GitFailed"


async def test_hooks_and_filters_of_the_repository_are_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    workspace = await _workspace(
        tmp_path,
        {
            ".gitattributes": "* filter=evil diff=evil\n",
            ".gitconfig": f'[filter "evil"]\nsmudge = touch {mark}\n',
            "hooks/post-checkout": f"#!/bin/sh\ntouch {mark}\n",
            "a.txt": "a\n",
        },
    )

    async with checked_out(workspace) as copy:
        (copy / "a.txt").write_text("b\n")
        assert b"+b" in await patch_of(copy)

    assert not mark.exists()


def test_what_dead_processes_left_is_swept_and_nothing_else(own_state: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    work = own_state / "work"
    for name in (f"{ended.pid}-abc", f"{os.getpid()}-abc", "notes"):
        (work / name).mkdir(parents=True)
    with private_folder() as ours:
        sweep()

        assert ours.is_dir()
        assert sorted(path.name for path in work.iterdir()) == sorted(
            [f"{os.getpid()}-abc", "notes", ours.name]
        )
    assert not ours.exists()
