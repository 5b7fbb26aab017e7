"""Programs for the end-to-end tests: the real command line on the real server."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.regreen_program import Program, wait_until

MakeProgram = Callable[..., Program]


@pytest.fixture(scope="session")
def make_program(tmp_path_factory: pytest.TempPathFactory) -> MakeProgram:
    """Makes programs with a state folder of their own, each in a folder of its own.

    They share the environments of the repositories' code, which depend on nothing else.
    """
    environments = tmp_path_factory.mktemp("environments")

    def make(**variables: str) -> Program:
        folder = tmp_path_factory.mktemp("program")
        state = folder / "state"
        (state / "cache").mkdir(parents=True)
        (state / "cache" / "environments").symlink_to(environments)
        return Program(folder, state, variables)

    return make


@pytest.fixture
def program(make_program: MakeProgram) -> Program:
    """A program with fresh state."""
    return make_program()


@pytest.fixture(scope="session")
def hosted(make_program: MakeProgram) -> Iterator[Program]:
    """A program whose state `regreen up` hosts, so that its commands join and are quick."""
    program = make_program()
    with program.start("up"):
        wait_until((program.state / "server.json").exists, "the server")
        yield program
