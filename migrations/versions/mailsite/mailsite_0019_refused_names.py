"""Names a certificate authority refused: not asked for again before the renewal"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0019"
down_revision = "mailsite_0018"
branch_labels = None
depends_on = None

ORDER = "mailsite_certificate_order"


def upgrade() -> None:
    op.add_column(ORDER, sa.Column("refused", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column(ORDER, "refused")
