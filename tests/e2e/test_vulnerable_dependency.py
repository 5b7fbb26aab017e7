"""A pinned dependency that is known to be vulnerable, through the whole line with both sources."""

from pathlib import Path

from tests.doubles.advisory_database import Advisory, advisory_database
from tests.doubles.osv_service import osv_service
from tests.e2e.conftest import MakeProgram
from tests.e2e.plain_repository import git, plain_repository
from tests.e2e.regreen_program import stage

BAD = Advisory("CVE-2099-0001", "six", "<1.17", "1.17.0", "HIGH", "sixes vanish", osv="GHSA-6-6-6")
FILES = {
    "requirements.txt": "idna==3.6\n",
    "test_one.py": "def test_one():\n    pass\n",
    "regreen.yaml": "coverage: null\npackage: null\nrequire: [trivy, osv]\n",
}


def test_it_fails_with_both_sources_named_and_is_told_to_be_new(
    make_program: MakeProgram, tmp_path: Path
) -> None:
    repository = plain_repository(tmp_path / "shop", FILES)
    database = advisory_database(tmp_path / "advisories", BAD)
    with osv_service(BAD) as service:
        program = make_program(REGREEN_TRIVY_DATABASE=str(database), REGREEN_OSV_URL=service.url)
        good = program.run("run", repository, "--json")
        assert (good.code, good.document["state"]) == (0, "passed"), good.errors

        (repository / "requirements.txt").write_text("idna==3.7\nsix==1.16.0\n")
        git(repository, "commit", "--quiet", "--all", "--message", "feat: six")
        bad = program.run("run", repository, "--json")
        shown = program.run("show", bad.document["workflow_id"]).output

    assert (bad.code, bad.document["state"]) == (1, "failed"), bad.errors
    security = stage(bad.document, "security")
    *_, dependencies, review = security["gates"]
    (finding,) = dependencies["blocking"]
    assert (finding["rule"], finding["subject"]) == ("CVE-2099-0001", "pkg:pypi/six@1.16.0")
    assert (finding["tool"], finding["confirmed_by"]) == ("trivy", ["pip-audit"])
    base = good.document["commit"][:12]
    assert f"compared with {base}: 1 new (1 known bad), 1 upgraded" in review["summary"]
    assert "  note: new: six 1.16.0 (MIT); known bad: CVE-2099-0001\n" in shown
    assert "  note: upgraded: idna 3.6 to 3.7\n" in shown
    assert "fixed in 1.17.0 (found by trivy and pip-audit)" in bad.document["reason"]
