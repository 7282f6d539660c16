"""A real browser for the tests: Debian's Chromium, without a screen."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.remote_connection import RemoteConnection

from tests.browser.page import PAGES, Page, opened

TIMEOUT = 300
"""Seconds for one command: a machine that also boots servers is slow."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium or chromedriver is missing: apt-get install chromium-driver")
        pytest.skip("chromium or chromedriver is missing: apt-get install chromium-driver")
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses to run as root with it
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    if isinstance(chrome.command_executor, RemoteConnection):
        chrome.command_executor.client_config.timeout = TIMEOUT
    chrome.set_page_load_timeout(TIMEOUT)
    chrome.set_script_timeout(TIMEOUT)
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(params=PAGES)
def page(browser: Chrome, folder: Path, request: pytest.FixtureRequest) -> Page:
    return opened(browser, folder, request.param)


@pytest.fixture
def fleet(browser: Chrome, folder: Path) -> Page:
    """The page with most to look at: a load balancer, chains, what is not known, nobody."""
    return opened(browser, folder, "fleet")
