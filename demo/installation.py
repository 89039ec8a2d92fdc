"""A prepared installation, for the demo and the benchmarks: migrated, one person signed up, an account added."""

from __future__ import annotations

from dataclasses import dataclass

PASSWORD = "satchel-demo"
