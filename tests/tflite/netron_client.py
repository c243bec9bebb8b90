"""Open a model in Netron and read its page; run by test_netron.py in Netron's own environment.

python netron_client.py MODEL PICTURE.png   -> JSON: {"nodes": [...], "model": "...", "graph": ...}
Needs netron, selenium, and Chromium with its driver on the PATH.
"""

import json
import shutil
import sys

import netron
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SECONDS = 60
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--window-size=1600,1100",
    # Netron reports its use to its makers: nothing is to leave this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


def open_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
    for argument in ARGUMENTS:
        options.add_argument(argument)
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def texts(browser, selector):
    found = browser.find_elements(By.CSS_SELECTOR, selector)
    return [element.get_property("textContent") for element in found]


def sidebar(browser, wait, button, awaited):
    """Open one of the two pages beside the graph and return all that it says."""
    browser.execute_script(f"document.getElementById('{button}').click()")
    content = browser.find_element(By.ID, "sidebar-content")
    wait.until(lambda _: awaited in content.get_property("textContent"))
    return content.get_property("innerText")


def read_page(browser, url, picture):
    browser.get(url)
    # The answer to its question about cookies, for which it would wait.
    browser.add_cookie({"name": "consent", "value": "1"})
    browser.get(url)
    wait = WebDriverWait(browser, SECONDS)
    nodes = wait.until(lambda _: texts(browser, "#target .node-item-type text"))
    graph = sidebar(browser, wait, "sidebar-target-button", "Inputs")
    browser.save_screenshot(picture.replace(".png", "_graph.png"))
    model = sidebar(browser, wait, "sidebar-model-button", "TensorFlow Lite")
    browser.save_screenshot(picture)
    return {"nodes": nodes, "model": model, "graph": graph}


def main(model, picture):
    host, port = address = netron.start(model, ("127.0.0.1", 0), browse=False)
    try:
        browser = open_browser()
        try:
            print(json.dumps(read_page(browser, f"http://{host}:{port}", picture)))
        finally:
            browser.quit()
    finally:
        netron.stop(address)


if __name__ == "__main__":
    main(*sys.argv[1:])
