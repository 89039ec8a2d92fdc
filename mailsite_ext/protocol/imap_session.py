"""Which command may come when, and what is offered when: the states of an IMAP session (RFC 9051 §3).  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol.imap_limits import BadCommand


class State(Enum):
    NOT_SIGNED_IN = auto()
    SIGNED_IN = auto()
    SELECTED = auto()
    LOGGED_OUT = auto()


ANY_STATE = frozenset({c.Capability, c.Noop, c.Logout, c.Id})
BEFORE = frozenset({c.StartTls, c.Authenticate, c.Login})
SIGNED_IN = frozenset(
    {
        c.Enable, c.Select, c.Create, c.Delete, c.Rename, c.Subscribe, c.Unsubscribe, c.List, c.Lsub, c.Namespace,
        c.Status, c.Append, c.Idle, c.GetQuota, c.GetQuotaRoot, c.SetQuota, c.Notify, c.Compress,
    }
)  # fmt: skip
SELECTED = frozenset(
    {
        c.Check, c.Close, c.Unselect, c.Expunge, c.Search, c.Sort, c.Thread, c.Fetch, c.Store, c.Copy, c.Move,
        c.Replace, c.CancelUpdate, c.UidBatches,
    }
)  # fmt: skip

ALLOWED: dict[State, frozenset[type[c.Command]]] = {  # RFC 9051 §6
    State.NOT_SIGNED_IN: ANY_STATE | BEFORE,
    State.SIGNED_IN: ANY_STATE | SIGNED_IN,
    State.SELECTED: ANY_STATE | SIGNED_IN | SELECTED,
    State.LOGGED_OUT: frozenset(),
}


def require_allowed(state: State, command: c.Command) -> None:
    """Raises BadCommand for a command that this state does not know."""
    if type(command) in ALLOWED[state]:
        return
    if state is State.NOT_SIGNED_IN:
        raise BadCommand("Sign in first", command.tag)
    if type(command) in BEFORE:
        raise BadCommand("You are signed in already", command.tag)
    raise BadCommand("Select a folder first", command.tag)


ALWAYS = ("IMAP4rev1", "IMAP4rev2", "ID", "LITERAL+", "SASL-IR", "ENABLE")
ONCE_SIGNED_IN = (
    "IDLE",  # RFC 2177
    "NAMESPACE",  # RFC 2342
    "NOTIFY",  # RFC 5465
    "UIDPLUS",  # RFC 4315
    "MULTIAPPEND",  # RFC 3502
    "CATENATE",  # RFC 4469
    "UNSELECT",  # RFC 3691
    "CHILDREN",  # RFC 3348
    "BINARY",  # RFC 3516
    "ESEARCH",  # RFC 4731
    "SEARCHRES",  # RFC 5182
    "WITHIN",  # RFC 5032
    "SORT",  # RFC 5256
    "ESORT",  # RFC 5267
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "SORT=DISPLAY",  # RFC 5957
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "LIST-EXTENDED",  # RFC 5258
    "LIST-STATUS",  # RFC 5819
    "SPECIAL-USE",  # RFC 6154
    "CREATE-SPECIAL-USE",
    "MOVE",  # RFC 6851
    "UTF8=ACCEPT",  # RFC 6855
    "CONDSTORE",  # RFC 7162
    "QRESYNC",
    "STATUS=SIZE",  # RFC 8438
    "OBJECTID",  # RFC 8474
    "REPLACE",  # RFC 8508
    "SAVEDATE",  # RFC 8514
    "PREVIEW",  # RFC 8970
    "QUOTA",  # RFC 9208
    "QUOTA=RES-STORAGE",
    "UIDBATCHES",  # RFC 10022
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What this connection may be offered now; `hidden`, in capitals, is kept from a client that cannot bear it."""

    message_octets: int
    starttls: bool = False
    sign_in: bool = True
    mechanisms: tuple[str, ...] = ("SCRAM-SHA-256", "PLAIN")
    hidden: frozenset[str] = frozenset()
    compress: bool = True


def capabilities(state: State, offer: Offer) -> str:
    """The capability list, RFC 9051 §6.1.1: what a session in `state` can do."""
    names = list(ALWAYS)
    if state is State.NOT_SIGNED_IN:
        names += ["STARTTLS"] if offer.starttls else []
        names += [f"AUTH={name}" for name in offer.mechanisms] if offer.sign_in else ["LOGINDISABLED"]
    else:
        names += [*ONCE_SIGNED_IN, f"APPENDLIMIT={offer.message_octets}"]  # RFC 7889
        names += ["COMPRESS=DEFLATE"] if offer.compress else []  # RFC 4978
    return " ".join(name for name in names if name.upper() not in offer.hidden)
