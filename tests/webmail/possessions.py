"""Things to own, so that a test may ask for what is not one's own; and ids nobody has."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from app.accounts.models import MailAccount
from app.compose import service as drafts
from app.compose.models import Draft
from app.compose.service import Values
from app.db import Base
from tests.conftest import START

HTML = b'("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "8BIT" 1152 23 NIL NIL NIL NIL)'
SECRET = "quarterly-figures"
sqlite_only = pytest.mark.parametrize("config", ["sqlite"], indirect=True)


def make_draft(db, account: MailAccount, text: str) -> Draft:
    values = Values(account.identities[0].id, to="bob@example.org", subject=text, text=text)
    return drafts.save(db, account.owner_id, str(uuid4()), values, version=0, now=START)


NOBODYS: dict[str, Any] = {
    "account": 999_001, "gmail": 999_002, "folder": 999_003, "trash": 999_004, "message": 999_005, "written": 999_006,
    "action": 999_007, "draft": str(uuid4()), "attachment": str(uuid4()), "outgoing": str(uuid4()), "user": 999_010,
    "plain": 999_013, "folder_change": 999_014, "bulk": 999_015, "saved": 999_016,
    "machine": 999_011, "service": 999_012,
    "trusted": 999_018,
    "bounced": 999_016, "relay": 999_017,
    "mailbox": 999_020, "app_password": 999_021, "mailbox_address": 999_022,
    "hosted_identity": 999_023,
    "identity": 999_008, "session": 999_009, "url": "http://images.example/b.png", "image_key": "A" * 24,
}  # fmt: skip


def everything(db) -> dict[str, list[Any]]:
    """All rows of the public database."""
    db.rollback()
    return {table.name: sorted(map(repr, db.execute(sa.select(table)).all())) for table in Base.metadata.sorted_tables}
