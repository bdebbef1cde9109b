"""The journal's format, in bytes alone."""

import json
import random

import pytest

from pra.journal import records, scanning
from pra.journal.records import ABORT, SEAL, TRANSACTION, Record, SegmentHeader, State
from pra.journal.scanning import Scan


@pytest.mark.parametrize("counter", [None, "text", 1.5, 7])
def test_a_payload_holds_any_counter(counter):
    payload = records.payload_of({'a "table"': counter, "events": 2}, b"changes")
    assert records.sequences_of(payload) == {'a "table"': counter, "events": 2}
    assert records.changeset_of(payload) == b"changes"


def some_records(rng: random.Random) -> tuple[bytes, list[tuple[int, State]]]:
    """Records as the journal writes them, and each state with the offset where it holds."""
    state = SegmentHeader("lineage", 1, 3, "ab" * 32, 3, "ab" * 32, "schema", False).state()
    raw, states = b"", [(0, state)]
    for _ in range(rng.randrange(1, 9)):
        kind = TRANSACTION
        if state.before is not None and rng.random() < 0.2:
            kind = ABORT
        elif rng.random() < 0.05:
            kind = SEAL
        seq = state.seq + (kind == TRANSACTION)
        length = rng.choice([0, 1, 100, 20_000]) if kind == TRANSACTION else 0
        payload, pending = rng.randbytes(length), min(seq - 1, rng.randrange(5))
        data, digest = records.encode(kind, seq, 1, payload, state.chain, pending)
        end = len(raw) + len(data)
        state = records.after(state, Record(kind, seq, 1, payload, digest, len(raw), end))
        raw += data
        states.append((end, state))
        if state.sealed:
            break
    return raw, states


def test_following_to_a_place_finds_what_a_scan_finds_or_nothing():
    rng, followed = random.Random(7), 0
    for _ in range(1500):
        raw, states = some_records(rng)
        at, state = rng.choice(states)
        behind = (raw + bytes(rng.choice([0, 10, records.HEADER, 5000])))[at:]
        scan = Scan(behind, at, state, base=at)
        found = scan.read()
        for place in {one.applied for _, one in states}:
            there = scanning.follow(behind[:16_384], state, place)
            if there is None:
                continue
            followed += 1
            expected = scan.state._replace(before=None)
            assert there == (expected, scan.end - at, scan.durable(found))
            assert scan.state.applied == place and scan.fault is None
    assert followed > 200


def test_following_passes_by_no_damage():
    rng = random.Random(3)
    for _ in range(300):
        raw, states = some_records(rng)
        place, state = states[-1][1].applied, states[0][1]
        behind = raw + bytes(records.HEADER)
        if not scanning.follow(behind, state, place):
            continue
        damaged, bit = bytearray(behind), rng.randrange(len(raw) * 8)
        damaged[bit // 8] ^= 1 << bit % 8
        assert scanning.follow(bytes(damaged), state, place) is None


@pytest.mark.parametrize(
    "sequences", [{}, {"events": 17}, {'é"': 3, "b": 0}, {"a": "x"}, {None: 3}, {"a": 1.5}]
)
def test_a_payload_has_the_counters_as_compact_json(sequences):
    text = json.dumps(sequences, separators=(",", ":")).encode()
    assert records.payload_of(sequences, b"changes")[4:] == text + b"changes"
