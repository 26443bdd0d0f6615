"""The hooks of the site: links, bars, diagrams, and pages that fetch nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mkdocs.exceptions import PluginError

from tools.docs import site_hooks

ROOT = Path(__file__).parents[2]
NOTHING: Any = None


def page(place: str) -> Any:
    """A page that is at a place on the site."""
    return SimpleNamespace(file=SimpleNamespace(src_uri=place, dest_uri=place.replace(".md", ".html")))


@pytest.mark.parametrize(
    ("place", "link", "wanted"),
    [
        ("index.md", "docs/errors.md", "errors.md"),
        ("index.md", "clients/python/README.md", "clients/python.md"),
        ("metrics.md", "../deploy/grafana/execsvc.json", "assets/grafana.json"),
        ("adr/README.md", "0001-lanes.md", "0001-lanes.md"),
        ("architecture.md", "adr/README.md", "adr/README.md"),
        ("clients/python.md", "../../docs/errors.md", "../errors.md"),
        ("errors.md", "#failures", "#failures"),
        ("errors.md", "https://cel.dev", "https://cel.dev"),
        ("api.md", "clients.md#errors", "clients.md#errors"),
    ],
)
def test_a_link_that_is_right_in_the_repository_leads_to_its_place_on_the_site(
    place: str, link: str, wanted: str
) -> None:
    assert site_hooks.on_page_markdown(f"[x]({link})", page(place), NOTHING, NOTHING) == f"[x]({wanted})"


def test_a_link_to_what_the_site_does_not_have_is_refused() -> None:
    with pytest.raises(PluginError, match="give pyproject"):
        site_hooks.on_page_markdown("[x](../pyproject.toml)", page("errors.md"), NOTHING, NOTHING)


def test_code_blocks_stay_as_they_are_and_bars_in_tables_lose_their_backslash() -> None:
    text = "```sh\n[x](nowhere) `a \\| b`\n```\n\n| `a \\| b` | c \\| d |\n"

    changed = site_hooks.on_page_markdown(text, page("errors.md"), NOTHING, NOTHING)
    assert changed == "```sh\n[x](nowhere) `a \\| b`\n```\n\n| `a | b` | c \\| d |\n"


@pytest.mark.parametrize("place", site_hooks.PLACES)
def test_every_place_stands_for_something_that_is_there(place: str) -> None:
    assert (ROOT / place).exists()


def test_what_draws_diagrams_is_loaded_where_there_is_one() -> None:
    drawn = site_hooks.on_page_content('<pre class="mermaid">', page("adr/a.md"), NOTHING, NOTHING)

    assert drawn.endswith('<script src="../assets/mermaid.tiny.js"></script>')
    assert site_hooks.on_page_content("<p>", page("a.md"), NOTHING, NOTHING) == "<p>"
    assert (ROOT / "docs" / "assets" / "mermaid.tiny.js").exists()


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js">',
        '<img alt="" src="https://cdn.example/x.png">',
        '<link rel="stylesheet" href="https://fonts.example/css">',
        "<link rel=preconnect href=https://fonts.example>",
    ],
)
def test_a_page_that_would_fetch_something_is_refused(html: str) -> None:
    with pytest.raises(PluginError, match="fetches"):
        site_hooks.on_post_page(f"<p>{html}", page("a.md"), NOTHING)


def test_a_page_may_link_elsewhere() -> None:
    html = '<script src="a.js"></script><a href="https://cel.dev">CEL</a>'

    assert site_hooks.on_post_page(html, page("a.md"), NOTHING) == html
