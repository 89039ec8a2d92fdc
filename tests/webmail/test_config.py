"""The environment is read once and fails loudly."""

from pathlib import Path

import pytest

from app.config import Config
from app.errors import ConfigError
from app.logs import logging_settings


def test_defaults_are_a_working_installation():
    config = Config.from_env({})
    assert config.public_database.startswith("sqlite:///")
    assert config.private_database != config.public_database


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEB_WORKERS", "two"),
        ("WEB_WORKERS", "-1"),
        ("RUN_ENGINE", "maybe"),
        ("LOG_FORMAT", "xml"),
        ("PUBLIC_URL", "here"),
    ],
)
def test_a_bad_variable_is_named(variable, value):
    with pytest.raises(ConfigError, match=variable):
        Config.from_env({variable: value})


def test_values_are_typed():
    config = Config.from_env({"WORK_DIRECTORY": "/srv/satchel", "RUN_ENGINE": "0", "WEB_THREADS": "8"})
    assert (config.work_directory, config.run_engine, config.web_threads) == (Path("/srv/satchel"), False, 8)


@pytest.mark.parametrize("level", ["debug", "info", "error"])
def test_no_level_of_the_log_names_the_addresses_asked_for(level):
    """gunicorn's debug lines do, and one-time links are addresses."""
    loggers = logging_settings(Config(log_level=level))["loggers"]
    assert loggers["gunicorn.error"]["level"] == {"debug": "INFO"}.get(level, level.upper())
