"""The static Space in a real browser. `make test-app` installs what these tests need; without it they are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
if CHROMIUM is None or shutil.which("npm") is None:
    pytest.skip("Chromium or npm is missing; make test-app needs both", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="make test-app installs it")
pytest.importorskip("onnxscript", reason="pip install '.[space]'")
pytest.importorskip("onnxruntime", reason="pip install '.[space]'")

from benchmarks.space import FLAGS, serve  # noqa: E402
from modeling_nerret.detection import GivenSpans  # noqa: E402
from modeling_nerret.encoding import Encoder  # noqa: E402
from modeling_nerret.hub_card.space_build import build_space  # noqa: E402
from modeling_nerret.pretrained.checkpoints import load_checkpoint  # noqa: E402

PHONE, DESK = {"width": 320, "height": 700}, {"width": 1280, "height": 900}
TIMEOUT = 120_000  # milliseconds
VECTOR = "query => import('./page.js').then(async page => [...await (await page.engine).model.embed(query)])"
# The lowest contrast between the colour of an element's text and the first opaque background behind it
CONTRAST = """() => {
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) {
    const c = numbers(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0.5) return c; }
    return [255, 255, 255]; };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return [...document.querySelectorAll('body *')]
    .filter(e => own(e) && e.checkVisibility() && e.getBoundingClientRect().width > 1)
    .map(e => { const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 40)]; })
    .sort((one, other) => one[0] - other[0])[0]; }"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("static") / "space"
    try:
        build_space(tiny_checkpoint, folder)
    except OSError as error:
        pytest.skip(f"npm has no network: {error}")
    with serve(folder) as address:
        yield address


@pytest.fixture
def visit(address: str) -> Iterator[Any]:
    """Opens the page and takes the network away. What it asked for, and its errors, are in `addresses` and `errors`."""
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def open_page(size: dict[str, int] = DESK, scheme: str = "light") -> Any:
            page = browser.new_context(viewport=size, color_scheme=scheme, is_mobile=size is PHONE).new_page()
            page.set_default_timeout(TIMEOUT)
            page.addresses, page.errors = [], []
            page.on("request", lambda request: page.addresses.append(request.url))
            page.on("pageerror", lambda error: page.errors.append(str(error)))
            page.on("console", lambda line: page.errors.append(line.text) if line.type == "error" else None)
            page.goto(f"{address}/index.html")
            page.locator("#message", has_text="Ready").wait_for()
            page.context.set_offline(True)
            return page

        yield open_page
        browser.close()


def _search(page: Any, query: str) -> None:
    page.get_by_label("Type", exact=True).fill(query)
    page.keyboard.press("Enter")
    page.locator("#message", has_text=f"“{query}”").wait_for()


def test_queries_are_embedded_and_answered_without_a_network(visit: Any, address: str, tiny_checkpoint: str) -> None:
    page = visit()
    checkpoint = load_checkpoint(tiny_checkpoint)
    queries = ["city", "born in London, the city by the river"]
    expected = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans()).embed_queries(queries)
    np.testing.assert_allclose([page.evaluate(VECTOR, query) for query in queries], expected, atol=1e-3)
    page.get_by_role("button", name="chess player").click()
    page.locator("#message", has_text="10 texts for “chess player”").wait_for()
    assert page.locator(".hits li").count() == 10 and page.locator(".hits mark").count() >= 10
    assert page.get_by_label("Type", exact=True).input_value() == "chess player"
    assert all(url.startswith((address, "data:")) for url in page.addresses)
    assert page.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_in_enough_contrast(visit: Any, scheme: str) -> None:
    page = visit(PHONE, scheme)
    _search(page, "x" * 150)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    ratio, text = page.evaluate(CONTRAST)
    assert ratio >= 4.5, f"{text!r} has a contrast of {ratio:.2f}"
    page.get_by_label("Type", exact=True).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_markup_stays_text_and_bad_queries_are_explained(visit: Any) -> None:
    page = visit()
    _search(page, "<img src=x onerror=alert(1)>city")
    assert page.locator("img").count() == 0
    page.get_by_label("Type", exact=True).fill(" ?! ")
    page.get_by_role("button", name="Search").click()
    page.locator("#message", has_text="Enter a type first").wait_for()
    assert page.locator("#message").get_attribute("aria-live") == "polite"
    assert page.errors == []
    page.evaluate("fetch('http://evil.example/').catch(() => {})")
    page.wait_for_timeout(300)
    assert any("Content Security Policy" in error for error in page.errors)
