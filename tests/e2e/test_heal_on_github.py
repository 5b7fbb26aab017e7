"""A red commit of a private repository on GitHub: healed, shown as a draft, rejected there."""

import base64
from pathlib import Path

from tests.doubles.github.server import github_double
from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import git, plain_repository, working_state
from tests.e2e.regreen_program import stage

TOKEN = "ghs_31415926535897932384"
FILES = {
    "initials.py": 'def initials(name):\n    return "".join(p[1] for p in name.split())\n',
    "test_initials.py": (
        "from initials import initials\n\n\n"
        'def test_two_words():\n    assert initials("Ada Lovelace") == "AL"\n\n\n'
        'def test_one_word():\n    assert initials("Plato") == "P"\n'
    ),
}


def test_a_heal_is_a_draft_on_github_and_the_token_is_nowhere(
    make_program: MakeProgram, tmp_path: Path
) -> None:
    repository = plain_repository(tmp_path / "initials", FILES)
    server = tmp_path / "server.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(server))
    with github_double("example/initials", git=server) as double:
        double.state.token = TOKEN
        git(repository, "remote", "add", "origin", f"{double.address}/example/initials.git")
        before = working_state(repository)
        program = make_program(
            GITHUB_API_URL=double.address, GITHUB_SERVER_URL=double.address, GITHUB_TOKEN=TOKEN
        )

        ended = program.run("run", repository, "--json")

        assert ended.code == 0, ended.errors
        run = ended.document
        assert run["state"] == "waiting"
        assert stage(run, "unit")["state"] == "healed"
        branch = run["pull_request"]["branch"]
        [pull] = double.state.pulls.values()
        assert (pull.head, pull.base, pull.draft) == (branch, "main", True)
        assert run["pull_request"]["url"].endswith(f"/example/initials/pull/{pull.number}")
        assert git(server, "rev-parse", f"{branch}^{{tree}}") == run["tree"]
        assert git(server, "rev-parse", f"{branch}^") == run["commit"]

        shown = program.run("show", run["workflow_id"])
        rejected = program.run("reject", run["workflow_id"], "--comment", "by hand", "--json")

        assert shown.code == 0, shown.errors
        assert rejected.document["state"] == "rejected", rejected.errors
        assert pull.state == "closed"
        [remark] = double.state.remarks
        assert "by hand" in remark.body
        assert working_state(repository) == before
    secrets = (TOKEN.encode(), base64.b64encode(f"x-access-token:{TOKEN}".encode()))
    places = [*program.folder.rglob("*"), *program.state.rglob("*")]
    read = [path.read_bytes() for path in places if path.is_file()]
    assert read
    assert not [content for content in read if any(secret in content for secret in secrets)]
