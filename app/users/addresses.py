"""The one spelling of an address somebody signs in with.  Pure."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def canonical_address(typed: str) -> str:
    """`typed` in lower case, its domain as A-labels; it may be of this machine (`anna@localhost`).

    Raises ValueError, in words: no address, or one that needs SMTPUTF8 (RFC 6531), which too few servers take.
    """
    try:
        found = validate_email(
            typed.strip(), check_deliverability=False, globally_deliverable=False, allow_smtputf8=False
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    assert found.ascii_email is not None  # without SMTPUTF8 there always is
    return found.ascii_email.lower()


def as_typed_or_canonical(typed: str) -> str:
    """For looking somebody up: the one spelling, or what was typed where it is no address."""
    try:
        return canonical_address(typed)
    except ValueError:
        return typed.strip().lower()
