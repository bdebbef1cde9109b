"""The page for people: who gets it, what it may do, what it shows in a real browser."""

import base64
import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import sqlite3

import browser
import pytest
import wire
from conftest import pra, serving
from helpers import lose_data

from pra.base.layout import Layout
from pra.sql import guards
from pra.web.message import MAX_MESSAGE

BROWSERS = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accepted", "kind"),
    [
        (BROWSERS, "text/html"),
        ("text/html", "text/html"),
        ("text/*;q=0.9, application/json;q=0.8", "text/html"),
        ("application/json;q=0.4, text/html;q=0.5", "text/html"),
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html", "application/json"),
        ("text/html;q=0.4, application/json;q=0.5", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("image/png", "application/json"),
        ("nonsense", "application/json"),
    ],
)
def test_a_browser_gets_the_page_and_everybody_else_json(client, accepted, kind):
    answer = client.get("/", headers={"Accept": accepted} if accepted else {})
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert answer.headers["Vary"] == "Accept, Accept-Language"
    assert answer.headers["Cache-Control"] == "no-store"
    if kind == "application/json":
        assert answer.get_json() == {"status": "Bonjour tout le monde !"}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "fr"),
        ("*", "fr"),
        ("de", "fr"),
        ("fr-CA,fr;q=0.9", "fr"),
        ("en-US,en;q=0.9", "en"),
        ("de,en;q=0.8,fr;q=0.7", "en"),
        ("en;q=0.5, fr;q=0.8", "fr"),
    ],
)
def test_the_page_speaks_french_unless_english_is_preferred(client, asked, language):
    headers = {"Accept": BROWSERS, **({"Accept-Language": asked} if asked else {})}
    answer = client.get("/", headers=headers)
    text = answer.get_data(as_text=True)
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in text
    assert "Bonjour tout le monde&nbsp;!" in text
    assert ("Votre message" in text, "Your message" in text) == (language == "fr", language == "en")
    assert "{{" not in text


def test_the_page_may_use_its_own_script_and_style_and_nothing_else(client):
    answer = client.get("/", headers={"Accept": "text/html"})
    text, policy = answer.get_data(as_text=True), answer.headers["Content-Security-Policy"]
    for tag in ("script", "style"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    for rule in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text)
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_leads_back_to_the_page_and_a_program_gets_the_answer(client, kind):
    sent = {"data": {"message": "x"}, "content_type": kind}
    from_page = client.post("/add", headers={"Accept": BROWSERS}, **sent)
    assert (from_page.status_code, from_page.headers["Location"]) == (303, "./")
    assert client.post("/add", **sent).status_code == 200
    typed = client.get("/add?message=x", headers={"Accept": BROWSERS})
    assert (typed.status_code, typed.mimetype) == (200, "application/json")
    assert client.get("/count").get_json() == {"count": 3}


def test_the_page_loads_without_a_complaint_and_asks_nobody_else(tab, served):
    tab.open(served)
    tab.until_read("Protégé")
    tab.until_read("Aucun message")
    # Once more by itself.
    before = len(tab.requests())
    tab.until("performance.getEntriesByName(location.href + 'status').length > 1")
    assert len(tab.requests()) > before
    assert tab.complaints() == []
    asked_for = {request["url"] for request in tab.requests()}
    own = {f"{served}/{path}" for path in ("", "status", "consultation")}
    assert {url for url in asked_for if not url.startswith("data:")} == own


def test_a_message_is_added_by_keyboard_and_appears(tab, served):
    tab.open(served)
    tab.until_read("Protégé")
    tab.submit("bonjour 👋 à tous")
    tab.until_read("Enregistré : message n° 1.")
    tab.until("document.querySelector('#rows li bdi')?.textContent === 'bonjour 👋 à tous'")
    [row] = wire.asked(served + "/consultation")
    assert row["message"] == "bonjour 👋 à tous"
    shown = tab.evaluate("document.querySelector('#rows time').dateTime")
    assert shown == row["timestamp"]
    assert tab.evaluate("document.activeElement.id + document.activeElement.value") == "message"
    assert tab.complaints() == []


def test_what_others_write_appears_by_itself_and_as_text(tab, served):
    tab.open(served)
    message = "<script>document.title='taken'</script><img src=x onerror=alert(1)>\u202e"
    wire.asked(served + "/add", message)
    tab.until_read("<script>")
    assert tab.evaluate("document.querySelector('#rows bdi').textContent") == message
    assert tab.evaluate("document.querySelectorAll('#rows img, #rows script').length") == 0
    assert tab.evaluate("document.title") == "Bonjour tout le monde !"
    assert tab.complaints() == []


