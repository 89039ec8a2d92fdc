"""Looking at a domain as the world does: its records, its policy over HTTPS, its certificate, the way out (D6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum

from app.extension_api import Answer, MailError, Resolver, Runtime, TlsFailed
from mailsite_ext.dns_advice.compare import Answers, Check, Question, State, check, questions
from mailsite_ext.dns_advice.facts import Attempt, Known
from mailsite_ext.dns_advice.records import Facts, public_addresses, records_of
from mailsite_ext.settings.posture import Certificate, CertificateState
from mailsite_ext.transport_security.mta_sts import BadPolicy, parse_policy
from mailsite_ext.transport_security.policy_cache import PolicyFetcher

ONE_ANSWER_S = 4.0
POLICY_S = 5.0
AT_ONCE = 12


class Beyond(StrEnum):
    """What is looked at beside the records."""

    PORT_25 = "port-25"
    CERTIFICATE = "certificate"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` names the host it is about, `words` are what the far side said."""

    what: Beyond
    state: State
    detail: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    facts: Facts
    checks: Sequence[Check]
    findings: Sequence[Finding]


def look(parts: Runtime, known: Known) -> Panel:
    """At most some ten seconds, whatever does not answer.  The caller holds no database connection."""
    with ThreadPoolExecutor(AT_ONCE, "look") as threads:
        policy = threads.submit(_look_at_policy, parts, known)
        facts = _with_addresses(parts.resolver, threads, known.facts)
        records = records_of(facts)
        answers = _ask(parts.resolver, threads, [question for record in records for question in questions(record)])
        checks = [check(record, answers) for record in records]
        findings = [port_25(known.attempt), certificate(known.certificate, facts.mail_host), policy.result()]
    return Panel(facts, checks, [finding for finding in findings if finding is not None])


def _with_addresses(resolver: Resolver, threads: ThreadPoolExecutor, facts: Facts) -> Facts:
    """The addresses whose reverse names count: our own, or those DNS gives to the mail host."""
    if facts.addresses:
        return facts
    answers = _ask(resolver, threads, [(facts.mail_host, "A"), (facts.mail_host, "AAAA")])
    return replace(facts, addresses=public_addresses(text for answer in answers.values() for text in answer.records))


def _ask(resolver: Resolver, threads: ThreadPoolExecutor, wanted: Iterable[Question]) -> Answers:
    """Each question once, all at once."""

    def answer(question: Question) -> Answer:
        return resolver.lookup(*question, timeout_s=ONE_ANSWER_S)

    asked = {question: threads.submit(answer, question) for question in dict.fromkeys(wanted)}
    return {question: future.result() for question, future in asked.items()}


def port_25(attempt: Attempt | None) -> Finding:
    """Known from deliveries: nobody is dialled to find out."""
    if attempt is None:
        return Finding(Beyond.PORT_25, State.CANNOT_TELL)
    return Finding(Beyond.PORT_25, State.WRONG if attempt.blocked else State.RIGHT, attempt.domain)


def certificate(held: Certificate, host: str) -> Finding:
    """Does the mail listeners' certificate stand for the mail host (RFC 9525 §6.3)?"""
    if held.state is CertificateState.NONE:
        return Finding(Beyond.CERTIFICATE, State.MISSING, host)
    if held.state is not CertificateState.VALID:
        return Finding(Beyond.CERTIFICATE, State.WRONG, host, held.error or held.state.value)
    covered = {host, f"*.{host.partition('.')[2]}"} & set(held.names)
    return Finding(Beyond.CERTIFICATE, State.RIGHT if covered else State.WRONG, host)


def _look_at_policy(parts: Runtime, known: Known) -> Finding | None:
    """Is the policy there for senders, verified for its name?  None: there is none."""
    wanted, host = known.facts.policy, f"mta-sts.{known.facts.domain}"
    if wanted is None:
        return None
    try:
        found = parse_policy(PolicyFetcher(parts, known.reaches_private, timeout_s=POLICY_S)(known.facts.domain))
    except TlsFailed as error:
        return Finding(Beyond.POLICY, State.WRONG, host, error.detail)
    except (MailError, BadPolicy) as error:
        return Finding(Beyond.POLICY, State.MISSING, host, str(error))
    return Finding(Beyond.POLICY, State.RIGHT if found == wanted else State.WRONG, host)


def tally(checks: Iterable[Check]) -> dict[State, int]:
    """How many records of each state."""
    counts = dict.fromkeys(State, 0)
    for one in checks:
        counts[one.state] += 1
    return counts
