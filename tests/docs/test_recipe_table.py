"""The table of recipes in a real browser: opened from the disk, filtered, ordered, on a phone."""

import importlib.util
import json
import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from bionet.zoo.catalogue import SPECS

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
WIDE, PHONE = 1280, 375
ABSENT = [
    name
    for name, there in (
        ("chromium", CHROMIUM),
        ("chromedriver (Debian's chromium-driver)", DRIVER),
        ("selenium", importlib.util.find_spec("selenium")),
    )
    if not there
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(ABSENT), reason=f"needs {', '.join(ABSENT)}"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium that writes down what it is asked for and what goes wrong."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for word in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"):
        options.add_argument(word)
    options.add_argument(f"--user-data-dir={profile}")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which Chromium refuses to root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, site):
    """Opens a page of the site from the disk, at a width."""

    def open_page(page="zoo/index.html", width=WIDE):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get("about:blank")
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # which forgets what was there, Chromium's own first page too
        browser.get((site / page).as_uri())
        return browser

    return open_page


def set_field(browser, name, value):
    """Sets a field of the filter as typing would, and says which recipes are left."""
    script = """
        const field = document.querySelector(`.recipes [name="${arguments[0]}"]`);
        field.value = arguments[1];
        field.dispatchEvent(new Event("input", {bubbles: true}));
    """
    browser.execute_script(script, name, value)
    return shown(browser)


def shown(browser):
    """The rows that can be seen, cell by cell, by the names of their columns."""
    script = """
        const names = [...document.querySelectorAll(".recipes th")].map(e => e.textContent.trim());
        return [...document.querySelectorAll(".recipes tbody tr")]
            .filter(row => row.offsetParent !== null)
            .map(row => Object.fromEntries(
                [...row.cells].map((cell, i) => [names[i], cell.textContent.trim()])));
    """
    return browser.execute_script(script)


def status(browser):
    return browser.execute_script("return document.querySelector('[role=status]').textContent")


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize(
    "page",
    [
        "zoo/index.html",
        "zoo/prototypes-local.html",
        "explanation/choosing-an-approach.html",
        "explanation/es-variance.html",
    ],
)
def test_a_page_opens_without_errors_outside_requests_or_overflow(opened, page, width):
    browser = opened(page, width)
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert any(url.endswith(page) for url in asked)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert "$" not in browser.execute_script("return document.querySelector('article').innerText")


def test_all_rows_are_there_at_first(opened):
    rows = shown(opened())
    assert {row["Recipe"] for row in rows} == {spec.id for spec in SPECS}
    assert status(opened()) == f"{len(rows)} of {len(rows)} rows"


@pytest.mark.parametrize("axis", ["application", "method", "architecture", "family"])
def test_a_choice_leaves_the_recipes_that_have_it(opened, axis):
    browser, value = opened(), getattr(SPECS[1], axis)
    rows = set_field(browser, axis.capitalize(), value)
    assert {row[axis.capitalize()] for row in rows} == {value}
    assert {row["Recipe"] for row in rows} >= {
        spec.id for spec in SPECS if getattr(spec, axis) == value
    }
    assert status(browser).startswith(f"{len(rows)} of ")


def test_filters_add_up_and_can_be_cleared(opened):
    browser = opened()
    before = shown(browser)
    set_field(browser, "Family", "local")
    rows = set_field(browser, "Reached", "96")
    assert rows
    assert {row["Family"] for row in rows} == {"local"}
    assert all(float(row["Reached"].split()[0]) >= 96 for row in rows)
    rows = set_field(browser, "Training", "5")
    assert all(float(row["Training"].split()[0].replace(",", "")) <= 5 for row in rows)
    rows = set_field(browser, "Demo", "1.2")
    assert all(float(row["Demo"].split()[0]) <= 1.2 for row in rows)
    assert set_field(browser, "search", "no such thing") == []
    assert status(browser) == "No row has all of this. Clear a filter to see more."
    browser.find_element("css selector", ".recipes button").click()
    browser.execute_async_script("setTimeout(arguments[0], 20)")
    assert shown(browser) == before


def test_words_are_looked_for_in_all_columns(opened):
    rows = set_field(opened(), "search", "LIF control")
    assert {row["Recipe"] for row in rows} >= {"control-lif-es", "control-cartpole-es"}
    assert all("lif" in " ".join(row.values()) for row in rows)


def test_rows_are_put_in_order_with_missing_values_last(opened):
    rows = set_field(opened(), "order", "1")
    values = [row["Reached"].split()[0] for row in rows]
    measured = [float(value) for value in values if value != "none"]
    assert measured == sorted(measured, reverse=True)
    assert values[len(measured) :] == ["none"] * (len(values) - len(measured))
    first, *_ = set_field(opened(), "order", "0")
    assert first["Recipe"] == SPECS[0].id


def test_it_can_be_used_by_keyboard_and_by_ear(opened):
    from selenium.webdriver.common.keys import Keys

    browser = opened()
    search = browser.find_element("css selector", ".recipes [name=search]")
    search.send_keys("memory", Keys.ENTER)  # which sends no form
    assert [row["Recipe"] for row in shown(browser)] == ["memory-hebbian"]
    focused = []
    for _ in range(10):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        focused.append(browser.execute_script("return document.activeElement.name"))
    assert focused[:9] == [
        *("Application", "Data", "Method", "Architecture", "Family"),
        *("Reached", "Training", "Demo", "order"),
    ]
    browser.switch_to.active_element.send_keys(Keys.SPACE)  # the button
    browser.execute_async_script("setTimeout(arguments[0], 20)")
    assert len(shown(browser)) > len(SPECS) - 1
    fields = browser.find_elements("css selector", ".recipes :is(input, select)")
    assert all(field.accessible_name for field in fields)
    table = browser.find_element("css selector", ".recipes table")
    assert (table.aria_role, table.accessible_name) == (
        "table",
        "Recipes and what they reached",
    )


def test_on_a_phone_a_row_is_a_card_and_still_a_row(opened):
    browser = opened(width=PHONE)
    row = browser.find_element("css selector", ".recipes tbody tr")
    assert row.aria_role == "row"
    assert row.find_element("css selector", "td").aria_role == "cell"
    script = """
        const cell = document.querySelector(".recipes tbody td:nth-child(3)");
        const box = cell.getBoundingClientRect();
        const label = getComputedStyle(cell, "::before").content;
        return [label, box.left >= 0, box.right <= innerWidth];
    """
    assert browser.execute_script(script) == ['"Data"', True, True]
    rows = set_field(browser, "Family", "hybrid")
    assert {row["Family"] for row in rows} == {"hybrid"}


def test_every_link_of_the_table_leads_to_a_page(opened):
    script = "return [...document.querySelectorAll('.recipes a')].map(link => link.href)"
    links = opened().execute_script(script)
    assert len(links) >= len(SPECS)
    assert [link for link in links if not Path(unquote(urlparse(link).path)).is_file()] == []
    recipes = [link for link in links if "/zoo/" in link]
    for link in (recipes[0], recipes[-1]):
        browser = opened()
        name = link.rpartition("/")[2]
        browser.find_element("css selector", f".recipes a[href$='{name}']").click()
        assert browser.find_element("css selector", "h1").text.startswith(name[:-5])
