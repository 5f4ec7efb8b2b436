"""The package as a whole: where it runs, what it names, and topics."""

from __future__ import annotations

import sysconfig
from importlib import metadata, resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

import syncline
from syncline import _native, core, errors
from syncline._interpreter import refuse_free_threading
from syncline.core import TopicFilter, check_topic_name, reason_text
from syncline.errors import SynclineError, TopicError

levels = st.lists(st.text("ab/ä", max_size=3), min_size=1, max_size=4)


def test_the_version_is_that_of_the_installed_package() -> None:
    assert syncline.__version__ == metadata.version("syncline")


def test_the_package_says_that_it_is_typed() -> None:
    assert resources.files("syncline").joinpath("py.typed").is_file()


def test_a_free_threaded_interpreter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_free_threading()

    def free_threaded(name: str) -> int:
        return int(name == "Py_GIL_DISABLED")

    monkeypatch.setattr(sysconfig, "get_config_var", free_threaded)
    with pytest.raises(ImportError, match="use the standard build"):
        refuse_free_threading()


def test_core_names_everything_of_the_compiled_module_but_single_packets() -> None:
    packets = {"__version__", "decode_publish", "encode_publish", "peek"}
    assert set(_native.__all__) - packets <= set(core.__all__)


def test_every_error_of_the_package_is_one_of_its_family_and_in_the_tree() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), SynclineError), name
        assert name.endswith("Error")
        assert f"{name} " in (errors.__doc__ or "") or f"{name}\n" in (errors.__doc__ or "")


@given(levels)
def test_a_topic_matches_itself_its_first_levels_and_a_plus_for_each(parts: list[str]) -> None:
    topic = "/".join(parts) or "a"
    depth = topic.count("/") + 1
    check_topic_name(topic)
    for text in (topic, "#", "/".join(["+"] * depth), topic.rsplit("/", 1)[0] + "/#", f"$share/group/{topic}"):
        if text != "/#":
            assert TopicFilter(text).matches(topic), text
    assert not TopicFilter(f"{topic}/b").matches(topic)


def test_a_wrong_filter_is_told_by_its_place() -> None:
    with pytest.raises(TopicError, match="byte 3"):
        TopicFilter("a/b#")
    with pytest.raises(TopicError, match="empty"):
        check_topic_name("")
    shared = TopicFilter("$share/group/a/+")
    assert (shared.share_group, shared.has_wildcard, str(shared)) == ("group", True, "$share/group/a/+")
    assert shared == TopicFilter("$share/group/a/+")
    assert len({shared, TopicFilter("$share/group/a/+"), TopicFilter("a")}) == 2
    assert repr(TopicFilter("a")) == 'TopicFilter("a")'


def test_reason_codes_have_words() -> None:
    assert reason_text(0x87) == "not authorized (0x87)"
