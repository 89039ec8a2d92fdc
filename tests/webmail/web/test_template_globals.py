"""What templates call `_`, `url_for` and `kept`: kept in the process, and never one person's for another."""

from __future__ import annotations

import pytest
from flask import render_template_string
from markupsafe import Markup

from app.web import template_globals


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


def render(app, template, **values):
    prefix = values.pop("prefix", "")
    with app.test_request_context(environ_overrides={"SCRIPT_NAME": prefix} if prefix else {}):
        return str(app.jinja_env.from_string(template).render(**values))


@pytest.mark.parametrize(("template", "shown"), [
    ("{{ _('Plain') }}", "Plain"),
    ("{{ _('100 %%') }}", "100 %"),
    ("{{ _('%(name)s at 100 %%', name=name) }}", "&lt;b&gt; at 100 %"),
    ("{{ _('<b>bold</b>') }}", "<b>bold</b>"),
])  # fmt: skip
def test_texts(app, template, shown):
    for name in ("<b>", "<b>"):  # worked out, then kept
        assert render(app, template, name=name) == shown


def test_values_of_a_text_are_never_kept(app):
    assert [render(app, "{{ _('Hello %(name)s', name=name) }}", name=name) for name in ("Ines", "Bob")] == [
        "Hello Ines",
        "Hello Bob",
    ]


def test_a_language_is_found_once_a_request_and_can_be_set(app, monkeypatch):
    asked = []

    def get_locale():
        asked.append(1)
        return "xx"

    monkeypatch.setattr(template_globals, "get_locale", get_locale)
    template = app.jinja_env.from_string("{{ _('Plain') }}{{ _('Plain') }}")
    with app.test_request_context():
        with template_globals.in_language("en"):
            assert template.render() == "PlainPlain"
        assert asked == [], "a page about an unusable database asks nobody"
        template.render()
        assert asked == [1]


def test_addresses_are_told_apart_by_endpoint_values_and_prefix(app):
    template = "{{ url_for('mailbox.folder', folder_id=id, view=view) }}"
    for _ in range(2):
        assert render(app, template, id=1, view="messages") == "/mail/folder/1?view=messages"
        assert render(app, template, id=2, view=None) == "/mail/folder/2"
        assert render(app, template, id=1, view="messages", prefix="/at") == "/at/mail/folder/1?view=messages"


def test_an_address_with_a_host_is_the_requests(app):
    with app.test_request_context(base_url="http://127.0.0.1:8000"):
        assert render_template_string("{{ url_for('mailbox.index', _external=True) }}") == "http://127.0.0.1:8000/mail"
    with app.test_request_context(base_url="http://localhost:9000"):
        assert render_template_string("{{ url_for('mailbox.index', _external=True) }}") == "http://localhost:9000/mail"


def test_a_piece_is_printed_once_for_all_that_decides(app):
    printed = []

    def say(word):
        printed.append(word)
        return Markup("{}").format(word)

    template = "{% call kept('test piece', word) %}{{ say(word) }}{% endcall %}"
    assert [render(app, template, word=word, say=say) for word in "aba"] == ["a", "b", "a"]
    assert printed == ["a", "b"]
    assert render(app, template, word="a", say=say, prefix="/at") == "a"
    assert printed == ["a", "b", "a"], "addresses in it would lead elsewhere"


def test_icons_name_the_sprite(app):
    shown = render(app, "{% from 'macros/icon.html' import icon %}{{ icon('star', 's') }}")
    assert shown.startswith('<svg class="icon icon-s" aria-hidden="true"><use href="/static/')
    assert shown.endswith('#i-star"/></svg>')
