"""A headless Chromium for tests, driven over its DevTools protocol through a pipe: no driver, no library.

    with Chromium.start(path) as browser:
        page = browser.open("file:///.../report.html", dark=True)
        page.evaluate("document.title"); page.click("#button"); page.press("ArrowDown"); page.screenshot(path)
        page.errors, page.requests

Commands are JSON texts that end with a zero byte, on file descriptors 3 (in) and 4 (out) of the browser.
Knows nothing of what is tested.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TIMEOUT_S = 30.0
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"),
    *("--hide-scrollbars", "--window-size=1280,900", "--remote-debugging-pipe"),
)
KEYS = {"Enter": "\r", "Tab": "\t", " ": " ", "*": "*"}
"""Keys that are also text; others are named by what KeyboardEvent.key says."""
KEY_CODES = {"Enter": 13, "Tab": 9, " ": 32, "*": 106, "ArrowLeft": 37, "ArrowUp": 38}
KEY_CODES |= {"ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35}


class ChromiumError(Exception):
    """The browser does not answer, or answers with an error."""


def find_chromium() -> str | None:
    """The program, under the names that distributions give it."""
    return next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)


class Chromium:
    """A running browser with a profile of its own. Use as a context manager."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int, profile: Path) -> None:
        self._process, self._write, self._read, self._profile = process, write, read, profile
        self._pending = b""
        self._numbers = itertools.count(1)
        self._pages: dict[str, Page] = {}

    @classmethod
    def start(cls, program: str) -> Chromium:
        """Starts the browser; it ends with close()."""
        profile = Path(tempfile.mkdtemp(prefix="chromium-"))
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()
        # the shell puts the pipe's ends at the two numbers that Chromium expects
        command = f'exec "$@" 3<&{theirs_read} 4>&{theirs_write}'
        process = subprocess.Popen(
            ["bash", "-c", command, "bash", program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(theirs_read, theirs_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_read)
        os.close(theirs_write)
        return cls(process, ours_write, ours_read, profile)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str, dark: bool = False, width: int = 1280, height: int = 900) -> Page:
        """A page in a tab of its own, when it is loaded."""
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self._pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.send("Emulation.setEmulatedMedia", {"features": [scheme]})
        page.resize(width, height)
        page.send("Page.navigate", {"url": url})
        self.wait(lambda: page.loaded, f"{url} to load")
        return page

    def send(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> Any:
        """A command's result; events that come before it are handed to their pages."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            answer = self._receive(deadline, method)
            if answer.get("id") != number:
                continue
            if "error" in answer:
                raise ChromiumError(f"{method}: {answer['error']}")
            return answer["result"]

    def wait(self, ready: Any, what: str) -> None:
        """Handles events until something is so."""
        deadline = time.monotonic() + TIMEOUT_S
        while not ready():
            self._receive(deadline, what)

    def _receive(self, deadline: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._pending:
            if not select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise ChromiumError(f"no answer within {TIMEOUT_S:.0f} s, waiting for {what}")
            got = os.read(self._read, 1 << 20)
            if not got:
                raise ChromiumError(f"the browser ended, waiting for {what}")
            self._pending += got
        text, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        page = self._pages.get(message.get("sessionId", ""))
        if page and "method" in message:
            page.saw(message["method"], message["params"])
        return message


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target
        self.loaded = False
        self.errors: list[str] = []
        """Errors and warnings of the console, exceptions, refused resources."""
        self.requests: list[str] = []
        """Addresses that the page asked for, its own included."""

    def send(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """A command to this tab."""
        return self._browser.send(method, params, self._session)

    def saw(self, method: str, params: dict[str, Any]) -> None:
        """Takes an event."""
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(json.dumps(params["entry"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def evaluate(self, expression: str, wait: bool = False) -> Any:
        """A JavaScript expression's value, as JSON carries it; wait: for the promise that it gives."""
        params = {"expression": expression, "returnByValue": True, "awaitPromise": wait}
        got = self.send("Runtime.evaluate", params)
        if "exceptionDetails" in got:
            raise ChromiumError(f"{expression}: {json.dumps(got['exceptionDetails'])}")
        return got["result"].get("value")

    def click(self, selector: str) -> None:
        """Presses the mouse in the middle of the first element that a selector finds."""
        find = f"document.querySelector({json.dumps(selector)})"
        at = self.evaluate(
            f"(() => {{ const e = {find}; e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect();"
            " return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", {"type": kind, "button": "left", "clickCount": 1, **at})

    def press(self, key: str, shift: bool = False) -> None:
        """Presses a key where the focus is."""
        event = {"key": key, "windowsVirtualKeyCode": KEY_CODES[key], "modifiers": 8 if shift else 0}
        text = {"text": KEYS[key]} if key in KEYS else {}
        self.send("Input.dispatchKeyEvent", {"type": "keyDown" if text else "rawKeyDown", **event, **text})
        self.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def type(self, text: str) -> None:
        """Enters text where the focus is."""
        self.send("Input.insertText", {"text": text})

    def resize(self, width: int, height: int) -> None:
        """The window's size in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", size)

    def screenshot(self, path: Path, whole: bool = False) -> bytes:
        """The window, or the whole page, as PNG."""
        self.send("Page.bringToFront")  # a tab in the background is not painted, and the answer never comes
        data = self.send("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})["data"]
        path.write_bytes(base64.b64decode(data))
        return path.read_bytes()

    def accessible(self) -> list[dict[str, Any]]:
        """What a screen reader gets: role, name and properties of everything that is not ignored."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": node["role"]["value"],
                "name": node.get("name", {}).get("value", ""),
                **{p["name"]: p["value"].get("value") for p in node.get("properties", [])},
            }
            for node in nodes
            if not node["ignored"]
        ]

    def close(self) -> None:
        """Closes the tab."""
        self._browser.send("Target.closeTarget", {"targetId": self._target})
