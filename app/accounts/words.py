"""What happened, in the interface's words: each attempt, each step, and what to do about a failed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import format_date, gettext

from app.accounts.door import CertificateFacts, Record, Service, Step, StepResult
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.lookup import Attempt, Search, Source
from app.accounts.presets import PasswordKind, Preset, find_by_mx
from app.accounts.probe import Report, steps_in_order
from app.errors import (
    ActionRefused,
    AddressRefused,
    ConnectionRefused,
    GrantRevoked,
    LoginRefused,
    MailError,
    NameNotFound,
    NotAMailServer,
    StarttlsNotOffered,
    TimedOut,
    TlsFailed,
    TooManyConnections,
)
from app.web.filters import file_size

SOON = timedelta(days=14)


def _(text: str, /, **values: object) -> str:
    return str(gettext(text, **values))


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a steps list: `kind` is ok, warn, bad or none."""

    kind: str
    title: str
    hint: str = ""
    took: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why it did not work: what happened, the server's own words, what to do."""

    title: str
    lead: str
    quote: str = ""
    remedy: str = ""
    is_password: bool = False  # the password field is to blame


def quoted(detail: str) -> str:
    return f"“{detail}”"


def _day(when: datetime) -> str:
    return str(format_date(when, "d MMMM y"))


# What was tried


def attempt_lines(search: Search) -> Sequence[Line]:
    """All that was tried; hosts that were only guessed and did not answer matter only where something is missing."""
    whole = search.found.is_whole
    shown = [a for a in search.attempts if not (whole and a.source is Source.GUESS and a.error)]
    return [_attempt_line(attempt) for attempt in shown]


def _attempt_line(attempt: Attempt) -> Line:
    kind = "ok" if _was_of_use(attempt) else "none"
    return Line(kind, _attempt_title(attempt), _attempt_hint(attempt), _("%(ms)d ms", ms=attempt.ms))


def _was_of_use(attempt: Attempt) -> bool:
    if attempt.source is Source.MX:
        return find_by_mx([attempt.found]) is not None
    return attempt.found not in ("", ".")


def _attempt_title(attempt: Attempt) -> str:
    subject = attempt.subject
    return {
        Source.PRESET: _("Known providers"),
        Source.SRV: _("DNS: %(name)s", name=subject),
        Source.AUTOCONFIG: subject,
        Source.MX: _("Mail server of %(name)s (MX)", name=subject),
        Source.GUESS: _("Likely host: %(name)s", name=subject),
    }[attempt.source]


def _attempt_hint(attempt: Attempt) -> str:
    if attempt.error is not None:
        return _attempt_failure(attempt.error)
    if attempt.found == ".":
        return _("The domain says that it does not offer this.")
    if attempt.source is Source.PRESET:
        return attempt.found or _("%(domain)s is not on our list of providers.", domain=attempt.subject)
    if attempt.source is Source.MX and attempt.found and not _was_of_use(attempt):
        return _("%(host)s, which belongs to no provider we know.", host=attempt.found)
    return attempt.found or _("Nothing in it that can be used.")


def _attempt_failure(error: MailError) -> str:
    table: dict[type[MailError], str] = {
        NameNotFound: _("No such name."),
        TimedOut: _("No answer in time."),
        ConnectionRefused: _("Nothing listens there."),
        AddressRefused: _("Not asked: the address is private."),
        TlsFailed: _("The certificate or the encryption is not right."),
    }
    return table.get(type(error), _("No use: %(words)s", words=quoted(error.detail[:120])))


# Step by step


def step_lines(record: Record, now: datetime) -> Sequence[Line]:
    """All steps of a server: done, failed, and not tried."""
    return [_step_line(record, item, now) for item in steps_in_order(record)]


def _step_line(record: Record, item: StepResult | Step, now: datetime) -> Line:
    if isinstance(item, Step):
        return Line("none", _step_title(record, item), _("Not tried"))
    title, took = _step_title(record, item.step), _("%(ms)d ms", ms=item.ms)
    if item.error is not None:
        return Line("bad", title, item.error.detail or _step_failure(record, item), took)
    kind = "warn" if _ends_soon(item.certificate, now) else "ok"
    return Line(kind, title, _step_fact(record, item), took)


def _step_title(record: Record, step: Step) -> str:
    endpoint = record.endpoint
    titles = {
        Step.NAME: _("Name: %(host)s", host=endpoint.host),
        Step.CONNECTION: _("Connection to port %(port)d", port=endpoint.port),
        Step.ENCRYPTION: _("Encryption") if endpoint.tls is Tls.IMPLICIT else _("Encryption by STARTTLS"),
        Step.GREETING: _("Greeting"),
        Step.LOGIN: _("Login") if record.service is Service.IMAP else _("Login for sending"),
        Step.FOLDERS: _("Folder rights"),
    }
    return titles[step]


