"""The page for people where PostgreSQL has the events, in a real browser."""

import json

import browser
import pytest
from conftest import serving
from postgres_servers import Forwarder, end_sessions, events_of, free_port


def test_the_page_shows_messages_and_replicas_and_that_the_database_is_away(tab, primary, pictures):
    events_of(primary).add("sur trois disques")
    forwarder = Forwarder(primary.port)
    environment = {"PRA_DATABASE_URL": primary.url(forwarder.port), "HOST": "127.0.0.1"}
    with serving({**environment, "PORT": "0"}) as (url, _):
        tab.open(url)
        tab.until_read("sur trois disques")
        tab.until_read("b (confirme, ")
        tab.until_read("arrêtée")
        assert "pra-data" not in tab.text()
        tab.submit("écrit par la page")
        tab.until_read("Enregistré : message n°")
        tab.picture(pictures / "replicated.png")
        forwarder.target = free_port()
        end_sessions(primary)
        tab.until_read("La base ne peut pas être lue")
        assert "sur trois disques" in tab.text()
        for width in (320, 1100):
            tab.look(width)
            assert tab.evaluate(browser.OVER) == []
            least, what = tab.evaluate(browser.LEAST_CONTRAST)
            assert least >= browser.CONTRAST, what
        forwarder.target = primary.port
        tab.until_read("b (confirme, ")
    forwarder.close()


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ({}, "good"),
        ({"notices": [{"what": "x", "next": "y"}]}, "look"),
        ({"unprotected": "no standby", "notices": [{"what": "no standby", "next": "y"}]}, "bad"),
        ({"count": None}, "bad"),
    ],
)
def test_what_the_page_says_of_replicas(tab, served, state, kind):
    tab.open(served)
    now = {"protection": "replication", "count": 1, "needs_restore": False, "notices": [], **state}
    said = tab.evaluate(f"judge({json.dumps(now)})")
    assert said[0] == kind and "cargo xtask" not in said[3]
    assert kind != "good" or "disque d’une réplique" in said[2]
