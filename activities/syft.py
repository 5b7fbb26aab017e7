"""syft: the bills of materials of a wheel and everything that is installed with it."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifact_store import get_file, put_bytes, put_file
from activities.interpreter import find_interpreter
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

_MISSING = "skipped: {} not found, `regreen tools install`"
_SCAN_SECONDS = 120.0
# The time of making is no property of what is listed, and would change the digest every time.
_TIMESTAMP = datetime.fromtimestamp(0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@activity.defn
@reusable(section="package", tools=("syft", "uv"))
async def write_bills_of_materials(request: BillOfMaterialsRequest) -> StageVerdict:
    """Install the wheel into a folder and list what is there, as CycloneDX and as SPDX.

    syft sees neither version ranges nor the inside of wheels, so the installed tree is what it is
    given. Both documents are normalised: equal contents give equal bytes. No component found is a
    failed verdict.
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
            log = await put_file(done.output, "text/plain")
            summary = f"syft: wheel does not install: {last_error(done.tail(8000))}"
            return StageVerdict(state="failed", summary=summary, artifacts=(log,))
        return await _scanned(syft, tree, name, version, folder)


def syft_sandbox(syft: Path, results: Path, environment: Path | None = None) -> Sandbox:
    """Where syft looks at a tree below `results`, or at `environment`."""
    return Sandbox(
        environment=environment,
        results=results,
        mounts=(Mount(syft, "/tools/syft"),),
        variables={
            "NO_COLOR": "1",
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            # Single files are not components, and launchers differ from machine to machine.
            "SYFT_FILE_METADATA_SELECTION": "none",
            "SYFT_RELATIONSHIPS_PACKAGE_FILE_OWNERSHIP": "false",
        },
    )


async def list_components(
    sandbox: Sandbox, tree: Path, name: str, version: str, output: Path
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
        + ["--override-default-catalogers", "python-installed-package-cataloger"]
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
    if done.code != 0:
        log = await put_file(done.output, "text/plain")
        summary = f"syft: failed: {last_error(done.tail(8000))}"
        return StageVerdict(state="failed", summary=summary, artifacts=(log,))
    listed = normalised_cyclonedx(_document(results / CYCLONEDX))
    count = len(listed["components"])
    if count == 0:
        return StageVerdict(state="failed", summary="syft: 0 components examined")
    stem = f"{name}-{version}"
    artifacts = (
        await put_bytes(
            f"{stem}{CYCLONEDX_SUFFIX}", _encoded(listed), "application/vnd.cyclonedx+json"
        ),
        await put_bytes(
            f"{stem}{SPDX_SUFFIX}",
            _encoded(normalised_spdx(_document(results / SPDX))),
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


def _document(path: Path) -> dict[str, Any]:
    data = read_result(path)
    try:
        document = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ApplicationError(f"syft left no readable {path.name}", type="SyftFailed")
    return document


def _identifier(value: object) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, _text(value))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True)


def _encoded(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=2) + "\n").encode()
