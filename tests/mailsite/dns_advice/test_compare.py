"""What was found, held against what is wanted: one table a row."""

from __future__ import annotations

import pytest

from app.extension_api import Answer, Outcome
from mailsite_ext.dns_advice.compare import LONGEST_SHOWN, MOST_SHOWN, check, find_next, questions
from mailsite_ext.dns_advice.records import Obstacle, Record, Row

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"  # as octets; what they mean is the verifier's concern
RECORDS = {
    Row.SPF: ("TXT", "v=spf1 mx ~all"),
    Row.DKIM: ("TXT", f"v=DKIM1; k=rsa; p={KEY}"),
    Row.DMARC: ("TXT", "v=DMARC1; p=none; rua=mailto:dmarc-reports@example.org"),
    Row.MTA_STS: ("TXT", "v=STSv1; id=17;"),
    Row.MX: ("MX", "10 mail.example.org."),
    Row.ADDRESS: ("A", "8.8.4.4"),
    Row.REVERSE: ("PTR", "mail.example.org."),
    Row.TLS_RPT: ("TXT", "v=TLSRPTv1; rua=mailto:tls-reports@example.org"),
    Row.SRV: ("SRV", "0 1 993 mail.example.org."),
}


def wanted(row):
    kind, value = RECORDS[row]
    return Record(row=row, name="x.example.org", kind=kind, values=(value,))


def answer(*records):
    return Answer(Outcome.FOUND, records) if records else Answer(Outcome.NO_RECORD)


@pytest.mark.parametrize(
    ("row", "found", "state"),
    [
        (Row.SPF, ["v=spf1 mx ~all"], "right"),
        (Row.SPF, ["v=spf1 mx -all"], "right"),  # tightened, as is advised
        (Row.SPF, ["V=SPF1 +mx include:_spf.example.net ~ALL"], "right"),
        (Row.SPF, ["verification=1", "v=spf1 mx ~all"], "right"),
        (Row.SPF, ["v=spf1 include:_spf.oldhost.example -all"], "wrong"),
        (Row.SPF, ["v=spf1 mx ?all"], "wrong"),
        (Row.SPF, ["v=spf1 mx +all"], "wrong"),
        (Row.SPF, ["v=spf1 mx"], "wrong"),
        (Row.SPF, ["v=spf1 -mx ~all"], "wrong"),
        (Row.SPF, ["v=spf1"], "wrong"),
        (Row.SPF, ["v=spf10 mx ~all"], "missing"),  # RFC 7208 §4.5
        (Row.SPF, ["v=spf1 mx ~all", "v=spf1 mx ~all"], "several"),
        (Row.DKIM, [f"p={KEY}"], "right"),  # v= and k= may be left out: RFC 6376 §3.6.1
        (Row.DKIM, [f"v=DKIM1; k=rsa; p={KEY[:10]} {KEY[10:]}"], "right"),  # folded by the provider
        (Row.DKIM, ["v=DKIM1; k=rsa; p="], "wrong"),  # revoked
        (Row.DKIM, [f"v=DKIM1; k=ed25519; p={KEY}"], "wrong"),
        (Row.DKIM, [f"v=DKIM1; s=other; p={KEY}"], "wrong"),
        (Row.DKIM, ["v=DKIM1; p=!!"], "wrong"),
        (Row.DKIM, ["something else"], "missing"),
        (Row.DKIM, [f"p={KEY}", f"p={KEY}"], "several"),
        (Row.DMARC, ["v=DMARC1; p=reject; rua=mailto:a@b.example"], "right"),  # the end of the way
        (Row.DMARC, ["v=DMARC1;p=quarantine;rua=mailto:a@b.example,mailto:c@d.example"], "right"),
        (Row.DMARC, ["v=DMARC1; p=none"], "wrong"),  # nobody hears of anything
        (Row.DMARC, ["v=DMARC1; p=sometimes; rua=mailto:a@b.example"], "wrong"),
        (Row.DMARC, ["v=DMARC1; rua=mailto:a@b.example"], "wrong"),
        (Row.DMARC, ["v=DMARC1; ;;="], "wrong"),
        (Row.DMARC, ["v=DMARC2; p=none"], "missing"),
        (Row.DMARC, ["v=DMARC1; p=none", "v=DMARC1; p=none"], "several"),
        (Row.MTA_STS, ["v=STSv1; id=17"], "right"),
        (Row.MTA_STS, ["v=STSv1; id=18;"], "wrong"),
        (Row.MTA_STS, ["v=STSv1; id=1-7;"], "wrong"),
        (Row.MTA_STS, ["v=STSv1; id=17;", "v=STSv1; id=17;"], "several"),
        (Row.TLS_RPT, ["v=TLSRPTv1; rua=https://reports.example/x"], "right"),
        (Row.TLS_RPT, ["v=TLSRPTv1"], "wrong"),
        (Row.TLS_RPT, ["v=TLSRPTv1; rua=mailto:a@b.example"] * 2, "several"),
        (Row.MX, ["20 backup.example.", "5 MAIL.example.org."], "right"),
        (Row.MX, ["10 mail.example.org.", "10 other.example."], "right"),
        (Row.MX, ["10 mail.example.org.", "5 other.example."], "wrong"),
        (Row.MX, ["0 ."], "wrong"),
        (Row.ADDRESS, ["9.9.9.9", "8.8.4.4"], "right"),
        (Row.ADDRESS, ["9.9.9.9"], "wrong"),
        (Row.REVERSE, ["other.example.", "Mail.Example.org."], "right"),
        (Row.REVERSE, ["other.example."], "wrong"),
        (Row.SRV, ["10 5 993 Mail.example.org."], "right"),  # priority and weight are the domain's own
        (Row.SRV, ["0 1 994 mail.example.org."], "wrong"),
        (Row.SRV, ["0 0 0 ."], "wrong"),
        *[(row, [], "missing") for row in RECORDS],
        *[(row, [value], "right") for row, (_, value) in RECORDS.items()],
    ],
)
def test_what_a_record_comes_to(row, found, state):
    record = wanted(row)
    assert check(record, {(record.name, record.kind): answer(*found)}).state.value == state


