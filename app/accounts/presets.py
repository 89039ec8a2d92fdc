"""Providers known by heart (E1), and what their app passwords are about (C4).  Pure; translated when shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.accounts.endpoint import Endpoint, Tls


class PasswordKind(StrEnum):
    """What a provider takes in place of a password."""

    OWN = "own"  # the one of its website
    APP = "app"  # an app password, always
    APP_WITH_2FA = "app-with-2fa"  # an app password once two-step verification is on
    MAIL = "mail"  # one for mail programs that is set apart on its website
    BRIDGE = "bridge"  # the one its bridge program shows
    NONE = "none"  # no password at all: only OAuth


class LoginName(StrEnum):
    ADDRESS = "address"
    LOCAL_PART = "local-part"


def _(words: str) -> str:
    """Marks words for translation; `gettext(step)` shows them."""
    return words


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider.  `mx` are ends of the MX hosts it gives to domains of its customers; `oauth` a key of
    app.accounts.oauth.PROVIDERS; `steps` lead to the password at `help_url`."""

    key: str
    name: str
    imap: Endpoint
    smtp: Endpoint
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    passwords: PasswordKind = PasswordKind.OWN
    oauth: str = ""
    login: LoginName = LoginName.ADDRESS
    help_url: str = ""
    steps: tuple[str, ...] = ()
    files_sent_itself: bool = False
    is_gmail: bool = False

    @property
    def takes_only_oauth(self) -> bool:
        return self.passwords is PasswordKind.NONE

    def username(self, address: str) -> str:
        return address.rpartition("@")[0] if self.login is LoginName.LOCAL_PART else address


def _servers(imap: str, smtp: str, smtp_port: int = 465) -> tuple[Endpoint, Endpoint]:
    return Endpoint(imap, 993), Endpoint(smtp, smtp_port, Tls.IMPLICIT if smtp_port == 465 else Tls.STARTTLS)


GOOGLE_STEPS = (
    _("Turn on two-step verification for your Google account, if it is not on yet."),
    _("Open the page of app passwords and make one; any name will do."),
    _("Copy the 16 letters here. Spaces do not matter."),
)
IMAP_FIRST = _("Allow other programs to fetch mail by IMAP in the settings of your mailbox; it is off at first.")
MICROSOFT_HELP = "https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040"
YAHOO_STEPS = (
    _("Open the security page of your account and choose to create an app password."),
    _("Give it a name, such as Satchel, and copy the password it shows here."),
)
GMX_STEPS = (
    IMAP_FIRST,
    _("With two-step verification on, make an app password in the security settings and use it here."),
)
APP_PASSWORD_STEPS = (
    _("Open the security settings of your provider and make a password for another program."),
    _("Let it cover IMAP and SMTP, and copy it here."),
)

