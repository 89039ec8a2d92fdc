"""The whole contract with an extension: what it may import from the webmail, and what it may add to it.

An extension package has `register(host: Host) -> None`, called once for each application that is made.  Nothing else
of `app` is promised; import-linter holds the extension to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from click import Command
from flask import Blueprint, Flask

from app import extensions
from app.accounts.models import Auth, Identity, MailAccount
from app.accounts.service import add_hosted_account
from app.bus import Bell, Bus, Topic
from app.clock import Clock
from app.config import Config
from app.db import Base, Database, UtcDateTime, row_count
from app.engine.account_jobs import JOBS, AccountJob
from app.engine.desk import Desk
from app.engine.sources import KINDS, OpenSource, SourceKind
from app.errors import (
    ActionRefused,
    BadInput,
    ConfigError,
    ConnectionLost,
    FolderFull,
    FolderMissing,
    LoginRefused,
    MailError,
    NoSuchFolder,
    NoSuchMessage,
    NotAllowed,
    NotFound,
    ProtocolError,
    ServerUnreachable,
    SubmissionDeferred,
    SubmissionRefused,
    TimedOut,
    TooManyAttempts,
)
from app.machines.child import tell_failure, tell_ready
from app.machines.kinds import ServiceKind, flask_command
from app.machines.logs import MAIL_LOG, MailLog, log_file
from app.mail_services.modes import SWITCHES, Mode, Switches
from app.mail_services.service import current_mode
from app.messages import decode
from app.mirror.models import Folder as MirroredFolder
from app.outbox.submitter import Envelope, MailSubmitter, Reply
from app.outbox.submitters import SUBMITTERS
from app.resolver import Answer, Outcome, Resolver
from app.runtime import Runtime, runtime
from app.sources import (
    HEADER_FIELDS,
    Applied,
    Copy,
    Delta,
    Expunge,
    FlagState,
    FolderState,
    FolderStatus,
    MailSource,
    Move,
    RemoteFolder,
    RemoteMessage,
    Role,
    SourceAction,
    StoreFlags,
)
from app.users.models import User, UserRole, UserState
from app.users.passwords import check_password as check_login_password
from app.users.settings_views import require_sign_in
from app.users.settings_views import side as settings_side
from app.users.throttle import Limit as AttemptLimit
from app.users.throttle import account_key, check_limits, count_attempt
from app.users.throttle import forget as forget_attempt
from app.vault.keyring import server_secret
from app.vault.secretbox import Vault
from app.web.admin import bp as admin_pages
from app.web.admin import require_admin
from app.web.admin import side as admin_side
from app.web.forms import choices, text_of, tidy
from app.web.sections import Entry
from app.web.settings_section import SettingsSection

__all__ = [
    "HEADER_FIELDS",
    "MAIL_LOG",
    "SWITCHES",
    "AccountJob",
    "ActionRefused",
    "Answer",
    "Applied",
    "AttemptLimit",
    "Auth",
    "BadInput",
    "Base",
    "Bell",
    "Bus",
    "Clock",
    "Config",
    "ConfigError",
    "ConnectionLost",
    "Copy",
    "Database",
    "Delta",
    "Desk",
    "Entry",
    "Envelope",
    "Expunge",
    "FlagState",
    "FolderFull",
    "FolderMissing",
    "FolderState",
    "FolderStatus",
    "Host",
    "Identity",
    "LoginRefused",
    "MailAccount",
    "MailError",
    "MailLog",
    "MailSource",
    "MailSubmitter",
    "MirroredFolder",
    "Mode",
    "Move",
    "NoSuchFolder",
    "NoSuchMessage",
    "NotAllowed",
    "NotFound",
    "Outcome",
    "ProtocolError",
    "RemoteFolder",
    "RemoteMessage",
    "Reply",
    "Resolver",
    "Role",
    "Runtime",
    "ServerUnreachable",
    "ServiceKind",
    "SettingsSection",
    "SourceAction",
    "SourceKind",
    "StoreFlags",
    "SubmissionDeferred",
    "SubmissionRefused",
    "Switches",
    "TimedOut",
    "TooManyAttempts",
    "Topic",
    "User",
    "UserRole",
    "UserState",
    "UtcDateTime",
    "Vault",
    "account_key",
    "add_hosted_account",
    "admin_pages",
    "admin_side",
    "check_limits",
    "check_login_password",
    "choices",
    "count_attempt",
    "current_mode",
    "decode",
    "flask_command",
    "forget_attempt",
    "log_file",
    "require_admin",
    "require_sign_in",
    "row_count",
    "runtime",
    "server_secret",
    "settings_side",
    "tell_failure",
    "tell_ready",
    "text_of",
    "tidy",
]


@dataclass(frozen=True, slots=True)
class Host:
    """The application an extension registers with."""

    flask: Flask
    runtime: Runtime
    registry: extensions.Registry

    @classmethod
    def of(cls, app: Flask) -> Host:
        return cls(app, app.extensions["satchel"], app.extensions[extensions.KEY])

    def add_blueprint(self, blueprint: Blueprint) -> None:
        self.flask.register_blueprint(blueprint)

    def add_command(self, command: Command) -> None:
        """A command, or a group of them, of `flask`."""
        self.flask.cli.add_command(command)

    def add_migrations(self, branch: str) -> None:
        """Revisions in migrations/versions/<branch>, for tables named <branch>_… in the public database."""
        self.registry.branches.append(branch)

    def add_settings_section(self, section: Callable[[], SettingsSection]) -> None:
        """A part of the Mail Services form; `section` makes one for a request."""
        self.registry.settings_sections.append(section)

    def add_admin_entry(self, entry: Callable[[], Entry | None]) -> None:
        """A page of the extension in the side navigation of Administration; None: not in this mode."""
        self.registry.admin_entries.append(entry)

    def add_settings_entry(self, entry: Callable[[], Entry | None]) -> None:
        """A page of the extension in the side navigation of Settings; None: not in this mode."""
        self.registry.settings_entries.append(entry)

    def add_service(self, kind: ServiceKind) -> None:
        """A kind of service that agents start and stop on machines, and Manage Machines shows."""
        self.registry.services[kind.name] = kind

    def add_mail_source(self, name: str, runs: Callable[[Switches], bool], open_source: OpenSource) -> None:
        """Accounts whose `source` is `name` are read through `open_source`, in the modes that `runs` allows."""
        KINDS[name] = SourceKind(runs, open_source)

    def add_account_job(self, name: str, job: AccountJob) -> None:
        """Work the engine does for accounts on their bulk sessions, step by step."""
        JOBS[name] = job

    def add_submitter(self, name: str, make: Callable[[Runtime, MailAccount], MailSubmitter]) -> None:
        """Accounts whose `source` is `name` send through what `make` makes."""
        SUBMITTERS[name] = make
