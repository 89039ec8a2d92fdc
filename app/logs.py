"""Logs: one line an event, text or JSON (`LOG_FORMAT`), to standard error."""

from __future__ import annotations

import json
import logging
import logging.config
import time
from typing import Any

from app.config import Config

# What every LogRecord carries anyway; anything else on a record was passed by `extra=` and belongs in the line.
PLAIN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, process, what `extra=` added, and the trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        line |= {key: value for key, value in vars(record).items() if key not in PLAIN_FIELDS}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def logging_settings(config: Config) -> dict[str, Any]:
    """The dictConfig of every process of this installation, gunicorn's own loggers included."""
    level = config.log_level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": JsonFormatter},
            "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": config.log_format}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # gunicorn's debug lines name every address that is asked for, and one-time links are addresses.
            "gunicorn.error": {"level": "INFO" if level == "DEBUG" else level, "propagate": True, "handlers": []},
            "gunicorn.access": {"level": level, "propagate": True, "handlers": []},
        },
    }


def set_up(config: Config) -> None:
    """Configure this process's logging."""
    logging.config.dictConfig(logging_settings(config))
