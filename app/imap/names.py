"""Folder names: as octets on the wire and as text, and what a folder is for by its attributes or its name.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imapclient import imap_utf7

from app.errors import BadInput
from app.sources import Role

MAX_NAME_CHARS = 1_000

ROLE_OF_ATTRIBUTE = {  # RFC 6154 §2, RFC 8457
    b"\\DRAFTS": Role.DRAFTS,
    b"\\SENT": Role.SENT,
    b"\\ARCHIVE": Role.ARCHIVE,
    b"\\JUNK": Role.JUNK,
    b"\\SPAM": Role.JUNK,  # XLIST, still sent by some
    b"\\TRASH": Role.TRASH,
    b"\\ALL": Role.ALL,
    b"\\ALLMAIL": Role.ALL,
    b"\\FLAGGED": Role.FLAGGED,
    b"\\STARRED": Role.FLAGGED,
    b"\\IMPORTANT": Role.IMPORTANT,
}

WELL_KNOWN: Mapping[Role, tuple[str, ...]] = {
    Role.DRAFTS: (
        "drafts", "draft", "entwürfe", "brouillons", "borradores", "bozze", "rascunhos", "concepten", "kladder",
        "utkast", "luonnokset", "koncepty", "wersje robocze", "szkice", "piszkozatok", "черновики", "чернетки",
        "taslaklar", "πρόχειρα", "下書き", "草稿", "草稿箱", "임시보관함",
    ),
    Role.SENT: (
        "sent", "sent items", "sent messages", "sent mail", "gesendet", "gesendete objekte", "gesendete elemente",
        "envoyés", "éléments envoyés", "messages envoyés", "enviados", "elementos enviados", "posta inviata", "inviati",
        "inviata", "itens enviados", "verzonden", "verzonden items", "sendt", "sendte elementer", "skickat",
        "skickade objekt", "lähetetyt", "odeslané", "odeslaná pošta", "wysłane", "elementy wysłane", "elküldött",
        "отправленные", "надіслані", "gönderilmiş öğeler", "gönderilenler", "απεσταλμένα", "送信済み",
        "送信済みアイテム", "已发送", "已发送邮件", "寄件備份", "보낸편지함",
    ),
    Role.TRASH: (
        "trash", "deleted", "deleted items", "deleted messages", "bin", "papierkorb", "gelöschte objekte",
        "gelöschte elemente", "corbeille", "éléments supprimés", "papelera", "elementos eliminados", "cestino",
        "posta eliminata", "lixo", "lixeira", "itens excluídos", "prullenbak", "verwijderde items", "papirkurv",
        "slettet post", "papperskorgen", "borttaget", "roskakori", "koš", "kosz", "elementy usunięte", "kuka",
        "корзина", "удаленные", "кошик", "çöp kutusu", "silinmiş öğeler", "κάδος", "ゴミ箱", "已删除", "已删除邮件",
        "垃圾桶", "휴지통",
    ),
    Role.JUNK: (
        "junk", "spam", "junk mail", "junk e-mail", "junk email", "bulk mail", "unerwünscht", "junk-e-mail",
        "spamverdacht", "courrier indésirable", "indésirables", "pourriel", "correo no deseado", "posta indesiderata",
        "lixo eletrônico", "ongewenste e-mail", "ongewenst", "uønsket post", "søppelpost", "skräppost", "roskaposti",
        "nevyžádaná pošta", "wiadomości-śmieci", "levélszemét", "спам", "нежелательная почта", "önemsiz e-posta",
        "ανεπιθύμητα", "迷惑メール", "垃圾邮件", "垃圾郵件", "스팸메일함",
    ),
    Role.ARCHIVE: (
        "archive", "archives", "archiv", "archivo", "archivio", "arquivo", "archief", "arkiv", "arkisto", "archiwum",
        "archívum", "архив", "архів", "arşiv", "αρχείο", "アーカイブ", "归档", "存档",
    ),
}  # fmt: skip


def decode(raw: bytes, *, utf8: bool = False) -> str | None:
    """The name as text; None if it would not come back the same, so that the folder could not be addressed.

    Names are modified UTF-7 (RFC 3501 §5.1.3), or UTF-8: always with `utf8`, as after ENABLE UTF8=ACCEPT (RFC 6855 §3),
    else where octets above 127 say so (RFC 9051 §5.1).
    """
    if utf8 or not raw.isascii():
        return _decoded_utf8(raw)
    try:
        name = str(imap_utf7.decode(raw))
        return name if imap_utf7.encode(name) == raw else None
    except (ValueError, UnicodeError):
        return None


def _decoded_utf8(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def check(name: str) -> None:
    """Raises BadInput for names no folder can have: empty, too long, or with control characters, which end commands."""
    if not 0 < len(name) <= MAX_NAME_CHARS or any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name):
        raise BadInput("name", "A folder name has 1 to 1,000 characters and no control characters.")


def encode(name: str, *, utf8: bool) -> bytes:
    """A quoted string: UTF-8 where the server was told to accept it (RFC 6855), else modified UTF-7."""
    try:
        return quoted(name.encode("utf-8") if utf8 else imap_utf7.encode(name))
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise BadInput("name", "A folder name has characters that do not exist.") from error


def quoted(octets: bytes) -> bytes:
    """A quoted string (RFC 9051 §4.3).  Raises BadInput for octets that cannot stand in one."""
    if any(octet in octets for octet in (b"\r", b"\n", b"\0")):
        raise BadInput("text", "Line ends cannot be sent to the mail server here.")
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Where a person's own folders are (RFC 2342): people need not see a prefix they all share, such as "INBOX."."""

    personal: str = ""
    others: tuple[str, ...] = ()

    def shown(self, name: str) -> str | None:
        """The name people see for a server's name; None for one outside every namespace: it cannot be addressed."""
        if name.upper() == "INBOX":
            return "INBOX"
        if self._is_elsewhere(name) or not self.personal:
            return name
        if not name.startswith(self.personal):
            return None
        short = name.removeprefix(self.personal)
        ambiguous = not short or short.upper() == "INBOX" or short.startswith(self.personal)
        return name if ambiguous or self._is_elsewhere(short) else short

    def real(self, name: str) -> str:
        """The server's name for the name people see; undoes `shown`."""
        if name.upper() == "INBOX" or self._is_elsewhere(name) or name.startswith(self.personal):
            return name
        return self.personal + name

    def _is_elsewhere(self, name: str) -> bool:
        return any(name.startswith(prefix) for prefix in self.others)


