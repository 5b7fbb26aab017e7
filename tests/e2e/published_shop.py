"""A small package that is released to three targets at once, and what came of it there."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.doubles.github.server import GithubDouble, github_double
from tests.doubles.http_folder import HttpFolder, http_folder
from tests.doubles.package_index import PASSWORD, USERNAME, PackageIndex, package_index
from tests.e2e.plain_repository import SHOP_PROJECT, plain_repository

_PIPELINE = """healers: []
security: null
coverage: null
release:
  checklist:
    off: {{coverage: not what this is about, vulnerabilities: not what this is about}}
  targets:
    - kind: github
      repository: example/shop
    - kind: index
      url: {index.url}
      simple: {index.simple}
    - kind: http
      url: {http.address}
"""
_FOR_TWINE = """
# twine does not take the newest version yet.
[tool.hatch.build.targets.wheel]
core-metadata-version = "2.4"

[tool.hatch.build.targets.sdist]
core-metadata-version = "2.4"
"""


@dataclass(frozen=True)
class Targets:
    """Three doubles that run."""

    github: GithubDouble
    index: PackageIndex
    http: HttpFolder

    @property
    def variables(self) -> dict[str, str]:
        """The operator's settings for them."""
        return {
            "GITHUB_API_URL": self.github.address,
            "GITHUB_TOKEN": "of-the-test",
            "TWINE_USERNAME": USERNAME,
            "TWINE_PASSWORD": PASSWORD,
            "REGREEN_HTTP_AUTHORIZATION": self.http.authorization,
            "REGREEN_PUBLISH_TO": f"{self.github.address} {self.index.url} {self.http.address}",
        }

    def requests(self) -> int:
        """How many requests they have had, of those that they note."""
        return len(self.github.asked) + len(self.index.uploads) + len(self.http.writes)

    def repository(self, folder: Path) -> Path:
        """A package whose pipeline file names them."""
        return plain_repository(
            folder,
            {
                "shop.py": "PRICE = 3\n",
                "test_shop.py": "import shop\n\n\ndef test_price():\n    assert shop.PRICE == 3\n",
                "pyproject.toml": SHOP_PROJECT + _FOR_TWINE,
                "regreen.yaml": _PIPELINE.format(index=self.index, http=self.http),
            },
        )


@contextlib.contextmanager
def three_targets(folder: Path) -> Iterator[Targets]:
    """Run the doubles until the block ends."""
    with (
        github_double("example/shop") as github,
        package_index(folder / "index") as index,
        http_folder() as http,
    ):
        yield Targets(github, index, http)


def receipts_of(document: Any) -> dict[str, dict[str, str]]:
    """SHA-256 of each file by name, by target, as the run's document tells it."""
    return {
        each["target"]: {file["name"]: file["sha256"] for file in each["files"]}
        for each in document["release"]["targets"]
    }
