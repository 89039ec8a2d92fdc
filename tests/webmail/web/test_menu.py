import pytest

from app.mail_services.modes import Mode
from app.web.menu import activities


@pytest.fixture
def config(sqlite_config):
    return sqlite_config


@pytest.mark.parametrize(("path", "mail", "admin", "names", "current"), [
    ("/mail/folder/1", True, False, ["Mail", "Settings"], "Mail"),
    ("/mail/accounts/add", True, False, ["Mail", "Settings"], "Settings"),
    ("/settings/security", False, False, ["Settings"], "Settings"),
    ("/admin/users", True, True, ["Mail", "Settings", "Administration"], "Administration"),
])  # fmt: skip
def test_activities(app, path, mail, admin, names, current):
    with app.test_request_context(path):
        found = activities(path, mail=mail, admin=admin)
    assert [activity.name for activity in found] == names
    assert [activity.name for activity in found if activity.current] == [current]


def test_mail_disabled_has_no_mail_in_the_navigation(browser_of, alice, set_mode):
    set_mode(Mode.DISABLED)
    page = browser_of(alice).get("/settings", follow_redirects=True).text
    assert ">Mail</a>" not in page
    assert ">Settings</a>" in page
    assert "Administration" not in page


def test_each_activity_leads_to_a_page(browser_of, admin, set_mode, app):
    set_mode(Mode.EXTERNAL)
    browser = browser_of(admin)
    with app.test_request_context("/"):
        found = activities("/", mail=True, admin=True)
    answers = {activity.name: browser.get(activity.url, follow_redirects=True).status_code for activity in found}
    assert answers == {"Mail": 200, "Settings": 200, "Administration": 200}
