"""What is shown on the way: on terminals only, with tqdm or without."""

import io
import sys

import pytest

import dafl
from conftest import SMALL


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(teacher, monkeypatch, stream, **options) -> str:
    """What a distillation wrote to such a stderr."""
    monkeypatch.setattr(sys, "stderr", stream)
    dafl.distill(teacher, **SMALL, **options)
    return stream.getvalue()


def without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


def assert_is_worth_watching(text):
    for part in ("4/4", "L_G", "L_KD", "classes", "agreement", "images/s"):
        assert part in text


def test_a_bar_with_tqdm(numpy_teacher, monkeypatch):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    assert_is_worth_watching(shown(numpy_teacher.teacher(), monkeypatch, Terminal()))


def test_a_line_without(numpy_teacher, monkeypatch):
    without_tqdm(monkeypatch)
    text = shown(numpy_teacher.teacher(), monkeypatch, Terminal())
    assert_is_worth_watching(text)
    assert "s left" in text and text.count("\n") == 1 and text.endswith("\n")


@pytest.mark.parametrize("stream, options", [(io.StringIO, {}), (Terminal, {"progress": False})])
@pytest.mark.parametrize("has_tqdm", [True, False])
def test_silence_where_nobody_looks(numpy_teacher, monkeypatch, capfd, stream, options, has_tqdm):
    if not has_tqdm:
        without_tqdm(monkeypatch)
    assert shown(numpy_teacher.teacher(), monkeypatch, stream(), **options) == ""
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_closed_when_a_step_fails(numpy_teacher, monkeypatch):
    def fail(progress):
        raise LookupError

    without_tqdm(monkeypatch)
    stream = Terminal()
    with pytest.raises(LookupError):
        shown(numpy_teacher.teacher(), monkeypatch, stream, on_step=fail)
    assert stream.getvalue().endswith("\n")
