"""Satchel as a browser sees it: the adapter that the shared webmail driver's operations are timed with."""

from __future__ import annotations

import html
import re
from types import ModuleType
from typing import Any

MESSAGE_LINK = re.compile(r"/mail/folder/\d+/message/(\d+)")
OLDER_LINK = re.compile(r'href="(/mail/folder/\d+\?[^"]*before=[^"]+)"')
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Browser:
    """One signed-in browser on a kept connection; checks that it got what it asked for, so no error page is timed."""

    def __init__(self, driver: ModuleType, base: str, email: str, password: str) -> None:
        self._http: Any = driver.Http(base)
        _, page = self._http.go("GET", "/sign-in")
        token = TOKEN.search(page)
        assert token, page[:300]
        form = {"csrf_token": token[1], "email": email, "password": password}
        status, page = self._http.go("POST", "/sign-in", form)
        assert status == 200 and "/sign-out" in page, (status, page[:300])

    def list_page(self, folder_id: int, *, whole: bool = True) -> list[str]:
        """The ids on a folder's first page: the whole page, or the rows a page that is open asks for."""
        path = f"/mail/folder/{folder_id}" + ("" if whole else "?fragment=rows")
        status, page = self._http.go("GET", path)
        found = list(dict.fromkeys(MESSAGE_LINK.findall(page)))
        assert status == 200 and len(found) == 50, (status, len(found))
        return found

    def older_page(self, folder_id: int, pages: int) -> list[str]:
        """The ids some pages down, where nothing has been fetched ahead."""
        path, found = f"/mail/folder/{folder_id}", []
        for _ in range(pages + 1):
            status, page = self._http.go("GET", path)
            found = list(dict.fromkeys(MESSAGE_LINK.findall(page)))
            older = OLDER_LINK.search(page)
            assert status == 200 and older, (status, path)
            path = html.unescape(older[1])
        return found

    def open_message(self, folder_id: int, message_id: str) -> None:
        """Open a message in an open page: the pane, then the document in its frame."""
        status, pane = self._http.go("GET", f"/mail/folder/{folder_id}/message/{message_id}?fragment=message")
        assert status == 200 and "message-head" in pane, (status, pane[:300])
        status, body = self._http.go("GET", f"/mail/message/{message_id}/body")
        assert status == 200 and len(body) > 200, (status, body[:300])

    def close(self) -> None:
        self._http.close()
