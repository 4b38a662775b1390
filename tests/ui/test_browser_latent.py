"""Codes, anomalies and divergences in a real browser."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from tests.runtime.tiny_codes import tiny_detector
from tests.ui.browsers import browsing
from tests.ui.servers import Running
from tests.ui.test_browser import choose, download, give, open_tab, panel_of, result, shoot

from anamorph.picture import Picture
from anamorph_ui.samples import CAT

pytestmark = pytest.mark.slow
expect.set_options(timeout=30_000)


def pick(page: Page, panel: Locator, name: str, *, label: str = "Model") -> None:
    choose(page, panel.get_by_label(label, exact=True), name)


def decoded(panel: Locator) -> Locator:
    return panel.locator("img[alt^='The picture that tiny']")


def slide(panel: Locator, label: str, value: str) -> None:
    """Move a slider by the box beside it."""
    box = panel.get_by_label(re.compile(f"number input for {re.escape(label)}"))
    box.fill(value)
    box.press("Tab")


def test_a_slider_changes_the_picture(coded: Running, tmp_path: Path) -> None:
    with browsing(coded.url) as page:
        panel = open_tab(page, "Latent space")
        pick(page, panel, "tiny")
        expect(panel.get_by_text("Code: 0.00, 0.10, 0.20, 0.30, 0.40")).to_be_visible()
        give(panel, CAT)
        expect(panel.get_by_alt_text("The picture that was given")).to_be_visible()
        expect(panel.get_by_text("Code: 0.04, 1.01,")).to_be_visible()
        expect(panel.get_by_role("row", name="<dog>")).to_be_visible()
        before = decoded(panel).get_attribute("src")
        slide(panel, "Latent 1", "-2.5")
        expect(panel.get_by_text("Code: 0.04, -2.50, -0.01, -0.64, -2.57")).to_be_visible()
        assert decoded(panel).get_attribute("src") != before
        shoot(page, "latent", tmp_path)
        panel.get_by_role("button", name="Save this code").click()
        path = download(page, result(panel, "code.npy"), tmp_path)
        assert np.load(path)[1] == np.float32(-2.5)
        panel.get_by_role("button", name="Middle of all codes").click()
        expect(panel.get_by_text("Code: 0.00, 0.10, 0.20, 0.30, 0.40")).to_be_visible()


def test_a_slider_follows_the_mouse(coded: Running) -> None:
    with browsing(coded.url) as page:
        panel = open_tab(page, "Latent space")
        pick(page, panel, "tiny")
        handle = panel.get_by_role("slider").first
        handle.wait_for()
        handle.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        expect(panel.get_by_text("Code: 0.20, 0.10, 0.20, 0.30, 0.40")).to_be_visible()


def test_a_click_in_the_map_goes_there(coded: Running, tmp_path: Path) -> None:
    with browsing(coded.url) as page:
        panel = open_tab(page, "Latent space")
        pick(page, panel, "tiny-map")
        image = panel.get_by_alt_text("Decoded pictures all over the latent space")
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        assert box is not None
        image.click(position={"x": 12.5 / 15 * box["width"], "y": 3.5 / 15 * box["height"]})
        expect(panel.get_by_text(re.compile(r"Code: 1\.7\d, 1\.4\d"))).to_be_visible()
        for number, value in enumerate((r"^1\.7", r"^1\.4")):
            number_box = panel.get_by_label(re.compile(f"number input for Latent {number}"))
            expect(number_box).to_have_value(re.compile(value))
        shoot(page, "map", tmp_path)


def test_ways_through_a_latent_space(coded: Running, tmp_path: Path) -> None:
    with browsing(coded.url) as page:
        panel = open_tab(page, "Latent space")
        pick(page, panel, "tiny")
        expect(panel.get_by_text("Code: 0.00")).to_be_visible()
        panel.get_by_role("button", name="Along one latent").click()
        pick(page, panel, "Latent 3: 1.00 nats", label="Latent that moves")
        panel.get_by_role("button", name="Traverse").click()
        panel.get_by_alt_text("Pictures while latent 3 goes from -3 to 3").wait_for()
        path = download(page, result(panel, "traversal.gif"), tmp_path)
        assert path.read_bytes()[:6] == b"GIF89a"
        panel.get_by_role("button", name="To a second picture").click()
        give(panel, CAT, number=-1)
        panel.get_by_role("button", name="Go there").click()
        panel.get_by_alt_text("Pictures on the way to the second one").wait_for()
        panel.get_by_role("button", name="Drawn from the prior").click()
        panel.get_by_role("button", name="Draw", exact=True).click()
        panel.get_by_alt_text("16 pictures that tiny made").wait_for()
        shoot(page, "ways", tmp_path)
        pick(page, panel, "plain")  # which has no prior
        expect(panel.get_by_role("button", name="Drawn from the prior")).to_be_hidden()


def test_the_heat_follows_its_threshold(coded: Running, tmp_path: Path) -> None:
    with browsing(coded.url) as page:
        panel = open_tab(page, "Anomalies and outliers")
        give(panel, CAT)
        panel.get_by_role("button", name="Find anomalies").click()
        heat = panel.locator("img[alt^='The picture with heat over it']")
        heat.wait_for()
        expect(panel.get_by_text("Not normal: its score 0.4987 is above")).to_be_visible()
        before = heat.get_attribute("src")
        loaded = coded.workshop.desk.length
        slide(panel, "Heat above which a pixel is not normal", "0.1")
        expect(panel.get_by_text("of its area is hotter than 0.1")).to_be_visible()
        assert heat.get_attribute("src") != before
        slide(panel, "Score above which a picture is not normal", "0.55")
        expect(panel.get_by_text("Normal: its score 0.4987 is not above")).to_be_visible()
        assert coded.workshop.desk.length == loaded == 0
        shoot(page, "anomalies", tmp_path)


def test_the_strangest_come_first(coded: Running, tmp_path: Path) -> None:
    paths = []
    for level in (20, 220, 120):
        paths.append(tmp_path / f"level-{level}.png")
        Picture(np.full((40, 60), level, np.uint8)).save(paths[-1])
    with browsing(coded.url) as page:
        panel = open_tab(page, "Anomalies and outliers")
        give(panel, *paths, number=-1)
        panel.get_by_role("button", name="Rank them").click()
        captions = panel.locator(".gallery figcaption")
        expect(captions).to_have_count(3)
        assert [one[:9] for one in captions.all_inner_texts()] == [
            "level-220",
            "level-120",
            "level-20.",
        ]
        expect(panel.get_by_text("1 of 3 pictures are outliers.")).to_be_visible()
        shoot(page, "outliers", tmp_path)
        panel.get_by_label("neighbours").uncheck()
        panel.get_by_label("elbo").check()
        panel.get_by_role("button", name="Rank them").click()
        expect(captions.first).to_contain_text("level-20.png")


def test_the_page_of_divergences_follows_every_change(coded: Running, tmp_path: Path) -> None:
    with browsing(coded.url) as page:
        panel = open_tab(page, "Divergence")
        expect(panel.get_by_role("row", name="KL(teeth || uniform)")).to_contain_text("0.338")
        expect(panel.get_by_text("is least at p = 0.472")).to_be_visible()
        expect(panel.get_by_text("reconstructed, not observed")).to_be_visible()
        shoot(page, "divergence", tmp_path)
        panel.get_by_label("binomial").check()
        expect(panel.get_by_text("is least at p = 0.565")).to_be_visible()
        panel.get_by_label("Expected", exact=True).fill("binomial:0.57")
        expect(panel.get_by_role("row", name="KL(teeth || binomial:0.57)")).to_be_visible()
        panel.get_by_label("Observed", exact=True).fill("3, 5, ")
        expect(panel.get_by_text("give numbers with commas between them")).to_be_visible()
        panel.get_by_label("Deviation of the second").fill("1")
        expect(panel.get_by_role("row", name="KL(second || first)")).to_contain_text("0.7213 bits")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_tabs_fit_phones_and_desks_light_and_dark(
    coded: Running, tmp_path: Path, width: int, dark: bool
) -> None:
    kind = f"{'phone' if width < 800 else 'desk'}-{'dark' if dark else 'light'}"
    with browsing(coded.url, width=width, height=844, dark=dark) as page:
        panel = open_tab(page, "Latent space")
        pick(page, panel, "tiny-map")
        give(panel, CAT)
        panel.get_by_alt_text("The picture that was given").wait_for()
        panel.get_by_alt_text("Decoded pictures all over the latent space").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shoot(page, f"{kind}-latent", tmp_path)
        panel = open_tab(page, "Anomalies and outliers")
        give(panel, CAT)
        panel.get_by_role("button", name="Find anomalies").click()
        panel.locator("img[alt^='The mask']").wait_for()
        give(panel, CAT, CAT, number=-1)
        panel.get_by_role("button", name="Rank them").click()
        panel.locator(".gallery img").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shoot(page, f"{kind}-anomalies", tmp_path)
        open_tab(page, "Divergence")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shoot(page, f"{kind}-divergence", tmp_path)
        silent = page.evaluate(
            "[...document.querySelectorAll('img')].filter(one => !one.alt).map(one => one.src)"
        )
        assert silent == []


def test_an_own_detector_leads_to_its_tab(server: Running, tmp_path: Path) -> None:
    model = tiny_detector(tmp_path / "mine.onnx", name="mine")
    with browsing(server.url) as page:
        give(open_tab(page, "Models"), model)
        panel = panel_of(page, "Anomalies and outliers")
        assert panel.get_by_label("Detector").input_value().startswith("own-")
        give(panel, CAT)
        panel.get_by_role("button", name="Find anomalies").click()
        expect(panel.get_by_text("Not normal: its score 0.4987 is above")).to_be_visible()
