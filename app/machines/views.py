"""Administration: Manage Machines, and the logs of what runs on them."""

from __future__ import annotations

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.extensions import registry
from app.machines import logs, page, service
from app.machines.identity import this_machine
from app.machines.kinds import ENGINE
from app.machines.logs import MAIL_LOG, Found
from app.machines.models import Machine
from app.machines.service import StartRefused, WhyNot
from app.machines.words import WORDS, how_it_ended, log_parts, span, times
from app.runtime import runtime
from app.web.admin import bp
from app.web.ids import row_id

HELP = {"words": WORDS, "span": span, "times": times, "how_it_ended": how_it_ended}
MAX_QUERY = 200  # characters


@bp.get("/machines")
def machines() -> ResponseReturnValue:
    """What runs where; with ?fragment the panels alone, for the script that renews them."""
    around = page.circumstances(g.db, registry().services, runtime().clock.now())
    template = "machines/_machines.html" if "fragment" in request.args else "machines/machines.html"
    shown = page.machines(g.db, around)
    return render_template(template, machines=shown, home=around.home, hosts=around.switches.hosting, **HELP)


@bp.post("/machines/service/<int:service_id>/<any(start, restart, stop):deed>")
def change_service(service_id: int, deed: str) -> ResponseReturnValue:
    """Store what the admin wants; the agent carries it out."""
    row = service.get_service(g.db, service_id)
    if deed == "stop":
        service.stop(runtime(), g.db, [row.id])
        return _back()
    try:
        service.start(runtime(), g.db, registry().services, row.id)
    except StartRefused as refused:
        flash(_refusal(refused), "bad")
    return _back()


@bp.post("/machines/<int:machine_id>/restart-stale")
def restart_stale(machine_id: int) -> ResponseReturnValue:
    """Restart what runs there with settings of the past."""
    try:
        number = service.restart_stale(runtime(), g.db, registry().services, machine_id)
    except StartRefused as refused:
        flash(_refusal(refused), "bad")
    else:
        flash(ngettext("%(num)d service restarts.", "%(num)d services restart.", number), "ok")
    return _back()


@bp.post("/machines/<int:machine_id>/forget")
def forget_machine(machine_id: int) -> ResponseReturnValue:
    name = service.forget(runtime(), g.db, machine_id)
    flash(_("%(name)s is forgotten. If its agent starts again, it appears here by itself.", name=name), "ok")
    return _back()


def _back() -> ResponseReturnValue:
    return redirect(url_for("admin.machines"), 303)


def _refusal(refused: StartRefused) -> str:
    if refused.why is WhyNot.ELSEWHERE and refused.home is not None:
        return str(
            _(
                "Not started: mail is kept in %(folder)s on %(machine)s, and this machine has another work directory. "
                "Share that one with this machine, or start the service on %(machine)s.",
                folder=refused.home.work_directory,
                machine=refused.home.machine_name,
            )
        )
    return str(_("Not started: the mode chosen in Mail Services has no use for it."))


@bp.get("/machines/log/<kind>")
def machine_log(kind: str) -> ResponseReturnValue:
    """The end of a log, or the lines in it that hold some words; with ?fragment these lines alone."""
    kinds = {name: known.title() for name, known in registry().services.items() if name != ENGINE.name}
    titles = {**kinds, MAIL_LOG: str(_("Exchanges with mail programs"))}
    if kind not in titles:
        abort(404)
    here = this_machine(runtime().config)
    places = log_places(g.db, here.work_uuid)
    machine_id = request.args.get("machine", 0, row_id)
    host = chosen_host(places, machine_id, here.name)
    query = request.args.get("q", "").strip()[:MAX_QUERY]
    found = _read(kind, host, query)
    template = "machines/_log.html" if "fragment" in request.args else "machines/log.html"
    shown = {"kind": kind, "titles": titles, "machine_id": machine_id or None, "host": host}
    return render_template(template, query=query, found=found, parts=log_parts, **shown)


def _read(kind: str, host: str, query: str) -> Found:
    parts = runtime()
    path = logs.log_file(parts.config, kind, host)
    if query:
        return logs.search(path, query, parts.clock.monotonic_s)
    return Found(logs.tail(path), is_whole=True)


def log_places(db: Session, work_uuid: str) -> dict[int, str]:
    """The machines whose logs lie in this work directory, by id; others cannot be read from here."""
    rows = db.execute(select(Machine.id, Machine.name).where(Machine.work_uuid == work_uuid).order_by(Machine.name))
    return {row.id: row.name for row in rows}


def chosen_host(places: dict[int, str], machine_id: int, own: str) -> str:
    """The machine asked for, by name, else this one.  404 for one whose logs cannot be read from here."""
    if machine_id and machine_id not in places:
        abort(404)
    return places.get(machine_id, own)
