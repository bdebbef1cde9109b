"""What a real browser sends from other sites, ahead of its user, and through a proxy."""

import contextlib
import http.client
import json
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import serving
from helpers import running


@contextlib.contextmanager
def answering(answer):
    """A server on a free port; ``answer`` gets each request's handler. Yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield server.server_port


def page(html):
    """Answers each request by one page."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(html.encode())

    return answer


def forwarding(port, host):
    """Hands each request on under another host's name, as a Codespace's proxy does."""

    def answer(handler):
        length = int(handler.headers.get("Content-Length", 0))
        server = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {**handler.headers, "Host": host}
        server.request(handler.command, handler.path, handler.rfile.read(length), headers)
        answered = server.getresponse()
        content = answered.read()
        handler.send_response(answered.status)
        for name, value in answered.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        server.close()

    return answer


def count(url):
    with urllib.request.urlopen(url + "/count", timeout=60) as answer:
        return json.loads(answer.read())["count"]


#: What a page can do to have an address opened: an image, a script, a look ahead.
TAKING = """<img src="{add}?message=image" onload="asked += 1" onerror="asked += 1"><script>
  window.asked = 0;
  const body = new URLSearchParams({{message: "script"}});
  fetch("{add}", {{method: "POST", mode: "no-cors", body}}).finally(() => asked += 1);
  const ahead = document.createElement("link");
  Object.assign(ahead, {{rel: "prefetch", href: "{add}?message=ahead"}});
  ahead.onload = ahead.onerror = () => asked += 1;
  document.head.append(ahead);
</script>"""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_what_a_page_of_another_address_asks_for_writes_nothing(tab, served, host):
    # By one name it is another site, by the other another port of the same.
    with answering(page(TAKING.format(add=f"{served}/add"))) as port:
        tab.open(f"http://{host}:{port}/")
        tab.until("asked === 3")
        assert sum("/add" in request["url"] for request in tab.requests()) == 3
        assert count(served) == 0


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_form_of_another_site_writes_nothing_and_says_how_to(tab, served, method):
    form = f'<form action="{served}/add" method="{method}"><input name="message" autofocus></form>'
    with answering(page(form)) as port:
        tab.open(f"http://localhost:{port}/")
        tab.until("document.activeElement.name === 'message'")
        tab.write("x")
        tab.press("Enter")
        tab.event("Page.loadEventFired")
        assert "type the address into the address bar" in tab.text()
        assert count(served) == 0


def test_a_typed_address_writes(tab, served):
    tab.open(f"{served}/add?message=tap%C3%A9")
    assert json.loads(tab.text())["message"] == "tapé"
    assert count(served) == 1


def test_the_page_works_behind_a_proxy_that_renames_the_host(tab, environment):
    with (
        serving(environment) as (url, _),
        answering(forwarding(int(url.rpartition(":")[2]), "localhost:8080")) as port,
    ):
        tab.open(f"http://127.0.0.1:{port}/")
        tab.until_read("Protégé")
        tab.press("Tab")
        tab.write("par le proxy")
        tab.press("Enter")
        tab.until_read("Enregistré : message n° 1.")
        tab.call("Emulation.setScriptExecutionDisabled", value=True)
        tab.open(f"http://127.0.0.1:{port}/")
        for _ in range(3):
            tab.press("Tab")
        tab.write("sans script")
        tab.press("Enter")
        tab.event("Page.loadEventFired")
        assert count(url) == 2


def test_a_proxy_that_answers_in_the_place_of_the_server_is_told(tab, environment):
    def broken(handler):
        handler.send_response(502)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        handler.wfile.write(b"<h1>Bad gateway</h1>")

    with serving(environment) as (url, _):
        forward, down = forwarding(int(url.rpartition(":")[2]), "localhost:8080"), []

        def proxy(handler):
            (broken if down else forward)(handler)

        with answering(proxy) as port:
            tab.open(f"http://127.0.0.1:{port}/")
            tab.until_read("Protégé")
            down.append(True)
            tab.until_read("Le serveur ne répond pas")
            tab.press("Tab")
            tab.write("x")
            tab.press("Enter")
            tab.until_read("On ne sait pas si ce message est enregistré")
            down.clear()
            tab.until_read("Protégé")
