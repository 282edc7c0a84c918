"""The app in a real browser. `make test-app` installs what these tests need; without it they are skipped."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
if CHROMIUM is None:
    pytest.skip("Chromium is missing; make test-app installs it", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="make test-app installs it")
app = pytest.importorskip("modeling_nerret.app.page", reason="pip install '.[app]'", exc_type=ImportError)

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PHONE, DESK = {"width": 320, "height": 700}, {"width": 1280, "height": 900}
AXE = "4.14.1"  # the version of axe-core
TIMEOUT = 60_000  # milliseconds; the model loads while the page is open

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
  return [...document.querySelectorAll('.gradio-container *:not(svg *)')]
    .filter(e => own(e) && e.checkVisibility() && e.getBoundingClientRect().width > 1)
    .map(e => { const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 40)]; })
    .sort((one, other) => one[0] - other[0])[0]; }"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    page = app.build()
    yield app.launch(page, server_name="127.0.0.1")
    page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Opens the app. The page's requests and errors are in `page.addresses` and `page.errors`.

    Errors are those of scripts, and what the console shows: also what the content security policy does not allow.
    """
    contexts = []

    def open_page(size: dict[str, int] = DESK, scheme: str = "light") -> Any:
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, is_mobile=size is PHONE))
        page = contexts[-1].new_page()
        page.set_default_timeout(TIMEOUT)
        page.addresses, page.errors = [], []
        page.on("request", lambda request: page.addresses.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda line: page.errors.append(line.text) if line.type == "error" else None)
        page.on("dialog", lambda dialog: (page.errors.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        page.get_by_label("Type", exact=True).wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


def _search(page: Any, query: str) -> None:
    page.get_by_label("Type", exact=True).fill(query)
    page.keyboard.press("Enter")
    page.locator("#message", has_text=f"“{query}”").wait_for()


def _is_too_wide(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


def _answer(page: Any) -> Any:
    """The hits before the line where the answer ends."""
    return page.locator("#hits ol.hits:not(.further, details *) > li")


def test_a_search_finds_dinosaurs_without_a_network(visit: Any, address: str) -> None:
    page = visit()
    assert page.title() == "nerret"
    page.wait_for_function("document.activeElement.matches('#query textarea, #query input')")
    page.keyboard.type("dinosaur")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Here the answer ends").wait_for()
    best = [_answer(page).nth(rank).locator("mark").first.inner_text() for rank in range(3)]
    assert set(best) < {"Giganotosaurus", "Stegosaurus", "Triceratops", "Spinosaurus", "Velociraptor"}
    assert "% likely to be right" in _answer(page).first.text_content().replace("\xa0", " ")
    assert "looks like: " in _answer(page).first.inner_text()
    assert page.locator(".further li").count() == 5
    assert page.locator(".map circle").count() > 500
    assert page.locator(".map svg").get_attribute("aria-label").startswith("Map of")
    assert [url for url in page.addresses if not url.startswith((address, "data:", "blob:"))] == []
    assert page.errors == []


def test_examples_are_one_click_or_key_away(visit: Any) -> None:
    page = visit()
    page.get_by_role("button", name="chess player").click()
    _answer(page).locator("mark", has_text="Garry Kasparov").first.wait_for()
    assert page.get_by_label("Type", exact=True).input_value() == "chess player"
    page.get_by_label("Type", exact=True).focus()
    for _ in range(2):  # past the search button to the first example
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "dinosaur"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    _answer(page).locator("mark", has_text="Stegosaurus").wait_for()


def test_the_start_page_shows_what_can_be_asked(visit: Any) -> None:
    page = visit()
    page.locator(".types button").first.wait_for()
    assert not _is_too_wide(page)
    page.locator(".types").get_by_role("button", name="drug").click()
    page.locator("#message", has_text="“drug”").wait_for()
    assert page.get_by_label("Type", exact=True).input_value() == "drug"
    assert not page.locator(".types").is_visible()


def test_an_answer_is_downloaded_again_and_again_and_copied(visit: Any) -> None:
    page = visit()
    assert not page.locator("#download").is_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _search(page, "dinosaur")
    for _ in range(2):
        with page.expect_download() as download:
            page.locator("#download").click()
        assert download.value.suggested_filename == "nerret.csv"
        assert '"Stegosaurus"' in download.value.path().read_text(encoding="utf-8-sig")
    page.get_by_role("button", name="Copy all ids").click()
    page.locator(".copy", has_text="Copied").wait_for()
    ids = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert ids == _answer(page).locator(".id").all_inner_texts()
    _answer(page).first.get_by_role("button", name="Copy text").click()
    _answer(page).first.get_by_text("Copied").wait_for()
    assert "Stegosaurus" in page.evaluate("navigator.clipboard.readText()")
    assert page.errors == []


def test_marks_by_keyboard_keep_the_focus_and_can_be_forgotten(visit: Any) -> None:
    page = visit()
    _search(page, "dinosaur")
    note = page.locator("#message").inner_text()
    name = _answer(page).nth(1).locator(".id").inner_text()
    page.get_by_label("Type", exact=True).fill("something else")  # which is not asked yet
    _answer(page).nth(1).get_by_role("button", name="Right").focus()
    page.keyboard.press("Enter")
    page.locator(".marks", has_text="1 right, 0 wrong").wait_for()
    assert "for “dinosaur”" in page.locator("#message").inner_text() != note
    page.wait_for_function(f"document.activeElement.ariaLabel === 'Right: {name}'")
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    page.locator("details.judge summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    label = page.evaluate("document.activeElement.ariaLabel")
    assert label.startswith("Wrong: ")
    page.keyboard.press("Enter")
    page.locator(".marks", has_text="1 right, 1 wrong").wait_for()
    assert page.locator("details.judge").get_attribute("open") is not None
    assert page.locator("details.judge").get_by_role("button", name=label).count() == 0
    page.get_by_role("button", name="Forget marks").click()
    page.locator(".marks").wait_for(state="detached")
    assert page.locator("#message").inner_text() == note
    assert page.errors == []


def test_an_empty_query_explains_itself(visit: Any) -> None:
    page = visit()
    page.get_by_role("button", name="Search").click()
    page.locator("#message", has_text="Enter a type first").wait_for()
    assert page.locator("#message").get_attribute("aria-live") == "polite"


def test_options_search_again_and_no_hit_explains_itself(visit: Any) -> None:
    page = visit()
    _search(page, "company")
    page.get_by_text("Advanced").click()
    page.get_by_label("number input for Documents").fill("3")
    page.locator("#message", has_text="You see the first 3").wait_for()
    assert _answer(page).count() == 3
    page.get_by_label("at least 95 %").click()
    page.locator("#message", has_text="No document is sure enough for “company”").wait_for()
    assert _answer(page).count() == 0 and page.locator(".further li").count() == 5
    page.get_by_label("the words of the type").click()
    page.locator("#message", has_text="choose to look at “all of these”").wait_for()
    assert page.locator("#hits li").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(visit: Any, scheme: str) -> None:
    page = visit(PHONE, scheme)
    assert not _is_too_wide(page)
    _search(page, "programming language")
    assert not _is_too_wide(page)
    page.get_by_text("Advanced").click()
    page.get_by_text("Your own texts").first.click()
    page.locator("#pasted textarea").fill(f"Ada in London {'x' * 200}\nThe river in Paris.\nOslo in May.")
    assert not _is_too_wide(page)
    _search(page, "city")
    assert not _is_too_wide(page)
    page.locator("details.judge summary").click()
    assert not _is_too_wide(page)
    ratio, text = page.evaluate(CONTRAST)
    assert ratio >= 4.5, f"{text!r} has a contrast of {ratio:.2f}"


def test_injected_scripts_do_not_run(visit: Any) -> None:
    page = visit()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'alert(2)'}))")
    page.evaluate("fetch('http://evil.example/').catch(() => {})")
    page.wait_for_timeout(500)
    assert len([error for error in page.errors if "Content Security Policy" in error]) >= 3
    assert {"1", "2"}.isdisjoint(page.errors)  # texts of dialogs


def test_a_text_that_is_far_too_long_is_explained(visit: Any) -> None:
    page = visit()
    page.get_by_text("Your own texts").first.click()
    page.locator("#pasted textarea").fill("Ada in London. " * 80_000)
    page.get_by_label("Type", exact=True).fill("city")
    page.keyboard.press("Enter")
    page.get_by_text("a text may have 50,000 characters").first.wait_for()


def test_pasted_markup_stays_text(visit: Any) -> None:
    page = visit()
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> ${alert(3)} {{value}} Ada in London"
    page.get_by_text("Your own texts").first.click()
    page.locator("#pasted textarea").fill(f"{evil}\nThe river in Paris.\n{evil}.")
    _search(page, "<b>city</b>")
    assert "<img src=x onerror=alert(2)> ${alert(3)} {{value}}" in page.locator("#hits").inner_text()
    assert page.locator("#hits img, #hits script, .map img, #message b").count() == 0
    assert page.errors == []


def test_files_are_uploaded_searched_and_removed(visit: Any, tmp_path: Path) -> None:
    page = visit(PHONE)
    (tmp_path / "letters").mkdir()
    names = {"letters/a.txt": "Ada in London.", "letters/b.md": "# <b>Dig</b>\n\nA Triceratops.", "letters/c.png": "x"}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "<img src=x onerror=alert(1)>.docx").write_text("x")
    page.get_by_text("Your own texts").first.click()
    page.get_by_label("Choose a folder").set_input_files(tmp_path / "letters")
    page.locator(".upload .state", has_text="2 files").wait_for()
    assert "1 of other kinds or hidden left out" in page.locator(".upload .state").inner_text()
    page.get_by_label("Choose files").set_input_files(tmp_path / "<img src=x onerror=alert(1)>.docx")
    page.locator(".upload .state", has_text="3 files").wait_for()
    _search(page, "dinosaur")
    page.locator(".faults", has_text="<img src=x onerror=alert(1)>.docx: it is no Word file").wait_for()
    assert page.locator("#hits", has_text="letters/b.md").is_visible() and not _is_too_wide(page)
    page.locator("#hits .source:visible", has_text="<b>Dig</b>").first.wait_for()
    page.get_by_role("button", name="Remove letters/b.md").click()
    _search(page, "extinct animal")
    assert page.locator("#hits", has_text="letters/b.md").count() == 0
    assert page.locator(":is(#hits, #message, .upload) img, .source b").count() == 0 and page.errors == []


