"""Hosted mail in the webmail: the storage as one more MailSource, and local delivery as a MailSubmitter."""
