"""The revisions lead to exactly the tables the models describe."""

from alembic import command

from app.migrate import alembic_config


def test_migrated_public_database_matches_the_models(parts):
    command.check(alembic_config(parts.public, "app"))


def test_migrated_private_database_matches_the_models(parts):
    command.check(alembic_config(parts.private, "private"))
