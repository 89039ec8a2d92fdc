"""Messages find their conversation whatever order they come in."""

from hypothesis import given
from hypothesis import strategies as st

from app.mirror.conversations import Linked, assign, id_hash, links_of, message_ids

NAMES = [f"m{number}" for number in range(12)]


@st.composite
def threads(draw):
    """Messages with references to any others, also to ones that never come."""
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return [
        Linked(id_hash(name), links_of(id_hash(name), draw(st.lists(st.sampled_from(NAMES), max_size=3))))
        for name in chosen
    ]


class Store:
    """What the mirror keeps: links, and the conversation of each message."""

    def __init__(self):
        self.links = {}
        self.conversations = {}

    def take(self, batch):
        named = {link for message in batch for link in message.links}
        outcome = assign(batch, {link: self.links[link] for link in named if link in self.links})
        for stored in (self.links, self.conversations):
            for key, conversation in stored.items():
                stored[key] = outcome.merged.get(conversation, conversation)
        self.links.update(outcome.links)
        self.conversations.update(zip((m.own for m in batch), outcome.conversations, strict=True))

    def partition(self):
        together = {}
        for own, conversation in self.conversations.items():
            together.setdefault(conversation, set()).add(own)
        return {frozenset(members) for members in together.values()}


@given(threads(), st.randoms(), st.integers(1, 5))
def test_any_order_and_any_batches_give_the_same_conversations(messages, random, size):
    at_once, bit_by_bit = Store(), Store()
    at_once.take(messages)
    shuffled = random.sample(messages, len(messages))
    for start in range(0, len(shuffled), size):
        bit_by_bit.take(shuffled[start : start + size])
    assert bit_by_bit.partition() == at_once.partition()


@given(threads())
def test_taking_messages_again_changes_nothing(messages):
    store = Store()
    store.take(messages)
    before = dict(store.links), dict(store.conversations)
    store.take(messages)
    assert (store.links, store.conversations) == before


@given(threads())
def test_messages_are_together_exactly_if_a_chain_of_ids_joins_them(messages):
    store = Store()
    store.take(messages)
    groups = [set(message.links) for message in messages]
    joined = True
    while joined:
        joined = False
        for one in groups:
            for other in groups:
                if one is not other and one & other:
                    one |= other
                    groups.remove(other)
                    joined = True
                    break
            if joined:
                break
    wanted = {frozenset(m.own for m in messages if m.own in group) for group in groups}
    assert store.partition() == wanted


def test_one_message_joins_two_conversations():
    store = Store()
    a, b = id_hash("a"), id_hash("b")
    store.take([Linked(a, links_of(a, [])), Linked(b, links_of(b, []))])
    assert len(store.partition()) == 2
    c = id_hash("c")
    store.take([Linked(c, links_of(c, ["a", "b"]))])
    assert store.partition() == {frozenset({a, b, c})}


def test_gmail_decides_itself():
    one, other = id_hash("1"), id_hash("2")
    outcome = assign([Linked(one, (one,), 77), Linked(other, (other, one), 78)], {})
    assert outcome.conversations == [77, 78]
    assert outcome.links == {}


def test_hashes_fit_a_signed_64_bit_column():
    assert all(0 <= id_hash(str(number)) < 2**63 for number in range(1_000))


def test_of_very_many_references_the_first_and_last_count():
    value = " ".join(f"<{number}@x>" for number in range(1_000))
    found = message_ids(value)
    assert len(found) == 100
    assert (found[0], found[49], found[50], found[-1]) == ("0@x", "49@x", "950@x", "999@x")


def test_ids_are_read_from_fields_as_they_come():
    assert message_ids("<a@b>\t<c@d> (comment) <a@b> junk <> < e> <f") == ["a@b", "c@d"]
