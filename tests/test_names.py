"""A name of a file is shown on one line, the same in every locale, and can be had back from what is shown."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.names import as_bytes, as_path, as_text, one_line, shown
from multitrain.sources.publication import safe_id

NAMES = {  # bytes of a name: how it is shown
    b"plain.mp4": "plain.mp4",
    b"caf\xc3\xa9.mp4": "café.mp4",
    b"caf\xe9.mp4": r"caf\xe9.mp4",
    b"two\nlines.mp4": r"two\nlines.mp4",
    b"tab\t.mp4": r"tab\t.mp4",
    b"-dash.mp4": "-dash.mp4",
    b'quote",.mp4': 'quote",.mp4',
    b"back\\slash.mp4": r"back\\slash.mp4",
    b"\x1b[31m.mp4": r"\x1b[31m.mp4",
    b"bell\xc2\x85.mp4": r"bell\u0085.mp4",
    b"wide\xe2\x80\x8b.mp4": r"wide\u200b.mp4",
    b"$x$|<b>.mp4": "$x$|<b>.mp4",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_bash_takes_it(name):
    assert shown(os.fsdecode(name)) == NAMES[name] == shown(name.decode("ascii", "surrogateescape"))  # as in locale C
    back = subprocess.run(["bash", "-c", f"printf %s $'{NAMES[name]}'"], capture_output=True, env={"LC_ALL": "C.UTF-8"})
    assert back.stdout == name


@given(st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name))
def test_what_is_shown_is_one_line_and_tells_names_apart(name):
    text = shown(os.fsdecode(name))
    assert text.isprintable() and text.encode()
    rest = text.replace("\\\\", "")
    assert rest.count("\\") == sum(rest.count(f"\\{sort}") for sort in "xuUntr")  # each backslash begins an escape
    assert as_bytes(os.fsdecode(name)) == name and os.fsencode(as_path(os.fsdecode(name))) == name
    assert as_text(name.decode("ascii", "surrogateescape")) == as_text(os.fsdecode(name))


def test_messages_keep_their_backslashes():
    assert one_line("error: a\nb\udcff: class '\\x' é") == "error: a\\nb\\xff: class '\\x' é"
    assert shown("half \ud800") == "half \\\\ud800"  # no file is called that


def test_clip_ids_do_not_depend_on_the_locale():
    for name in NAMES:
        here, there = os.fsdecode(name), name.decode("ascii", "surrogateescape")
        assert safe_id(here) == safe_id(there)
        assert safe_id(here).isascii()
    assert len({safe_id(os.fsdecode(name)) for name in NAMES}) == len(NAMES)
