"""A real Chromium for tests of pages: one for each file of tests, and what any page must be."""

import shutil
from pathlib import Path

import pytest

LOOK = Path(__file__).with_name("look.js").read_text()


@pytest.fixture(scope="module")
def browser():
    selenium = pytest.importorskip("selenium.webdriver", reason="no Selenium (python3-selenium)")
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            pytest.skip(f"no {program} on this machine")
    options = selenium.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--disable-background-networking", "--no-first-run"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = selenium.chrome.service.Service(shutil.which("chromedriver"))
    try:
        driver = selenium.Chrome(service=service, options=options)
    except Exception:  # a loaded machine: it is given another minute
        driver = selenium.Chrome(service=service, options=options)
    driver.set_page_load_timeout(180)
    driver.set_script_timeout(180)
    yield driver
    driver.quit()


def show(browser, path, scheme="light", width=1600):
    command = browser.execute_cdp_cmd
    command("Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    command("Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    browser.get(path.as_uri())


def look_over(browser, path):
    """No message on the console, every mark inside its plot, nothing too wide, small or pale."""
    papers = set()
    for scheme in ("light", "dark"):
        for width in (400, 1600):
            show(browser, path, scheme, width)
            assert browser.execute_script(LOOK) == [], f"{path.name}, {scheme}, {width} px"
            assert browser.get_log("browser") == []
            papers.add(browser.execute_script(
                "return getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2, "light and dark are one"
