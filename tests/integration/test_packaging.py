"""The package stage with the real uv and real build back ends."""

import io
import zipfile
from pathlib import Path

import pytest

from activities.artifact_store import get_bytes
from activities.packaging import package_distribution
from regreen.contracts.run import StageRequest
from regreen.pipeline_file import PackageSection, Pipeline
from tests.integration.gate_repository import Gate, waiving, weighed
from tests.integration.wheel_project import FILES, need, repository, workspace


@pytest.fixture(autouse=True)
def _tools(own_state: Path) -> None:
    need("uv", "bubblewrap")


async def _package(folder: Path, files: dict[str, str], pipeline: Pipeline | None = None) -> Gate:
    source = await workspace(repository(folder, files))
    request = StageRequest(stage="package", workspace=source, pipeline=pipeline or Pipeline())
    return await weighed(request, await package_distribution(request))


async def test_wheel_and_sdist_are_built_and_the_same_again(tmp_path: Path) -> None:
    first = await _package(tmp_path / "first", FILES)
    again = await _package(tmp_path / "again", FILES)
    assert first.state == "passed", first.summary
    wheel, sdist = first.artifacts
    assert (wheel.name, sdist.name) == (
        "tiny_shop-0.2.0-py3-none-any.whl",
        "tiny_shop-0.2.0.tar.gz",
    )
    with zipfile.ZipFile(io.BytesIO(await get_bytes(wheel))) as archive:
        assert "tiny_shop/__init__.py" in archive.namelist()
        assert archive.getinfo("tiny_shop/__init__.py").date_time == (2023, 11, 14, 22, 13, 20)
    assert first.artifacts == again.artifacts


async def test_repository_without_build_system_is_skipped(tmp_path: Path) -> None:
    verdict = await _package(tmp_path / "plain", {"pyproject.toml": "[tool.ruff]\n"})
    assert (verdict.state, verdict.summary) == (
        "skipped",
        "package: no pyproject.toml to build from",
    )


