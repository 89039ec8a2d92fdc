"""The installation's configuration: read from the environment once, frozen, units in the names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.errors import ConfigError


def setting(env: str, meaning: str, default: Any, *, shown: bool = True) -> Any:
    """A dataclass field that is read from the environment variable `env`; `meaning` is its row in docs/deploy.md.

    One with a password in it is not `shown` in the repr.
    """
    return field(default=default, repr=shown, metadata={"env": env, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting of an installation; `from_env` is the only reader of the environment."""

    work_directory: Path = setting(
        "WORK_DIRECTORY", "Databases (SQLite), sockets and other files that live on", Path("var")
    )
    database_url: str = setting(
        "DATABASE_URL",
        "Public database; empty: SQLite in the work directory. PostgreSQL: postgresql+psycopg://…",
        "",
        shown=False,
    )
    private_database_url: str = setting(
        "PRIVATE_DATABASE_URL",
        "Private database, which holds the master key; empty: SQLite, mode 0600",
        "",
        shown=False,
    )
    public_url: str = setting(
        "PUBLIC_URL",
        "Where people reach the site, such as https://mail.example.org; decides Secure cookies, links in mails "
        "and the allowed host. Empty: loopback only, plain http allowed",
        "",
    )
    trusted_proxies: int = setting(
        "TRUSTED_PROXIES", "How many reverse proxies in front set X-Forwarded-For and -Proto", 0
    )
    extensions: str | None = setting(
        "EXTENSIONS", "Comma-separated extension packages; unset: mailsite_ext where it imports; empty: none", None
    )
    bind: str = setting("BIND", "Address and port gunicorn listens on", "127.0.0.1:8000")
    web_workers: int = setting("WEB_WORKERS", "Web processes", 2)
    web_threads: int = setting("WEB_THREADS", "Threads of each web process; open pages hold one each", 256)
    run_engine: bool = setting("RUN_ENGINE", "1: gunicorn starts the mail engine beside the web processes", True)
    engine_share: int = setting("ENGINE_MAX_ACCOUNTS", "Most accounts one engine takes a lease on", 2000)
    body_cache_mib: int = setting("BODY_CACHE_MIB", "Cached message bodies per user, MiB", 512)
    max_message_mib: int = setting("MAX_MESSAGE_MIB", "Largest message that can be composed, MiB", 50)
    tls_ca_file: str = setting("TLS_CA_FILE", "Further certificate authorities to trust for mail servers (PEM)", "")
    name_server: str = setting("NAME_SERVER", "DNS server as address or address:port; empty: the system's", "")
    tls_certificate_file: str = setting(
        "TLS_CERTIFICATE_FILE", "Certificate chain (PEM) of the mail listeners; empty: none, and no TLS", ""
    )
    tls_key_file: str = setting("TLS_KEY_FILE", "Its private key (PEM); empty: in the certificate's file", "")
    mail_bind: str = setting(
        "MAIL_BIND", "Addresses the public mail listeners bind to, comma-separated; empty: every interface", ""
    )
    mail_connections_per_address: int = setting(
        "MAIL_CONNECTIONS_PER_ADDRESS",
        "Most connections of one address to a mail listener; raise it behind one NAT",
        20,
    )
    log_format: str = setting("LOG_FORMAT", "text or json", "text")
    log_level: str = setting("LOG_LEVEL", "debug, info, warning or error", "info")
    testing: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """The configuration of this process.  Raises ConfigError naming the variable that cannot be used."""
        values: dict[str, Any] = dict(_read(environ))
        return cls(**values)

    def __post_init__(self) -> None:
        if self.log_format not in ("text", "json"):
            raise ConfigError("LOG_FORMAT", self.log_format, "text or json")
        parts = urlsplit(self.public_url)
        if self.public_url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ConfigError("PUBLIC_URL", self.public_url, "an address such as https://mail.example.org")

    @property
    def public_database(self) -> str:
        return self.database_url or f"sqlite:///{self.work_directory.absolute()}/satchel.db"

    @property
    def private_database(self) -> str:
        return self.private_database_url or f"sqlite:///{self.work_directory.absolute()}/private/private.db"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def host_names(self) -> tuple[str, ...]:
        """Names a request may ask for: the public one, else this machine's own for itself."""
        public = urlsplit(self.public_url).hostname
        return (public,) if public else ("localhost", "127.0.0.1")

    @property
    def base_url(self) -> str:
        """Where links in mails and on the terminal begin, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://127.0.0.1:{self.bind.rpartition(':')[2]}"

    def flask_settings(self) -> dict[str, object]:
        """What Flask and its extensions read, derived from ours."""
        return {
            "TESTING": self.testing,
            "SESSION_COOKIE_NAME": "satchel",
            "SESSION_COOKIE_SECURE": self.is_https,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "TRUSTED_HOSTS": list(self.host_names),
            "MAX_CONTENT_LENGTH": self.max_message_mib * 1024 * 1024 + 65_536,
            "MAX_FORM_MEMORY_SIZE": 4 * 1024 * 1024,
            "MAX_FORM_PARTS": 1_000,
            "WTF_CSRF_TIME_LIMIT": None,  # as long as the session: a draft open overnight still saves
            "WTF_CSRF_SSL_STRICT": True,
            "TEMPLATES_AUTO_RELOAD": False,
        }


def _read(environ: Mapping[str, str]) -> list[tuple[str, object]]:
    known = [(f, f.metadata["env"]) for f in fields(Config) if "env" in f.metadata]
    return [(f.name, _parse(env, environ[env], f.default)) for f, env in known if env in environ]


def _parse(env: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        return _parse_bool(env, text)
    if isinstance(default, int):
        return _parse_count(env, text)
    return Path(text) if isinstance(default, Path) else text


def _parse_bool(env: str, text: str) -> bool:
    if text.lower() not in ("0", "1", "yes", "no", "true", "false"):
        raise ConfigError(env, text, "1 or 0")
    return text.lower() in ("1", "yes", "true")


def _parse_count(env: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(env, text, "a whole number")
    return int(text)
