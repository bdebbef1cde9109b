"""A real Chromium without a window, driven through its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import time

import websocket

#: What Chromium is called; the variable comes first.
VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: How long anything in a browser may take, in seconds.
PATIENCE = 60
#: The contrast that WCAG 2.2 asks for (AA, text of any size).
CONTRAST = 4.5
#: The least contrast of any text with what lies behind it, with that text.
LEAST_CONTRAST = """(() => {
  const parts = colour => colour.match(/[0-9.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour).slice(0, 3).map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
  };
  const all = [...document.querySelectorAll("body *")].filter(one => one.checkVisibility()
    && [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  const found = all.map(one => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), one.textContent];
  });
  return found.sort((x, y) => x[0] - y[0])[0];
})()"""

#: What is farther to the right than the window.
OVER = """[...document.querySelectorAll("body *")].filter(one => one.checkVisibility()
  && one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML)"""


def found() -> str | None:
    """The program of a Chromium; None where there is none."""
    names = (os.environ.get(VARIABLE), *NAMES)
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


class Browser:
    """One process, with a profile of its own; any number of tabs."""

    def __init__(self, program: str, profile: str):
        # As take() of xtask/src/commands/guide/screenshots.rs starts one.
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
        ]
        self._process = subprocess.Popen(
            [program, *flags, "about:blank"], stderr=subprocess.PIPE, text=True, errors="replace"
        )
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            listening = re.search(r"DevTools listening on (ws://\S+)", line)
            if listening:
                break
        else:
            raise AssertionError("the browser did not start:\n" + "".join(lines))
        # Its own complaints go nowhere, so that no full pipe stops it.
        self._address, self._drain = listening[1], _drained(self._process.stderr)

    def tab(self) -> "Tab":
        """A new tab, with nothing of the others: no cookies, no cache."""
        return Tab(self._address)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._drain.join()
        self._process.stderr.close()


def _drained(stream):
    import threading

    thread = threading.Thread(target=stream.read, daemon=True)
    thread.start()
    return thread


class Tab:
    """One tab, and all that it told of itself."""

    def __init__(self, address: str):
        # Without an origin: a browser refuses those of pages.
        self._socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        self._numbers, self._session = itertools.count(1), None
        self.events: list[dict] = []
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        self._session = self.call("Target.attachToTarget", flatten=True, **target)["sessionId"]
        for part in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{part}.enable")

    def close(self) -> None:
        """Close it."""
        self.call("Page.close")
        self._socket.close()

    def call(self, method: str, **parameters) -> dict:
        """Ask for something and wait for the answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while (said := self._next()).get("id") != number:
            pass
        assert "error" not in said, (method, said["error"])
        return said["result"]

    def _next(self) -> dict:
        said = json.loads(self._socket.recv())
        if "method" in said:
            self.events.append(said)
        return said

    def event(self, method: str) -> dict:
        """The next event of a kind that has not been taken yet."""
        while True:
            for at, one in enumerate(self.events):
                if one["method"] == method:
                    return self.events.pop(at)["params"]
            self._next()

    def told(self, method: str) -> list[dict]:
        """What all events of a kind said so far."""
        self.evaluate("0")
        return [one["params"] for one in self.events if one["method"] == method]

    def open(self, url: str, language: str = "fr") -> None:
        """Go to a page, and wait until it is loaded."""
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        self.call("Page.navigate", url=url)
        self.event("Page.loadEventFired")

    def evaluate(self, script: str):
        """The value of an expression in the page."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression in the page is true."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(script):
            assert time.monotonic() < end, f"not true: {script}\n{self.text()}"
            time.sleep(0.05)

    def text(self) -> str:
        """All that can be read in the page."""
        return self.evaluate("document.body.innerText")

    def until_read(self, text: str) -> None:
        """Wait until something can be read in the page."""
        self.until(f"document.body.innerText.includes({json.dumps(text)})")

    def write(self, text: str) -> None:
        """Write where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press and release a key: Tab or Enter."""
        code, text = {"Tab": (9, ""), "Enter": (13, "\r")}[key]
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def submit(self, message: str) -> None:
        """Send a message with the page's form, by keyboard, as the first thing done on it."""
        self.press("Tab")
        assert self.evaluate("document.activeElement.id") == "message"
        self.write(message)
        self.press("Enter")

    def look(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """Be a window of a size, on a system of light or dark colours."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def picture(self, path: str) -> None:
        """Keep what can be seen, as far down as it goes."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))

    def complaints(self) -> list[str]:
        """What the browser found wrong: errors of scripts, what the policy forbade."""
        said = [one["entry"] for one in self.told("Log.entryAdded")]
        found = [one["text"] for one in said if one["level"] in ("warning", "error")]
        found += [str(one["args"]) for one in self.told("Runtime.consoleAPICalled")]
        found += [str(one["exceptionDetails"]) for one in self.told("Runtime.exceptionThrown")]
        return found + [one["issue"]["code"] for one in self.told("Audits.issueAdded")]

    def requests(self) -> list[dict]:
        """All that was asked for, of anybody."""
        return [one["request"] for one in self.told("Network.requestWillBeSent")]
