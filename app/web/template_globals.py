"""`_` and `url_for` as templates call them, a hundred times a page, and `kept`: worked out once a process.

A translation depends on the language and the text alone, an address of this site on the endpoint and its values.
Flask-Babel would read the request's catalogue and Werkzeug build the address anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from flask import Flask, g, request
from flask_babel import force_locale, get_locale
from flask_babel import gettext as translate
from markupsafe import Markup

from app.messages.lru import Lru

KEPT_TEXTS = 4_096
KEPT_ADDRESSES = 2_048
KEPT_PIECES_CHARS = 2_000_000


def init_app(app: Flask) -> None:
    """Take the place of what Flask and Flask-Babel put into templates; comes after both."""
    app.add_template_global(words, "_")
    app.add_template_global(kept)
    app.add_template_global(_Addresses(app).url_for, "url_for")


def words(text: str, **values: object) -> Markup:
    """`text` in the language of whoever reads, `values` escaped in the places of %(name)s; %% is a percent sign."""
    return _translated(_language(), text) % values if values else _whole(_language(), text)


def _language() -> str:
    """The language of this request, found once."""
    found: str | None = g.get("language")
    if found is None:
        found = g.language = str(get_locale())
    return found


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Templates speak this language inside, whoever reads; nobody is asked for theirs."""
    before, g.language = g.get("language"), language
    try:
        with force_locale(language):
            yield
    finally:
        g.language = before


@lru_cache(maxsize=KEPT_TEXTS)
def _translated(_language: str, text: str) -> Markup:
    """A text with places to fill in; `_language` is the request's, which gettext reads by itself."""
    return Markup(translate(text))  # noqa: S704  templates and catalogues are ours


@lru_cache(maxsize=KEPT_TEXTS)
def _whole(_language: str, text: str) -> Markup:
    return Markup(translate(text)) % {}  # noqa: S704


_pieces: Lru[Markup] = Lru(KEPT_PIECES_CHARS, lambda piece: 1_000 + len(piece))


def kept(*decides: Hashable, caller: Callable[[], Markup]) -> Markup:
    """{% call kept("name", …) %}…{% endcall %}: a piece of a page, printed once for all that `decides` how it reads.

    The language and where the site lies are added here.  Nothing secret or counted in requests stands in a piece: a
    token against forgery, a time.
    """
    return _pieces.get_or_make((_language(), request.script_root, *decides), caller)


class _Addresses:
    """The addresses of one app."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._built = lru_cache(maxsize=KEPT_ADDRESSES, typed=True)(self._build)

    def url_for(self, endpoint: str, **values: object) -> str:
        """As flask.url_for.  One relative to a blueprint or with a host in it depends on the request: not kept."""
        if endpoint.startswith(".") or any(name.startswith("_") for name in values):
            return self._app.url_for(endpoint, **values)  # type: ignore[arg-type]
        return self._built(request.script_root, endpoint, **values)

    def _build(self, _script_root: str, endpoint: str, /, **values: object) -> str:
        return self._app.url_for(endpoint, **values)  # type: ignore[arg-type]
