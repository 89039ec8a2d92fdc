"""\\Recent is of one session, whichever process serves it: from which UID on nobody was told"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0020"
down_revision = "mailsite_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailsite_folder", sa.Column("recent_from", sa.BigInteger(), server_default="1", nullable=False))
    op.execute("UPDATE mailsite_folder SET recent_from = uidnext")


def downgrade() -> None:
    op.drop_column("mailsite_folder", "recent_from")
