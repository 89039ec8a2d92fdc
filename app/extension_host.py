"""What an extension may add to the application that it registers with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from click import Command
from flask import Blueprint, Flask
from markupsafe import Markup
from sqlalchemy.orm import Session

from app import extensions
from app.accounts.models import MailAccount
from app.db import Base
from app.doctor import Check
from app.engine.account_jobs import JOBS, AccountJob
from app.engine.sources import OPENERS, OpenSource
from app.machines.kinds import ServiceKind
from app.mail_services.awake import AWAKE
from app.mail_services.modes import Switches
from app.messages.verifiers import VERIFIERS, Verifier
from app.mirror.nearby import READERS
from app.outbox.submitter import MailSubmitter
from app.outbox.submitters import SUBMITTERS
from app.runtime import Runtime
from app.users.models import User
from app.users.welcome import FAREWELLS, WELCOMES
from app.vault.columns import SEALED_COLUMNS, SealedColumn
from app.web.sections import Entry
from app.web.settings_section import SettingsSection


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

    def add_check(self, check: Check) -> None:
        """Something that `flask doctor` looks at too."""
        self.registry.checks.append(check)

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

    def add_outbox_panel(self, panel: Callable[[], Markup]) -> None:
        """What the extension knows of a person's sent mail, as HTML below their outbox; empty: nothing."""
        self.registry.outbox_panels.append(panel)

    def add_service(self, kind: ServiceKind) -> None:
        """A kind of service that agents start and stop on machines, and Manage Machines shows."""
        self.registry.services[kind.name] = kind

    def add_mail_source(self, name: str, runs: Callable[[Switches], bool], open_source: OpenSource) -> None:
        """Accounts whose `source` is `name` are read through `open_source`, in the modes that `runs` allows."""
        AWAKE[name], OPENERS[name] = runs, open_source

    def add_nearby_bodies(self, name: str, open_source: OpenSource) -> None:
        """Mail of accounts whose `source` is `name` lies on this machine: any process reads it by `open_source`."""
        READERS[name] = open_source

    def add_verifier(self, name: str, verifier: Verifier) -> None:
        """Asked who wrote a message of accounts whose `source` is `name`."""
        VERIFIERS[name] = verifier

    def add_welcome(self, name: str, welcome: Callable[[Session, User, datetime], None]) -> None:
        """Called before the commit that lets somebody sign in, or changes their role; does not commit."""
        WELCOMES[name] = welcome

    def add_farewell(self, name: str, farewell: Callable[[User], str]) -> None:
        """What an admin reads of `name` before deleting somebody: what is kept of theirs; empty: nothing."""
        FAREWELLS[name] = farewell

    def add_account_job(self, name: str, job: AccountJob) -> None:
        """Work the engine does for accounts on their bulk sessions, step by step."""
        JOBS[name] = job

    def add_sealed_column(self, model: type[Base], column: str, name: str) -> None:
        """A column of the extension's that holds seals of the vault, `<name>:<uuid>`: a rotation of keys visits it."""
        sealed = SealedColumn(model, column, name)
        if sealed not in SEALED_COLUMNS:
            SEALED_COLUMNS.append(sealed)

    def add_submitter(self, name: str, make: Callable[[Runtime, MailAccount], MailSubmitter]) -> None:
        """Accounts whose `source` is `name` send through what `make` makes."""
        SUBMITTERS[name] = make
