"""Doorbells between processes: never data.  SQL is the truth; a lost bell costs a poll interval, nothing else."""

from app.bus.protocol import Bell, Bus, Subscription, Topic

__all__ = ["Bell", "Bus", "Subscription", "Topic"]
