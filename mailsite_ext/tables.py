"""Every table of hosting, imported once so that the metadata is whole (migrations, tests)."""

from mailsite_ext.certificates import models as certificates
from mailsite_ext.delivery import models as delivery
from mailsite_ext.domains import models as domains
from mailsite_ext.forwarding import models as forwarding
from mailsite_ext.importing import models as importing
from mailsite_ext.junk import models as junk
from mailsite_ext.reception import models as reception
from mailsite_ext.reports import models as reports
from mailsite_ext.settings import models as settings
from mailsite_ext.storage import models as storage
from mailsite_ext.transport_security import models as transport_security
from mailsite_ext.trusted_senders import models as trusted_senders

__all__ = [
    "certificates",
    "delivery",
    "domains",
    "forwarding",
    "importing",
    "junk",
    "reception",
    "reports",
    "settings",
    "storage",
    "transport_security",
    "trusted_senders",
]
