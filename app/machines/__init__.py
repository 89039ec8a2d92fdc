"""Which machines there are, what runs on each, and what the admin wants to run there (N1, N2)."""
