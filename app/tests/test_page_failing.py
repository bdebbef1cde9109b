"""The page where something fails: a server that is away, a lost answer, a list that is not read."""

import base64
import json
import re

import browser
import wire
from conftest import serving

from pra.base.layout import Layout
from pra.disk import locks


def answering_by_hand(tab, path):
    """Let each answer of a path wait until the test decides what becomes of it."""
    tab.call("Fetch.enable", patterns=[{"urlPattern": f"*/{path}", "requestStage": "Response"}])


def lose_an_answer(tab):
    """Have the server done what was asked, and nobody hear of it; returns the key."""
    paused = tab.event("Fetch.requestPaused")
    tab.call("Fetch.failRequest", requestId=paused["requestId"], errorReason="ConnectionReset")
    return paused["request"]["headers"]["Idempotency-Key"]


def test_a_server_that_is_away_is_told_and_comes_back(tab, environment, pictures):
    with serving(environment) as (url, _):
        wire.asked(url + "/add", "avant l'arrêt")
        tab.open(url)
        tab.until_read("avant l'arrêt")
    tab.until_read("Le serveur ne répond pas")
    assert re.search(r"Depuis \d{2}:\d{2}:\d{2}\.", tab.text())
    assert "avant l'arrêt" in tab.text()
    tab.submit("pendant l'arrêt")
    tab.until_read("On ne sait pas si ce message est enregistré")
    tab.picture(pictures / "server-away.png")
    with serving({**environment, "PORT": url.rpartition(":")[2]}):
        tab.until_read("Protégé")
        assert "ne répond pas" not in tab.text()
        tab.evaluate("document.querySelector('#doubtful button').click()")
        tab.until_read("Enregistré : message n° 2.")
        assert wire.asked(url + "/count") == {"count": 2}


def test_a_write_of_unknown_outcome_is_tried_again_under_the_same_key(tab, served):
    tab.open(served)
    tab.until_read("Protégé")
    tab.call("Fetch.enable", patterns=[{"urlPattern": "*/add", "requestStage": "Response"}])
    tab.submit("peut-être")
    paused = tab.event("Fetch.requestPaused")
    # It was written, and nobody hears of it.
    tab.call("Fetch.failRequest", requestId=paused["requestId"], errorReason="ConnectionReset")
    tab.until_read("On ne sait pas si ce message est enregistré")
    tab.call("Fetch.disable")
    tab.evaluate("document.querySelector('#doubtful button').click()")
    tab.until_read("Enregistré : message n° 1.")
    assert wire.asked(served + "/count") == {"count": 1}
    posted = [request["headers"] for request in tab.requests() if request["method"] == "POST"]
    keys = [headers["Idempotency-Key"] for headers in posted]
    assert len(keys) == 2 and len(set(keys)) == 1
    assert re.fullmatch(r'"[0-9a-f]{32}"', keys[0])
    tab.write("un autre")
    tab.press("Enter")
    tab.until("document.querySelector('#rows bdi')?.textContent === 'un autre'")
    posted = [request["headers"] for request in tab.requests() if request["method"] == "POST"]
    assert posted[-1]["Idempotency-Key"] != keys[0]


def test_every_write_of_unknown_outcome_keeps_its_key_and_its_way_back(tab, served, pictures):
    tab.open(served)
    tab.until_read("Protégé")
    answering_by_hand(tab, "add")
    keys = []
    tab.press("Tab")
    for number, message in enumerate(("premier", "deuxième"), start=1):
        tab.evaluate("document.querySelector('#message').value = ''")
        tab.write(message)
        tab.press("Enter")
        keys.append(lose_an_answer(tab))
        tab.until(f"document.querySelectorAll('#doubtful button').length === {number}")
    tab.look(320, scheme="dark")
    assert tab.evaluate(browser.OVER) == []
    least, what = tab.evaluate(browser.LEAST_CONTRAST)
    assert least >= browser.CONTRAST, what
    tab.picture(pictures / "in-doubt-320-dark.png")
    tab.look(1100)
    tab.picture(pictures / "in-doubt-1100-light.png")
    # Typed once more, it is the same write.
    tab.evaluate("document.querySelector('#message').value = ''")
    tab.write("premier")
    tab.press("Enter")
    assert lose_an_answer(tab) == keys[0]
    tab.until("sending === null")
    tab.call("Fetch.disable")
    # A reload forgets none.
    tab.open(served)
    tab.until("document.querySelectorAll('#doubtful button').length === 2")
    for left, number in ((1, 1), (0, 2)):
        tab.evaluate("document.querySelector('#doubtful button').focus()")
        tab.press("Enter")
        tab.until_read(f"Enregistré : message n° {number}.")
        tab.until(f"document.querySelectorAll('#doubtful button').length === {left}")
    assert tab.evaluate("document.activeElement.id") == "message"
    assert wire.asked(served + "/count") == {"count": 2}
    tab.open(served)
    tab.until_read("deuxième")
    assert tab.evaluate("document.querySelectorAll('#doubtful li').length") == 0


def test_a_refusal_does_not_settle_what_an_earlier_try_did(tab, environment, pictures):
    where = Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"])
    with serving(environment) as (url, _):
        tab.open(url)
        tab.until_read("Protégé")
        answering_by_hand(tab, "add")
        tab.submit("peut-être")
        lose_an_answer(tab)
        tab.until_read("On ne sait pas si ce message est enregistré")
        tab.call("Fetch.disable")
        with locks.writer(where, "testing"):
            tab.evaluate("document.querySelector('#doubtful button').click()")
            tab.until_read("Toujours incertain :")
        assert tab.evaluate("document.querySelector('#outcome [lang=en]').textContent.length") > 0
        tab.picture(pictures / "still-in-doubt.png")
        tab.evaluate("document.querySelector('#doubtful button').click()")
        tab.until_read("Enregistré : message n° 1.")
        assert wire.asked(url + "/count") == {"count": 1}


def test_a_list_that_cannot_be_read_is_the_last_one_and_the_reason_is_above(tab, served, pictures):
    wire.asked(served + "/add", "reste visible")
    tab.open(served)
    tab.until_read("reste visible")
    answering_by_hand(tab, "consultation")
    body = json.dumps({"status": "error", "error": "out of order", "next": "wait"}).encode()
    paused = tab.event("Fetch.requestPaused")
    tab.call(
        "Fetch.fulfillRequest",
        requestId=paused["requestId"],
        responseCode=503,
        responseHeaders=[{"name": "Content-Type", "value": "application/json"}],
        body=base64.b64encode(body).decode(),
    )
    tab.until_read("La liste n’a pas pu être lue : out of order")
    assert tab.evaluate("document.querySelector('#none [lang=en]').textContent") == "out of order"
    assert tab.evaluate(
        "document.querySelector('#none').getBoundingClientRect().bottom"
        " <= document.querySelector('#rows li').getBoundingClientRect().top"
    )
    assert "reste visible" in tab.text()
    tab.picture(pictures / "list-unread.png")
    wire.asked(served + "/add", "le nouveau")
    tab.call("Fetch.disable")
    tab.until_read("le nouveau")
    assert "n’a pas pu être lue" not in tab.text()
    shown = "[...document.querySelectorAll('#rows li')].map(one => one.className)"
    assert tab.evaluate(shown) == ["new", ""]