PRESETS: tuple[Preset, ...] = (
    Preset(
        "gmail", "Gmail", *_servers("imap.gmail.com", "smtp.gmail.com"),
        domains=("gmail.com", "googlemail.com"), mx=("google.com", "googlemail.com", "psmtp.com"),
        passwords=PasswordKind.APP, oauth="google", help_url="https://myaccount.google.com/apppasswords",
        steps=GOOGLE_STEPS, files_sent_itself=True, is_gmail=True,
    ),
    Preset(
        "outlook", "Outlook.com", *_servers("outlook.office365.com", "smtp-mail.outlook.com", 587),
        domains=(
            "outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com", "windowslive.com",
            "outlook.de", "outlook.fr", "outlook.es", "outlook.it", "outlook.jp", "outlook.at", "outlook.be",
            "outlook.dk", "outlook.ie", "outlook.pt", "outlook.com.br", "outlook.com.au",
            "hotmail.co.uk", "hotmail.de", "hotmail.fr", "hotmail.es", "hotmail.it", "hotmail.nl", "hotmail.be",
            "hotmail.com.br", "hotmail.com.ar", "hotmail.ca", "hotmail.se", "hotmail.no", "hotmail.ch",
            "live.co.uk", "live.de", "live.fr", "live.it", "live.nl", "live.be", "live.ca", "live.se", "live.dk",
            "live.no", "live.at", "live.ie", "live.com.au", "live.com.mx", "live.cn", "live.jp",
        ),
        mx=("olc.protection.outlook.com", "hotmail.com"),
        passwords=PasswordKind.NONE, oauth="microsoft", help_url=MICROSOFT_HELP, files_sent_itself=True,
    ),
    Preset(
        "microsoft365", "Microsoft 365", *_servers("outlook.office365.com", "smtp.office365.com", 587),
        mx=("mail.protection.outlook.com", "mx.microsoft", "mail.protection.partner.outlook.cn"),
        passwords=PasswordKind.NONE, oauth="microsoft", help_url=MICROSOFT_HELP, files_sent_itself=True,
    ),
    Preset(
        "fastmail", "Fastmail", *_servers("imap.fastmail.com", "smtp.fastmail.com"),
        domains=(
            "fastmail.com", "fastmail.fm", "fastmail.cn", "fastmail.co.uk", "fastmail.com.au", "fastmail.de",
            "fastmail.es", "fastmail.in", "fastmail.jp", "fastmail.mx", "fastmail.net", "fastmail.nl",
            "fastmail.org", "fastmail.se", "fastmail.to", "fastmail.tw", "fastmail.uk", "fastmail.us",
            "messagingengine.com", "sent.com", "mailbolt.com", "eml.cc", "fmail.co.uk", "internet-mail.org",
        ),
        mx=("messagingengine.com",), passwords=PasswordKind.APP,
        help_url="https://app.fastmail.com/settings/security/apps",
        steps=(
            _("Open Settings, Privacy & Security, Manage app passwords, and make a new one."),
            _("Let it have access to mail (IMAP and SMTP), and copy it here."),
        ),
    ),
    Preset(
        "icloud", "iCloud", *_servers("imap.mail.me.com", "smtp.mail.me.com", 587),
        domains=("icloud.com", "me.com", "mac.com"), mx=("mail.icloud.com",), passwords=PasswordKind.APP,
        help_url="https://account.apple.com/account/manage",
        steps=(
            _("Sign in to your Apple account and open App-Specific Passwords."),
            _("Generate one, give it a name, and copy it here with its hyphens."),
        ),
    ),
    Preset(
        "yahoo", "Yahoo", *_servers("imap.mail.yahoo.com", "smtp.mail.yahoo.com"),
        domains=(
            "yahoo.com", "ymail.com", "rocketmail.com", "yahoo.de", "yahoo.fr", "yahoo.es", "yahoo.it", "yahoo.ca",
            "yahoo.co.uk", "yahoo.co.in", "yahoo.in", "yahoo.com.br", "yahoo.com.ar", "yahoo.com.mx",
            "yahoo.com.au", "yahoo.com.sg", "yahoo.com.ph", "yahoo.com.hk", "yahoo.com.tw", "yahoo.co.id",
            "yahoo.co.nz", "yahoo.co.za", "yahoo.dk", "yahoo.gr", "yahoo.ie", "yahoo.no", "yahoo.pl", "yahoo.ro",
            "yahoo.se", "myyahoo.com", "sbcglobal.net", "att.net", "bellsouth.net", "pacbell.net", "ameritech.net",
        ),
        mx=("yahoodns.net",), passwords=PasswordKind.APP,
        help_url="https://login.yahoo.com/account/security", steps=YAHOO_STEPS,
    ),
    Preset(
        "aol", "AOL", *_servers("imap.aol.com", "smtp.aol.com"),
        domains=("aol.com", "aol.de", "aol.fr", "aol.co.uk", "aim.com", "love.com", "games.com", "verizon.net"),
        passwords=PasswordKind.APP, help_url="https://login.aol.com/account/security", steps=YAHOO_STEPS,
    ),
    Preset(
        "gmx", "GMX", *_servers("imap.gmx.net", "mail.gmx.net"),
        domains=("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.eu", "gmx.org", "gmx.info", "gmx.biz", "gmx.name"),
        mx=("gmx.net",), passwords=PasswordKind.APP_WITH_2FA,
        help_url="https://hilfe.gmx.net/pop-imap/einschalten.html", steps=GMX_STEPS,
    ),
    Preset(
        "gmx-com", "GMX", *_servers("imap.gmx.com", "mail.gmx.com"),
        domains=("gmx.com", "gmx.co.uk", "gmx.us", "gmx.fr", "gmx.es", "gmx.it", "gmx.ca", "gmx.tm", "gmx.li"),
        mx=("gmx.com",), passwords=PasswordKind.APP_WITH_2FA,
        help_url="https://support.gmx.com/pop-imap/toggle.html", steps=GMX_STEPS,
    ),
    Preset(
        "webde", "WEB.DE", *_servers("imap.web.de", "smtp.web.de"),
        domains=("web.de", "email.de"), mx=("web.de",), passwords=PasswordKind.APP_WITH_2FA,
        login=LoginName.LOCAL_PART, help_url="https://hilfe.web.de/pop-imap/einschalten.html", steps=GMX_STEPS,
    ),
    Preset(
        "mailcom", "mail.com", *_servers("imap.mail.com", "smtp.mail.com"),
        domains=(
            "mail.com", "email.com", "usa.com", "post.com", "europe.com", "consultant.com", "engineer.com",
            "myself.com", "dr.com", "writeme.com", "techie.com", "iname.com", "cheerful.com", "workmail.com",
        ),
        mx=("mail.com",), passwords=PasswordKind.APP_WITH_2FA,
        help_url="https://support.mail.com/pop-imap/imap/index.html", steps=GMX_STEPS,
    ),
    Preset(
        "mailbox-org", "mailbox.org", *_servers("imap.mailbox.org", "smtp.mailbox.org"),
        domains=("mailbox.org", "secure.mailbox.org"), mx=("mailbox.org",), passwords=PasswordKind.APP_WITH_2FA,
        help_url="https://login.mailbox.org/en/app-passwords", steps=APP_PASSWORD_STEPS,
    ),
    Preset(
        "zoho", "Zoho", *_servers("imap.zoho.com", "smtp.zoho.com"),
        domains=("zoho.com", "zohomail.com"), mx=("zoho.com", "zohomail.com"), passwords=PasswordKind.APP_WITH_2FA,
        help_url="https://accounts.zoho.com/home#security/app_password", steps=(IMAP_FIRST, *APP_PASSWORD_STEPS),
    ),
    Preset(
        "zoho-eu", "Zoho", *_servers("imap.zoho.eu", "smtp.zoho.eu"),
        domains=("zoho.eu", "zohomail.eu"), mx=("zoho.eu", "zohomail.eu"), passwords=PasswordKind.APP_WITH_2FA,
        help_url="https://accounts.zoho.eu/home#security/app_password", steps=(IMAP_FIRST, *APP_PASSWORD_STEPS),
    ),
    Preset(
        "proton", "Proton Mail (Bridge)",
        Endpoint("127.0.0.1", 1143, Tls.STARTTLS), Endpoint("127.0.0.1", 1025, Tls.STARTTLS),
        domains=("proton.me", "protonmail.com", "protonmail.ch", "pm.me"), mx=("protonmail.ch",),
        passwords=PasswordKind.BRIDGE, help_url="https://proton.me/mail/bridge",
        steps=(
            _("Proton Mail speaks IMAP only through its Bridge, which must run on the same machine as Satchel."),
            _("An admin allows this machine's own address among the private hosts of Mail Services."),
            _("Copy the password that Bridge shows for the mailbox here; it is not the one of the website."),
        ),
    ),
    Preset(
        "posteo", "Posteo", *_servers("posteo.de", "posteo.de"),
        domains=("posteo.de", "posteo.net", "posteo.org", "posteo.eu", "posteo.at", "posteo.ch", "posteo.us"),
        mx=("posteo.de",), passwords=PasswordKind.APP_WITH_2FA,
        help_url="https://posteo.de/en/help/app-passwords", steps=APP_PASSWORD_STEPS,
    ),
    Preset(
        "runbox", "Runbox", *_servers("mail.runbox.com", "mail.runbox.com"),
        domains=("runbox.com", "runbox.no", "runbox.me", "runbox.us"), mx=("runbox.com",),
        passwords=PasswordKind.APP_WITH_2FA, help_url="https://runbox.com/mail/account_security",
        steps=APP_PASSWORD_STEPS,
    ),
    Preset(
        "migadu", "Migadu", *_servers("imap.migadu.com", "smtp.migadu.com"), mx=("migadu.com",),
    ),
    Preset(
        "yandex", "Yandex", *_servers("imap.yandex.com", "smtp.yandex.com"),
        domains=("yandex.com", "yandex.ru", "ya.ru", "yandex.by", "yandex.kz", "yandex.ua", "narod.ru"),
        mx=("yandex.net", "yandex.ru"), passwords=PasswordKind.APP,
        help_url="https://id.yandex.com/security/app-passwords", steps=(IMAP_FIRST, *APP_PASSWORD_STEPS),
    ),
    Preset(
        "mail-ru", "Mail.ru", *_servers("imap.mail.ru", "smtp.mail.ru"),
        domains=("mail.ru", "inbox.ru", "list.ru", "bk.ru", "internet.ru"), mx=("mail.ru",),
        passwords=PasswordKind.APP, help_url="https://account.mail.ru/user/2-step-auth/passwords/",
        steps=APP_PASSWORD_STEPS,
    ),
    Preset(
        "t-online", "T-Online", *_servers("secureimap.t-online.de", "securesmtp.t-online.de"),
        domains=("t-online.de", "magenta.de"), mx=("t-online.de",), passwords=PasswordKind.MAIL,
        help_url="https://email.t-online.de/em#f=passwords",
        steps=(
            _("Telekom wants a password of its own for mail programs."),
            _("Set it in the e-mail centre under Settings, Passwords, and type it here."),
        ),
    ),
    Preset(
        "freenet", "freenet", *_servers("mx.freenet.de", "mx.freenet.de"),
        domains=("freenet.de",), mx=("freenet.de",),
    ),
    Preset(
        "ionos", "IONOS", *_servers("imap.ionos.de", "smtp.ionos.de"),
        domains=("online.de", "onlinehome.de"), mx=("kundenserver.de", "ionos.de"),
    ),
    Preset("ionos-com", "IONOS", *_servers("imap.ionos.com", "smtp.ionos.com"), mx=("1and1.com", "ionos.com")),
    Preset("strato", "STRATO", *_servers("imap.strato.de", "smtp.strato.de"), mx=("rzone.de",)),
    Preset("hetzner", "Hetzner", *_servers("mail.your-server.de", "mail.your-server.de"), mx=("your-server.de",)),
    Preset("ovh", "OVHcloud", *_servers("ssl0.ovh.net", "ssl0.ovh.net"), mx=("mail.ovh.net", "ovh.net")),
    Preset("gandi", "Gandi", *_servers("mail.gandi.net", "mail.gandi.net"), mx=("mail.gandi.net",)),
    Preset(
        "infomaniak", "Infomaniak", *_servers("mail.infomaniak.com", "mail.infomaniak.com"),
        domains=("ik.me", "ikmail.com", "etik.com"), mx=("infomaniak.ch", "infomaniak.com"),
        passwords=PasswordKind.APP_WITH_2FA, help_url="https://manager.infomaniak.com/v3/ng/profile/user/security",
        steps=APP_PASSWORD_STEPS,
    ),
    Preset(
        "rackspace", "Rackspace", *_servers("secure.emailsrvr.com", "secure.emailsrvr.com"), mx=("emailsrvr.com",),
    ),
    Preset("one-com", "one.com", *_servers("imap.one.com", "send.one.com"), mx=("one.com",)),
    Preset(
        "orange-fr", "Orange", *_servers("imap.orange.fr", "smtp.orange.fr"), domains=("orange.fr", "wanadoo.fr"),
    ),
    Preset("free-fr", "Free", *_servers("imap.free.fr", "smtp.free.fr"), domains=("free.fr",)),
    Preset("laposte", "La Poste", *_servers("imap.laposte.net", "smtp.laposte.net"), domains=("laposte.net",)),
    Preset("comcast", "Xfinity", *_servers("imap.comcast.net", "smtp.comcast.net"), domains=("comcast.net",)),
    Preset("seznam", "Seznam", *_servers("imap.seznam.cz", "smtp.seznam.cz"),
           domains=("seznam.cz", "email.cz", "post.cz", "spoluzaci.cz"), mx=("seznam.cz",)),
    Preset("disroot", "Disroot", *_servers("disroot.org", "disroot.org"), domains=("disroot.org",)),
    Preset("riseup", "Riseup", *_servers("mail.riseup.net", "mail.riseup.net"), domains=("riseup.net",),
           login=LoginName.LOCAL_PART),
    Preset("startmail", "StartMail", *_servers("imap.startmail.com", "smtp.startmail.com"),
           domains=("startmail.com",), mx=("startmail.com",), passwords=PasswordKind.APP,
           help_url="https://mail.startmail.com/settings", steps=(IMAP_FIRST, *APP_PASSWORD_STEPS)),
    Preset("purelymail", "Purelymail", *_servers("imap.purelymail.com", "smtp.purelymail.com"),
           domains=("purelymail.com",), mx=("purelymail.com",), passwords=PasswordKind.APP_WITH_2FA,
           help_url="https://purelymail.com/manage/account", steps=APP_PASSWORD_STEPS),
)  # fmt: skip

