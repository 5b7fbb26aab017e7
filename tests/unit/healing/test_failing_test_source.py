"""What the guard reads of the failing tests themselves."""

from pathlib import Path

from activities.heal_guard import failing_test

TEXT = "def test_price():\n    assert price('lamp') == 917\n"


def test_the_function_is_found_by_its_node_id(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(TEXT, encoding="utf-8")

    assert "917" in failing_test(tmp_path, "test_a.py::test_price[one]")
    assert "917" in failing_test(tmp_path, "test_a.py::TestPrices::test_price")
    assert failing_test(tmp_path, "test_a.py::test_other") == ""


def test_what_is_no_python_file_of_the_repository_is_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "repository"
    inside.mkdir()
    (tmp_path / "test_a.py").write_text(TEXT, encoding="utf-8")
    (inside / "test_b.py").symlink_to(tmp_path / "test_a.py")
    (inside / "cart.test.js").write_text("test_price", encoding="utf-8")
    (inside / "test_c.py").write_bytes(b"\xff")

    assert failing_test(inside, "../test_a.py::test_price") == ""
    assert failing_test(inside, "test_b.py::test_price") == ""
    assert failing_test(inside, "cart.test.js::test_price") == ""
    assert failing_test(inside, "test_c.py::test_price") == ""
    assert failing_test(inside, "missing.py::test_price") == ""
