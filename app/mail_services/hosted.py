"""What Manage Machines runs with other settings than the Mail Services page shows (N1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.machines.kinds import ServiceKind
from app.machines.models import Machine, MachineService
from app.machines.service import is_stale


def out_of_date(db: Session, kinds: Mapping[str, ServiceKind]) -> Sequence[str]:
    """The services that must be restarted to follow the settings, each with its machine."""
    rows = db.execute(select(MachineService, Machine.name).join(Machine).order_by(MachineService.id))
    stale = [(kinds[row.kind].title(), name) for row, name in rows if is_stale(db, kinds.get(row.kind), row)]
    return [str(_("%(title)s on %(machine)s", title=title, machine=name)) for title, name in stale]
