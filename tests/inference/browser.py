"""A headless Chromium, told what to do by the DevTools protocol."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 120  # seconds: a busy machine starts it slowly; no result depends on it
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1100,1400",
)


class Page:
    """One tab."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, itertools.count(1)
        self.console: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict:
        """A command's result; what the page complains of meanwhile is kept in `console`."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(json.dumps(message["params"]))

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.call("Page.navigate", url=address)
        self.wait(f"location.href === {json.dumps(address)} && document.readyState === 'complete'")

    def value(self, script: str) -> object:
        """What an expression gives, awaited where it is a promise."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(f"Boolean({condition})"):
            assert time.monotonic() < end, f"{condition} has not come true: {self.console}"
            time.sleep(0.05)

    def click(self, x: float, y: float) -> None:
        """A mouse click at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def choose(self, selector: str, path: Path) -> None:
        """Choose a file in a file input, as a person does in its dialogue."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


@contextmanager
def browser(folder: Path):
    """A tab of a browser; what it leaves among temporary files is removed."""
    # Not in `folder`: the path of a socket in it may be too long.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, _started(folder, temporary) as page:
        yield page


@contextmanager
def _started(folder: Path, temporary: str):
    """A tab of a browser whose profile is in `folder`; the test is skipped where there is no Chromium."""
    websocket = pytest.importorskip("websocket", reason="drives the browser; comes with jupyter")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium here")
    log = (folder / "log").open("wb")
    command = [program, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}", "about:blank"]
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "TMPDIR": temporary})
    try:
        port = _port(folder / "profile" / "DevToolsActivePort", process, folder / "log")
        with urlopen(Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")) as response:
            address = json.load(response)["webSocketDebuggerUrl"]
        socket = websocket.create_connection(address, suppress_origin=True, timeout=PATIENCE)
        yield Page(socket)
        socket.close()
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()


def _port(file: Path, process: subprocess.Popen, log: Path) -> int:
    end = time.monotonic() + PATIENCE
    while not (file.is_file() and file.read_text().count("\n")):
        assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")[-2000:]
        time.sleep(0.1)
    return int(file.read_text().splitlines()[0])
