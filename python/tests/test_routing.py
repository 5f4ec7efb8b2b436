"""Which subscriptions a message is for: what the core's own matching says, and at the same price among many."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from syncline.aio._filters import FilterTree
from syncline.core import TopicFilter
from syncline.errors import TopicError

levels = st.sampled_from(["a", "b", "", "$a", "$SYS", "+", "#", "$share", "g"])
texts = st.lists(levels, min_size=1, max_size=5).map("/".join)


def is_filter(text: str) -> bool:
    try:
        TopicFilter(text)
    except TopicError:
        return False
    return True


filters = texts.filter(is_filter)
topics = st.lists(st.sampled_from(["a", "b", "", "$a", "$SYS"]), min_size=1, max_size=5).map("/".join).filter(bool)


@given(st.lists(st.tuples(filters, st.integers(0, 3)), max_size=12), st.lists(st.integers(0, 11)), topics)
@example([("a/#", 0), ("a", 1), ("a/+", 2), ("#", 3)], [], "a")
@example([("+/a", 0), ("#", 1), ("$SYS/#", 2), ("$share/g/+/a", 3)], [], "$SYS/a")
def test_the_tree_finds_whom_the_core_finds(added: list[tuple[str, int]], removed: list[int], topic: str) -> None:
    tree = FilterTree[int]()
    for text, owner in added:
        tree.add(text, owner)
    kept = list(added)
    for index in removed:
        if index < len(kept):
            tree.remove(*kept.pop(index))
    found = tree.matching(topic)
    assert sorted(found) == sorted({owner for text, owner in kept if TopicFilter(text).matches(topic)})
    for text, owner in kept:
        tree.remove(text, owner)
    assert not tree._top.below, "an empty tree keeps no level"  # pyright: ignore[reportPrivateUsage]
    assert not tree._top.owners  # pyright: ignore[reportPrivateUsage]


def steps(tree: FilterTree[int], topic: str) -> int:
    """Lines of Python that one look takes: what it costs, without a clock."""
    count = 0

    def trace(*_: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        tree.matching(topic)
    finally:
        sys.settrace(before)
    return count


def test_a_new_topic_costs_the_same_among_ten_and_among_ten_thousand_subscriptions() -> None:
    few, many = FilterTree[int](), FilterTree[int]()
    for number in range(10_000):
        many.add(f"plant/line{number}/+", number)
        if number < 10:
            few.add(f"plant/line{number}/+", number)
    assert many.matching("plant/line7/state") == few.matching("plant/line7/state") == (7,)
    assert 0 < steps(many, "plant/line7/state") == steps(few, "plant/line7/state")
