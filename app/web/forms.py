"""What every form shares: typed answers and tidying."""

from __future__ import annotations

from typing import Any

from wtforms import Field
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types


def text_of(field: Field) -> str:
    """What was typed, or nothing."""
    return str(field.data or "")


def choices(*pairs: tuple[object, object]) -> list[Any]:
    """The options of a select or radio field: value and label each."""
    return [SelectChoice(value, label) for value, label in pairs]


def tidy(value: Any) -> Any:
    """A WTForms filter: without the spaces around it."""
    return value.strip() if isinstance(value, str) else value


def tidy_lower(value: Any) -> Any:
    """A WTForms filter: tidy, and in lower case: an address, a host name."""
    return value.strip().lower() if isinstance(value, str) else value
