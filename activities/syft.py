"""syft: the bills of materials of a wheel and everything that is installed with it."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file, put_bytes
from activities.bill_consistency import bill_difference
from activities.bill_schema import schema_problem
from activities.interpreter import find_interpreter
from activities.log_artifact import put_log
from activities.packaging import install_wheel
from activities.process import Completed
from activities.result_file import read_result
from activities.sandbox import Mount, Sandbox, inside, isolation, require_isolation, run_sandboxed
from activities.step_reuse import reusable
from activities.uv import last_error, uv_sandbox
from activities.workspace import private_folder
from regreen.contracts.artifacts import ArtifactRef
from regreen.contracts.release import BillOfMaterialsRequest
from regreen.contracts.run import StageVerdict
from regreen.errors import UsageError
from regreen.tools.locate import find

CYCLONEDX_SUFFIX = ".cdx.json"
SPDX_SUFFIX = ".spdx.json"
CYCLONEDX = "cyclonedx.json"
SPDX = "spdx.json"
PYTHON_CATALOGER = "python-installed-package-cataloger"
"""Finds what is installed."""

_MISSING = "skipped: {} not found, `regreen tools install`"
_SCAN_SECONDS = 120.0
# The time of making is no property of what is listed, and would change the digest every time.
_TIMESTAMP = datetime.fromtimestamp(0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class UnreadableBill(Exception):
    """syft did not do its work; the message is one line."""


@activity.defn
@reusable(section="package", tools=("syft", "uv"))
async def write_bills_of_materials(request: BillOfMaterialsRequest) -> StageVerdict:
    """Install the wheel into a folder and list what is there, as CycloneDX and as SPDX.

    syft sees neither version ranges nor the inside of wheels, so the installed tree is what it is
    given. Both documents are normalised: equal contents give equal bytes. No component found is a
    failed verdict, and so are documents that do not list the same.
    """
    pipeline = request.pipeline
    require_isolation(pipeline.sandbox == "required")
    for tool in ("syft", "uv"):
        if find(tool) is None:
            return StageVerdict(state="skipped", summary=_MISSING.format(tool), missing_tool=tool)
    syft, uv = find("syft"), find("uv")
    assert syft is not None and uv is not None
    name, version = _identity(request.wheel)
    try:
        interpreter = await find_interpreter(pipeline, None)
    except UsageError as error:
        return StageVerdict(state="failed", summary=f"syft: {error}")
    with private_folder() as folder:
        results = folder / "results"
        results.mkdir()
        wheel, tree = results / request.wheel.name, results / "installed"
        await get_file(request.wheel, wheel)
        repository = request.workspace.source.repository
        sandbox = uv_sandbox(uv, interpreter, pipeline, repository, results=results)
        done = await install_wheel(sandbox, uv, interpreter, pipeline, wheel, tree, folder)
        if done.code != 0:
            log = await put_log(done.output)
            summary = f"syft: wheel does not install: {last_error(done.tail(8000))}"
            return StageVerdict(state="failed", summary=summary, artifacts=(log,))
        return await _scanned(syft, tree, name, version, folder)


def syft_sandbox(
    syft: Path, results: Path, environment: Path | None = None, workspace: Path | None = None
) -> Sandbox:
    """Where syft looks at a tree below `results`, at `environment`, or at `workspace`."""
    return Sandbox(
        workspace=workspace,
        environment=environment,
        results=results,
        mounts=(Mount(syft, "/tools/syft"),),
        variables={
            "NO_COLOR": "1",
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            # Single files are not components, and launchers differ from machine to machine.
            "SYFT_FILE_METADATA_SELECTION": "none",
            "SYFT_RELATIONSHIPS_PACKAGE_FILE_OWNERSHIP": "false",
            # Of Python the tools of the tests are listed, too.
            "SYFT_JAVASCRIPT_INCLUDE_DEV_DEPENDENCIES": "true",
        },
    )


async def list_components(
    sandbox: Sandbox,
    tree: Path,
    name: str,
    version: str,
    output: Path,
    catalogers: tuple[str, ...] = (PYTHON_CATALOGER,),
) -> Completed:
    """Write `cyclonedx.json` and `spdx.json` of a tree into the sandbox's results."""
    assert sandbox.results is not None
    (program,) = sandbox.mounts
    isolated = isolation().kind == "bubblewrap"
    cyclonedx, spdx = sandbox.results / CYCLONEDX, sandbox.results / SPDX
    return await run_sandboxed(
        sandbox,
        [program.target if isolated else str(program.source)]
        + ["scan", f"dir:{inside(sandbox, tree)}"]
        + ["--quiet", "--source-name", name, "--source-version", version]
        # Without it, launchers for other systems that tools carry along are listed as products.
        + ["--override-default-catalogers", ",".join(catalogers)]
        + ["--output", f"cyclonedx-json={inside(sandbox, cyclonedx)}"]
        + ["--output", f"spdx-json={inside(sandbox, spdx)}"],
        output=output,
        timeout=_SCAN_SECONDS,
        subject=f"syft: {name} {version}",
    )


