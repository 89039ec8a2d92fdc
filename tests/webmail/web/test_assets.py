import re

import pytest

from app.web.assets import fingerprint


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


def test_pages_name_files_by_content_and_browsers_keep_them(anonymous):
    address = re.findall(r'href="(/static/v-[0-9a-f]+/css/tokens.css)"', anonymous.get("/sign-in").text)[0]
    found = anonymous.get(address)
    found.close()
    assert found.status_code == 200
    assert "immutable" in found.headers["Cache-Control"]
    assert "max-age=31536000" in found.headers["Cache-Control"]


def test_another_version_s_page_gets_its_file_but_does_not_keep_it(anonymous):
    found = anonymous.get("/static/v-000000/css/tokens.css")
    found.close()
    assert found.status_code == 200
    assert "immutable" not in found.headers["Cache-Control"]
    assert "no-cache" in found.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["../app/config.py", "%2e%2e/app/config.py", "css/nothing.css", "css"])
def test_nothing_else_is_served(anonymous, path):
    assert anonymous.get(f"/static/v-000000/{path}").status_code == 404


def test_the_fingerprint_follows_names_and_content(tmp_path):
    (tmp_path / "a.css").write_text("a")
    first = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == first
    (tmp_path / "a.css").write_text("b")
    second = fingerprint(tmp_path)
    (tmp_path / "a.css").rename(tmp_path / "b.css")
    assert len({first, second, fingerprint(tmp_path)}) == 3
