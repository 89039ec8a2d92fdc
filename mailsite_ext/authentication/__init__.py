"""Who really sent this?  SPF, DKIM and what is written about them: decided from values, DNS and time passed in."""
