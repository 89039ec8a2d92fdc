"""IMAP commands carried out on the storage: no sockets here, and no parsing (mailsite_ext.protocol has that)."""
