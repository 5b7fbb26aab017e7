"""The search healer on small repositories with one fault each, in the real sandbox."""

from pathlib import Path
from textwrap import dedent

import pytest

from activities.healing.search.engine import search
from tests.integration.faulty_repository import (
    failing_in,
    patched,
    repository,
    request_for,
    run_tests,
)
from tests.integration.single_faults import BUGS


@pytest.mark.parametrize("name", BUGS)
async def test_mends_a_single_fault(name: str, python_environment: Path, tmp_path: Path) -> None:
    bug = BUGS[name]
    folder = repository(tmp_path / "shop", {"shop.py": bug.source, "test_shop.py": bug.tests})
    failing = failing_in(folder, python_environment)
    assert failing
    result = await search(request_for(folder, python_environment, failing, bug))
    assert result.edits, result.explanation
    assert "shop.py:" in result.explanation
    patched(folder, result)
    after = run_tests(folder, python_environment)
    assert after.returncode == 0, after.stdout
    assert (folder / "test_shop.py").read_text() == dedent(bug.tests)
