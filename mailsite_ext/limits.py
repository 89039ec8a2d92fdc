"""Every bound of the listeners, in one frozen value; units in the names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one peer may use up; the defaults are those of the documentation."""

    connections_per_address: int = 20
    connections: int = 1_000
    before_login_s: float = 60.0
    before_login_octets: int = 8 * 1024
    bad_logins: int = 10  # per account name, and per /24 or /64, within `bad_logins_window_s`
    bad_logins_window_s: int = 15 * 60
    message_octets: int = 50 * 1024 * 1024
    command_line_octets: int = 2 * 1024  # RFC 5321 §4.5.3.1.4 with room for the extensions' parameters
    text_line_octets: int = 64 * 1024  # RFC 5321 §4.5.3.1.6 says 1,000; real mail breaks that
    recipients: int = 100  # RFC 5321 §4.5.3.1.8
    recipients_per_hour: int = 500  # elsewhere, of one mailbox; an admin may give one more or less
    recipients_per_day: int = 2_000
    received_fields: int = 100
    examinations: int = 32  # of messages from outside at a time, each for as long as its budget of DNS lasts
    examinations_per_peer: int = 4
    smtp_idle_s: float = 300.0  # RFC 5321 §4.5.3.2.7
    smtp_transaction_s: float = 30 * 60.0  # from MAIL to the end of the message, however it trickles
    imap_idle_s: float = 30 * 60.0  # RFC 9051 §5.4
    imap_threads: int = 16  # of a process
    imap_threads_per_mailbox: int = 4
    recheck_login_s: float = 60.0  # whoever may not sign in any more is out after so long
    imap_line_octets: int = 64 * 1024
    imap_literal_octets: int = 100 * 1024  # but those of APPEND
    imap_literals_octets: int = 1024 * 1024  # all of one command
    imap_literals: int = 1_000
    bad_commands: int = 3  # in a row, then the connection ends
    refusals: int = 100  # 5yz replies in one SMTP session: guessing at addresses comes to an end
    stop_grace_s: float = 10.0  # transactions under way when a listener is told to stop
