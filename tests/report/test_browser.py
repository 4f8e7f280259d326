"""The page in a real browser: it loads alone and without errors, shows its figures, its links lead somewhere, it fits.

Debian's Chromium, driven by Playwright; skipped where one of them is absent.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (390, 1440)

OVERFLOWING = """
() => [...document.querySelectorAll("body *")].filter(element => {
  const scrolled = element.closest(".scroll");
  const box = (scrolled && scrolled !== element ? scrolled : element).getBoundingClientRect();
  return box.width > 0 && (box.right > document.documentElement.clientWidth + 1 || box.left < -1);
}).map(element => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`)
"""
EMPTY = """
async () => {
  const found = [];
  for (const image of document.querySelectorAll("figure img")) {
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 60; canvas.height = 60;
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, 60, 60);
    const shades = new Set(context.getImageData(0, 0, 60, 60).data.filter((_, i) => i % 4 !== 3));
    if (image.naturalWidth < 300 || shades.size < 20) found.push(image.alt);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window, or a skip that says why there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(params=WIDTHS)
def shown(browser: Any, reported: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Any, list[str]]]:
    """The page at one width, and what went wrong while it loaded."""
    problems: list[str] = []
    view = browser.new_page(viewport={"width": request.param, "height": 900})
    view.on("console", lambda message: problems.append(message.text))
    view.on("pageerror", lambda error: problems.append(str(error)))
    address = (reported / "report.html").resolve().as_uri()
    view.on(
        "request",
        lambda asked: None if asked.url in (address,) or asked.url.startswith("data:") else problems.append(asked.url),
    )
    view.goto(address)
    yield view, problems
    view.close()


def test_page_loads_alone_and_fits(shown: tuple[Any, list[str]]) -> None:
    view, problems = shown
    assert problems == []
    assert view.title()
    assert view.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert view.evaluate(OVERFLOWING) == []


def test_figures_are_not_empty(shown: tuple[Any, list[str]]) -> None:
    view, _ = shown
    assert view.locator("figure img").count() > 10
    assert view.evaluate(EMPTY) == []
    tall = view.evaluate("[...document.querySelectorAll('figure img')].map(image => image.clientHeight)")
    assert min(tall) > 20


def test_links_lead_somewhere(shown: tuple[Any, list[str]], reported: Path) -> None:
    view, _ = shown
    links = view.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert len(links) > 60
    for link in links:
        if link.startswith("#"):
            assert view.locator(f"[id='{link[1:]}']").count() == 1, link
        else:
            assert (reported / link).stat().st_size > 0, link


def test_numbers_open_from_their_links(shown: tuple[Any, list[str]], browser: Any, reported: Path) -> None:
    view, _ = shown
    view.locator("nav a[href='#distributions']").click()
    assert view.url.endswith("#distributions")
    view.locator("#figure-m4l a", has_text="JSON").click()
    assert '"name": "m4l"' in view.content()


def test_print_has_every_figure(browser: Any, reported: Path) -> None:
    view = browser.new_page()
    view.goto((reported / "report.html").resolve().as_uri())
    printed = view.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Subtype /Image") >= view.locator("figure img").count()
    view.close()
