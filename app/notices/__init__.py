"""The site's own mails: invitations, activation, resets.  They go out in every mode (M1, N3)."""
