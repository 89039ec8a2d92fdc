"""What others ask about engines."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.engine.models import Engine
from app.engine.times import EngineTimes

HEARTBEAT = cast(sa.Table, Engine.__table__).c.heartbeat_at
BEAT_SINCE = select(exists().where(sa.bindparam("since", type_=HEARTBEAT.type) < HEARTBEAT))


def engine_is_alive(db: Session, now: datetime) -> bool:
    """Whether any mail engine beat its heart lately; pages say *mail engine not running* when none did."""
    since = now - timedelta(seconds=EngineTimes().dead_after_s)
    return bool(db.scalar(BEAT_SINCE, {"since": since}))
