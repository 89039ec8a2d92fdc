"""Everything that is fuzzed, by name."""

from __future__ import annotations

from tests.fuzz import asking, filtering, judging, reading, reporting, seeds, servers
from tests.fuzz.explore import Target

TARGETS = {
    target.name: target
    for target in (
        Target("smtp", servers.smtp, seeds.SMTP_SEEDS, seeds.SMTP_WORDS),
        Target("imap", servers.imap, seeds.IMAP_SEEDS, seeds.IMAP_WORDS),
        Target("sign_in", servers.sign_in, seeds.SASL_SEEDS, seeds.SASL_WORDS),
        Target("folder_name", servers.folder_name, seeds.NAME_SEEDS, seeds.NAME_WORDS),
        Target("pattern", servers.pattern, seeds.PATTERN_SEEDS, (b"*", b"%", b"/", b"\n")),
        Target("text_index", servers.text_index, seeds.TEXT_SEEDS, seeds.TEXT_WORDS),
        Target("journal", servers.journal, servers.JOURNAL_SEEDS, (b"message ", b"flags ", b"gone ", b"-", b":")),
        Target("imap_answers", reading.imap_answers, seeds.IMAP_ANSWERS, seeds.IMAP_ANSWER_WORDS),
        Target("body_structure", reading.body_structure, seeds.STRUCTURES, seeds.IMAP_ANSWER_WORDS),
        Target("name_of_folder", reading.name_of_folder, seeds.NAME_SEEDS, seeds.NAME_WORDS),
        Target("message", reading.message, seeds.MESSAGES, seeds.MESSAGE_WORDS),
        Target("stored_message", reading.stored_message, seeds.MESSAGES, seeds.MESSAGE_WORDS),
        Target("charset", reading.charset, seeds.CHARSETS, (b"\x1b$B", b"=C3", b"+AOQ-", b"%C3", b"*0*=", b"''")),
        Target("html", reading.html, seeds.HTML, seeds.HTML_WORDS),
        Target("css", reading.css, seeds.CSS, seeds.CSS_WORDS),
        Target("autoconfig", reading.autoconfig, seeds.AUTOCONFIGS, seeds.AUTOCONFIG_WORDS),
        Target("spf", judging.spf_record, judging.SPF_SEEDS, judging.SPF_WORDS),
        Target("dkim", judging.dkim_signatures, judging.DKIM_SEEDS, judging.DKIM_WORDS),
        Target("dmarc", judging.dmarc_policy, judging.DMARC_SEEDS, judging.DMARC_WORDS),
        Target("arc", judging.arc_chain, judging.ARC_SEEDS, judging.ARC_WORDS),
        Target("results", judging.forged_results, judging.RESULTS_SEEDS, judging.RESULTS_WORDS),
        Target("aggregate_report", reporting.aggregate, reporting.AGGREGATES, reporting.AGGREGATE_WORDS),
        Target("tls_report", reporting.tls, reporting.TLS_REPORTS, reporting.TLS_WORDS),
        Target("report_mail", reporting.mail, reporting.MAILS, reporting.MAIL_WORDS),
        Target("report_destinations", reporting.destinations, reporting.RUAS, reporting.RUA_WORDS),
        Target("junk_words", filtering.words, seeds.MESSAGES, seeds.MESSAGE_WORDS),
        Target("junk_field", filtering.field, filtering.FIELDS, filtering.FIELD_WORDS),
        Target("autodiscover", asking.autodiscover, asking.REQUESTS, asking.REQUEST_WORDS),
        Target("test_mail_reply", asking.reply, asking.REPLIES, asking.REPLY_WORDS),
        Target("addresses", reading.addresses, seeds.ADDRESSES, seeds.ADDRESS_WORDS),
    )
}
