"""CODEOWNERS: who owns a path. The last pattern that matches decides.

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

import re

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks; the first file that is there counts."""

_OWNER = re.compile(r"@[\w.-]+(/[\w.-]+)?|[^@\s]+@[^@\s]+")
_WORD = re.compile(r"(?:\\.|[^\s\\])+")


def owners_of(text: str, path: str) -> tuple[str, ...]:
    """The owners of a path as the file writes them; none when nobody owns it.

    A line that GitHub does not take is passed over, as GitHub does.
    """
    owners: tuple[str, ...] = ()
    for line in text.splitlines():
        pattern, *names = _words(line) or [""]
        known = all(_OWNER.fullmatch(name) for name in names)
        if pattern and known and not re.search(r"^!|\[|^\\#", pattern) and _fits(pattern, path):
            owners = tuple(names)
    return owners


def _words(line: str) -> list[str]:
    words = []
    for found in _WORD.finditer(line):
        if found[0].startswith("#"):
            break
        words.append(found[0])
    return words


def _fits(pattern: str, path: str) -> bool:
    plain = re.sub(r"\\(.)", r"\1", pattern).strip("/")
    # Many that do the work of one would only take time.
    parts = re.sub(r"(\*\*/)+", "**/", re.sub(r"\*{2,}", "**", plain)).split("/")
    if parts == [""]:
        return False
    below = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    if (parts[-1] == "*" and len(parts) > 1) or pattern == "/*":
        # What is in the folder itself and no deeper.
        below = ""
    # With a slash before its end a pattern begins at the root.
    expression = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            expression += ".*" if last else "(?:.*/)?"
        else:
            expression += _part(part) + ("" if last else "/")
    return re.fullmatch(expression + below, path, re.DOTALL) is not None


def _part(part: str) -> str:
    translated = {"*": "[^/]*", "?": "[^/]"}
    single = part.replace("**", "*")
    return "".join(translated.get(each, re.escape(each)) for each in single)
