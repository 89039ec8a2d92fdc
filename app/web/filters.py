"""How dates, sizes and names read: pure functions, and the Jinja filters made of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_skeleton
from flask import Flask, g, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from markupsafe import Markup

from app.runtime import runtime
from app.web.babel import chosen_timezone

DATE_LOCALES = {"en": "en_GB"}  # 24 Nov and a clock of 24 hours for English that names no country
AVATAR_HUES = ("clay", "ochre", "moss", "lagoon", "indigo", "plum")


def init_app(app: Flask) -> None:
    for words in (initials, file_size, hue, short_date, long_date, date_and_time):
        app.add_template_filter(words)
    app.add_template_global(sprite)
    app.add_template_global(printed_icon)


def sprite() -> str:
    """The address of the icons; worked out once a request, since a page shows dozens."""
    if "sprite" not in g:
        g.sprite = url_for("static", filename="icons/icons.svg")
    address: str = g.sprite
    return address


def printed_icon(name: str, size: str = "") -> Markup:
    """An icon of the sprite; what templates call `icon` (macros/icon.html), dozens of times a page."""
    return _icon(sprite(), name, f" icon-{size}" if size else "")


@lru_cache(maxsize=512)
def _icon(address: str, name: str, size: str) -> Markup:
    drawn = '<svg class="icon{}" aria-hidden="true"><use href="{}#i-{}"/></svg>'
    return Markup(drawn).format(size, address, name)  # noqa: S704  the names are escaped


def initials(name: str) -> str:
    """Up to two letters for an avatar: "Maren Holt" → "MH"."""
    words = [word for word in name.replace(".", " ").replace("@", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def hue(name: str) -> str:
    """The avatar's colour class: the same for a name everywhere."""
    return AVATAR_HUES[sum(name.encode()) % len(AVATAR_HUES)]


def file_size(octets: int) -> str:
    """Octets in words: 48 KB, 3.2 MB."""
    size = float(octets)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


@dataclass(frozen=True, slots=True)
class DayWords:
    """The days that have names of their own."""

    today: str = "Today"
    yesterday: str = "Yesterday"
    this_week: str = "Earlier this week"
    last_week: str = "Last week"


class DateStyle(NamedTuple):
    """What decides how a date reads to somebody."""

    today: date
    zone: tzinfo
    language: str


class Calendar:
    """Dates as one person reads them now: their zone, their language, and what day it is."""

    def __init__(self, now: datetime, zone: tzinfo = UTC, language: str = "en", words: DayWords = DayWords()) -> None:
        self._zone = zone
        self._locale = DATE_LOCALES.get(language, language)
        self._words = words
        self._today = now.astimezone(zone).date()
        self.style = DateStyle(self._today, zone, language)

    def local(self, when: datetime) -> datetime:
        return when.astimezone(self._zone)

    def short(self, when: datetime) -> str:
        """10:42 today, then Yesterday, Sun within a week, 24 Nov within this year, Nov 2025."""
        local = self.local(when)
        return self._words.yesterday if self._days_ago(local) == 1 else self.in_list(when)

    def in_list(self, when: datetime) -> str:
        """The short date of a row that stands under a heading: yesterday's rows show their time."""
        local = self.local(when)
        days = self._days_ago(local)
        if days in (0, 1):
            return f"{local:%H:%M}"
        if 1 < days < 7:
            return self._text(local, "EEE")
        return self._text(local, "MMMd" if local.year == self._today.year else "yMMM")

    def heading(self, when: datetime) -> str:
        """What a row stands under in the list: a near day or week by its name, else month and year."""
        local = self.local(when)
        days = self._days_ago(local)
        if days <= 0:
            return self._words.today
        if days == 1:
            return self._words.yesterday
        if days <= self._today.weekday():
            return self._words.this_week
        if days <= self._today.weekday() + 7:
            return self._words.last_week
        return self._text(local, "yMMMM")

    def long(self, when: datetime) -> str:
        """Tuesday, 24 November 2026, 08:57, for titles and facts."""
        return format_datetime(self.local(when), "EEEE, d MMMM y, HH:mm", locale=self._locale)

    def date_and_time(self, when: datetime) -> str:
        """The short date, and the time of day where the date does not tell it: Sun 18:40, 24 Nov 2025 18:40."""
        local = self.local(when)
        days = self._days_ago(local)
        if days == 0:
            return self.short(when)
        is_far = days >= 7 and local.year != self._today.year
        return f"{self._text(local, 'yMMMd') if is_far else self.short(when)} {local:%H:%M}"

    def _days_ago(self, local: datetime) -> int:
        return (self._today - local.date()).days

    def _text(self, local: datetime, skeleton: str) -> str:
        return _in_words(local.date(), skeleton, self._locale)


@lru_cache(maxsize=4096)
def _in_words(day: date, skeleton: str, locale: str) -> str:
    """CLDR's words for a day; kept, since a list asks for the same few days again and again."""
    return str(format_skeleton(skeleton, datetime.combine(day, time()), locale=locale))


@lru_cache(maxsize=512)
def zone_of(name: str) -> tzinfo:
    """The time zone `name` (IANA), or UTC where it is empty or unknown."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def calendar() -> Calendar:
    """The calendar of whoever asks for this page; made once a request."""
    if "calendar" not in g:
        g.calendar = _calendar()
    made: Calendar = g.calendar
    return made


def _calendar() -> Calendar:
    zone = zone_of(chosen_timezone())
    words = DayWords(_("Today"), _("Yesterday"), _("Earlier this week"), _("Last week"))
    return Calendar(runtime().clock.now(), zone, str(get_locale() or "en"), words)


def short_date(when: datetime) -> str:
    return calendar().short(when)


def long_date(when: datetime) -> str:
    return calendar().long(when)


def date_and_time(when: datetime) -> str:
    return calendar().date_and_time(when)
