"""How much of an answer is read, and that nobody else waits for it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx2
import pytest

from execsvc.egress import ResponseTooLarge
from execsvc.egress import bounds as bounds_module
from execsvc.egress.bounds import EVENT_PARTS, PIECE, PIECES, BoundedStream, Bounds


class Arriving(httpx2.AsyncByteStream):
    """A body that arrives in these pieces, all of them at once."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        self.closed = True


def body(
    pieces: Iterable[bytes], *, encoding: str = "", events: bool = False, until: float = float("inf"), **bounds: Any
) -> BoundedStream:
    return BoundedStream(
        Arriving(pieces), encoding=encoding, events=events, bounds=Bounds(**bounds), until=until, where="http://a"
    )


async def read(stream: BoundedStream) -> bytes:
    return b"".join([piece async for piece in stream])


async def length(stream: BoundedStream) -> int:
    """Read to the end or to the bound, and give what was handed on until then."""
    found = 0
    try:
        async for piece in stream:
            found += len(piece)
    except ResponseTooLarge:
        return found
    raise AssertionError(f"all of {found} bytes were read")


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "X-GZIP ", "deflate"])
async def test_a_body_is_unpacked_and_handed_on_whole(encoding: str) -> None:
    text = bytes(range(256)) * 1_000
    packed = {"gzip": gzip.compress(text), "deflate": zlib.compress(text)}
    sent = packed.get(encoding.strip().lower().removeprefix("x-"), text)

    pieces = [sent[start : start + 999] for start in range(0, len(sent), 999)]

    assert await read(body(pieces, encoding=encoding)) == text


async def test_a_body_that_is_too_long_is_given_up() -> None:
    assert await length(body([b"x" * 100] * 1_000, body=5_000)) <= 5_000


async def test_a_bomb_is_not_unpacked_beyond_the_bound() -> None:
    packed = zlib.compress(bytes(50_000_000), 9)

    assert len(packed) < 100_000
    assert await length(body([packed], encoding="gzip", body=1_000_000)) <= 1_000_000


async def test_packings_inside_each_other_are_not_unpacked() -> None:
    with pytest.raises(httpx2.DecodingError, match="gzip, gzip"):
        await read(body([gzip.compress(gzip.compress(b"x"))], encoding="gzip, gzip"))


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [("br", b"x"), ("zstd", b"x"), ("gzip", b"nothing of the sort"), ("gzip", gzip.compress(b"x" * 99)[:-9])],
    ids=["br", "zstd", "no gzip", "half a gzip"],
)
async def test_what_cannot_be_unpacked_is_told(encoding: str, sent: bytes) -> None:
    with pytest.raises(httpx2.DecodingError):
        await read(body([sent], encoding=encoding))


async def test_an_answer_without_a_body_may_name_an_encoding() -> None:
    assert await read(body([], encoding="gzip")) == b""


async def test_an_answer_in_pieces_of_a_byte_is_given_up() -> None:
    assert await length(body([b"x"] * (PIECES * 2))) <= PIECES * 1.1


async def test_an_answer_whose_time_is_up_is_given_up() -> None:
    now = asyncio.get_running_loop().time()

    with pytest.raises(httpx2.ReadTimeout, match="http://a takes more than 3600 s"):
        await read(body([b"x"], until=now - 1))


# Events


@pytest.mark.parametrize("blank", [b"\n\n", b"\r\r", b"\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000_000])
async def test_events_of_a_usual_length_pass_however_they_are_cut(blank: bytes, size: int) -> None:
    text = (b"event: piece" + blank[: len(blank) // 2] + b"data: " + b"x" * 100 + blank) * 400
    pieces = [text[start : start + size] for start in range(0, len(text), size)]

    assert await read(body(pieces, events=True, event=250)) == text


@pytest.mark.parametrize("size", [1, 3, 1_000_000])
async def test_an_event_that_does_not_end_is_given_up(size: int) -> None:
    text = b"data: " + b"x" * 100_000
    pieces = [text[start : start + size] for start in range(0, len(text), size)]

    assert await length(body(pieces, events=True, event=20_000)) <= 20_000


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: x\n" * 10_000],
        [b"data: x\r\n" * 10_000],
        [b"data: x\r", b"\n"] * 10_000,
        [b"x"] * 10_000,
    ],
    ids=["lines", "CRLF", "split CRLF", "bytes"],
)
async def test_an_event_of_many_small_parts_is_given_up(pieces: list[bytes]) -> None:
    assert await length(body(pieces, events=True)) <= EVENT_PARTS * PIECE


async def test_a_stream_without_end_is_given_up() -> None:
    assert await length(body([b"data: x\n\n" * 100] * 1_000, events=True, stream=20_000)) <= 20_000


@pytest.mark.parametrize("events", [False, True])
async def test_others_get_their_turn_while_an_answer_that_is_there_is_read(
    events: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds_module, "TURN", 0.0)
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turn)

    turn()
    await read(body([b"data: x\n\n" * 10_000], events=events))

    assert turns >= 90_000 // PIECE


async def test_closing_closes_what_it_reads_from() -> None:
    arriving = Arriving([b"x"])
    stream = BoundedStream(arriving, encoding="", events=False, bounds=Bounds(), until=0.0, where="http://a")

    await stream.aclose()

    assert arriving.closed
