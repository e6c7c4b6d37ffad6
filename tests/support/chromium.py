"""A real Chromium for tests."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

PROGRAM = shutil.which("chromium")
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """A browser without windows, from Debian's package."""
    if PROGRAM is None:
        pytest.skip("no chromium on PATH; scripts/system-packages installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(FLAGS))
        yield browser
        browser.close()
