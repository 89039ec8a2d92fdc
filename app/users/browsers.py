"""What a User-Agent header is called in words.  Pure."""

from __future__ import annotations

BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""Marks, the most telling first: every browser names the older ones too."""

SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def browser_name(user_agent: str) -> str:
    """ "Firefox, Linux"; what it calls itself first where it is none we know; empty where it says nothing."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), user_agent.split("/")[0][:40])
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")
    return ", ".join(filter(None, (browser, system)))
