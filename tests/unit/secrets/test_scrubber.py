"""Values of secrets are found whole, encoded, cut off and in pieces, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.secrets import HIDDEN, Scrubber, StreamScrubber
from execsvc.secrets.scrubber import Remembered

#: With all that encodings change.
VALUE = 'sk-Ca/na+ry"<ö>&\\=42 x'
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda value: json.dumps({"error": value}),
    "JSON, not ASCII": lambda value: json.dumps({"error": value}, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps([value])),
    "Python": lambda value: repr([value]),
    "HTML": html.escape,
    "URL, path": quote,
    "URL, part of a path": lambda value: quote(value, safe=""),
    "URL, lower case": lambda value: quote(value, safe="").lower().replace("sk-ca", "sk-Ca"),
    "form": quote_plus,
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    **{
        f"Basic with a name of {length}": lambda value, length=length: base64.b64encode(
            f"{'u' * length}:{value}:x".encode()
        ).decode()
        for length in range(6)
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_found_however_it_is_written(way: str) -> None:
    written = WAYS[way](VALUE)

    shown = Scrubber([VALUE]).hide(f"refused: {written}, sorry")

    assert shown.startswith("refused: ")
    assert shown.endswith(", sorry")
    assert HIDDEN in shown
    # What is left is at most what stood around it, and the bits that share a letter with it.
    assert longest_common(shown, written) < 12


def longest_common(one: str, other: str) -> int:
    """Length of the longest run of characters that two texts share."""
    best = 0
    for start in range(len(one)):
        while one[start : start + best + 1] in other and start + best < len(one):
            best += 1
    return best


def test_text_without_the_value_stays_as_it_is() -> None:
    assert Scrubber([VALUE]).hide("sk-another-key: 42 x") == "sk-another-key: 42 x"
    assert Scrubber([]).hide("anything…") == "anything…"


@pytest.mark.parametrize("mark", ["", "…", "..."])
def test_the_beginning_of_a_value_at_the_end_of_a_cut_text_is_hidden_too(mark: str) -> None:
    scrubber = Scrubber(["0123456789abcdef"])

    assert scrubber.hide(f"wrong key 0123456789{mark}") == f"wrong key {HIDDEN}{mark}"
    assert scrubber.hide(f"wrong key 012{mark}") == f"wrong key 012{mark}", "too little to tell"


def test_of_two_values_of_which_one_begins_the_other_both_are_hidden() -> None:
    scrubber = Scrubber(["password", "password-2"])

    assert scrubber.hide("password-2 and password") == f"{HIDDEN} and {HIDDEN}"


def test_values_are_hidden_anywhere_in_json() -> None:
    scrubber = Scrubber(["12345678", VALUE])
    value = {"a": [1, 12345678, 1.5, None, True], f"key {VALUE}": {"b": f"x{VALUE}"}, "ok": "text"}

    hidden = scrubber.hide_in(value, orjson.dumps(value))

    assert hidden == {"a": [1, HIDDEN, 1.5, None, True], f"key {HIDDEN}": {"b": f"x{HIDDEN}"}, "ok": "text"}


def test_json_without_a_value_is_not_copied() -> None:
    value = {"a": ["text"]}

    assert Scrubber([VALUE]).hide_in(value, orjson.dumps(value)) is value


def test_keys_of_several_lines_are_hidden_line_by_line() -> None:
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----"

    shown = Scrubber([pem]).hide("line 2 is\r\n  MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\r\n")

    assert shown == f"line 2 is\r\n  {HIDDEN}\r\n"


def streamed(scrubber: Scrubber, pieces: list[str]) -> list[str]:
    """What comes out of a stream."""
    out: list[str] = []
    stream = StreamScrubber(scrubber, out.append)
    for piece in pieces:
        stream.feed(piece)
    stream.end()
    return out


@pytest.mark.parametrize("size", range(1, 12))
def test_a_value_that_comes_in_pieces_is_hidden(size: int) -> None:
    text = f"The key is {VALUE}, {VALUE[:5]} {VALUE} and {VALUE[:9]}"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    out = "".join(streamed(Scrubber([VALUE]), pieces))

    assert out == f"The key is {HIDDEN}, {VALUE[:5]} {HIDDEN} and {HIDDEN}"


@given(st.lists(st.text(alphabet="ab-01", max_size=6), max_size=30))
def test_no_piece_of_a_stream_is_lost(pieces: list[str]) -> None:
    value = "ab-01ab-"
    text = "".join(pieces)

    out = "".join(streamed(Scrubber([value]), pieces))

    assert value not in out
    if HIDDEN not in out:
        assert out == text


def test_what_cannot_be_part_of_a_value_is_passed_on_at_once() -> None:
    out: list[str] = []
    stream = StreamScrubber(Scrubber([VALUE]), out.append)

    stream.feed("Hello wor")
    assert out == ["Hello wor"]
    stream.feed("ld sk-Ca")
    assert out == ["Hello wor", "ld "]
    stream.feed("ndy")
    assert "".join(out) == "Hello world sk-Candy"


def test_a_process_remembers_the_values_used_last() -> None:
    remembered = Remembered(size=2)
    for value in ("first-value", "second-value", "first-value", "third-value"):
        remembered.add([value])

    assert remembered.hide("first-value second-value third-value") == f"{HIDDEN} second-value {HIDDEN}"


def test_a_scrubber_does_not_show_what_it_hides() -> None:
    assert VALUE not in repr(Scrubber([VALUE]))
