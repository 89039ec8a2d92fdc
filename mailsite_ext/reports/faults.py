"""Why a report was not taken.  Pure."""

from __future__ import annotations

from enum import StrEnum

LONGEST_DETAIL = 200


class Fault(StrEnum):
    """Kept with what could not be read; the page has words for each."""

    NOT_A_REPORT = "not-a-report"  # no part of the message is one
    TOO_LARGE = "too-large"
    BOMB = "bomb"  # it unpacks to far more than it is
    BADLY_PACKED = "badly-packed"
    SEVERAL_FILES = "several-files"
    NOT_XML = "not-xml"
    NOT_JSON = "not-json"
    ENTITIES = "entities"  # it declares a document type, which no report needs
    TOO_MANY = "too-many"  # records, elements, or levels of them
    MISSING = "missing"  # what, the detail says
    BAD_VALUE = "bad-value"  # of what, the detail says
    OTHER_DOMAIN = "other-domain"  # it is about a domain that is not the address's
    UNPROVEN = "unproven"  # neither SPF nor DKIM says that it comes from the domain it names as its author's


class BadReport(ValueError):
    """A report that is not taken; `detail` is the stranger's own word, cut short."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        plain = "".join(char for char in detail if char.isprintable())[:LONGEST_DETAIL]
        super().__init__(f"{fault}: {plain}")
        self.fault = fault
        self.detail = plain
