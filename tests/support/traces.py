"""Find spans by what they are, and draw traces as the documentation shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.servers import ReceivedSpan

#: A caller's place in a trace of its own.
TRACE = "a1" * 16
CALLER = "b2" * 8
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


def named(spans: Iterable[ReceivedSpan], name: str) -> list[ReceivedSpan]:
    """Every span of this name, earliest first."""
    return sorted((span for span in spans if span.name == name), key=lambda span: span.start)


def only(spans: Iterable[ReceivedSpan], name: str) -> ReceivedSpan:
    """The one span of this name."""
    found = named(spans, name)
    assert len(found) == 1, (name, [span.name for span in found])
    return found[0]


def children(spans: Iterable[ReceivedSpan], parent: ReceivedSpan) -> list[ReceivedSpan]:
    """The spans right below one, earliest first; of commits, which are as many as the disk allows, none."""
    below = (span for span in spans if span.parent_id == parent.span_id and span.name != "commit")
    return sorted(below, key=lambda span: span.start)


def links_to(span: ReceivedSpan) -> list[tuple[str, str]]:
    """What a span links to: the kind of link, and the id of the other span."""
    return [(link["attributes"]["execsvc.link"], link["span_id"]) for link in span.links]


def drawn(spans: Sequence[ReceivedSpan], root: ReceivedSpan, about: Callable[[ReceivedSpan], str]) -> str:
    """Draw a trace from one span down, with what there is to say about each span; commits once below each."""
    rows: list[tuple[str, str]] = []

    def draw(span: ReceivedSpan, first: str, further: str) -> None:
        rows.append((first + span.name, about(span)))
        below = children(spans, span)
        commits = [other for other in spans if other.parent_id == span.span_id and other.name == "commit"]
        below += commits[:1]
        for number, child in enumerate(below):
            last = number == len(below) - 1
            draw(child, further + ("└─ " if last else "├─ "), further + ("   " if last else "│  "))

    draw(root, "", "")
    width = max(len(text) for text, _ in rows) + 2
    return "\n".join((text.ljust(width) + said).rstrip() for text, said in rows)
