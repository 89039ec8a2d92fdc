"""What a browser sends to the composer, and what came of it."""

from __future__ import annotations

import re
from io import BytesIO

from sqlalchemy import select

from app.compose.models import Draft


def found(pattern, text):
    match = re.search(pattern, text, re.DOTALL)
    assert match is not None
    return match[1]


def only_draft(db):
    db.commit()
    return db.scalars(select(Draft).execution_options(populate_existing=True)).one()


def file(name="notes.txt", octets=b"hello", kind="text/plain"):
    return (BytesIO(octets), name, kind)
