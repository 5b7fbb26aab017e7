"""Dependencies: the list, what changed since the last accepted commit, and licences.

The lists are of JavaScript, of which nothing has to be installed, but for one of Python.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from activities import syft
from activities.accepted_dependencies import accept_dependencies
from activities.artifact_store import get_bytes
from activities.dependency_audit import audit_dependencies
from activities.dependency_list import list_dependencies
from activities.dependency_review import review_dependencies
from regreen.contracts.dependencies import (
    AcceptedDependencies,
    DependencyList,
    DependencyRequest,
    DependencyReviewRequest,
)
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import Pipeline
from tests.doubles.advisory_database import Advisory
from tests.doubles.osv_service import osv_service
from tests.integration.gate_repository import Files, Gate, stage_request, waiving, weighed

TESTS = {"command": ["node", "--test"], "report": "report.xml"}
pytestmark = pytest.mark.usefixtures("shared_environments")


def cart(**locked: tuple[str, str | None]) -> dict[str, str]:
    """A package that locks these dependencies: name, version and licence."""
    manifest = {"name": "cart", "version": "1.0.0", "dependencies": dict.fromkeys(locked, "*")}
    packages: dict[str, Any] = {"": manifest}
    for name, (version, licence) in locked.items():
        packages[f"node_modules/{name}"] = {"version": version}
        if licence:
            packages[f"node_modules/{name}"]["license"] = licence
    lock = {"name": "cart", "version": "1.0.0", "lockfileVersion": 3, "packages": packages}
    return {"package.json": json.dumps(manifest), "package-lock.json": json.dumps(lock)}


VALID = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"name": "shop"}},
        "components": [],
    }
)
BEFORE = cart(alpha=("1.0.0", "MIT"), beta=("1.0.0", "ISC"), gone=("1.0.0", "MIT"))
AFTER = cart(alpha=("1.1.0", "MIT"), beta=("0.9.0", "ISC"), fresh=("3.0.0", "GPL-3.0-only"))


async def request_of(folder: Path, *commits: Files, **security: object) -> StageRequest:
    pipeline = Pipeline.model_validate({"unit": TESTS, "security": security})
    return await stage_request(folder, "security", pipeline, commits)


async def reviewed(request: StageRequest, *scans: Scan) -> Gate:
    listed = await list_dependencies(request)
    asked = DependencyReviewRequest(stage=request, listed=listed, scans=scans)
    return await weighed(request, await review_dependencies(asked))


async def accepted_at(request: StageRequest, commit: str) -> None:
    listed = await list_dependencies(request)
    assert listed.bill is not None, listed.scan.problem
    repository = request.workspace.source.repository
    await accept_dependencies(
        AcceptedDependencies(repository=repository, commit=commit, bill=listed.bill)
    )


async def after_accepted(folder: Path, *commits: Files, **security: object) -> StageRequest:
    """A request for the last commit, of which the first one was accepted."""
    first = await request_of(folder / "first", BEFORE)
    request = await request_of(folder / "last", BEFORE, *commits, **security)
    await accepted_at(first, _parent(folder / "last", len(commits)))
    return request


def _parent(repository: Path, generations: int) -> str:
    done = subprocess.run(
        ["git", "rev-parse", f"HEAD~{generations}"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


async def test_changes_since_the_last_accepted_commit_are_told_with_the_known_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await after_accepted(tmp_path, {"README": "not accepted"}, AFTER)
    bad = Advisory("CVE-2099-0005", "fresh", "<4", "4", "CRITICAL", ecosystem="npm")
    with osv_service(bad) as service:
        monkeypatch.setenv("REGREEN_OSV_URL", service.url)
        listed = await list_dependencies(request)
        assert listed.bill is not None
        (scan,) = await audit_dependencies(DependencyRequest(stage=request, bill=listed.bill))
    gate = await reviewed(request, scan)

    assert gate.state == "passed", gate.summary
    base = _parent(tmp_path / "last", 2)
    assert gate.summary == (
        "dependency-review: nothing found; examined 4 components, "
        f"compared with {base[:12]}: 1 new (1 known bad), 1 downgraded, 1 upgraded, 1 removed"
    )
    assert gate.verdict.remarks == (
        "new: fresh 3.0.0 (GPL-3.0-only); known bad: CVE-2099-0005",
        "downgraded: beta 1.0.0 to 0.9.0",
        "upgraded: alpha 1.0.0 to 1.1.0",
        "removed: gone 1.0.0",
    )
    document = json.loads(await get_bytes(gate.artifacts[1]))
    assert document["base"] == base
    assert [change["kind"] for change in document["changes"]] == [
        "new",
        "downgraded",
        "upgraded",
        "removed",
    ]


async def test_a_new_dependency_fails_where_asked_and_can_be_waived(tmp_path: Path) -> None:
    request = await after_accepted(tmp_path / "fails", AFTER, new_dependencies="fail")
    gate = await reviewed(request)
    assert gate.state == "failed"
    (finding,) = gate.verdict.blocking
    assert (finding.rule, finding.subject) == ("new-dependency", "pkg:npm/fresh@3.0.0")
    assert finding.message == "new: fresh 3.0.0 (GPL-3.0-only)"

    waived = {**AFTER, **waiving("new-dependency")}
    request = await after_accepted(tmp_path / "waived", waived, new_dependencies="fail")
    assert (await reviewed(request)).state == "waived"


async def test_without_an_accepted_commit_nothing_is_new(tmp_path: Path) -> None:
    request = await request_of(tmp_path / "first", BEFORE, new_dependencies="fail")
    gate = await reviewed(request)

    assert gate.state == "passed", gate.summary
    assert gate.summary.endswith("no accepted commit to compare with")


@pytest.mark.parametrize(
    ("licences", "rule"),
    [
        ({"deny": ["GPL-3.0-only"]}, "licence-denied"),
        ({"allow": ["MIT", "ISC"]}, "licence-not-allowed"),
        ({"allow": ["mit", "ISC", "GPL-3.0-only"]}, ""),
        ({"deny": ["AGPL-3.0-only"]}, ""),
    ],
)
async def test_a_licence_that_is_not_permitted_fails(
    tmp_path: Path, licences: dict[str, list[str]], rule: str
) -> None:
    gate = await reviewed(await request_of(tmp_path / "shop", AFTER, licences=licences))

    assert gate.state == ("failed" if rule else "passed"), gate.summary
    found = [(each.rule, each.subject) for each in gate.verdict.blocking]
    assert found == ([(rule, "pkg:npm/fresh@3.0.0")] if rule else [])


async def test_an_unknown_licence_is_told_and_blocks_where_some_are_allowed(
    tmp_path: Path,
) -> None:
    files = cart(alpha=("1.0.0", "MIT"), odd=("1.0.0", None))
    told = await reviewed(await request_of(tmp_path / "told", files))
    assert told.state == "passed", told.summary
    assert told.verdict.remarks == ("licence unknown: pkg:npm/odd@1.0.0",)

    allow = {"allow": ["MIT"]}
    blocks = await reviewed(await request_of(tmp_path / "blocks", files, licences=allow))
    assert [each.rule for each in blocks.verdict.blocking] == ["licence-unknown"]
    waived = {**files, **waiving("licence-unknown")}
    assert (await reviewed(await request_of(tmp_path / "w", waived, licences=allow))).state == (
        "waived"
    )


async def listed_of(folder: Path, files: Files) -> DependencyList:
    return await list_dependencies(await request_of(folder, files))


async def test_a_manifest_without_lock_is_not_taken_for_examined(tmp_path: Path) -> None:
    manifest = {"name": "cart", "version": "1.0.0", "dependencies": {"alpha": "^1.0.0"}}
    listed = await listed_of(tmp_path / "shop", {"web/package.json": json.dumps(manifest)})

    assert listed.bill is None
    assert listed.scan.nothing_to_do == "syft: no dependencies to examine"
    assert listed.remarks == (
        "web/package.json: no lock file, so its dependencies were not examined",
    )


async def test_a_lock_that_lists_nothing_of_what_is_named_fails(tmp_path: Path) -> None:
    files = BEFORE | {"package-lock.json": '{"name": "cart", "version": "1", "packages": {}}'}
    listed = await listed_of(tmp_path / "shop", files)

    assert listed.scan.problem == "0 components examined, although package.json names some"


async def test_python_is_listed_as_installed_and_the_project_is_its_own(tmp_path: Path) -> None:
    project = {
        "pyproject.toml": (
            '[build-system]\nrequires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"\n\n'
            '[project]\nname = "till-of-the-test"\nversion = "0.1.0"\n\n'
            '[tool.hatch.build.targets.wheel]\npackages = ["till"]\n'
        ),
        "till/__init__.py": "",
    }
    request = await stage_request(tmp_path / "till", "security", Pipeline(), [project | BEFORE])
    listed = await list_dependencies(request)

    assert listed.bill is not None, listed.scan.problem
    parts = json.loads(await get_bytes(listed.bill))["components"]
    purls = [part["purl"] for part in parts]
    assert "pkg:npm/alpha@1.0.0" in purls
    assert any(purl.startswith("pkg:pypi/pytest@") for purl in purls)
    assert listed.own == ("pkg:npm/cart@1.0.0", "pkg:pypi/till-of-the-test@0.1.0")
    again = await list_dependencies(request)
    assert again.bill == listed.bill


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("echo out of memory; exit 137", "failed: out of memory"),
        ("echo garbage > $REPORT", "left no readable cyclonedx.json"),
        ("printf '{\"components\": [3]}' > $REPORT", "left no readable cyclonedx.json"),
        ("exit 0", "left no readable cyclonedx.json"),
        ("sleep 60", "did not end within 2 s"),
        (f"printf '{VALID}' > $REPORT", "0 components examined, although package.json names some"),
        ('printf \'{"components": [{"purl": "pkg:npm/a@1"}]}\' > $REPORT', "is not CycloneDX"),
    ],
)
async def test_a_lister_that_misbehaves_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, reason: str
) -> None:
    broken = tmp_path / "syft"
    output = 'for A in "$@"; do [ "${A#cyclonedx-json=}" = "$A" ] || REPORT="${A#*=}"; done'
    broken.write_text(f"#!/bin/sh\n{output}\n{behaviour}\n")
    broken.chmod(0o755)
    monkeypatch.setattr("activities.dependency_list.find", lambda name: broken)
    monkeypatch.setattr("activities.syft._SCAN_SECONDS", 2.0)
    listed = await listed_of(tmp_path / "shop", BEFORE)
    assert listed.bill is None
    assert reason in listed.scan.problem


async def test_what_is_installed_and_not_listed_is_told(tmp_path: Path) -> None:
    for name in ("idna-3.10.dist-info", "tiny_shop-1.0.dist-info"):
        (tmp_path / name).mkdir()
    document = {"components": [{"name": "Tiny.Shop"}]}
    assert syft.unlisted(tmp_path, document) == "1 of 2 installed packages examined, not idna"
    listed = {"components": [{"name": "Tiny.Shop"}, {"name": "idna"}]}
    assert syft.unlisted(tmp_path, listed) == ""
