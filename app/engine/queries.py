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
BEAT_SINCE = exists().where(sa.bindparam("since", type_=HEARTBEAT.type) < HEARTBEAT)
IS_ALIVE = select(BEAT_SINCE)


def engine_is_alive(db: Session, now: datetime) -> bool:
    """Whether any mail engine beat its heart lately; pages say *mail engine not running* when none did."""
    return bool(db.scalar(IS_ALIVE, {"since": dead_since(now)}))


def dead_since(now: datetime) -> datetime:
    """An engine whose heart beat no later than this is dead."""
    return now - timedelta(seconds=EngineTimes().dead_after_s)
