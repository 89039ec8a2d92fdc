"""`python -m mailsite_ext.listeners smtp` or `imap`: a listener's process, without the web application's 40 MiB."""

from __future__ import annotations

import argparse
import sys

from app.extension_api import Config, MailError, build_runtime, set_up_logs
from mailsite_ext.listeners.run import IMAP, SMTP, run

ROLES = {"smtp": SMTP, "imap": IMAP}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="mailsite_ext.listeners", description="Serve hosted mail until SIGTERM.")
    arguments.add_argument("service", choices=sorted(ROLES))
    service = arguments.parse_args().service
    config = Config.from_env()
    set_up_logs(config)
    parts = build_runtime(config)
    try:
        run(parts, ROLES[service])
    except MailError as error:
        sys.exit(error.detail or type(error).__name__)
    finally:
        parts.dispose()


if __name__ == "__main__":
    main()
