"""The HTML reports in a real browser: what no parser tells."""

import base64
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.page import Page, opened

A4 = 703
"""Pixels between the margins of a sheet: 186 mm at 96 pixels an inch."""

CONTRAST = """
const parse = text => {
  const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
  return {rgb: [r, g, b], a};
};
const light = rgb => {
  const [r, g, b] = rgb.map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const under = element => {
  for (let e = element; e; e = e.parentElement) {
    const {rgb, a} = parse(getComputedStyle(e).backgroundColor);
    if (a === 1) return rgb;
  }
  return [255, 255, 255];
};
const ratio = (one, two) => {
  const [a, b] = [light(one), light(two)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
};
const poor = [];
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || element.closest("svg, style, .skip") || !element.getClientRects().length) continue;
  const got = ratio(parse(getComputedStyle(element).color).rgb, under(element));
  if (got < 4.5) poor.push([element.textContent.slice(0, 40), got]);
}
for (const box of document.querySelectorAll("svg.picture rect.box")) {
  for (const text of box.parentNode.querySelectorAll("text")) {
    const fill = e => parse(getComputedStyle(e).fill).rgb;
    const got = ratio(fill(text), fill(box));
    if (got < 4.5) poor.push([text.textContent, got]);
  }
}
return poor;
"""


def test_nothing_is_fetched_and_the_console_is_silent(page: Page) -> None:
    assert page.console() == []
    assert page.run('return performance.getEntriesByType("resource").length') == 0
    assert page.run("return document.scripts.length") == 0


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_never_scrolls_sideways(page: Page, width: int) -> None:
    page.resize(width)
    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.run(overflow) <= 0
    assert page.run("return innerWidth") == width


def test_it_prints_and_nothing_is_cut_off_on_paper(page: Page) -> None:
    assert base64.b64decode(page.browser.print_page()).startswith(b"%PDF-")
    page.resize(A4, "print")
    cut = """
    const edge = document.documentElement.clientWidth + 1;
    return [...document.querySelectorAll("table, svg.picture, section, p")]
      .filter(e => e.getBoundingClientRect().right > edge).map(e => e.outerHTML.slice(0, 80));
    """
    assert page.run(cut) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_light_and_in_dark(page: Page, scheme: str) -> None:
    page.prefer(scheme)
    assert page.run(CONTRAST) == []


def test_dark_is_dark_and_paper_is_white(fleet: Page) -> None:
    shade = "return getComputedStyle(document.querySelector('.card')).backgroundColor"
    fleet.prefer("light")
    light = fleet.run(shade)
    fleet.prefer("dark")
    assert fleet.run(shade) != light
    fleet.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    assert fleet.run(shade) == light


def test_text_stays_in_its_box(page: Page) -> None:
    wide = """
    return [...document.querySelectorAll("svg.picture svg text, svg.picture .server text")]
      .filter(text => {
        const box = text.closest("g").querySelector("rect.box").getBoundingClientRect();
        const mine = text.getBoundingClientRect();
        return mine.left < box.left || mine.right > box.right + 1;
      }).map(text => text.textContent);
    """
    assert page.run(wide) == []


def tabbed(page: Page) -> list[str]:
    """Press Tab from the top to the end; return where the focus went."""
    visited: list[str] = []
    while True:
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
        where: Any = page.run(
            "const e = document.activeElement;"
            "return e === document.body ? null : e.getAttribute('href') || e.ariaLabel || e.id"
        )
        if where is None or len(visited) > 1000:
            return visited
        visited.append(where)


def test_the_keyboard_reaches_every_part_of_every_picture_in_order(fleet: Page) -> None:
    parts = fleet.run(
        "return [...document.querySelectorAll('svg.picture a')].map(a => a.getAttribute('href'))"
    )
    assert len(parts) > 8
    visited = tabbed(fleet)
    links = "nav a, table a"
    others = set(fleet.run(f"return [...document.querySelectorAll('{links}')].map(a => a.hash)"))
    assert others <= set(visited)
    # The table of all servers comes first and links to servers too; then each picture, in order.
    assert [each for each in visited if each in parts][-len(parts) :] == parts


def test_a_lane_shows_its_focus_and_leads_to_its_rules(fleet: Page) -> None:
    lane = fleet.browser.find_element(By.CSS_SELECTOR, "svg.picture a[href$='w1']")
    stroke = "return getComputedStyle(arguments[0].querySelector('.lane-focus')).stroke"
    assert fleet.run(stroke, lane) == "none"
    while fleet.browser.switch_to.active_element != lane:
        ActionChains(fleet.browser).send_keys(Keys.TAB).perform()
    assert fleet.run(stroke, lane) != "none"
    assert lane.accessible_name.startswith("Not known: ")
    ActionChains(fleet.browser).send_keys(Keys.ENTER).perform()
    row = fleet.browser.find_element(By.CSS_SELECTOR, "tr:target")
    assert f"#{row.get_attribute('id')}" == lane.get_dom_attribute("href")
    top = fleet.run("return arguments[0].getBoundingClientRect().top", row)
    assert 0 <= top < fleet.run("return innerHeight")


def test_every_part_of_a_picture_has_a_name_of_its_own(fleet: Page) -> None:
    parts = fleet.browser.find_elements(By.CSS_SELECTOR, "svg.picture a")
    names = [part.accessible_name for part in parts]
    assert all(names)
    assert all(part.aria_role == "link" for part in parts)
    assert len(set(names)) == len(names)


def test_what_a_template_says_is_seen_as_it_is(browser: Chrome, folder: Path) -> None:
    hostile = opened(browser, folder, "hostile")
    text = hostile.run("return document.body.innerText")
    assert "<script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "\u202e" not in text
