"""Deliveries and appends of one commit entering the catalogue: each whole or not at all, none for another's fault."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.extension_api import MailError, NoSuchMessage
from mailsite_ext.errors import NoSuchMailbox, StorageDamaged, StorageFull
from mailsite_ext.storage.catalogue_folders import ensure_folder, folder_name
from mailsite_ext.storage.catalogue_messages import Relocate, enter, expunge
from mailsite_ext.storage.catalogue_step import Step
from mailsite_ext.storage.catalogue_values import LockedFolder, LockedMailbox, NewMessage, row_id
from mailsite_ext.storage.values import Stored


@dataclass(frozen=True, slots=True)
class Placed:
    """A recipient's copy, its bytes durable already."""

    mailbox: str
    folder: str
    message: NewMessage


@dataclass(frozen=True, slots=True)
class Delivered:
    placements: Sequence[Placed]


@dataclass(frozen=True, slots=True)
class Appended:
    """`replaces`: the UID of a message that goes in the same step (RFC 8508); 0 for none."""

    folder_id: int
    messages: Sequence[NewMessage]
    replaces: int = 0


def enter_all(
    step: Step, jobs: Sequence[Delivered | Appended], relocate: Relocate | None = None
) -> list[Sequence[Stored] | MailError]:
    """What came of each job, in order.  A job that is refused has changed nothing."""
    boxes = _lock(step, jobs)
    runs: defaultdict[object, list[int]] = defaultdict(list)
    for at, job in enumerate(jobs):
        runs[_find_target(job, boxes) or at].append(at)
    outcomes: dict[int, Sequence[Stored] | MailError] = {}
    for run in runs.values():
        outcomes.update(zip(run, _enter_run(step, [jobs[at] for at in run], boxes, relocate), strict=True))
    return [outcomes[at] for at in range(len(jobs))]


def _find_target(job: Delivered | Appended, boxes: dict[str, LockedMailbox]) -> tuple[str, str] | None:
    """Mailbox and folder of a delivery that can be entered with others: a copy for one, whose octets nobody counts."""
    if isinstance(job, Appended) or len(job.placements) != 1:
        return None
    one = job.placements[0]
    return (one.mailbox, one.folder) if one.mailbox in boxes and boxes[one.mailbox].limit_octets is None else None


def _enter_run(
    step: Step, jobs: Sequence[Delivered | Appended], boxes: dict[str, LockedMailbox], relocate: Relocate | None
) -> Sequence[Sequence[Stored] | MailError]:
    """Several only where they have one target, and are refused for it or not at all."""
    if len(jobs) == 1:
        return [_enter(step, jobs[0], boxes, relocate)]
    placed = [one for job in jobs if isinstance(job, Delivered) for one in job.placements]
    return _enter_together(step, placed, boxes, relocate)


def _lock(step: Step, jobs: Iterable[Delivered | Appended]) -> dict[str, LockedMailbox]:
    """Everything the batch will touch, in the one order of locks."""
    placed = [one for job in jobs if isinstance(job, Delivered) for one in job.placements]
    folder_ids = {job.folder_id for job in jobs if isinstance(job, Appended)}
    held = step.lock_mailboxes(step.mailbox_ids(folder_ids), {one.mailbox for one in placed})
    step.lock_there(folder_ids)
    if placed:
        step.lock_named(held, {one.folder for one in placed})
    return {mailbox.name: mailbox for mailbox in held}


def _enter_together(
    step: Step, placed: Sequence[Placed], boxes: dict[str, LockedMailbox], relocate: Relocate | None
) -> Sequence[Sequence[Stored] | MailError]:
    try:
        folder = ensure_folder(step, boxes[placed[0].mailbox], placed[0].folder)
        return [[stored] for stored in enter(step, folder, [one.message for one in placed], relocate)]
    except (StorageFull, StorageDamaged):
        raise
    except MailError as error:
        return [error] * len(placed)


def _enter(
    step: Step, job: Delivered | Appended, boxes: dict[str, LockedMailbox], relocate: Relocate | None
) -> Sequence[Stored] | MailError:
    try:
        if isinstance(job, Delivered):
            return _deliver(step, job, boxes, relocate)
        return _append(step, job, relocate)
    except (StorageFull, StorageDamaged):  # perhaps with half of the job entered: the whole step comes to nothing
        raise
    except MailError as error:
        return error


def _deliver(
    step: Step, job: Delivered, boxes: dict[str, LockedMailbox], relocate: Relocate | None
) -> Sequence[Stored]:
    _check(step, job, boxes)
    folders = [ensure_folder(step, boxes[one.mailbox], one.folder) for one in job.placements]
    return [
        enter(step, folder, [one.message], relocate)[0] for folder, one in zip(folders, job.placements, strict=True)
    ]


def _check(step: Step, job: Delivered, boxes: dict[str, LockedMailbox]) -> None:
    """All that can be wrong with a delivery, before anything of it is written."""
    octets: Counter[str] = Counter()
    for one in job.placements:
        folder_name(one.folder)
        if one.mailbox not in boxes:
            raise NoSuchMailbox(one.mailbox)
        octets[one.mailbox] += one.message.size_octets
    for mailbox, size in octets.items():
        step.charge(boxes[mailbox], size)


def _append(step: Step, job: Appended, relocate: Relocate | None) -> Sequence[Stored]:
    folder = step.folder(job.folder_id)
    if job.replaces:
        _check_there(step, folder, job.replaces)
    size = sum(message.size_octets for message in job.messages)
    step.charge(step.mailbox_of(folder), size)
    stored = enter(step, folder, job.messages, relocate) if job.messages else []
    if job.replaces:
        expunge(step, folder, [job.replaces], only_deleted=False)
    return stored


def _check_there(step: Step, folder: LockedFolder, uid: int) -> None:
    if not step.link.row("SELECT 1 FROM mailsite_flag WHERE id = ?", [row_id(folder.id, uid)]):
        raise NoSuchMessage(str(uid))
