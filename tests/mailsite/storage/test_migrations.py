"""The revisions of the extension lead to exactly the tables its models describe."""

from __future__ import annotations

from alembic import command

from app.migrate import alembic_config
from mailsite_ext.domains import models as domains
from mailsite_ext.settings import models as settings
from mailsite_ext.storage import models as storage

assert domains
assert settings
assert storage


def test_migrated_database_matches_the_models(parts):
    command.check(alembic_config(parts.public, "mailsite"))
