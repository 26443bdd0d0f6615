"""A page in a real browser: live events, a server that is killed and comes back, pause and resume by WebSocket."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import ServeProcess, end

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE = """<!doctype html><title>workflow</title><ol id=log></ol><p id=answer></p><script>
let seen = [], messages = [], opened = 0, ended = null, socket = null;
async function start(base, body) {
  const answer = await fetch(base + '/api/v1/execute', {
    method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  const events = new EventSource(base + '/api/v1/execute/' + body.execution_id + '/events?tokens=true');
  events.onopen = () => opened++;
  events.addEventListener('log', event => {
    seen.push(Number(event.lastEventId));
    document.getElementById('log').insertAdjacentHTML('beforeend', '<li>' + JSON.parse(event.data).message);
  });
  events.addEventListener('token', event => document.getElementById('answer').append(JSON.parse(event.data).text));
  events.addEventListener('end', event => { ended = JSON.parse(event.data); events.close(); });
  connect(base, body.execution_id);
  return answer.status;
}
function connect(base, id) {
  socket = new WebSocket(base.replace('http', 'ws') + '/api/v1/execute/' + id + '/ws');
  socket.onmessage = event => messages.push(JSON.parse(event.data));
}
const heard = (type, test) => messages.some(message => message.type === type && test(message.data));
</script>"""


def asks(delay: float) -> dict[str, Any]:
    """Config of a model that takes its time."""
    return {"model": "echo:", "prompt": "one two three", "parameters": {"delay": delay}}


BODY = {
    "execution_id": "e",
    "definition": {
        "nodes": [
            {"id": "start", "type": "input"},
            {"id": "a", "type": "llm", "config": asks(2)},
            {"id": "b", "type": "llm", "config": asks(0.2)},
            {"id": "end", "type": "output"},
        ],
        "edges": [{"source": s, "target": t} for s, t in (("start", "a"), ("a", "b"), ("b", "end"))],
    },
}


@pytest.fixture(scope="module")
def chromium() -> str:
    """Where the browser is; without one the test is skipped, but not where everything must be tested."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium: tools/install_chromium.sh installs it")
    pytest.skip("no Chromium on this machine; CI has one")


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """Where the page comes from: another origin than the gateway's."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text(PAGE, encoding="utf-8")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
        thread.join()


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A tab of a headless browser."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        tab = browser.new_page()
        tab.set_default_timeout(60_000)
        yield tab
        browser.close()


def free() -> str:
    """An address that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_a_page_follows_and_controls_through_a_crash_of_the_server(page: Page, origin: str, tmp_path: Path) -> None:
    options = ("--address", free(), "--http", free(), "--cors", origin)
    server = ServeProcess(tmp_path / "a.db", *options)
    base = f"http://{server.ready['http']}"
    try:
        page.goto(origin)
        assert page.evaluate("([base, body]) => start(base, body)", [base, BODY]) == 202
        page.wait_for_function("() => heard('status', data => data.running_nodes.includes('a'))")
        page.evaluate("() => socket.send(JSON.stringify({action: 'pause', request_id: 'p'}))")
        page.wait_for_function("() => heard('control', data => data.status === 'paused')")
        page.wait_for_function("() => seen.length >= 5")

        server.process.kill()
        server.process.wait()
        page.wait_for_function("() => socket.readyState === WebSocket.CLOSED")
        end(server.process)
        server = ServeProcess(tmp_path / "a.db", *options)
        page.wait_for_function("() => opened === 2")
        assert page.evaluate("() => ended") is None

        page.evaluate("base => { messages = []; connect(base, 'e') }", base)
        page.wait_for_function("() => heard('status', data => data.status === 'paused')")
        page.evaluate("() => socket.send(JSON.stringify({action: 'resume', request_id: 'r'}))")
        page.wait_for_function("() => heard('control', data => true)")
        page.wait_for_function("() => ended !== null")
        assert page.evaluate("() => ended.status") == "completed"
        page.wait_for_function("() => heard('end', data => data.status === 'completed')")

        with urllib.request.urlopen(f"{base}/api/v1/execute/e/logs?limit=1000", timeout=30) as answer:
            logged = json.loads(answer.read())["logs"]
        assert page.evaluate("() => seen") == [entry["sequence"] for entry in logged]
        assert page.locator("#log li").all_inner_texts() == [entry["message"] for entry in logged]
        assert "three" in page.locator("#answer").inner_text()
    finally:
        end(server.process)


def test_the_docs_are_a_page(page: Page, tmp_path: Path) -> None:
    server = ServeProcess(tmp_path / "a.db", "--http", "127.0.0.1:0")
    try:
        # Whether or not the CDN of Swagger UI can be reached.
        page.goto(f"http://{server.ready['http']}/docs", wait_until="domcontentloaded")
        page.wait_for_function("() => document.body.innerText.includes('/api/v1/execute/{execution_id}/pause')")
    finally:
        end(server.process)