WITHOUT_IMAP = {
    "tuta.com": "Tuta", "tutanota.com": "Tuta", "tutanota.de": "Tuta", "tutamail.com": "Tuta", "tuta.io": "Tuta",
    "keemail.me": "Tuta", "hey.com": "HEY",
}  # fmt: skip
"""Providers that let no other program in: saying so at once spares the search."""

_BY_KEY = {preset.key: preset for preset in PRESETS}
_BY_DOMAIN = {domain: preset for preset in PRESETS for domain in preset.domains}
_BY_HOST = {
    endpoint.host: preset
    for preset in reversed(PRESETS)
    for endpoint in (preset.smtp, preset.imap)
    if endpoint.host != "127.0.0.1"
}


def find_preset(key: str) -> Preset | None:
    return _BY_KEY.get(key)


def find_by_domain(domain: str) -> Preset | None:
    """The provider of an address's domain (A-labels, lower case)."""
    return _BY_DOMAIN.get(domain)


def find_by_host(host: str) -> Preset | None:
    """The provider a server belongs to, so that a host typed by hand follows its rules too."""
    return _BY_HOST.get(host.lower().rstrip("."))


def find_by_mx(hosts: Sequence[str]) -> Preset | None:
    """The provider that takes a domain's mail; `hosts` by preference.  The longest end that fits decides."""
    for host in hosts:
        ends = [(len(end), preset) for preset in PRESETS for end in preset.mx if f".{host}".endswith(f".{end}")]
        if ends:
            return max(ends, key=lambda found: found[0])[1]
    return None
