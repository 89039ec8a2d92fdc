"""How mail between servers is kept from listeners and liars: MTA-STS, both ways (RFC 8461)."""
