"""Changes of folders, carried out by a working engine."""

from app.bus import Topic
from app.folders import service
from app.folders.models import FolderChange
from app.mirror.models import Folder
from tests.fake_source import FakeServer
from tests.webmail.engine.conftest import wait_for


def ask(post, account, deed, *arguments):
    with post.parts.public.session() as db:
        deed(post.parts, db, account, *arguments)


def test_new_renamed_and_deleted_folders_are_in_the_tree_once_the_server_has_done_it(quick_post):
    post = quick_post
    post.start_engine()
    account = post.synced(FakeServer())
    ask(post, account, service.create, "Work", None)
    wait_for(lambda: "Work" in post.folders(account.id) and post.get_folder(account.id, "Work").complete)
    work = post.get_folder(account.id, "Work")

    ask(post, account, service.rename, work, "Projects", None)
    wait_for(lambda: "Projects" in post.folders(account.id))
    assert post.get_folder(account.id, "Projects").id == work.id
    assert "Projects" in post.servers[account.id].folders

    with post.parts.public.session() as db:
        removal = service.plan_removal(db, account, db.get_one(Folder, work.id))
        service.remove(post.parts, db, account, removal)
    wait_for(
        lambda: removal.into in post.folders(account.id) if removal.into else work.id not in post.folders(account.id)
    )
    with post.parts.public.session() as db:
        wait_for(lambda: not db.query(FolderChange).count())


def test_changes_that_waited_while_no_engine_worked_are_done_when_one_starts(quick_post):
    post = quick_post
    engine = post.start_engine()
    account = post.synced(FakeServer())
    post.stop_engine(engine)
    ask(post, account, service.create, "Work", None)
    post.ring(Topic.ACTIONS, account.id)
    post.start_engine()
    wait_for(lambda: "Work" in post.servers[account.id].folders, "the folder")
