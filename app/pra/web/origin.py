"""Whether somebody asked for a write, or a browser or another site did in their name.

``GET /add`` writes, as the workshop types it in a browser. So everything that makes a
browser ask for an address, a link, a picture or a guess of what comes next, would write too.
"""

from urllib.parse import urlsplit

from flask import Request

from pra.base.errors import Refused

_DOING = "adding an event"
#: Headers by which browsers say that nobody has asked yet, the newest first, as WSGI names them.
_AHEAD = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
_GUESSES = ("prefetch", "prerender", "preview")
#: Sites that may write: this one, and a person (an address that is typed, a bookmark).
_TRUSTED_SITES = ("same-origin", "none")


class Unasked(Refused):
    """Nobody asked for it here."""

    http_status = 403


def refuse_unasked(incoming: Request) -> None:
    """Refuse a write that no person and no program of theirs asked for.

    Raises:
        Unasked
    """
    ahead = [incoming.environ[name].lower() for name in _AHEAD if name in incoming.environ]
    if any(guess in said for guess in _GUESSES for said in ahead):
        raise Unasked(_DOING, "the browser asks ahead of its user", "open the address itself")
    elsewhere = _elsewhere(incoming)
    if elsewhere:
        raise Unasked(
            _DOING,
            f"the request comes from {elsewhere}",
            "type the address into the address bar, or use the form of the page /",
        )


def _elsewhere(incoming: Request) -> str | None:
    """Which other site a request comes from; None if from none that can be told.

    What the browser says itself comes first: behind a proxy that ends TLS or renames this
    host, as that of a Codespace, an Origin differs from the Host also for our own page.
    Browsers leave ``Sec-Fetch-Site`` out where a name is reached by plain HTTP, and programs
    always.
    """
    given = incoming.environ.get
    site = given("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return None if site in _TRUSTED_SITES else f"another page ({site})"
    asking = given("HTTP_ORIGIN", given("HTTP_REFERER"))
    if asking is None:
        return None
    ours = {given("HTTP_HOST"), given("HTTP_X_FORWARDED_HOST")} - {None, ""}
    return None if _host(asking) in ours else "a page of another address"


def _host(url: str) -> str:
    """The host and port of an address; empty where it has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
