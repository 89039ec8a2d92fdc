"""A living mailbox to look at: sample letters, a sample mail server on loopback, one person with an account."""
