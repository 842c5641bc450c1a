"""The page in a browser: opened from disk, sorted, filtered, walked by keyboard, photographed, printed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from equinoise.report.page.html import diagnosis_page, write_page
from equinoise.report.page.results import read_results
from report_stores import diagnosed, small_grid, write_store

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
pytest.importorskip("plotly", reason='pages need plotly: pip install "equinoise[studies]"')

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]

# in milliseconds, and generous: they only end a test that hangs
PATIENCE = 300_000
playwright.expect.set_options(timeout=PATIENCE)

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages; screenshots go here too, or where EQUINOISE_SCREENSHOTS says."""
    path = tmp_path_factory.mktemp("pages")
    write_store(path / "results.duckdb", small_grid())
    write_page(read_results(path / "results.duckdb"), path / "study.html", "A study")
    one = diagnosis_page(diagnosed("brickwork:n=6,depth=4", "X2X3+Y2Y3", "depolarizing:0.02"), "brickwork:n=6,depth=4")
    (path / "one.html").write_text(one, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield found
        found.close()


class Visit:
    """A page that was opened from disk, with what its console said and which addresses it asked for."""

    def __init__(self, browser: Any, file: Path, screen: dict[str, Any]) -> None:
        self.context = browser.new_context(**screen)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri(), wait_until="domcontentloaded")
        self.page.wait_for_selector("html[data-ready]")

    def column(self, name: str) -> list[str]:
        """The cells of a column of the ranking, as shown."""
        place = self.page.locator("#designs thead button").all_inner_texts().index(name) + 1
        return self.page.locator(f"#designs tbody td:nth-child({place})").all_inner_texts()


@pytest.fixture(params=[("study", "desktop"), ("study", "phone"), ("one", "desktop"), ("one", "phone")], ids="-".join)
def any_visit(request: pytest.FixtureRequest, browser: Any, folder: Path) -> Iterator[tuple[Visit, str]]:
    name, screen = request.param
    visit = Visit(browser, folder / f"{name}.html", DESKTOP if screen == "desktop" else PHONE)
    yield visit, f"{name}-{screen}"
    visit.context.close()


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Visit]:
    found = Visit(browser, folder / "study.html", DESKTOP)
    yield found
    assert found.said == []
    found.context.close()


def test_page_opens_without_errors_or_requests_and_fits_the_screen(any_visit: tuple[Visit, str], folder: Path) -> None:
    visit, name = any_visit
    page = visit.page
    shots = Path(os.environ.get("EQUINOISE_SCREENSHOTS") or folder)
    page.screenshot(path=shots / f"{name}.png", full_page=True)
    assert visit.said == []
    assert [url for url in visit.asked if not url.startswith("file:")] == []
    assert len(visit.asked) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # every plot has its marks
    drawn = page.locator(".plot:visible svg.main-svg")
    assert drawn.count() >= 4
    if "phone" in name:
        small = page.locator("select:visible, .controls button:visible").evaluate_all(
            "nodes => nodes.filter(n => n.getBoundingClientRect().height < 44).map(n => n.id)"
        )
        assert small == []
    assert (shots / f"{name}.png").stat().st_size > 50_000


def test_a_request_from_inside_the_page_is_refused_by_its_own_policy(browser: Any, folder: Path) -> None:
    visit = Visit(browser, folder / "study.html", DESKTOP)
    refused = visit.page.evaluate("fetch('https://example.org/').then(() => 'went out', error => String(error))")
    assert "Failed to fetch" in refused
    assert any("Content Security Policy" in text for text in visit.said)
    visit.context.close()


def test_headings_sort_by_clicking_and_say_so(visit: Visit) -> None:
    page = visit.page
    head = page.locator("#designs th", has=page.locator("button[data-column=survival]"))
    assert head.get_attribute("aria-sort") == "none"
    page.click("button[data-column=survival]")
    assert head.get_attribute("aria-sort") == "ascending"
    shown = [float(text.split("\n")[0]) for text in visit.column("survival R(s)")]
    assert shown == sorted(shown)
    page.click("button[data-column=survival]")
    assert head.get_attribute("aria-sort") == "descending"
    shown = [float(text.split("\n")[0]) for text in visit.column("survival R(s)")]
    assert shown == sorted(shown, reverse=True)
    assert page.locator("#designs th[aria-sort=none]").count() == page.locator("#designs th").count() - 1