def test_who_is_in_an_answer_is_listed_and_downloaded(visit: Any) -> None:
    page = visit()
    assert not page.locator("#list-entities").is_visible()
    _search(page, "dinosaur")
    assert page.locator("#entities").inner_text().strip() == ""
    page.get_by_role("button", name="Who and what is in it").click()
    row = page.locator(".entities > ul > li", has_text="Stegosaurus").first
    row.locator("summary").click()
    assert "demo-147" in row.inner_text() and row.locator("mark").first.inner_text() == "Stegosaurus"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download this list as CSV").click()
    assert download.value.suggested_filename == "nerret-names.csv"
    assert '"Stegosaurus"' in download.value.path().read_text(encoding="utf-8-sig")
    _search(page, "volcano")
    page.locator(".entities").wait_for(state="detached")
    assert page.errors == []


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing, which brings axe-core")
    command = [npm, "pack", f"axe-core@{AXE}", "--silent"]
    if subprocess.run(command, cwd=folder, capture_output=True, timeout=120).returncode:
        pytest.skip("npm cannot reach axe-core")
    with tarfile.open(folder / f"axe-core-{AXE}.tgz") as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_has_nothing_to_say(visit: Any, axe: str, size: dict[str, int], scheme: str) -> None:
    page = visit(size, scheme)
    page.evaluate(axe)
    page.locator(".types button").first.wait_for()
    assert _violations(page) == []
    page.get_by_text("Advanced").click()
    page.get_by_text("Your own texts").first.click()
    page.get_by_label("Choose files").set_input_files(
        [
            {"name": name, "mimeType": "text/plain", "buffer": b"A Triceratops, and Ada in London."}
            for name in ("a.txt", "b.docx", "c.png")
        ]
    )
    page.locator(".upload .state", has_text="2 files").wait_for()
    assert _violations(page) == []
    _search(page, "dinosaur")
    page.locator("#list-entities").click()
    page.locator(".entities summary").first.click()
    page.locator("details.judge summary").click()
    assert _violations(page) == [] and not _is_too_wide(page)


def _violations(page: Any) -> list[str]:
    """What axe finds wrong: the rule, and the elements."""
    result = page.evaluate("axe.run()")
    return [f"{fault['id']}: {[node['html'][:200] for node in fault['nodes']]}" for fault in result["violations"]]