async def test_failing_back_end_fails_with_its_last_error(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nraise RuntimeError('the shop is on fire')\n"
    verdict = await _package(tmp_path / "broken", {"setup.py": setup})
    assert verdict.state == "failed"
    assert "RuntimeError: the shop is on fire" in verdict.summary
    assert verdict.artifacts[0].name == "build.log"


async def test_wheel_whose_requirement_does_not_exist_fails_to_install(tmp_path: Path) -> None:
    files = dict(FILES)
    files["pyproject.toml"] = files["pyproject.toml"].replace("idna>=3", "idna>=9999")
    verdict = await _package(tmp_path / "dangling", files)
    assert verdict.state == "failed"
    assert "install of the wheel" in verdict.summary
    assert "idna" in verdict.summary


async def test_invalid_toml_fails_in_one_line(tmp_path: Path) -> None:
    verdict = await _package(tmp_path / "invalid", {"pyproject.toml": "[project\n"})
    assert verdict.state == "failed"
    assert verdict.summary.startswith("uv: pyproject.toml: not valid TOML")
    assert "\n" not in verdict.summary


async def test_build_that_hangs_is_ended_and_fails(tmp_path: Path) -> None:
    setup = "import time\ntime.sleep(3600)\n"
    pipeline = Pipeline(package=PackageSection(timeout=8.0))
    verdict = await _package(tmp_path / "slow", {"setup.py": setup}, pipeline)
    assert verdict.state == "failed"
    assert "not done after 8 s" in verdict.summary


async def test_build_sees_neither_secrets_nor_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-" + "for-the-build")
    keys = tmp_path / "state" / "keys"
    keys.mkdir(parents=True)
    (keys / "marker").write_text("private")
    setup = (
        "import os\nfrom pathlib import Path\nfrom setuptools import setup\n"
        f"seen = Path({str(keys / 'marker')!r}).exists() or 'OPENAI_API_KEY' in os.environ\n"
        "if seen:\n    raise RuntimeError('a secret is in reach')\n"
        "setup(name='quiet', version='1.0', py_modules=[])\n"
    )
    verdict = await _package(tmp_path / "curious", {"setup.py": setup})
    assert verdict.state == "passed", verdict.summary


async def test_a_link_that_the_build_left_is_no_package(tmp_path: Path) -> None:
    setup = (
        "import os\nfrom setuptools import setup\n"
        "link = '/results/dist-1/evil-1.0-py3-none-any.whl'\n"
        "os.path.lexists(link) or os.symlink('/etc/passwd', link)\n"
        "setup(name='sly', version='1.0', py_modules=[])\n"
    )
    verdict = await _package(tmp_path / "sly", {"setup.py": setup})
    assert verdict.state == "passed", verdict.summary
    assert [artifact.name for artifact in verdict.artifacts] == [
        "sly-1.0-py3-none-any.whl",
        "sly-1.0.tar.gz",
    ]


SETUPTOOLS = {
    "setup.py": "from setuptools import setup\n"
    "setup(name='lot', version='1.0', packages=['lot'])\n",
    "lot/__init__.py": "",
}


async def test_what_two_builds_do_not_make_alike_is_named_and_blocks_where_asked(
    tmp_path: Path,
) -> None:
    files = SETUPTOOLS | {
        "setup.py": "import time\nfrom pathlib import Path\n"
        "Path('lot/stamp.py').write_text(f'built = {time.time_ns()}')\n" + SETUPTOOLS["setup.py"]
    }
    reported = await _package(tmp_path / "reported", files)
    assert reported.state == "passed", reported.summary
    assert "2 below high" in reported.summary
    subjects = {finding.subject for finding in reported.scan.findings}
    assert subjects == {"lot-1.0-py3-none-any.whl", "lot-1.0.tar.gz"}
    required = Pipeline(package=PackageSection(reproducible="required"))
    blocked = await _package(tmp_path / "blocked", files, required)
    assert blocked.state == "failed"
    assert "not-reproducible at lot-1.0-py3-none-any.whl" in blocked.summary
    assert "built twice, SHA-256" in blocked.summary
    waived = await _package(tmp_path / "waived", files | waiving("not-reproducible"), required)
    assert waived.state == "waived", waived.summary


async def test_a_wheel_that_cannot_be_imported_where_nothing_else_is_fails(
    tmp_path: Path,
) -> None:
    files = FILES | {"tiny_shop/__init__.py": "import missing_warehouse\n"}
    verdict = await _package(tmp_path / "shop", files)
    assert verdict.state == "failed"
    (finding,) = verdict.scan.findings
    assert (finding.rule, finding.subject) == ("smoke-run", "tiny_shop-0.2.0-py3-none-any.whl")
    assert "No module named 'missing_warehouse'" in finding.message
    assert verdict.artifacts[-1].name == "smoke.log"
    waived = await _package(tmp_path / "waived", files | waiving("smoke-run"))
    assert waived.state == "waived", waived.summary


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ("echo garbage", "uv: the build made 0 sdists and 0 wheels, expected one of each"),
        (
            "mkdir -p $OUT; echo garbage > $OUT/a-1-py3-none-any.whl",
            "uv: a-1-py3-none-any.whl is not a zip file",
        ),
        ("sleep 60", "uv: build failed: not done after 2 s"),
    ],
    ids=["says much and builds nothing", "builds garbage", "hangs"],
)
async def test_a_builder_that_misbehaves_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, problem: str
) -> None:
    broken = tmp_path / "uv"
    out = 'case "$1" in build) ;; *) exit 0;; esac; while [ "$1" != --out-dir ]; do shift; done'
    broken.write_text(f"#!/bin/sh\n{out}; OUT=$2\n{behaviour}\n")
    broken.chmod(0o755)
    monkeypatch.setattr("activities.packaging.find", lambda _: broken)
    patience = Pipeline(package=PackageSection(timeout=2.0))
    verdict = await _package(tmp_path / "shop", FILES, patience)
    assert verdict.state == "failed"
    assert verdict.scan.problem != ""
    assert verdict.summary.startswith(problem)


async def test_a_command_of_the_pipeline_file_tries_the_installed_wheel(tmp_path: Path) -> None:
    script = '\n[project.scripts]\ntiny = "tiny_shop:main"\n'
    main = "import sys\ndef main():\n    sys.exit('no till' if 'sell' in sys.argv else 0)\n"
    files = {"pyproject.toml": FILES["pyproject.toml"] + script, "tiny_shop/__init__.py": main}
    good = Pipeline(package=PackageSection(smoke=("tiny", "--version")))
    verdict = await _package(tmp_path / "good", files, good)
    assert verdict.state == "passed", verdict.summary
    assert "wheel runs, twice the same bytes" in verdict.summary
    bad = Pipeline(package=PackageSection(smoke=("tiny", "sell")))
    verdict = await _package(tmp_path / "bad", files, bad)
    assert verdict.state == "failed"
    assert "smoke-run at tiny_shop-0.2.0-py3-none-any.whl" in verdict.summary
    assert "no till" in verdict.summary
