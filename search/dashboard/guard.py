"""What stands between a browser and optuna-dashboard: reading and notes alone, on this machine, no buttons to write.

The dashboard has no login, and the study is the only record of what was measured.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from search.dashboard.view import REFUSED

NOTE_PATH = re.compile(r"/api/studies/\d+(/\d+)?/note")
PAGE_PATH = re.compile(r"/dashboard(/.*)?")
OTHER_NAME = "Call this dashboard localhost or 127.0.0.1; other names need --host."
CONDITIONS = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_RANGE")
STYLE = b"""
<style>
/* what would be refused is not offered: delete, rename, create a study; end a trial */
button[aria-label="delete study"], button[aria-label="rename study"], button:has([data-testid="AddBoxIcon"]),
.MuiButton-outlinedError { display: none !important }
/* the best trial and, beside it, which trial to take: first */
.MuiGrid-item:has(.MuiTypography-h3), .MuiGrid-item:has(.MuiTable-root) { order: -1 }
.MuiGrid-item .MuiTable-root { min-width: 0 }
.MuiTypography-h3 { font-size: 2rem }
.MuiTypography-root, td, pre, p, li { overflow-wrap: break-word }
/* its dark mode, which the browser or its switch turns on: our figures are made once, in light colours */
body:has([aria-labelledby="switch-list-label-dark-mode"]:checked)
  .js-plotly-plot:has(.main-svg[style*="background: white"]) { filter: invert(0.93) hue-rotate(180deg) }
/* a small screen: one card a row, the list of trials above the trial */
@media (max-width: 700px) {
  main, main .MuiBox-root { min-width: 0 }
  main .MuiFormControl-root, main .MuiCardContent-root > .MuiBox-root { flex-wrap: wrap }
  main .MuiCard-root { max-width: 100% }
  .MuiGrid-container > .MuiGrid-root { flex-basis: 100%; max-width: 100% }
  main .MuiBox-root:has(> .MuiBox-root > .MuiList-root) { flex-direction: column }
  main .MuiBox-root:has(> .MuiList-root) { max-height: 30vh; flex-shrink: 0; border-bottom: 1px solid #ccc }
}
</style>
"""


def read_only(inner: WSGIApplication) -> WSGIApplication:
    """The dashboard for reading; of what writes only notes pass, the rest is answered with the reason."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method in ("GET", "HEAD") or (method == "PUT" and NOTE_PATH.fullmatch(path)):
            return inner(environ, start_response)
        return _answer(start_response, "403 Forbidden", REFUSED)

    return application


def without_buttons(inner: WSGIApplication) -> WSGIApplication:
    """The dashboard's page with `STYLE` in its head."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not PAGE_PATH.fullmatch(environ["PATH_INFO"]):
            return inner(environ, start_response)
        got: list[Any] = []

        def remember(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            got[:] = [status, headers]

        whole = {name: value for name, value in environ.items() if name not in CONDITIONS}
        answer = inner(whole, remember)
        body = b"".join(answer).replace(b"</head>", STYLE + b"</head>", 1)
        if hasattr(answer, "close"):  # a file
            answer.close()
        status, headers = got
        replaced = ("content-length", "last-modified", "etag", "accept-ranges")
        headers = [(name, value) for name, value in headers if name.lower() not in replaced]
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return application


def for_this_machine(inner: WSGIApplication) -> WSGIApplication:
    """Only for those who call this machine by a loopback name: a web page may give its own name our address."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if loopback(_host_name(environ.get("HTTP_HOST", ""))):
            return inner(environ, start_response)
        return _answer(start_response, "421 Misdirected Request", OTHER_NAME)

    return application


def loopback(host: str) -> bool:
    """True if only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_name(header: str) -> str:
    """The name in a Host header, without its port; empty where it is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _answer(start_response: StartResponse, status: str, reason: str) -> list[bytes]:
    body = json.dumps({"reason": reason}).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
