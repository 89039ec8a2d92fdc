"""What the accounts of hosted mailboxes are called among the sources of mail."""

SOURCE = "mailsite"
"""`mail_account.source` of hosted mailboxes."""
