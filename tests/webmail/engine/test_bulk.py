"""Deeds on whole folders, carried out by a working engine."""

from app.actions import bulk
from app.actions.deeds import Doer
from app.actions.models import BulkDeed, BulkState
from app.mirror.models import Folder
from app.mirror.queries import ListFilter
from app.sources import Role
from tests.fake_source import FakeServer
from tests.webmail.engine.conftest import wait_for


def test_a_whole_folder_moves_and_comes_back(quick_post):
    post, server = quick_post, FakeServer()
    server.deliver_many(1_250)
    post.start_engine()
    account = post.synced(server)
    trash = next(name for name, folder in post.folders(account.id).items() if folder.role is Role.TRASH)
    with post.parts.public.session() as db:
        doer = Doer(db, post.owner.id, post.parts.clock, post.parts.bus)
        inbox = db.get_one(Folder, post.get_folder(account.id).id)
        deed = bulk.start(doer, inbox, "delete", "", ListFilter.ALL, conversations=False)

        def has_ended(state):
            return db.get_one(BulkDeed, deed.id, populate_existing=True).state is state

        wait_for(lambda: has_ended(BulkState.DONE), "the end")
        wait_for(lambda: len(server.folders[trash].messages) == 1_250, "the server")
        assert post.get_folder(account.id).total == 0
        bulk.undo(doer, deed.id)
        wait_for(lambda: has_ended(BulkState.UNDONE), "the way back")
        wait_for(lambda: len(server.folders["INBOX"].messages) == 1_250, "the server")
