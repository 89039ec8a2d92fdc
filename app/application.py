"""The whole web application, made of its parts."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import administration, cli, db, doctor, extensions, runtime
from app.accounts import views as accounts
from app.actions import views as actions
from app.compose import views as compose_views
from app.config import Config
from app.engine import cli as engine_cli
from app.folders import views as folders
from app.machines import cli as machines_cli
from app.mail_services import gate
from app.mailbox import views as mailbox
from app.messages import views as messages
from app.notices import background
from app.outbox import views as outbox_views
from app.people import views as people
from app.search import views as search
from app.users import cli as users_cli
from app.users import sessions, settings_views
from app.users import views as users
from app.vault import cli as vault_cli
from app.web import (
    assets,
    babel,
    error_pages,
    events,
    filters,
    health,
    ids,
    menu,
    request_checks,
    security_headers,
    shell,
    template_globals,
)


def create_app(config: Config | None = None, *, parts: runtime.Runtime | None = None) -> Flask:
    """The whole application, wired from top to bottom; `parts` takes the place of the real adapters in tests."""
    parts = parts or runtime.build(config or Config.from_env())
    app = Flask("app", template_folder="../templates", static_folder="../static")
    app.config.from_mapping(parts.config.flask_settings())
    runtime.init_app(app, parts)
    db.init_app(app, parts.public)
    for part in (ids, assets, sessions, gate, request_checks, babel, template_globals):
        part.init_app(app)
    for part in (error_pages, filters, menu, security_headers, background):
        part.init_app(app)
    for activity in (health, shell, accounts, mailbox, users, settings_views, administration, messages, actions):
        activity.init_app(app)
    for activity in (folders, search, people, compose_views, outbox_views, events):
        activity.init_app(app)
    for commands in (cli, doctor, users_cli, vault_cli, engine_cli, machines_cli):
        commands.init_app(app)
    extensions.load(app, parts.config.extensions)
    if parts.config.trusted_proxies:
        hops = parts.config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # as Flask documents it
    return app
