"""Every table of the webmail, imported once so that the metadata is whole (migrations, tests)."""

from app.accounts import models as accounts
from app.actions import models as actions
from app.compose import models as compose
from app.engine import models as engine
from app.folders import models as folders
from app.machines import models as machines
from app.mail_services import models as mail_services
from app.messages import models as messages
from app.mirror import models as mirror
from app.outbox import models as outbox
from app.people import models as people
from app.search import models as search
from app.users import models as users
from app.vault import models as vault

__all__ = [
    "accounts",
    "actions",
    "compose",
    "engine",
    "folders",
    "machines",
    "mail_services",
    "messages",
    "mirror",
    "outbox",
    "people",
    "search",
    "users",
    "vault",
]
