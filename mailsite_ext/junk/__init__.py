"""What a person throws into Junk teaches a filter of their own to do it for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host


def register_junk(host: Host) -> None:
    from app.extension_api import AccountJob
    from mailsite_ext.junk import views  # a listener serves no pages
    from mailsite_ext.junk.learning import Learner

    learner = Learner(host.runtime)
    host.add_blueprint(views.bp)
    host.add_settings_entry(views.entry)
    host.add_account_job("junk", AccountJob(learner.waiting, learner.step))
