"""FlowSync's asking side from Python, on a clock that the test moves."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import Cancelled, Completion, Failed, LimitError, Node, Replied, Requester, TimedOut, Treq

BASE = "services/example1/exampleNode"
WALL = 1_790_000_000_000
SEED = bytes(range(32))

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=10,
)


def reply(treq: Treq, **members: Any) -> bytes:
    """The message that answers ``treq``."""
    return json.dumps({"id": json.loads(treq.payload)["id"], "timestamp": WALL, **members}).encode()


def requester(node: Node | None = None) -> tuple[Requester, int]:
    """A requester with one node."""
    made = Requester(SEED)
    return made, made.add_node(node or Node(BASE))


def test_a_request_is_an_envelope_on_treq() -> None:
    asking, node = requester()
    treq = asking.begin(1000, WALL, node, {"order": "42"}, token=7)
    assert treq.topic == f"{BASE}/treq"
    assert treq.deadline == 1000 + 2_000_000
    assert json.loads(treq.payload) == {"id": treq.transaction, "timestamp": WALL, "value": {"order": "42"}}


@given(values, values)
def test_values_pass_both_ways_unchanged(question: Any, answer: Any) -> None:
    asking, node = requester()
    treq = asking.begin(0, WALL, node, question, token=7)
    assert json.loads(treq.payload)["value"] == question
    assert asking.handle_message(f"{BASE}/tres", reply(treq, value=answer)) is True
    assert asking.poll() == Completion(7, treq.transaction, Replied(answer))
    assert asking.poll() is None


def test_replies_find_their_requests_by_id_in_any_order() -> None:
    asking, node = requester()
    treqs = [asking.begin(0, WALL, node, n, token=n) for n in range(100)]
    for treq in reversed(treqs):
        asking.handle_message(f"{BASE}/tres", reply(treq, value=treq.transaction))
    ended = [asking.poll() for _ in treqs]
    assert [completion.token for completion in ended if completion] == list(reversed(range(100)))
    assert all(completion and completion.outcome == Replied(completion.transaction) for completion in ended)


def test_an_error_reply_fails_the_transaction() -> None:
    asking, node = requester()
    treq = asking.begin(0, WALL, node, None, token=1)
    asking.handle_message(f"{BASE}/tres", reply(treq, error={"code": 404, "message": "no such order"}))
    assert asking.poll() == Completion(1, treq.transaction, Failed(404, "no such order"))


def test_silence_ends_at_the_deadline_and_not_before() -> None:
    asking, node = requester(Node(BASE, timeout_error_code=408, timeout_error_message="No answer came in time"))
    assert asking.poll_timeout() is None
    treq = asking.begin(0, WALL, node, None, token=1, timeout_ms=50)
    assert asking.poll_timeout() == treq.deadline == 50_000
    asking.handle_timeout(treq.deadline - 1)
    assert asking.poll() is None
    asking.handle_timeout(treq.deadline)
    assert asking.poll() == Completion(1, treq.transaction, TimedOut(408, "No answer came in time"))
    assert asking.handle_message(f"{BASE}/tres", reply(treq, value="late")) is False


def test_messages_that_answer_nothing_are_ignored() -> None:
    asking, node = requester()
    treq = asking.begin(0, WALL, node, None, token=1)
    assert asking.handle_message("another/tres", reply(treq, value=1)) is None
    assert asking.handle_message(f"{BASE}/tres", b"not JSON") is False
    assert asking.handle_message(f"{BASE}/tres", reply(treq, value=1), retained=True) is False
    assert asking.poll() is None


def test_aborted_and_cancelled_transactions_free_their_place() -> None:
    asking, node = requester(Node(BASE, max_in_flight=1))
    treq = asking.begin(0, WALL, node, None, token=1)
    with pytest.raises(LimitError, match="in flight"):
        asking.begin(0, WALL, node, None, token=2)
    asking.abort(treq.transaction)
    assert asking.poll() is None
    second = asking.begin(0, WALL, node, None, token=3)
    asking.cancel_all()
    assert asking.poll() == Completion(3, second.transaction, Cancelled())


def test_the_same_seed_gives_the_same_requests() -> None:
    (one, node), (other, _) = requester(), requester()
    assert [one.begin(0, WALL, node, n, token=n) for n in range(3)] == [
        other.begin(0, WALL, node, n, token=n) for n in range(3)
    ]


def test_wrong_arguments_are_the_callers_fault() -> None:
    asking, node = requester()
    with pytest.raises(ValueError, match="31 bytes"):
        Requester(bytes(31))
    with pytest.raises(ValueError, match="600 s"):
        asking.add_node(Node("other", timeout_ms=0))
    with pytest.raises(ValueError, match="a node with this topic exists"):
        asking.add_node(Node(BASE))
    with pytest.raises(ValueError):
        asking.begin(0, WALL, node, float("nan"), token=1)
    with pytest.raises(KeyError):
        asking.begin(0, WALL, node + 1, None, token=1)
    with pytest.raises(KeyError):
        asking.remove_node(node + 1)
