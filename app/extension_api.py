"""The whole contract with an extension: what it may import from the webmail, and what it may add to it.

An extension package has `register(host: Host) -> None`, called once for each application that is made.  Nothing else
of `app` is promised; import-linter holds the extension to it.

What belongs to pages and to the engine is loaded when it is first asked for: a listener's process needs none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from app.accounts.tls import client_context
from app.bus import Bell, Bus, Subscription, Topic
from app.clock import Clock
from app.config import Config
from app.db import Base, Database, UtcDateTime, row_count
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
    SignInBusy,
    SubmissionDeferred,
    SubmissionRefused,
    TimedOut,
    TlsFailed,
    TooManyAttempts,
)
from app.logs import set_up as set_up_logs
from app.machines.child import tell_failure, tell_ready
from app.machines.logs import MAIL_LOG, MailLog, log_file
from app.mail_services.modes import SWITCHES, Mode, Switches
from app.mail_services.service import current_mode
from app.messages import decode
from app.messages.verification import Signature, Standing, Verification
from app.mirror.envelope import shown_author
from app.resolver import Answer, Outcome, Resolver
from app.runtime import Runtime, runtime
from app.runtime import build as build_runtime
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
    SearchField,
    SearchTerm,
    SourceAction,
    StoreFlags,
)
from app.users.failures import Way
from app.users.failures import record as record_failure
from app.users.models import User, UserRole, UserState
from app.users.passwords import check_password as check_login_password
from app.users.throttle import Limit as AttemptLimit
from app.users.throttle import account_key, check_limits, count_attempt
from app.users.throttle import forget as forget_attempt
from app.vault.keyring import server_secret
from app.vault.secretbox import Vault

if TYPE_CHECKING:
    from app.accounts.addresses import GuardPolicy
    from app.accounts.fetch import Bounds, guarded_get, guarded_post
    from app.accounts.forms import IdentityForm
    from app.accounts.guard import find_addresses as find_allowed_addresses
    from app.accounts.guard import load_policy as load_guard_policy
    from app.accounts.models import Auth, Identity, MailAccount
    from app.accounts.service import (
        MAX_IDENTITIES,
        IdentityFields,
        add_hosted_account,
        get_identity,
        put_identity_first,
        remove_identity,
        save_identity,
    )
    from app.doctor import Finding as DoctorFinding
    from app.engine.account_jobs import AccountJob
    from app.engine.desk import Desk
    from app.extension_host import Host
    from app.machines.identity import this_machine
    from app.machines.kinds import ServiceKind
    from app.machines.rows import is_mail_elsewhere
    from app.machines.service import Running, running_addresses, running_services, running_settings
    from app.mirror.models import Folder as MirroredFolder
    from app.mirror.models import Message as MirroredMessage
    from app.mirror.queries import get_message
    from app.outbox.submitter import Envelope, MailSubmitter, Reply
    from app.users.settings_views import require_sign_in
    from app.users.settings_views import side as settings_side
    from app.users.views import safe_next
    from app.web.admin import bp as admin_pages
    from app.web.admin import require_admin
    from app.web.admin import side as admin_side
    from app.web.filters import file_size
    from app.web.forms import choices, text_of, tidy
    from app.web.ids import row_id
    from app.web.sections import Entry
    from app.web.settings_section import SettingsSection

__all__ = [
    "HEADER_FIELDS",
    "MAIL_LOG",
    "MAX_IDENTITIES",
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
    "Bounds",
    "Bus",
    "Clock",
    "Config",
    "ConfigError",
    "ConnectionLost",
    "Copy",
    "Database",
    "Delta",
    "Desk",
    "DoctorFinding",
    "Entry",
    "Envelope",
    "Expunge",
    "FlagState",
    "FolderFull",
    "FolderMissing",
    "FolderState",
    "FolderStatus",
    "GuardPolicy",
    "Host",
    "Identity",
    "IdentityFields",
    "IdentityForm",
    "LoginRefused",
    "MailAccount",
    "MailError",
    "MailLog",
    "MailSource",
    "MailSubmitter",
    "MirroredFolder",
    "MirroredMessage",
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
    "Running",
    "Runtime",
    "SearchField",
    "SearchTerm",
    "ServerUnreachable",
    "ServiceKind",
    "SettingsSection",
    "SignInBusy",
    "Signature",
    "SourceAction",
    "Standing",
    "StoreFlags",
    "SubmissionDeferred",
    "SubmissionRefused",
    "Subscription",
    "Switches",
    "TimedOut",
    "TlsFailed",
    "TooManyAttempts",
    "Topic",
    "User",
    "UserRole",
    "UserState",
    "UtcDateTime",
    "Vault",
    "Verification",
    "Way",
    "account_key",
    "add_hosted_account",
    "admin_pages",
    "admin_side",
    "build_runtime",
    "check_limits",
    "check_login_password",
    "choices",
    "client_context",
    "count_attempt",
    "current_mode",
    "decode",
    "file_size",
    "find_allowed_addresses",
    "forget_attempt",
    "get_identity",
    "get_message",
    "guarded_get",
    "guarded_post",
    "is_mail_elsewhere",
    "load_guard_policy",
    "log_file",
    "put_identity_first",
    "record_failure",
    "remove_identity",
    "require_admin",
    "require_sign_in",
    "row_count",
    "row_id",
    "running_addresses",
    "running_services",
    "running_settings",
    "runtime",
    "safe_next",
    "save_identity",
    "server_secret",
    "set_up_logs",
    "settings_side",
    "shown_author",
    "tell_failure",
    "tell_ready",
    "text_of",
    "this_machine",
    "tidy",
]

_LOADED_LATER = {
    "AccountJob": "app.engine.account_jobs:AccountJob",
    "Auth": "app.accounts.models:Auth",
    "Bounds": "app.accounts.fetch:Bounds",
    "Desk": "app.engine.desk:Desk",
    "DoctorFinding": "app.doctor:Finding",
    "Entry": "app.web.sections:Entry",
    "Envelope": "app.outbox.submitter:Envelope",
    "GuardPolicy": "app.accounts.addresses:GuardPolicy",
    "Host": "app.extension_host:Host",
    "Identity": "app.accounts.models:Identity",
    "IdentityFields": "app.accounts.service:IdentityFields",
    "IdentityForm": "app.accounts.forms:IdentityForm",
    "MAX_IDENTITIES": "app.accounts.service:MAX_IDENTITIES",
    "MailAccount": "app.accounts.models:MailAccount",
    "MailSubmitter": "app.outbox.submitter:MailSubmitter",
    "MirroredFolder": "app.mirror.models:Folder",
    "MirroredMessage": "app.mirror.models:Message",
    "Reply": "app.outbox.submitter:Reply",
    "Running": "app.machines.service:Running",
    "ServiceKind": "app.machines.kinds:ServiceKind",
    "SettingsSection": "app.web.settings_section:SettingsSection",
    "add_hosted_account": "app.accounts.service:add_hosted_account",
    "admin_pages": "app.web.admin:bp",
    "admin_side": "app.web.admin:side",
    "choices": "app.web.forms:choices",
    "file_size": "app.web.filters:file_size",
    "find_allowed_addresses": "app.accounts.guard:find_addresses",
    "load_guard_policy": "app.accounts.guard:load_policy",
    "guarded_get": "app.accounts.fetch:guarded_get",
    "guarded_post": "app.accounts.fetch:guarded_post",
    "get_identity": "app.accounts.service:get_identity",
    "get_message": "app.mirror.queries:get_message",
    "put_identity_first": "app.accounts.service:put_identity_first",
    "remove_identity": "app.accounts.service:remove_identity",
    "safe_next": "app.users.views:safe_next",
    "save_identity": "app.accounts.service:save_identity",
    "is_mail_elsewhere": "app.machines.rows:is_mail_elsewhere",
    "row_id": "app.web.ids:row_id",
    "running_addresses": "app.machines.service:running_addresses",
    "running_services": "app.machines.service:running_services",
    "running_settings": "app.machines.service:running_settings",
    "require_admin": "app.web.admin:require_admin",
    "require_sign_in": "app.users.settings_views:require_sign_in",
    "settings_side": "app.users.settings_views:side",
    "text_of": "app.web.forms:text_of",
    "this_machine": "app.machines.identity:this_machine",
    "tidy": "app.web.forms:tidy",
}
"""Where they are, as module:name."""


def __getattr__(name: str) -> object:
    if name not in _LOADED_LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, own_name = _LOADED_LATER[name].partition(":")
    found: object = getattr(import_module(module), own_name)
    globals()[name] = found
    return found