@pytest.mark.parametrize("row", RECORDS)
def test_no_answer_says_nothing(row):
    record = wanted(row)
    assert check(record, {(record.name, record.kind): Answer(Outcome.NO_ANSWER)}).state.value == "cannot-tell"


def test_any_address_is_right_where_ours_is_not_known():
    record = Record(row=Row.ADDRESS, name="x.example.org", kind="A")
    assert check(record, {("x.example.org", "A"): answer("9.9.9.9")}).state.value == "right"


HOST = Record(row=Row.MTA_STS_HOST, name="mta-sts.example.org", kind="CNAME", values=("web.example.org.",))
SILENT = Answer(Outcome.NO_ANSWER)


@pytest.mark.parametrize(
    ("named", "own", "web", "state"),
    [
        (answer("Web.example.org."), answer(), answer(), "right"),
        (answer(), answer("8.8.4.4"), answer("8.8.4.4"), "right"),
        (answer("proxy.example."), answer("8.8.4.4"), answer("8.8.4.4"), "right"),  # it leads to the same host
        (answer("proxy.example."), answer("9.9.9.9"), answer("8.8.4.4"), "wrong"),
        (answer("gone.example."), answer(), answer("8.8.4.4"), "wrong"),
        (answer(), answer("9.9.9.9"), answer(), "wrong"),
        (answer(), answer(), answer("8.8.4.4"), "missing"),
        (SILENT, SILENT, answer("8.8.4.4"), "cannot-tell"),
        (answer(), answer("9.9.9.9"), SILENT, "cannot-tell"),
    ],
)
def test_a_name_that_stands_for_a_host(named, own, web, state):
    answers = dict.fromkeys(questions(HOST), answer())
    answers |= {(HOST.name, "CNAME"): named, (HOST.name, "A"): own, ("web.example.org", "A"): web}
    assert check(HOST, answers).state.value == state


def test_what_waits_is_not_asked_for():
    record = Record(row=Row.MTA_STS, name="x", kind="TXT", obstacle=Obstacle.NO_POLICY)
    assert questions(record) == []
    assert check(record, {}).state.value == "waits"


def test_others_texts_are_cut_and_cleaned():
    found = check(
        wanted(Row.SPF), {("x.example.org", "TXT"): answer(*["v=spf1 \x1b[2J\u202e" + "x" * 9_000] * 20)}
    ).found
    assert len(found) == MOST_SHOWN
    assert all(len(text) == LONGEST_SHOWN and text.isprintable() for text in found)


@pytest.mark.parametrize(
    ("rows", "following"),
    [
        ([(Row.SPF, "right"), (Row.DMARC, "missing"), (Row.MX, "wrong")], Row.DMARC),
        ([(Row.SPF, "cannot-tell"), (Row.MX, "wrong")], Row.MX),
        ([(Row.SPF, "right")], None),
    ],
)
def test_the_next_one_is_the_first_that_can_be_done(rows, following):
    answers = {"right": lambda row: answer(RECORDS[row][1]), "missing": lambda _: answer(),
               "wrong": lambda _: answer("0 ."), "cannot-tell": lambda _: SILENT}  # fmt: skip
    checks = [check(wanted(row), {("x.example.org", RECORDS[row][0]): answers[state](row)}) for row, state in rows]
    found = find_next(checks)
    assert (found.record.row if found else None) is following


@pytest.mark.parametrize(("why", "to_do"), [(Obstacle.NO_KEY, True), (Obstacle.KEYS_ELSEWHERE, False)])
def test_a_key_that_is_missing_is_something_to_do(why, to_do):
    assert check(Record(row=Row.DKIM, name="x", kind="TXT", obstacle=why), {}).is_to_do is to_do
