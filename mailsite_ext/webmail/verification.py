"""What reception found out about a message, read back from the header it wrote: only from one with our seal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from flask import url_for
from flask_babel import lazy_gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.extension_api import MailAccount, MailError, MirroredMessage, Runtime, Signature, Standing, Verification
from mailsite_ext.authentication.results import Finding
from mailsite_ext.authentication.results_reader import read_findings
from mailsite_ext.delivery import verdict
from mailsite_ext.delivery.header import Field
from mailsite_ext.domains.models import Mailbox
from mailsite_ext.junk import explained
from mailsite_ext.protocol.smtp_address import parse_address
from mailsite_ext.reception.seals import Seals
from mailsite_ext.trusted_senders.service import is_trusted

REASONS = {
    verdict.WITHOUT_TLS: lazy_gettext("it came without encryption (TLS)"),
    verdict.LIKE_JUNK: lazy_gettext("it is like mail you put into Junk"),
    verdict.DISOWNED: lazy_gettext("its author's domain asks to treat such mail as junk"),
    verdict.TRUSTED: lazy_gettext("you trust its sender"),
    verdict.TRUST_UNPROVEN: lazy_gettext("you trust its sender, but nothing proves that they wrote it"),
}
_TLS = re.compile(r"\swith [A-Z0-9]+ \(TLSv([0-9.]{1,4}) ")


def verify(parts: Runtime, db: Session, message: MirroredMessage, header: bytes) -> Verification | None:
    """See app.messages.verifiers."""
    owned = select(Mailbox.user_id, Mailbox.name).join(MailAccount, MailAccount.owner_id == Mailbox.user_id)
    mailbox = db.execute(owned.where(MailAccount.id == message.account_id)).one_or_none()
    found = Seals.of(parts).find_sealed(header, mailbox.name) if mailbox else None
    if mailbox is None or found is None:
        return None
    return verification(
        *found,
        is_trusted=_is_trusted(db, mailbox.user_id, message.from_address),
        trust_url=url_for("trusted_senders.trust_author", message_id=message.id),
    )


def _is_trusted(db: Session, user_id: int, author: str) -> bool:
    try:
        return is_trusted(db, user_id, parse_address(author, utf8=True))
    except MailError:  # an author who is no address
        return False


def verification(standing: Standing, head: Sequence[Field], *, is_trusted: bool, trust_url: str) -> Verification:
    """What the fields of a sealed head say."""
    texts = {field.name: field.value.decode("utf-8", "replace") for field in head}
    findings = read_findings(texts.get("authentication-results", ""))
    dmarc, spf = _first(findings, "dmarc"), _first(findings, "spf")
    folder, *reasons = [part.strip() for part in texts.get("x-satchel-verdict", "").split(";")]
    tls = _TLS.search(texts.get("received", ""))
    return Verification(
        standing=standing,
        domain=dmarc.get("header.from", ""),
        signatures=tuple(_signatures(findings)),
        spf=spf.get("spf", ""),
        spf_domain=spf.get("smtp.mailfrom", "") or spf.get("smtp.helo", ""),
        dmarc=dmarc.get("dmarc", ""),
        policy=dmarc.get("policy.dmarc", ""),
        tls=tls[1] if tls else "",
        reasons=[str(REASONS.get(reason, reason)) for reason in reasons],
        junk_words=tuple(_junk_words(texts.get("x-satchel-junk", ""))),
        is_junk=folder == verdict.JUNK,
        is_trusted=is_trusted,
        trust_url=trust_url,
    )


def _first(findings: Iterable[Finding], method: str) -> Mapping[str, str]:
    """The properties of the first finding by that method, and its result by the method's own name."""
    found = next((each for each in findings if each.method == method), None)
    return {method: found.result, **dict(found.properties)} if found else {}


def _signatures(findings: Iterable[Finding]) -> Iterator[Signature]:
    for found in findings:
        if found.method == "dkim" and (domain := dict(found.properties).get("header.d")):
            yield Signature(domain, found.result == "pass")


def _junk_words(value: str) -> Iterator[str]:
    judgement = explained.read_field(value)
    for each in judgement.strongest if judgement else ():
        if each.probability > 0.5:
            yield each.word