def roles(folders: Iterable[tuple[str, str | None, frozenset[bytes]]]) -> dict[str, Role]:
    """The role of each folder that has one, from names, delimiters and attributes.

    One folder a role: what the server says (RFC 6154) goes first; else a well-known name, at the top or under INBOX.
    """
    found: dict[str, Role] = {}
    by_name: dict[str, str] = {}
    for name, delimiter, attributes in folders:
        role = Role.INBOX if name.upper() == "INBOX" else _role_of(attributes)
        if role is not None and role not in found.values():
            found[name] = role
        elif b"\\NOSELECT" not in attributes:
            by_name.setdefault(_leaf(name, delimiter).casefold(), name)
    for role, known in WELL_KNOWN.items():
        match = next((by_name[word] for word in known if word in by_name), None)
        if match is not None and role not in found.values():
            found[match] = role
    return found


def _role_of(attributes: frozenset[bytes]) -> Role | None:
    return next((ROLE_OF_ATTRIBUTE[word] for word in sorted(attributes) if word in ROLE_OF_ATTRIBUTE), None)


def _leaf(name: str, delimiter: str | None) -> str:
    """The last step of the path if only INBOX or a provider's "[…]" is above it, else the whole."""
    parent, found, leaf = name.rpartition(delimiter) if delimiter else ("", "", name)
    above_is_plain = not found or parent.upper() == "INBOX" or (parent.startswith("[") and parent.endswith("]"))
    return leaf if above_is_plain else name
