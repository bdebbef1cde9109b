"""The page for people at ``/``: who gets it, in which language, and what it may do.

It asks the JSON routes and shows what they say. Its text, style and script are one file in
which each sentence stands in two languages; nothing else is loaded, from anywhere.
"""

import base64
import hashlib
import re
from importlib import resources

from flask import Flask, Request, Response, make_response

#: The first is that of the workshop, for who asks for none of them.
LANGUAGES = ("fr", "en")
#: What decides which answer ``/`` gives.
_VARY = "Accept, Accept-Language"
_PAIR = re.compile(r"\{\{(.*?)\|(.*?)\}\}", re.DOTALL)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class Page:
    """The page in each language, read once."""

    def __init__(self):
        source = resources.files("pra.web").joinpath("page.html").read_text("utf-8")
        self._texts = {
            language: _PAIR.sub(lambda pair, at=at: pair[at], source)
            for at, language in enumerate(LANGUAGES, start=1)
        }
        self._policies = {language: policy(text) for language, text in self._texts.items()}

    def or_json(self, app: Flask, incoming: Request, body: dict) -> Response:
        """The page where a browser asks, else a body as JSON."""
        answer = self._answer(incoming) if _prefers_html(incoming) else app.json.response(body)
        answer.headers["Vary"] = _VARY
        return answer

    def _answer(self, incoming: Request) -> Response:
        language = incoming.accept_languages.best_match(LANGUAGES, LANGUAGES[0])
        answer = make_response(self._texts[language])
        answer.headers["Content-Type"] = "text/html; charset=utf-8"
        answer.headers["Content-Language"] = language
        answer.headers["Content-Security-Policy"] = self._policies[language]
        # With none at all, a browser hides from us that the form is our own.
        answer.headers["Referrer-Policy"] = "same-origin"
        answer.headers["X-Frame-Options"] = "DENY"
        return answer


def policy(text: str) -> str:
    """What a page may load and do: its own style and script, and asking this server."""
    style, script = (_hashes(text, tag) for tag in ("style", "script"))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; img-src data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'"
    )


def _hashes(text: str, tag: str) -> str:
    inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = [hashlib.sha256(one.encode()).digest() for one in inside]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def or_back(incoming: Request, body: dict, headers: dict[str, str]) -> tuple:
    """What was written, as an answer; the page's form, sent without its script, leads back."""
    form = incoming.method == "POST" and incoming.mimetype in _FORMS
    if form and _prefers_html(incoming):
        return body, 303, {**headers, "Location": "./"}
    return body, headers


def _prefers_html(incoming: Request) -> bool:
    # Most programs accept anything, and looking closer takes longer than their answer.
    if "text/" not in incoming.environ.get("HTTP_ACCEPT", ""):
        return False
    kinds = ("application/json", "text/html")
    return incoming.accept_mimetypes.best_match(kinds, kinds[0]) == "text/html"
