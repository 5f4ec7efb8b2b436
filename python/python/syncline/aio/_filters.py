"""Topic Filters as a tree of levels: which of them a topic matches, at a price that does not grow with their number."""

from __future__ import annotations

from typing import Generic, TypeVar

from syncline.core import TopicFilter

__all__ = ["FilterTree"]

Owner = TypeVar("Owner")


class Level(Generic[Owner]):
    """What begins with the same levels."""

    __slots__ = ("below", "owners")

    def __init__(self) -> None:
        """Begin empty."""
        self.below: dict[str, Level[Owner]] = {}
        self.owners: dict[Owner, int] = {}


class FilterTree(Generic[Owner]):
    """Owners by their Topic Filters; one may have several, and one filter several owners."""

    def __init__(self) -> None:
        """Begin without any."""
        self._top: Level[Owner] = Level()

    def add(self, text: str, owner: Owner) -> None:
        """Note one more filter of this owner."""
        level = self._top
        for word in words(text):
            level = level.below.setdefault(word, Level())
        level.owners[owner] = level.owners.get(owner, 0) + 1

    def remove(self, text: str, owner: Owner) -> None:
        """Forget a filter that was added."""
        way = [(self._top, "")]
        level = self._top
        for word in words(text):
            level = level.below[word]
            way.append((level, word))
        level.owners[owner] -= 1
        if level.owners[owner] == 0:
            del level.owners[owner]
        while len(way) > 1 and not level.owners and not level.below:
            _, word = way.pop()
            level, _ = way[-1]
            del level.below[word]

    def matching(self, topic: str) -> tuple[Owner, ...]:
        """Give each owner once that has a filter for this topic."""
        levels = topic.split("/")
        found: dict[Owner, int] = {}
        waiting = [(self._top, 0)]
        if topic.startswith("$"):
            # Wildcards at the front are not for topics of the server's own.
            named = self._top.below.get(levels[0])
            waiting = [] if named is None else [(named, 1)]
        while waiting:
            level, depth = waiting.pop()
            rest = level.below.get("#")
            if rest is not None:
                found.update(rest.owners)
            if depth == len(levels):
                found.update(level.owners)
                continue
            for word in (levels[depth], "+"):
                below = level.below.get(word)
                if below is not None:
                    waiting.append((below, depth + 1))
        return tuple(found)


def words(text: str) -> list[str]:
    """The levels that decide; the group of a shared subscription does not."""
    group = TopicFilter(text).share_group
    if group is not None:
        text = text.removeprefix(f"$share/{group}/")
    return text.split("/")
