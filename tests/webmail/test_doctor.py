"""`flask doctor` says what is wrong and what to do, and nothing secret."""

from __future__ import annotations

from pathlib import Path

from app.doctor import findings
from app.mail_services.modes import Mode


def wrong(parts):
    return {finding.what: finding.words for finding in findings(parts) if not finding.is_right}


def test_a_fresh_installation_lacks_only_its_admin(app, parts, admin, db):
    faults = wrong(parts)
    assert "Somebody is an admin" in faults  # this one has not chosen a password yet
    admin.password_hash = "x"
    db.merge(admin)
    db.commit()
    assert set(wrong(parts)) <= {"Browser files in static/vendor"}


def test_a_mode_with_mail_needs_an_engine(app, parts, set_mode):
    set_mode(Mode.EXTERNAL)
    assert "Start gunicorn" in wrong(parts)["Mail engine (mode: external)"]


def test_a_private_database_others_can_read_is_named(app, parts):
    if not parts.private.is_sqlite:
        return
    Path(parts.private.url.database or "").chmod(0o644)
    assert "chmod 600" in wrong(parts)["Private database readable by its owner only"]


def test_the_command_ends_with_1_and_shows_no_password(app, parts, set_mode):
    set_mode(Mode.EXTERNAL)
    done = app.test_cli_runner().invoke(args=["doctor"])
    assert done.exit_code == 1
    assert "MEND" in done.output
    assert "Traceback" not in done.output