def _step_fact(record: Record, item: StepResult) -> str:
    if item.step is Step.ENCRYPTION and item.certificate is not None:
        return _certificate_words(record.endpoint.host, item.certificate)
    if item.step is Step.NAME:
        return _("Address %(address)s", address=item.detail)
    if item.step is Step.GREETING:
        return _("An IMAP server answered") if record.service is Service.IMAP else _("An SMTP server answered")
    if item.step is Step.LOGIN and record.service is Service.SMTP:
        return _size_words(record)
    return _("%(count)s folders", count=item.detail) if item.step is Step.FOLDERS else ""


def _certificate_words(host: str, facts: CertificateFacts) -> str:
    version = facts.version.replace("TLSv", "TLS ")
    if facts.ends is None:
        return version
    until = _day(facts.ends)
    return _("%(tls)s; the certificate is valid for %(host)s until %(date)s", tls=version, host=host, date=until)


def _size_words(record: Record) -> str:
    for extension in record.extensions:
        name, _space, size = extension.partition(" ")
        if name == "SIZE" and size.isdigit() and len(size) < 13 and int(size):
            return _("Largest message accepted: %(size)s", size=file_size(int(size)))
    return ""


def _ends_soon(facts: CertificateFacts | None, now: datetime) -> bool:
    return facts is not None and facts.ends is not None and facts.ends - now < SOON


def _step_failure(record: Record, item: StepResult) -> str:
    return trouble_of(record, item, None).lead


# What to do


def trouble(report: Report, preset: Preset | None) -> Trouble:
    """The first failure of a report, with its remedy."""
    record, item = report.failed, report.failure
    assert record is not None
    assert item is not None
    found = trouble_of(record, item, preset)
    if record.service is Service.SMTP:
        reading = _("Reading works; only sending does not.")
        return Trouble(found.title, f"{reading} {found.lead}", found.quote, found.remedy, found.is_password)
    return found


def trouble_of(record: Record, item: StepResult, preset: Preset | None) -> Trouble:
    """What a failed step means."""
    error, host, port = item.error, record.endpoint.host, record.endpoint.port
    assert error is not None
    if isinstance(error, LoginRefused):
        return login_trouble(error, preset.name if preset else host, preset)
    if isinstance(error, TlsFailed):
        return _tls_trouble(record, item)
    if isinstance(error, StarttlsNotOffered):
        return Trouble(
            _("No encryption on port %(port)d", port=port),
            _("%(host)s does not offer STARTTLS there.", host=host), error.detail,
            _("Try TLS with port %(port)d.", port=993 if record.service is Service.IMAP else 465),
        )  # fmt: skip
    if isinstance(error, NotAMailServer):
        return _stranger_trouble(record, error)
    if isinstance(error, ActionRefused):
        return Trouble(
            _("The login works, the folders do not open"), _("The server refused to show the folders."), error.detail,
            _("Ask whoever runs the server for the right to read this mailbox."),
        )  # fmt: skip
    return _reach_trouble(error, host, port)


def login_trouble(error: MailError, who: str, preset: Preset | None) -> Trouble:
    """The login was refused: by whom, in which words, and which password would be right."""
    if isinstance(error, GrantRevoked):
        return Trouble(
            _("%(who)s no longer lets Satchel in", who=who), _("The permission was taken back or ran out."),
            error.detail, _("Connect the account again."),
        )  # fmt: skip
    if not isinstance(error, LoginRefused):
        title = _("%(who)s could not be asked for a token", who=who)
        return Trouble(title, _("The permission is kept."), error.detail, _("Try again in a few minutes."))
    lead = _("The server was found and answers; only the name or the password was not accepted.")
    return Trouble(_("%(who)s refused the login", who=who), lead, error.detail, _password_hint(preset), True)


def _password_hint(preset: Preset | None) -> str:
    kind = preset.passwords if preset else PasswordKind.OWN
    return {
        PasswordKind.APP: _("Your usual password does not work here. Create an app password and paste it below."),
        PasswordKind.APP_WITH_2FA: _(
            "With two-step verification your usual password does not work here; create an app password. "
            "Look too whether IMAP is allowed in the settings of your mailbox."
        ),
        PasswordKind.MAIL: _("Mail programs need a password of their own there. Set it and type it below."),
        PasswordKind.BRIDGE: _("Copy the password that Bridge shows for this mailbox."),
        PasswordKind.NONE: _("This provider takes no passwords from mail programs."),
        PasswordKind.OWN: _(
            "Check the login name and the password. If you use two-step verification, your provider may want an "
            "app password."
        ),
    }[kind]