async def _scanned(syft: Path, tree: Path, name: str, version: str, folder: Path) -> StageVerdict:
    results = tree.parent
    sandbox = syft_sandbox(syft, results)
    done = await list_components(sandbox, tree, name, version, folder / "syft.log")
    try:
        listed = normalised_cyclonedx(read_bill(done, results / CYCLONEDX, "components"))
        described = normalised_spdx(read_bill(done, results / SPDX, "packages"))
    except UnreadableBill as error:
        log = await put_log(done.output)
        return StageVerdict(state="failed", summary=f"syft: {error}", artifacts=(log,))
    count = len(listed["components"])
    problem = (
        "0 components examined"
        if count == 0
        else unlisted(tree, listed)
        or await schema_problem("CycloneDX 1.6", listed)
        or await schema_problem("SPDX 2.3", described)
        or bill_difference(listed, described)
    )
    if problem:
        return StageVerdict(state="failed", summary=f"syft: {problem}")
    stem = f"{name}-{version}"
    artifacts = (
        await put_bytes(
            f"{stem}{CYCLONEDX_SUFFIX}", encoded_bill(listed), "application/vnd.cyclonedx+json"
        ),
        await put_bytes(
            f"{stem}{SPDX_SUFFIX}",
            encoded_bill(described),
            "application/spdx+json",
        ),
    )
    plural = "" if count == 1 else "s"
    summary = f"syft: {count} component{plural} of {name} {version}, CycloneDX and SPDX"
    return StageVerdict(state="passed", summary=summary, artifacts=artifacts)


def normalised_cyclonedx(document: dict[str, Any]) -> dict[str, Any]:
    """A CycloneDX document whose bytes depend only on what it lists."""
    metadata = dict(document.get("metadata", {}))
    metadata["timestamp"] = _TIMESTAMP
    # The folder that was scanned is how the product was looked at, not what it is; syft makes the
    # reference from the folder's path.
    metadata["component"] = dict(metadata.get("component", {})) | {
        "bom-ref": "product",
        "type": "application",
    }
    components = [part for part in document.get("components", []) if "purl" in part]
    components.sort(key=_text)
    listed = {
        key: value for key, value in document.items() if key not in ("serialNumber", "components")
    } | {"metadata": metadata, "components": components}
    return listed | {"serialNumber": f"urn:uuid:{_identifier(listed)}"}


def normalised_spdx(document: dict[str, Any]) -> dict[str, Any]:
    """An SPDX document of packages whose bytes depend only on what it lists."""
    dropped = ("documentNamespace", "files")
    listed = {key: value for key, value in document.items() if key not in dropped}
    listed["creationInfo"] = dict(document.get("creationInfo", {})) | {"created": _TIMESTAMP}
    listed["packages"] = sorted(document.get("packages", []), key=_text)
    listed["relationships"] = sorted(
        (
            relation
            for relation in document.get("relationships", [])
            if not str(relation.get("relatedSpdxElement")).startswith("SPDXRef-File-")
        ),
        key=_text,
    )
    return listed | {"documentNamespace": f"urn:uuid:{_identifier(listed)}"}


def _identity(wheel: ArtifactRef) -> tuple[str, str]:
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise ApplicationError(
            f"{wheel.name} is not a wheel's file name", type="NotAWheel", non_retryable=True
        ) from error
    return str(name), str(version)


def unlisted(tree: Path, document: dict[str, Any]) -> str:
    """What is installed below a folder and not on its bill, in one line; empty when all is.

    A distribution has a folder `NAME-VERSION.dist-info`
    (packaging.python.org/specifications/recording-installed-packages).
    """
    folders = (path for path in tree.glob("*.dist-info") if path.is_dir())
    installed = {canonicalize_name(path.name.partition("-")[0]) for path in folders}
    listed = {canonicalize_name(str(part.get("name"))) for part in document["components"]}
    left_out = sorted(installed - listed)
    if not left_out:
        return ""
    seen = len(installed) - len(left_out)
    return f"{seen} of {len(installed)} installed packages examined, not {left_out[0]}"


def read_bill(done: Completed, path: Path, parts: str) -> dict[str, Any]:
    """A bill that syft wrote, with its list `parts`. Raises UnreadableBill when it did not."""
    if done.timed_out:
        raise UnreadableBill(f"did not end within {_SCAN_SECONDS:g} s")
    if done.code != 0:
        raise UnreadableBill(f"failed: {last_error(done.tail(8000))}")
    data = read_result(path)
    try:
        document = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        listed = document.get(parts, [])
        if isinstance(listed, list) and all(isinstance(part, dict) for part in listed):
            return document
    raise UnreadableBill(f"left no readable {path.name}")


def _identifier(value: object) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, _text(value))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True)


def encoded_bill(value: object) -> bytes:
    """The bytes of a document, the same for equal ones."""
    return (json.dumps(value, sort_keys=True, indent=2) + "\n").encode()
