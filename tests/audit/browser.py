#!/usr/bin/env python3
"""Opens a page in headless Chromium, as different people would see it, and tells what a test wants to know of it.

    browser.py PAGE [FOLDER]

Prints one JSON object: for each view the page's text, its width, and the first column of its findings; what sorting by a
head gives; every request that went anywhere but to the page itself; every message of the console, and every dialog.
With FOLDER it also leaves a screenshot of each view there.

Speaks the DevTools protocol over a pipe, so it needs no package: https://chromedevtools.github.io/devtools-protocol/
"""
import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
# width, height, colour scheme, medium, whether scripts run
VIEWS = {
    "light": (1280, 1000, "light", "screen", True),
    "dark": (1280, 1000, "dark", "screen", True),
    "phone": (390, 844, "light", "screen", True),
    "print": (794, 1123, "light", "print", True),
    "without-scripts": (1280, 900, "light", "screen", False),
}
LOOK = """(() => ({
  text: document.body.innerText,
  width: document.documentElement.scrollWidth,
  background: getComputedStyle(document.body).backgroundColor,
  rows: [...document.querySelectorAll('#findings tbody tr')].map(row => [...row.cells].map(cell => cell.textContent)),
  markup: document.querySelectorAll('img, iframe, object, embed, link, [onerror], [onclick]').length,
  scripts: document.scripts.length,
}))()"""
CLICK = """(number => {
  const heads = document.querySelectorAll('#findings thead th');
  (heads[number].querySelector('button') || heads[number]).click();
  return [...document.querySelectorAll('#findings tbody tr')].map(row => row.cells[number].textContent);
})"""


class Browser:
    """Chromium, and the one page that it shows."""

    def __init__(self, program, profile):
        to_browser, self.out = os.pipe()
        self.inn, from_browser = os.pipe()

        def as_three_and_four():
            # Both are above 4 by now or are moved there first, so that neither covers the other.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        command = [
            program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
            # Whatever a page asks for by name is nowhere.
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, preexec_fn=as_three_and_four, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ["Page", "Network", "Runtime", "Log"]:
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]

    def read(self):
        while b"\0" not in self.rest:
            more = os.read(self.inn, 1 << 20)
            if not more:
                raise SystemExit("the browser has ended")
            self.rest += more
        text, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
            if message["method"] == "Page.javascriptDialogOpening":
                # Nobody waits for this answer.
                self.number += 1
                close = {"id": self.number, "sessionId": self.session, "method": "Page.handleJavaScriptDialog", "params": {"accept": False}}
                os.write(self.out, json.dumps(close).encode() + b"\0")
        return message

    def open(self, url):
        since = len(self.events)
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events[since:]):
            self.read()

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise SystemExit(str(answer["exceptionDetails"]))
        return answer["result"]["value"]

    def show(self, width, height, scheme, medium, with_scripts):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=medium, features=features)
        self.call("Emulation.setScriptExecutionDisabled", value=not with_scripts)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def told(self, method):
        return [event["params"] for event in self.events if event["method"] == method]


def main():
    page = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    program = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if program is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is installed (Debian: chromium)")
    # What a browser's own children still write while they die is no failure of the page's.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            views = {}
            for name, view in VIEWS.items():
                browser.show(*view)
                browser.open(page.as_uri())
                views[name] = browser.evaluate(LOOK)
                if folder:
                    browser.screenshot(folder / f"{name}.png")
            browser.show(*VIEWS["light"])
            browser.open(page.as_uri())
            columns = len(views["light"]["rows"][0]) if views["light"]["rows"] else 0
            clicked = {}
            for column in range(columns):
                clicked[column] = [browser.evaluate(f"{CLICK}({column})") for _ in range(2)]
            requests = [told["request"]["url"] for told in browser.told("Network.requestWillBeSent")]
            print(
                json.dumps(
                    {
                        "views": views,
                        "sorted": clicked,
                        "requests": sorted({url for url in requests if url != page.as_uri()}),
                        "console": [
                            str(told.get("args") or told["entry"])
                            for method in ["Runtime.consoleAPICalled", "Log.entryAdded"]
                            for told in browser.told(method)
                        ],
                        "exceptions": [str(told) for told in browser.told("Runtime.exceptionThrown")],
                        "dialogs": [told["message"] for told in browser.told("Page.javascriptDialogOpening")],
                    }
                )
            )
        finally:
            os.killpg(browser.process.pid, signal.SIGKILL)
            browser.process.wait()


main()