def _tls_trouble(record: Record, item: StepResult) -> Trouble:
    error, host = item.error, record.endpoint.host
    assert error is not None
    facts = item.certificate or CertificateFacts()
    if "does not speak TLS" in error.detail:
        return Trouble(
            _("Wrong port or wrong security"),
            _("%(host)s does not begin with TLS on port %(port)d.", host=host, port=record.endpoint.port),
            remedy=_("Choose STARTTLS for this port, or the port for TLS (993 for IMAP, 465 for SMTP)."),
        )
    lead = _("Satchel did not send the password: it cannot be sure that this is %(host)s.", host=host)
    remedy = _("Check the name of the server. If it is right, whoever runs it must mend its certificate.")
    title = _("The certificate of %(host)s is not right", host=host)
    return Trouble(title, f"{lead} {_certificate_fault(error, facts)}".strip(), error.detail, remedy)


def _certificate_fault(error: MailError, facts: CertificateFacts) -> str:
    if "expired" in error.detail and facts.ends is not None:
        return _("It ended on %(date)s.", date=_day(facts.ends))
    if "not valid yet" in error.detail and facts.begins is not None:
        return _("It begins on %(date)s.", date=_day(facts.begins))
    if "another" in error.detail and facts.names:
        return _("It is for %(names)s.", names=", ".join(facts.names))
    return ""


def _stranger_trouble(record: Record, error: MailError) -> Trouble:
    host, port = record.endpoint.host, record.endpoint.port
    if "expects TLS" in error.detail:
        return Trouble(
            _("Wrong port or wrong security"),
            _("%(host)s expects TLS from the start on port %(port)d.", host=host, port=port),
            remedy=_("Choose TLS in place of STARTTLS for this port."),
        )
    wanted = "IMAP" if record.service is Service.IMAP else "SMTP"
    return Trouble(
        _("No %(kind)s server there", kind=wanted),
        _("Something else answers on port %(port)d of %(host)s.", host=host, port=port),
        error.detail, _("Check the port."),
    )  # fmt: skip


def _reach_trouble(error: MailError, host: str, port: int) -> Trouble:
    titles: dict[type[MailError], tuple[str, str, str]] = {
        NameNotFound: (
            _("No server is called %(host)s", host=host), _("DNS knows no address of that name."),
            _("Check the spelling, or ask your provider for the name of its server."),
        ),
        AddressRefused: (
            _("%(host)s has a private address", host=host),
            _("Satchel connects only to public addresses, so that nobody reaches into this network through it."),
            _("An admin can allow this host in Mail Services."),
        ),
        ConnectionRefused: (
            _("%(host)s refuses connections on port %(port)d", host=host, port=port),
            _("The server is there, but nothing listens on that port."), _("Check the port."),
        ),
        TimedOut: (
            _("%(host)s did not answer in time", host=host),
            _("Nothing came back on port %(port)d.", port=port),
            _("Check the name and the port, or try again in a few minutes."),
        ),
        TooManyConnections: (
            _("%(host)s has too many connections", host=host), _("It takes no more from this mailbox now."),
            _("Close other mail programs or wait a few minutes. The password is not the reason."),
        ),
    }  # fmt: skip
    other = (
        _("The connection to %(host)s does not hold", host=host),
        _("It ended before the login was through."),
        _("Try again in a few minutes."),
    )
    title, lead, remedy = titles.get(type(error), other)
    are_theirs = type(error) not in titles or isinstance(error, TooManyConnections)  # else the words are ours
    return Trouble(title, lead, error.detail if are_theirs else "", remedy)


ERRORS: dict[str, type[MailError]] = {
    kind.__name__: kind
    for kind in (
        ActionRefused, AddressRefused, ConnectionRefused, GrantRevoked, LoginRefused, NameNotFound, NotAMailServer,
        StarttlsNotOffered, TimedOut, TlsFailed, TooManyConnections,
    )
}  # fmt: skip


def stored_trouble(error: str, detail: str, endpoint: Endpoint, preset: Preset | None) -> Trouble:
    """An error as the engine stored it: its class by name, and the server's words."""
    kind = ERRORS.get(error, MailError)
    item = StepResult(Step.LOGIN, error=kind(detail))
    return trouble_of(Record(Service.IMAP, endpoint), item, preset)


def abilities(capabilities: Sequence[str]) -> Sequence[str]:
    """What a server can do that a person notices."""
    known = {
        "IDLE": _("push new mail (IDLE)"),
        "QRESYNC": _("quick changes (QRESYNC)"),
        "CONDSTORE": _("changed flags (CONDSTORE)"),
        "MOVE": _("move"),
        "X-GM-EXT-1": _("Gmail's labels"),
    }
    return [words for name, words in known.items() if name in capabilities]