def test_what_is_blank_or_too_long_is_said_in_the_language_of_the_page(tab, served):
    tab.open(served)
    assert tab.evaluate("LONGEST") == MAX_MESSAGE
    tab.until_read("Protégé")
    tab.submit(" \u2003")
    tab.until_read("Non enregistré : le message est vide.")
    tab.evaluate("document.querySelector('#message').value = ''")
    # Fewer characters than the most, and more bytes.
    tab.write("é" * 2049)
    tab.press("Enter")
    tab.until_read("le message fait 4\u202f098 octets (UTF-8), et le maximum est 4\u202f096.")
    assert tab.evaluate("document.querySelector('#message').value.length") == 2049
    assert not [one for one in tab.requests() if one["method"] == "POST"]
    tab.evaluate("document.querySelector('#message').value = ''")
    tab.write("é" * 2048)
    tab.press("Enter")
    tab.until_read("Enregistré : message n° 1.")
    [row] = wire.asked(served + "/consultation")
    assert row["message"] == "é" * 2048
    assert tab.complaints() == []


def test_the_page_calls_blank_what_the_server_calls_blank(tab, served):
    tab.open(served)
    blank = tab.evaluate(
        "Array.from({length: 0x10ffff}, (_, at) => at).filter(at => (at < 0xd800 || at > 0xdfff)"
        " && refusal(String.fromCodePoint(at)))"
    )
    assert blank == [at for at in range(0x10FFFF) if not chr(at).strip()]


def test_the_page_is_in_the_language_of_its_reader(tab, served):
    wire.asked(served + "/add", "x")
    tab.open(served, "en-GB,en;q=0.9")
    tab.until_read("Every message that is confirmed is on both volumes.")
    assert "Your message" in tab.text()
    tab.open(served, "fr-FR,fr;q=0.9,en;q=0.8")
    tab.until_read("Chaque message confirmé est sur les deux volumes.")
    assert "Votre message" in tab.text()


def test_without_javascript_the_form_writes_and_comes_back(tab, served, pictures):
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(served)
    # Nobody asked, so nothing is said of the protection.
    assert "Sans JavaScript" in tab.text()
    for part in ("#state", "#protected", "#list"):
        assert not tab.evaluate(f"document.querySelector('{part}').checkVisibility()")
    assert "Protection" not in tab.text()
    tab.picture(pictures / "without-javascript.png")
    tab.press("Tab")
    # The links for who has no script come first.
    for _ in range(2):
        tab.press("Tab")
    tab.write("sans script")
    tab.press("Enter")
    tab.event("Page.loadEventFired")
    assert [row["message"] for row in wire.asked(served + "/consultation")] == ["sans script"]
    posted = [request for request in tab.requests() if request["method"] == "POST"]
    assert [request["url"] for request in posted] == [f"{served}/add"]
    assert tab.call("Page.getNavigationHistory")["entries"][-1]["url"] == f"{served}/"


def test_a_lost_volume_and_its_restore_are_seen_without_a_reload(tab, environment, pictures):
    with serving(environment) as (url, _):
        wire.asked(url + "/add", "avant le sinistre")
        assert pra(environment, "backup").returncode == 0
        wire.asked(url + "/add", "journalisé")
        tab.open(url)
        tab.until_read("avant le sinistre")
        tab.evaluate("window.loadedOnce = true")
        lose_data(Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"]))
        tab.until_read("Restauration nécessaire")
        tab.until_read("Les messages ne sont plus là.")
        assert "cargo xtask restore latest" in tab.text()
        assert "avant le sinistre" not in tab.text()
        tab.submit("trop tôt")
        tab.until_read("Non enregistré : il faut d’abord restaurer.")
        tab.picture(pictures / "volume-lost.png")
        least, what = tab.evaluate(browser.LEAST_CONTRAST)
        assert least >= browser.CONTRAST, what
        assert pra(environment, "restore", "latest").returncode == 0
        tab.until_read("avant le sinistre")
        tab.until_read("journalisé")
        tab.until_read("Chaque message confirmé est sur les deux volumes.")
        assert tab.evaluate("window.loadedOnce")
        assert tab.evaluate("document.querySelector('#message').value") == "trop tôt"
        # What was refused meanwhile does not have to wait any more, and is still not saved.
        tab.until_read("La base est revenue ; votre message n’est pas encore enregistré.")
        assert "il faut d’abord restaurer" not in tab.text()
        tab.evaluate("document.querySelector('#outcome button').click()")
        tab.until_read("Enregistré : message n° 3.")


def test_a_volume_lost_before_the_first_point_is_brought_back_as_the_page_says(
    tab, environment, pictures
):
    with serving(environment) as (url, _):
        wire.asked(url + "/add", "seulement au journal")
        tab.open(url)
        tab.until_read("seulement au journal")
        lose_data(Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"]))
        tab.until_read("Restauration nécessaire")
        tab.until_read("ce qui ramène ce que le journal a gardé")
        assert tab.evaluate("document.querySelector('#do').textContent") == (
            "cargo xtask restore latest"
        )
        for width, scheme in itertools.product((320, 1100), ("light", "dark")):
            tab.look(width, scheme=scheme)
            assert tab.evaluate(browser.OVER) == []
            least, what = tab.evaluate(browser.LEAST_CONTRAST)
            assert least >= browser.CONTRAST, what
            tab.picture(pictures / f"lost-without-points-{width}-{scheme}.png")
        assert pra(environment, "restore", "latest").returncode == 0
        tab.until_read("seulement au journal")
        tab.until_read("Protégé")


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ({"points": 0, "protection": "journal"}, "latest"),
        ({"points": 2, "protection": "journal"}, "latest"),
        ({"points": 2, "protection": "snapshot"}, "latest"),
        ({"points": None, "protection": "journal"}, "latest"),
        ({"points": 0, "protection": "snapshot"}, "latest --plan"),
        ({"points": 2, "protection": "journal", "journal_damage": "a hole"}, "latest --plan"),
    ],
)
def test_a_lost_database_always_has_a_command_that_comes_next(tab, served, state, command):
    tab.open(served)
    now = {"needs_restore": True, "journal_damage": None, **state}
    said = tab.evaluate(f"judge({json.dumps(now)})")
    assert (said[0], said[3]) == ("bad", f"cargo xtask restore {command}")
    assert "aucun point à restaurer" not in said[2]


