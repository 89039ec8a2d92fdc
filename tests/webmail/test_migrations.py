"""The revisions lead to exactly the tables the models describe."""

import pytest
from alembic import command

from app.migrate import alembic_config
from mailsite_ext import tables

assert tables


@pytest.mark.parametrize("branch", ["app", "mailsite"])
def test_migrated_public_database_matches_the_models(parts, branch):
    command.check(alembic_config(parts.public, branch))


def test_migrated_private_database_matches_the_models(parts):
    command.check(alembic_config(parts.private, "private"))
