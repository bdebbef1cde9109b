"""Rules that somebody gave the database: what they refuse is refused for good, and by its name."""

import apsw
import pytest
from helpers import add, as_rows, bring, lose_data, rows
from together import adding, messages, together

from pra.base.errors import RuleBroken, StorageError
from pra.events.sqlite import SqliteEvents
from pra.protect import define
from pra.sql import connect
from pra.web.routes import create_app

MODES = pytest.mark.parametrize("mode", ["required", "off"])
BAD = "CREATE TRIGGER rule {when} INSERT ON events WHEN new.message LIKE 'bad%' BEGIN {does}; END"
DELETES = "DELETE FROM events WHERE id = new.id"
#: What a rule is made by, and what is told where it refuses a message "bad" after one of those.
RULES = {
    "ignored": (BAD.format(when="BEFORE", does="SELECT RAISE(IGNORE)"), "leaves that event out"),
    "taken back": (BAD.format(when="AFTER", does=DELETES), "leaves that event out"),
    "abort": (BAD.format(when="BEFORE", does="SELECT RAISE(ABORT, 'not so')"), "not so"),
    "fail": (BAD.format(when="AFTER", does="SELECT RAISE(FAIL, 'not so')"), "not so"),
    "rollback": (BAD.format(when="AFTER", does="SELECT RAISE(ROLLBACK, 'not so')"), "not so"),
    "unique": ("CREATE UNIQUE INDEX rule ON events(message)", "UNIQUE constraint failed"),
}
#: At COMMIT, and not before.
DEFERRED = """
CREATE TABLE known(name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE said(id INTEGER PRIMARY KEY, name TEXT NOT NULL,
                  FOREIGN KEY(name) REFERENCES known(name) DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER rule AFTER INSERT ON events WHEN new.message LIKE 'bad%' BEGIN
INSERT INTO said(name) VALUES(new.message); END"""


@pytest.fixture(params=RULES)
def rule(request):
    return RULES[request.param]


def ruled(config, mode, sql):
    """Settings, and the events of a database with a rule: one of a kind that it refuses."""
    config = config._replace(journal=mode)
    events = SqliteEvents(config)
    # Let pass before there was a rule: it is what an index compares with.
    events.add("bad")
    define.run(config, sql)
    events.add("good")
    return config, events


@MODES
@pytest.mark.parametrize("key", [None, "k"])
def test_what_a_rule_refuses_is_added_nowhere_and_is_told_so(config, where, rule, mode, key):
    sql, said = rule
    config, events = ruled(config, mode, sql)
    before = rows(where)
    for _ in range(2):
        # The second time as well: the key was not noted.
        with pytest.raises(RuleBroken, match=said) as refused:
            events.add("bad", key)
    assert "nothing was changed" in str(refused.value) and "define" in refused.value.next_step
    assert (rows(where), events.count()) == (before, 2)
    # The key is still to be had.
    after = before + as_rows([events.add("fine", key)])
    assert (rows(where), events.count()) == (after, 3)
    if mode == "required":
        lose_data(where)
        bring(config)
        assert rows(where) == after


def test_the_answer_is_final_and_asks_for_no_retry(config, where, rule):
    sql, said = rule
    config, _ = ruled(config, "required", sql)
    client = create_app(SqliteEvents(config)).test_client()
    answer = client.post("/add", data={"message": "bad"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422 and "Retry-After" not in answer.headers
    told = answer.get_json()
    assert said in told["error"] and "volume" not in told["next"]
    assert client.post("/add", data={"message": "fine"}).status_code == 200


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_rule_refuses_one_of_a_group_and_none_of_the_others(config, where, rule, place):
    config, events = ruled(config, "required", rule[0])
    refused_alone(config, where, events, place)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_so_does_a_rule_that_is_looked_at_by_the_commit(config, where, place):
    config, events = ruled(config, "required", DEFERRED)
    refused_alone(config, where, events, place)


def refused_alone(config, where, events, place):
    acts = [adding(events, f"{n}") for n in range(3)]
    acts.insert(place, adding(events, "bad"))
    with together(where, events, *acts) as asked:
        assert isinstance(asked.pop(place).error, RuleBroken)
        added = as_rows(one.result for one in asked)
        assert rows(where)[2:] == sorted(added) and len(added) == 3
    lose_data(where)
    bring(config)
    assert messages(where) == ["bad", "good", "0", "1", "2", "goes on"]


def test_a_rule_that_leaves_keys_out_refuses_what_has_one(config, where, events):
    add(events, 1)
    define.run(
        config,
        "CREATE TRIGGER rule BEFORE INSERT ON idempotency_keys BEGIN SELECT RAISE(IGNORE); END",
    )
    with pytest.raises(RuleBroken, match="leaves the row of idempotency_keys out"):
        events.add("one", "k")
    assert len(rows(where)) == 1
    assert events.add("one")["id"] == 2


@MODES
def test_a_rule_that_does_more_than_add_lets_pass_what_it_lets_pass(config, where, mode):
    config, events = ruled(
        config,
        mode,
        "CREATE TABLE audit(id INTEGER PRIMARY KEY, message TEXT);"
        "CREATE TRIGGER rule AFTER INSERT ON events BEGIN"
        " INSERT INTO audit(id, message) VALUES(100 + new.id, new.message);"
        " DELETE FROM events WHERE message = 'bad'; END",
    )
    added = events.add("one", "k")
    assert added["id"] == 3 and as_rows([added])[0] in rows(where)
    assert events.count() == len(rows(where)) == 2


def test_what_is_ignored_once_it_is_there_was_added(config, where):
    config, events = ruled(
        config, "required", BAD.format(when="AFTER", does="SELECT RAISE(IGNORE)")
    )
    added = events.add("bad", "k")
    assert rows(where)[2:] == as_rows([added])
    lose_data(where)
    bring(config)
    assert rows(where)[2:] == as_rows([added])


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM events", "DELETE FROM idempotency_keys"],
)
def test_what_a_guard_refuses_is_no_rule_of_somebody(where, events, change):
    events.add("one", "k")
    conn = apsw.Connection(where.link)
    conn.create_scalar_function("pra_writer", lambda: 0, 0)
    with pytest.raises(StorageError), connect.errors("testing"):
        conn.execute(change)
    conn.close()
