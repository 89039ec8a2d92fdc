"""Addresses here that lead to addresses elsewhere."""

from __future__ import annotations

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extension_api import Base


class OutsideAlias(Base):
    """An admin's alias whose mail goes to an address elsewhere.  Several rows of one name lead to several."""

    __tablename__ = "mailsite_outside_alias"
    __table_args__ = (UniqueConstraint("local_part", "domain", "target"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    local_part: Mapped[str] = mapped_column(String(64))  # folded
    domain: Mapped[str] = mapped_column(String(253))  # A-labels, or EVERY_DOMAIN
    target: Mapped[str] = mapped_column(String(320))
