"""The benchmark's repositories without a bug: source distributions, reduced to code and tests."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from activities.git import git
from activities.source import SourceRequest, fetch_source
from benchmarks.healing_corpus.packages import PACKAGES, Package
from regreen.contracts.run import SourceFetched

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES_LOCK = ROOT / "requirements" / "healing-packages.lock"
_TESTS_LOCK = ROOT / "requirements" / "healing-tests.lock"
_IDENTITY = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.invalid")


def corpus_digest() -> str:
    """Changes when another version of a package or of the test tools is pinned."""
    locks = _PACKAGES_LOCK.read_bytes() + _TESTS_LOCK.read_bytes()
    return hashlib.sha256(locks).hexdigest()[:16]


def test_requirements() -> bytes:
    """The requirement file of every repository here: one environment serves them all."""
    return _TESTS_LOCK.read_bytes()


def prepare(cache: Path) -> Path:
    """Download what is missing, check it against the lock, unpack it.

    Returns the folder that holds a tree for each package. Raises CalledProcessError when pip
    fails.
    """
    folder = cache / "packages" / corpus_digest()
    if folder.is_dir():
        return folder
    downloads = cache / "downloads"
    names = ",".join(package.name for package in PACKAGES)
    # pip looks at each package's metadata and so runs its build back end, after the hash check.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", names, "--require-hashes"]
    command += ["--dest", str(downloads), "--requirement", str(_PACKAGES_LOCK)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for package in PACKAGES:
        _unpack(downloads, package, partial / package.name)
    partial.rename(folder)
    return folder


def _unpack(downloads: Path, package: Package, tree: Path) -> None:
    version = _PACKAGES_LOCK.read_text("utf-8").partition(f"{package.name}==")[2].split()[0]
    # A source distribution's name has underscores where the project's has hyphens (PEP 625).
    archive = downloads / f"{package.name.replace('-', '_')}-{version}.tar.gz"
    raw = tree.with_name(f"{package.name}.whole")
    with tarfile.open(archive) as packed:
        packed.extractall(raw, filter="data")
    (top,) = raw.iterdir()
    tree.mkdir(parents=True)
    for name in sorted({*package.sources, *package.tests}, key=len):
        if (tree / name).exists():
            continue
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (top / name).is_dir():
            shutil.copytree(top / name, target)
        else:
            shutil.copy2(top / name, target)
    shutil.rmtree(raw)
    # The package's own settings ask for plugins and for an installed package.
    ignored = (
        f"--deselect={name}" if "::" in name else f"--ignore={name}" for name in package.left_out
    )
    (tree / "pytest.ini").write_text(
        f"[pytest]\ntestpaths = {' '.join(package.tests)}\n"
        f"python_files = test_*.py *_test.py tests.py\naddopts = {' '.join(ignored)}\n"
    )
    (tree / "requirements.txt").write_bytes(test_requirements())


async def as_source(tree: Path, name: str) -> SourceFetched:
    """Commit a tree in a repository of its own and fetch it as the pipeline's source step does.

    The commit is the only one: there is no earlier, good version to go back to. `tree` becomes the
    repository.
    """
    await git(["init", "--quiet", "--initial-branch=main"], cwd=tree)
    await git(["add", "--all"], cwd=tree)
    await git([*_IDENTITY, "commit", "--quiet", "--message", "Add the package"], cwd=tree)
    commit = (await git(["rev-parse", "HEAD"], cwd=tree)).decode().strip()
    return await fetch_source(
        SourceRequest(
            repository="local/healing-benchmark", location=str(tree), ref=name, commit=commit
        )
    )
