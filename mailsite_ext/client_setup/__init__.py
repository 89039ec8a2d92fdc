"""How mail programs learn by themselves what to connect to: autoconfig, autodiscover, profiles."""
