"""Reading what a sandboxed command left: nothing but a regular file of bounded size."""

import os
from pathlib import Path

from activities.result_file import MAXIMUM_BYTES, is_result, read_result


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"{}")
    assert is_result(path)
    assert read_result(path) == b"{}"


def test_a_link_to_a_file_of_this_machine_is_not_read(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.write_text("secret")
    path = tmp_path / "report.json"
    path.symlink_to(private)
    assert not is_result(path)
    assert read_result(path) is None


def test_a_pipe_without_a_writer_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    os.mkfifo(path)
    assert not is_result(path)
    assert read_result(path) is None


def test_a_missing_file_and_a_folder_are_no_results(tmp_path: Path) -> None:
    assert not is_result(tmp_path / "missing")
    assert read_result(tmp_path / "missing") is None
    assert not is_result(tmp_path)
    assert read_result(tmp_path) is None


def test_a_file_past_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.touch()
    os.truncate(path, MAXIMUM_BYTES + 1)
    assert read_result(path) is None
