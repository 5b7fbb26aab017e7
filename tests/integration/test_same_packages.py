"""Two deliveries of the example shop that share nothing make the same files."""

import subprocess
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.packaging import package_distribution
from activities.source import SourceRequest, fetch_source
from activities.syft import write_bills_of_materials
from regreen.contracts.release import BillOfMaterialsRequest
from regreen.contracts.run import StageRequest
from regreen.contracts.source import Workspace
from tests.e2e.storefront import storefront
from tests.integration.wheel_project import need


async def _made(repository: Path) -> dict[str, str]:
    """Digests of the shop's packages and bills of materials, by name."""
    git = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    commit = subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
    asked = SourceRequest(
        repository="example/storefront", location=str(repository), ref="main", commit=commit
    )
    fetched = await ActivityEnvironment().run(fetch_source, asked)
    workspace = Workspace(source=fetched.source)
    packages = await package_distribution(
        StageRequest(stage="package", workspace=workspace, pipeline=fetched.pipeline)
    )
    assert not packages.problem
    assert packages.findings == ()
    bills = await write_bills_of_materials(
        BillOfMaterialsRequest(
            workspace=workspace, pipeline=fetched.pipeline, wheel=packages.artifacts[0]
        )
    )
    assert bills.state == "passed", bills.summary
    return {ref.name: ref.sha256 for ref in (*packages.artifacts, *bills.artifacts)}


async def test_packages_and_bills_of_materials_have_the_same_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("uv", "syft", "bubblewrap")
    repository = storefront(tmp_path / "storefront")
    made = []
    for state in ("one", "other"):
        monkeypatch.setenv("REGREEN_STATE", str(tmp_path / state))
        made.append(await _made(repository))
    assert len(made[0]) == 4
    assert made[0] == made[1]
