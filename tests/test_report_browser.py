"""The report in a real browser: all of it is drawn, readable and alive, wide and narrow, in both
themes and on paper. One Chromium for all tests; its steps wait for a state, never for a time."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fleets
from browser import look_over, show
from synthetic import Run, launches

pytest.importorskip("matplotlib")
pytest.importorskip("selenium.webdriver", reason="no Selenium (python3-selenium)")

from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("BINDOT_BUILD", ROOT / "build"))
PAPER = 700  # px: A4 between its margins
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=1</script>'


def page(folder):
    subprocess.run([sys.executable, ROOT / "analysis" / "report.py", folder, "-o",
                    folder / "report.html"], check=True, timeout=300)
    return folder / "report.html"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A real study, short. INVALID launches of a loaded machine (exit 3) are in the page too."""
    folder = tmp_path_factory.mktemp("quick") / "study"
    done = subprocess.run(
        [ROOT / "drivers" / "study", "quick", "--launches", "1", "--kernels", "binning",
         "-o", folder, "--", "--repeats", "2"], cwd=ROOT, capture_output=True, text=True,
        timeout=600, check=False,
        env={**os.environ, "BINDOT_BUILD": str(BUILD), "BINDOT_PYTHON": sys.executable})
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return folder / "report.html"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Four nodes with names that are no names, one of them slow: alone, on one axis, in a ladder."""
    folder = tmp_path_factory.mktemp("cluster")
    names = ["node1", f"node2{HOSTILE}", "node3", "node4"]
    for make in (fleets.alone, fleets.together, fleets.ladder):
        make(folder, names=names)
    launches(folder, 3, Run(noise=0.01, labels={"note": HOSTILE}))
    return page(folder)


@pytest.mark.parametrize("which", ["quick", "cluster"])
def test_everything_is_drawn_and_readable(browser, request, which):
    look_over(browser, request.getfixturevalue(which))
    assert len(browser.find_elements(By.CSS_SELECTOR, "figure svg")) >= (2 if which == "quick"
                                                                         else 8)


def test_hostile_names_are_text(browser, cluster):
    show(browser, cluster)
    assert browser.title == "bindot report"
    assert not browser.find_elements(By.CSS_SELECTOR, "img")
    assert len(browser.find_elements(By.CSS_SELECTOR, "script")) == 1
    assert HOSTILE in browser.find_element(By.TAG_NAME, "body").text


def test_nothing_else_may_run_or_be_loaded(browser, cluster):
    """The page's own policy, not only its author's care."""
    show(browser, cluster)
    browser.execute_script("""
        const script = document.createElement("script");
        script.textContent = "document.title = 'owned'";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", '<b onclick="document.title = 1">x</b>');
        document.body.lastElementChild.click();""")
    assert browser.title == "bindot report"
    assert any("Content Security Policy" in line["message"] for line in browser.get_log("browser"))


def test_the_heat_map_tells_and_zooms(browser, cluster):
    """Real mouse: over a cell, a box over a part of it, and back."""
    show(browser, cluster)
    figure = browser.find_element(By.CSS_SELECTOR, "figure[data-maps]")
    image = figure.find_element(By.CSS_SELECTOR, "g.zoom image")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", figure)
    before = place(browser, image)
    ActionChains(browser, duration=0).move_to_element_with_offset(
        image, 0, int(before["height"] / 16)).perform()
    tip = browser.find_element(By.CSS_SELECTOR, ".tip")
    WebDriverWait(browser, 60).until(lambda _: tip.is_displayed())
    assert re.fullmatch(r"worker 4 on node3\n(9|10)\.\d\d ms: 0\.0 %", tip.text), tip.text
    ActionChains(browser, duration=0).move_to_element_with_offset(
        image, -before["width"] // 4, 0).click_and_hold().move_by_offset(
        int(before["width"] // 2), 0).release().perform()
    back = figure.find_element(By.CSS_SELECTOR, "button.back")
    WebDriverWait(browser, 60).until(lambda _: back.is_displayed())
    zoomed = place(browser, image)
    assert zoomed["width"] == pytest.approx(2 * before["width"], rel=0.03)
    assert zoomed["height"] == pytest.approx(before["height"], rel=0.01)
    back.click()
    WebDriverWait(browser, 60).until(lambda _: not back.is_displayed())
    assert place(browser, image) == before
    assert browser.get_log("browser") == []


def place(browser, element):
    return browser.execute_script(
        "const r = arguments[0].getBoundingClientRect();"
        "return {left: r.left, top: r.top, width: r.width, height: r.height}", element)


def test_a_point_of_a_curve_tells(browser, cluster):
    show(browser, cluster)
    heading = browser.find_element(By.XPATH, "//h3[contains(., 'across full nodes')]")
    figure = heading.find_element(By.XPATH, "following::figure[1]")
    point = next(mark for mark in figure.find_elements(By.CSS_SELECTOR, "use[aria-label]")
                 if mark.get_attribute("aria-label").startswith("4 nodes: speed-up"))
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(browser, duration=0).move_to_element(point).perform()
    tip = browser.find_element(By.CSS_SELECTOR, ".tip")
    WebDriverWait(browser, 60).until(lambda _: tip.is_displayed())
    assert re.match(r"4 nodes: speed-up [\d.]+ \[[\d.]+, [\d.]+\], 5 launches", tip.text)


def test_it_prints(browser, cluster):
    """On paper: black on white, whatever the theme, with what is folded on a screen."""
    show(browser, cluster, "dark", PAPER)
    made = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    pdf = base64.b64decode(made)
    assert pdf.startswith(b"%PDF-") and len(re.findall(rb"/Type */Page\b", pdf)) >= 3
    assert all(folded.get_attribute("open")
               for folded in browser.find_elements(By.TAG_NAME, "details"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    assert browser.execute_script(
        "return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not browser.find_element(By.TAG_NAME, "nav").is_displayed()
    assert browser.execute_script("""
        const all = document.documentElement;
        return all.scrollWidth <= all.clientWidth""")
