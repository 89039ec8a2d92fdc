"""How a connection to a relay is secured; nothing is said to one in the clear."""

from enum import StrEnum


class RelayTls(StrEnum):
    IMPLICIT = "implicit"  # from the first octet
    STARTTLS = "starttls"