def test_write_guards_that_are_gone_have_the_ways_on_that_a_refused_write_has(tab, environment):
    where = Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"])
    with serving(environment) as (url, _):
        wire.asked(url + "/add", "x")
        tab.open(url)
        tab.until_read("Protégé")
        with contextlib.closing(sqlite3.connect(where.link)) as conn:
            conn.execute("DROP TRIGGER pra_guard_delete")
        tab.until_read("Non protégé")
        tab.until("document.querySelectorAll('#notices li').length === 1")
        ways = tab.evaluate(f"typed({json.dumps(guards.WAYS_ON)})")
        assert ways.startswith("cargo xtask restore latest --plan")
        assert tab.evaluate("document.querySelector('#notices code').textContent") == ways
        assert tab.evaluate("document.querySelector('#do').textContent") == ""
        tab.submit("refusé")
        tab.until("document.querySelector('#outcome [lang=en]') !== null")
        assert ways in tab.evaluate("document.querySelector('#outcome').textContent")


def test_the_page_names_commands_as_the_prompt_does(tab, served):
    tab.open(served)
    with open(os.path.join(os.path.dirname(__file__), "typed.json"), encoding="utf-8") as file:
        cases = json.load(file)
    assert cases
    for theirs, ours in cases:
        assert tab.evaluate(f"typed({json.dumps(theirs)})") == ours


def test_nothing_is_asked_while_nobody_looks(tab, served):
    tab.open(served)
    tab.until_read("Protégé")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    changed = "document.dispatchEvent(new Event('visibilitychange'))"
    tab.evaluate(hide % "true" + changed)
    # What was under way was asked for before; nothing follows for longer than two turns.
    before = len(tab.requests())
    tab.evaluate("new Promise(done => setTimeout(done, 4500))")
    assert len(tab.requests()) == before
    tab.evaluate(hide % "false" + changed)
    tab.until(f"performance.getEntriesByType('resource').length > {before - 1}")


def test_the_page_fits_every_window_and_can_be_read(tab, environment, pictures):
    with serving(environment) as (url, _):
        for message in ("Premier essai", "Un message plus long, " * 12, "x" * 300, "שלום עולם"):
            wire.asked(url + "/add", message)
        assert pra(environment, "backup").returncode == 0
        tab.open(url)
        tab.until_read("Premier essai")
        tab.until_read("il y a")
        tab.press("Tab")
        for width, scheme in itertools.product((320, 768, 1100), ("light", "dark")):
            tab.look(width, scheme=scheme)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            # The protection comes before a list of any length, or beside it.
            [shown, listed] = tab.evaluate(
                "['#protected', '#list'].map(one =>"
                " document.querySelector(one).getBoundingClientRect().top)"
            )
            assert shown < listed
            assert tab.evaluate(browser.OVER) == []
            least, what = tab.evaluate(browser.LEAST_CONTRAST)
            assert least >= browser.CONTRAST, what
            assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            tab.picture(pictures / f"page-{width}-{scheme}.png")


def test_what_somebody_should_see_to_is_shown_with_what_comes_next(tab, environment, pictures):
    with serving(environment) as (url, _):
        wire.asked(url + "/add", "x")
        tab.open(url)
        tab.until_read("Protégé")
        shutil.rmtree(environment["PRA_BACKUP_DIR"])
        tab.until_read("Non protégé")
        tab.until_read("the backup volume is not there (pra-backup is no folder)")
        tab.until_read("cargo xtask backup --new-volume")
        assert environment["PRA_BACKUP_DIR"] not in tab.text()
        for width, scheme in ((320, "dark"), (1100, "light")):
            tab.look(width, scheme=scheme)
            assert tab.evaluate(browser.OVER) == []
            # On a small window too it is seen before anything is read.
            assert (
                tab.evaluate("document.querySelector('#notices').getBoundingClientRect().top") < 450
            )
            least, what = tab.evaluate(browser.LEAST_CONTRAST)
            assert least >= browser.CONTRAST, what
            tab.picture(pictures / f"not-protected-{width}-{scheme}.png")