def test_text_and_verdict_filter_the_ranking(visit: Visit) -> None:
    page = visit.page
    page.fill("#text-filter", "depth=3 relax")
    assert page.inner_text("#count") == "2 of 30 designs"
    assert set(visit.column("noise")) == {"relaxation:0.02"}
    page.click("#clear")
    playwright.expect(page.locator("#count")).to_have_text("30 of 30 designs")
    verdict = page.locator("#verdict-filter option").nth(1).get_attribute("value")
    page.select_option("#verdict-filter", verdict)
    assert set(visit.column("verdict")) == {verdict}
    page.fill("#text-filter", "no such design")
    assert page.inner_text("#count") == "0 of 30 designs"
    assert page.locator("#next").is_disabled()


def test_keyboard_alone_skips_filters_sorts_and_chooses_a_design(visit: Visit) -> None:
    page = visit.page
    press = page.keyboard.press

    def focused() -> str:
        return str(
            page.evaluate(
                "document.activeElement.id || document.activeElement.dataset.column || document.activeElement.className"
            )
        )

    def tab_to(wanted: str) -> None:
        for _ in range(40):
            press("Tab")
            if focused() == wanted:
                return
        pytest.fail(f"the Tab key does not reach {wanted}")

    press("Tab")
    assert focused() == "skip"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to("text-filter")
    page.keyboard.type("collective")
    assert page.inner_text("#count") == "6 of 30 designs"
    for _ in range(len("collective")):
        press("Backspace")
    tab_to("kappa")
    press("Enter")
    press("Space")
    assert page.locator("#designs th[aria-sort=descending] button").get_attribute("data-column") == "kappa"
    before = page.inner_text("#design-name")
    for _ in range(20):
        press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    press("Enter")
    assert page.inner_text("#design-name") != before
    assert page.locator("#designs tbody tr").first.get_attribute("aria-current") == "true"
    tab_to("mechanism")
    press("ArrowDown")
    tab_to("layer")
    press("ArrowDown")
    assert "layer 0" in page.inner_text("#budget-told")


def test_choosing_mechanism_and_layer_changes_the_device_and_adds_up(visit: Visit) -> None:
    page = visit.page
    page.fill("#text-filter", "depth=4 depolarizing:0.004 X2X3")
    page.click("#designs tbody button")
    colours = "JSON.stringify(document.getElementById('graph-plot').data.map(t => t.marker && t.marker.color))"
    whole = page.evaluate(colours)
    told = page.inner_text("#budget-told")
    assert "All mechanisms, all layers" in told
    total = float(told.split("κ = ")[1].split(",")[0].rstrip("."))
    found = 0.0
    for mechanism in ("dephasing", "depolarizing"):
        page.select_option("#mechanism", mechanism)
        assert page.evaluate(colours) != whole
        found += float(page.inner_text("#budget-told").split(": ")[1].split(" of")[0])
    # three digits are shown
    assert found == pytest.approx(total, rel=0.01)
    page.select_option("#layer", "0")
    assert "depolarizing, layer 0" in page.inner_text("#budget-told")


def test_every_figure_is_there_as_a_table_too(visit: Visit) -> None:
    page = visit.page
    for name in ("curve", "budget", "collapse", "depth"):
        assert page.locator(f"#{name}-data tr").count() == 0
        page.click(f"#{name} details.data summary")
        page.wait_for_selector(f"#{name}-data tr")
        assert page.locator(f"#{name}-data tr").count() >= 3


def test_page_prints_to_paper_and_comes_back(visit: Visit, folder: Path) -> None:
    page = visit.page
    shots = Path(os.environ.get("EQUINOISE_SCREENSHOTS") or folder)
    paper = page.pdf(path=shots / "study.pdf", format="A4")
    assert paper.startswith(b"%PDF")
    playwright.expect(page.locator("#designs tbody tr")).to_have_count(20)
    assert page.locator("#curve-plot svg.main-svg").count() > 0
