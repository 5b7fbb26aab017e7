"""CODEOWNERS as GitHub documents it, example by example."""

import pytest

from activities.code_owners import owners_of

EXAMPLE = r"""
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
"""
"""https://docs.github.com/…/about-code-owners, section "Example of a CODEOWNERS file"."""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README.md", ("@global-owner1", "@global-owner2")),
        ("src/deep/index.js", ("@js-owner",)),
        ("main.go", ("docs@example.com",)),
        ("src/notes.txt", ("@octo-org/octocats",)),
        ("build/logs/today/a.bin", ("@octocat",)),
        ("docs/getting-started.md", ("@doctocat",)),
        ("other/docs/a.md", ("@global-owner1", "@global-owner2")),
        ("src/apps/a.py", ("@octocat",)),
        ("scripts/x", ("@doctocat", "@octocat")),
        ("deeply/nested/logs/a", ("@octocat",)),
        ("apps/a.py", ("@octocat",)),
        ("apps/github/a.py", ()),
        ("apps/github", ()),
        ("apps/githubber", ("@octocat",)),
    ],
)
def test_the_documented_example(path: str, owners: tuple[str, ...]) -> None:
    assert owners_of(EXAMPLE, path) == owners


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/build/a.md", False),
        ("docs/**", "docs/build/a.md", True),
        ("/*", "a.md", True),
        ("/*", "docs/a.md", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b/c", True),
        ("shop", "src/shop/prices.py", True),
        ("shop", "src/workshop/prices.py", False),
        ("shop/", "shop", False),
        ("?.py", "a.py", True),
        ("?.py", "ab.py", False),
        ("with\\ blank.py", "with blank.py", True),
        ("a+b(c).py", "a+b(c).py", True),
        ("!a.py", "a.py", False),
        ("[ab].py", "a.py", False),
        ("\\#a.py", "#a.py", False),
        ("/", "a.py", False),
        ("**/**/**/**/**/**/**/**/**/**/x", "/".join("abcdefghijklmnopqrstuvw" * 20), False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert bool(owners_of(f"{pattern} @ada", path)) is matches


@pytest.mark.parametrize("line", ["a.py @ada nonsense", "a.py @ada @@b", "a.py @ada/b/c"])
def test_a_line_that_github_does_not_take_is_passed_over(line: str) -> None:
    assert owners_of(f"*.py @bob\n{line}\n", "a.py") == ("@bob",)
