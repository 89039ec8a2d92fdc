"""Administration: Account Registration (N3)."""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.errors import (
    ConnectionLost,
    ConnectionRefused,
    FateUnknown,
    LoginRefused,
    MailError,
    NameNotFound,
    ProtocolError,
    ServerUnreachable,
    StarttlsNotOffered,
    SubmissionDeferred,
    SubmissionRefused,
    TimedOut,
    TlsFailed,
    VaultError,
)
from app.notices import service
from app.notices.forms import RegistrationForm
from app.notices.notice import Notice
from app.runtime import runtime
from app.web.admin import bp


@bp.route("/registration", methods=["GET", "POST"])
def registration() -> ResponseReturnValue:
    """Who may register and how the site sends mail; the button of the test saves first."""
    settings = service.load_registration(g.db)
    form = RegistrationForm(obj=settings)
    if not form.validate_on_submit():
        page = render_template("admin/registration.html", form=form, has_password=bool(settings.sealed_smtp_password))
        return page, 422 if form.is_submitted() else 200
    service.save_registration(g.db, runtime().vault, form.wanted())
    flash(_("Saved."), "ok")
    if request.form.get("do") == "test":
        _send_test(current_user.email)
    return redirect(url_for("admin.registration"), 303)


def _send_test(address: str) -> None:
    """Try the settings on the admin's own mailbox, and say which step failed."""
    g.db.rollback()  # no transaction waits for the server
    notice = Notice(address, _("Test mail from Satchel"), _("This mail shows that Satchel can send mail."))
    try:
        service.check(runtime())
        service.send(runtime(), notice)
    except MailError as error:
        flash(failure_words(error), "bad")
    else:
        flash(_("A test mail to %(address)s was accepted. Look whether it arrives.", address=address), "ok")


def failure_words(error: MailError) -> str:
    """Which step failed, in the server's words where it spoke."""
    said = error.detail
    words: dict[type[MailError], str] = {
        NameNotFound: _("Not sent: the name of the server is unknown to DNS."),
        ConnectionRefused: _("Not sent: the server refuses connections on this port."),
        TimedOut: _("Not sent: the server did not answer within 15 seconds."),
        TlsFailed: _("Not sent: the encrypted connection failed. %(said)s", said=said),
        StarttlsNotOffered: _("Not sent: the server does not offer STARTTLS. Choose another encryption or port."),
        ProtocolError: _("Not sent: what answered does not speak SMTP. Look at port and encryption."),
        SubmissionDeferred: _("Not sent: the server puts it off. It said: “%(said)s”", said=said),
        FateUnknown: _("The connection broke off at the end. Look whether the mail arrives."),
        ConnectionLost: _("Not sent: the server closed the connection. Look at port and encryption."),
        ServerUnreachable: _("Not sent: no connection. %(said)s", said=said),
        LoginRefused: _("Not sent: the server refused the login. It said: “%(said)s”", said=said),
        SubmissionRefused: _("Not sent: the server refused the mail. It said: “%(said)s”", said=said),
        VaultError: _("Not sent: the stored password does not open. Type it again."),
    }
    return next(words[kind] for kind in type(error).__mro__ if kind in words)
