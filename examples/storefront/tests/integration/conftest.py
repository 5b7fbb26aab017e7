"""A real database file for every test."""

import pytest

from storefront.database import Database


@pytest.fixture
def database_file(tmp_path):
    return tmp_path / "storefront.sqlite3"


@pytest.fixture
def database(database_file):
    database = Database(database_file)
    yield database
    database.close()
