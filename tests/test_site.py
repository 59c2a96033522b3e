"""The site as a reader meets it, in a headless browser."""

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EVALUATION = "book/exercise_03/05_evaluation.html"
pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists() and not os.environ.get("CI"), reason="needs chromium"
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(book) -> Iterator[str]:
    """The built site behind a server of this machine alone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(book.html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def reader() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page()
        browser.close()


def test_a_reader_walks_from_the_intro_to_the_evaluation_and_sees_its_figures(address, reader):
    complaints, strangers = [], []
    reader.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    reader.on(
        "response", lambda r: complaints.append(f"{r.status} {r.url}") if r.status >= 400 else None
    )
    reader.on("pageerror", lambda error: complaints.append(str(error)))
    reader.on(
        "request",
        lambda r: None if r.url.startswith((address, "data:")) else strangers.append(r.url),
    )
    reader.goto(address)
    reader.wait_for_url("**/book/intro.html")
    walked = []
    while not reader.url.endswith(EVALUATION):
        walked.append(reader.url)
        assert len(walked) < 30, f"never came to the evaluation: {walked}"
        reader.locator("a.right-next").first.click()
        reader.wait_for_load_state()
    figures = reader.locator("article img")
    assert figures.count() >= 3
    for i in range(figures.count()):
        figure = figures.nth(i)
        figure.scroll_into_view_if_needed()
        width, alt = figure.evaluate(
            "async image => (await image.decode(), [image.naturalWidth, image.alt])"
        )
        assert width > 100
        assert len(alt) > 10, "a figure without alt text"
    assert "Run with the profile test" in reader.locator("article").inner_text()
    assert complaints == []
    assert strangers == [], "the site needs nothing from elsewhere"
