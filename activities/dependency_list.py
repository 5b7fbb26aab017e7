"""The list of what a repository depends on, made by syft: one bill for all that asks about it.

Python is listed as it is installed in the repository's environment, the tools of its tests
included; JavaScript as the lock files and packages in the tree say, since nothing is installed.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.utils import canonicalize_name
from temporalio import activity

from activities.artifact_store import put_bytes
from activities.bill_schema import schema_problem
from activities.components import components_of
from activities.environment import EnvironmentFailed, environment_of
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import require_isolation
from activities.source_files import regular_files
from activities.syft import (
    CYCLONEDX,
    UnreadableBill,
    encoded_bill,
    list_components,
    normalised_cyclonedx,
    read_bill,
    syft_sandbox,
    unlisted,
)
from activities.workspace import checked_out, private_folder
from regreen.contracts.dependencies import DependencyList
from regreen.contracts.gates import Scan
from regreen.contracts.run import StageRequest
from regreen.tools.locate import find

BILL_FILE = "dependencies.cdx.json"

_MANIFEST = "package.json"
_LOCKS = frozenset({"package-lock.json", "yarn.lock", "pnpm-lock.yaml"})
_INSTALLED = "node_modules"
_JAVASCRIPT_CATALOGERS = ("javascript-lock-cataloger", "javascript-package-cataloger")
_REQUIRING = ("dependencies", "optionalDependencies", "devDependencies")
_LOCAL = ("file:", "link:", "workspace:")
_REMARKS = 10


class _NotListed(Exception):
    """The components could not be listed; the message is one line."""


@activity.defn
async def list_dependencies(request: StageRequest) -> DependencyList:
    """List the components, as a CycloneDX bill that is valid and complete.

    A bill without components, one that leaves out what is installed, and one that is not valid
    are no bills: the scan says what was wrong.
    """
    require_isolation(request.pipeline.sandbox == "required")
    syft = find("syft")
    if syft is None:
        return _without(missing_tool="syft")
    async with checked_out(request.workspace) as copy:
        present = await regular_files(copy)
        manifests = _manifests(copy, present)
        try:
            environment = await environment_of(request.workspace, request.pipeline, copy)
        except EnvironmentFailed as error:
            return _without(problem=f"environment: {error}")
        has_javascript = bool(manifests) or any(PurePosixPath(p).name in _LOCKS for p in present)
        if environment is None and not has_javascript:
            return _without(nothing_to_do="syft: no Python environment and no package.json")
        with private_folder() as folder:
            documents = []
            try:
                if environment is not None:
                    documents.append(await _installed(syft, environment, folder))
                if has_javascript:
                    documents.append(await _locked(syft, copy, folder))
            except _NotListed as error:
                return _without(problem=str(error))
    return await _listed(documents, _own_packages(environment), manifests, present)


async def _listed(
    documents: list[dict[str, Any]],
    own: set[str],
    manifests: dict[str, dict[str, Any]],
    present: list[str],
) -> DependencyList:
    parts = {part["purl"]: part for each in documents for part in each["components"]}
    bill = normalised_cyclonedx(documents[0] | {"components": list(parts.values())})
    problem = await schema_problem("CycloneDX 1.6", bill)
    if problem:
        return _without(problem=f"the list of components is {problem}")
    components = components_of(bill)
    own_names = own | {f"npm/{manifest.get('name')}" for manifest in manifests.values()}
    mine = tuple(each.purl for each in components if f"{each.kind}/{each.name}" in own_names)
    unlocked = _unlocked(manifests, present)
    remarks = tuple(
        f"{path}: no lock file, so its dependencies were not examined"
        for path in unlocked[:_REMARKS]
    )
    foreign = [each for each in components if each.purl not in mine]
    pinned = [path for path in _wanting(manifests) if path not in unlocked]
    if pinned and not any(each.kind == "npm" for each in foreign):
        return _without(problem=f"0 components examined, although {pinned[0]} names some")
    if not foreign and not any(each.kind == "pypi" for each in components):
        return _without(nothing_to_do="syft: no dependencies to examine", remarks=remarks)
    return DependencyList(
        scan=_scan(examined=len(components)),
        bill=await put_bytes(BILL_FILE, encoded_bill(bill), "application/vnd.cyclonedx+json"),
        own=mine,
        remarks=remarks,
    )


async def _installed(syft: Path, environment: Path, folder: Path) -> dict[str, Any]:
    results = folder / "python"
    results.mkdir()
    sandbox = syft_sandbox(syft, results, environment)
    done = await list_components(sandbox, environment, "environment", "0", folder / "python.log")
    document = _document(done, results)
    if not document["components"]:
        raise _NotListed("0 components examined")
    for packages in environment.glob("lib/python*/site-packages"):
        left_out = unlisted(packages, document)
        if left_out:
            raise _NotListed(left_out)
    return document


async def _locked(syft: Path, copy: Path, folder: Path) -> dict[str, Any]:
    results = folder / "javascript"
    results.mkdir()
    sandbox = syft_sandbox(syft, results, workspace=copy)
    log = folder / "javascript.log"
    return _document(
        await list_components(sandbox, copy, "tree", "0", log, _JAVASCRIPT_CATALOGERS), results
    )


def _document(done: Completed, results: Path) -> dict[str, Any]:
    try:
        return normalised_cyclonedx(read_bill(done, results / CYCLONEDX, "components"))
    except UnreadableBill as error:
        raise _NotListed(str(error)) from error


def _manifests(copy: Path, present: list[str]) -> dict[str, dict[str, Any]]:
    """The repository's own `package.json` files by path; what is not a JSON object is empty."""
    found = {}
    for path in present:
        parts = PurePosixPath(path).parts
        if parts[-1] == _MANIFEST and _INSTALLED not in parts:
            found[path] = _object(copy / path)
    return found


def _wanting(manifests: dict[str, dict[str, Any]]) -> list[str]:
    """The manifests that name dependencies of others."""
    found = []
    for path, manifest in manifests.items():
        tables = [manifest.get(key) for key in _REQUIRING]
        wanted = [each for table in tables if isinstance(table, dict) for each in table.values()]
        if any(not str(each).startswith(_LOCAL) for each in wanted):
            found.append(path)
    return found


def _unlocked(manifests: dict[str, dict[str, Any]], present: list[str]) -> list[str]:
    """The manifests whose dependencies no lock file at or above them pins."""
    locked = {PurePosixPath(p).parent for p in present if PurePosixPath(p).name in _LOCKS}
    wanting = _wanting(manifests)
    return [path for path in wanting if not locked & set(PurePosixPath(path).parents)]


def _own_packages(environment: Path | None) -> set[str]:
    """The repository's own Python packages, `pypi/NAME` each: those that are installed editable.

    `direct_url.json` says so (packaging.python.org/specifications/direct-url-data-structure).
    """
    if environment is None:
        return set()
    found = set()
    for path in environment.glob("lib/python*/site-packages/*.dist-info/direct_url.json"):
        directory = _object(path).get("dir_info")
        if isinstance(directory, dict) and directory.get("editable") is True:
            found.add(f"pypi/{canonicalize_name(path.parent.name.partition('-')[0])}")
    return found


def _object(path: Path) -> dict[str, Any]:
    data = read_result(path)
    try:
        found = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _without(remarks: tuple[str, ...] = (), **why: Any) -> DependencyList:
    return DependencyList(scan=_scan(remarks=remarks, **why), remarks=remarks)


def _scan(**found: Any) -> Scan:
    return Scan(gate="dependencies", tool="syft", unit="component", **found)
