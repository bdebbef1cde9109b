"""Reads the two volumes by docs/format.md alone, with nothing but Python's standard library.

Whatever is not as that page says is an error: a reader that guessed would hide that the
page is out of date.
"""

import hashlib
import json
import os
import re
import struct
import zlib
from typing import NamedTuple

MARK = ("format", "lineage", "id")
POSITION = ("lineage", "timeline", "seq", "hash", "schema", "start_rows")
COLUMNS = (
    *POSITION,
    *("left_seq", "left_hash", "unjournaled_to", "durable_seq", "durable_hash", "rows", "rows_seq"),
    "rows_schema",
)
BRANCH = ("timeline", "seq", "hash")
TIMELINE = (
    *("format", "lineage", "number", "parent", "seq", "hash", "empty", "schema", "point"),
    *("safety", "left", "before", "created", "replaced", "also_kept", "highest_id", "request"),
    "steady_time",
)
ACTIVE = ("format", "lineage", "number", "hash")
REQUEST = ("name", "target", "answer")
SEGMENT = (
    *("lineage", "timeline", "seq", "chain", "applied_seq", "applied_hash", "schema", "rebase"),
)
POINT = {
    *("format", "serial", "created", "created_epoch", "created_time", "steady_time", "clock"),
    *("lineage", "rows", "max_id", "position", "sha256", "bytes", "status", "reason", "name"),
}
READABLE, RAW = {"highest_issued", "sqlite"}, {"wal"}
SOMETIMES = {"accepted", "suspect_since", "begins"}
EXPORT = (
    *("kind", "format", "created", "created_time", "rows", "max_id", "highest_issued"),
    *("position", "sqlite", "sha256", "bytes"),
)
TRANSACTION, ABORT, SEAL = 1, 2, 3
INSERT, UPDATE, DELETE = 18, 23, 9


class FormatError(Exception):
    """Something is not as docs/format.md says."""


class Place(NamedTuple):
    """A transaction number and the hash of that transaction, in hex."""

    seq: int
    hash: str


class Record(NamedTuple):
    """One record of a segment."""

    kind: int
    seq: int
    pending: int
    time_ms: int
    payload: bytes
    hash: str


class Segment(NamedTuple):
    """A segment that was read: header, records, whether a seal ends it, what is wrong there."""

    name: str
    header: dict
    records: list
    sealed: bool
    fault: str | None


class Change(NamedTuple):
    """One changed row; ``key`` tells which columns are part of the primary key."""

    table: str
    operation: int
    key: list
    old: list | None
    new: list | None


def expect(fits, what):
    """Refuse what the page does not say."""
    if not fits:
        raise FormatError(what)


def content(path):
    """A file's bytes."""
    with open(path, "rb") as file:
        return file.read()


def unseal(raw, fields=None):
    """A sealed document without its seal."""
    body, mark = raw[:-76], raw[-76:]
    seal = hashlib.sha256(body).hexdigest()
    expect(mark == b',"seal":"' + seal.encode() + b'"}\n', "the seal does not fit")
    document = json.loads(body + b"}")
    compact = json.dumps(document, separators=(",", ":")).encode()
    expect(compact == body + b"}", "the document is not compact JSON in ASCII")
    expect(fields is None or tuple(document) == tuple(fields), f"fields are {tuple(document)}")
    return document


def twice(volume, name, fields):
    """A document that is kept twice; None if neither copy is there."""
    found = []
    for folder in (".pra", ".pra-copy"):
        try:
            found.append(unseal(content(f"{volume}/{folder}/{name}"), fields))
        except FileNotFoundError:
            found.append(None)
        except FormatError:
            found.append(False)
    sound = [one for one in found if one]
    expect(sound or found == [None, None], f"both copies of {name} are lost")
    expect(all(one == sound[0] for one in sound), f"the copies of {name} differ")
    expect(all(one["format"] == 2 for one in sound), f"{name} has another format")
    return sound[0] if sound else None


def mark(volume):
    """A volume's mark."""
    return twice(volume, "volume.json", MARK)


def generation(data):
    """The folder that the link leads to."""
    found = re.fullmatch(r"(g[0-9]+)/app\.db", os.readlink(f"{data}/app.db"))
    expect(found, "the link leads to no generation")
    return f"{data}/{found[1]}"


def acknowledged(database):
    """The last acknowledged number that no journal has; None without the file."""
    try:
        raw = content(f"{database}-acknowledged")
    except FileNotFoundError:
        return None
    magic, number, crc = struct.unpack("<8sQI", raw)
    expect(magic == b"PRA ack\n" and crc == zlib.crc32(raw[:16]), "the number is damaged")
    return number


def wrong_pages(raw):
    """Numbers of the pages of a database file whose checksum is not that of their bytes."""
    size = int.from_bytes(raw[16:18], "big")
    expect(size == 4096 and raw[20] == 8, "the pages have another size, or no checksums")
    found = []
    for start in range(0, len(raw), size):
        page = raw[start : start + size]
        one = two = 0
        for a, b in struct.iter_unpack("<II", page[:-8]):
            one = (one + a + two) & 0xFFFFFFFF
            two = (two + b + one) & 0xFFFFFFFF
        if struct.pack("<II", one, two) != page[-8:]:
            found.append(start // size + 1)
    return found


def position(conn):
    """What a database says of its place, and what its journal had durably."""
    return conn.execute(f"SELECT {', '.join(COLUMNS)} FROM pra_position WHERE id = 1").fetchone()


def schema_hash(conn):
    """The hash of the tables' definitions."""
    digest = hashlib.sha256()
    numbers = [
        conn.execute(f"PRAGMA {of}").fetchone()[0] for of in ("user_version", "application_id")
    ]
    if any(numbers):
        digest.update(f"[{numbers[0]}, {numbers[1]}]".encode())
    ours = {"pra_position", "pra_guard_insert", "pra_guard_update", "pra_guard_delete"}
    for row in conn.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"):
        if row[1] not in ours and not row[1].startswith("sqlite_"):
            digest.update(b"".join((of or "").encode() + b"\0" for of in row) + b"\0")
    return digest.hexdigest()


def points(backup):
    """Every point by name, as its manifest says, with "status" as a listing shows it."""
    names = {name[:-3] for name in os.listdir(backup) if re.fullmatch(r"app-[0-9]+\.db", name)}
    names |= {name[:-5] for name in os.listdir(backup) if re.fullmatch(r"app-[0-9]+\.json", name)}
    return {f"{name}.db": _point(backup, name) for name in names}


def _point(backup, name):
    if not os.path.exists(f"{backup}/{name}.json"):
        return {"status": "foreign"}
    try:
        known = unseal(content(f"{backup}/{name}.json"))
        raw = content(f"{backup}/{name}.db")
    except (FormatError, FileNotFoundError):
        return {"status": "damaged"}
    of = RAW if known["rows"] is None else READABLE
    expect(POINT | of <= set(known) <= POINT | of | SOMETIMES, f"{name} has {set(known)}")
    expect((known["format"], known["name"]) == (1, f"{name}.db"), f"{name} is of another kind")
    if known["lineage"] != mark(backup)["lineage"]:
        return {**known, "status": "foreign"}
    found = len(raw), hashlib.sha256(raw).hexdigest()
    return known if found == (known["bytes"], known["sha256"]) else {**known, "status": "damaged"}


def timelines(backup):
    """Every timeline by number, with "active"."""
    found = {}
    for name in os.listdir(f"{backup}/.pra/timelines"):
        number, _, kind = name.partition(".")
        if kind == "json":
            one = twice(backup, f"timelines/{name}", TIMELINE)
            active = twice(backup, f"timelines/{number}.active", ACTIVE)
            for field in ("parent", "left", "before"):
                expect(one[field] is None or tuple(one[field]) == BRANCH, f"{field} of {name}")
            expect(one["request"] is None or tuple(one["request"]) == REQUEST, "its request")
            same = active is None or all(active[field] == one[field] for field in ACTIVE)
            expect(same and one["number"] == int(number), f"{name} is another one's")
            found[int(number)] = {**one, "active": active is not None}
    return found


def live_path(backup):
    """The live timeline and its ancestors, the oldest first, each with the place it is left at."""
    known = timelines(backup)
    one, limit, path = known[max(n for n in known if known[n]["active"])], None, []
    while one:
        path.insert(0, (one, limit))
        parent = one["parent"]
        limit = Place(parent["seq"], parent["hash"]) if parent else None
        one = known[parent["timeline"]] if parent else None
    return path


def segments(backup, timeline):
    """The segments of a timeline, in order."""
    folder = f"{backup}/.pra/journal"
    names = sorted(
        name for name in os.listdir(folder) if re.fullmatch(rf"{timeline}-[0-9]{{20}}\.seg", name)
    )
    return [segment(f"{folder}/{name}") for name in names]


def segment(path):
    """Read one segment."""
    raw, name = content(path), os.path.basename(path)
    expect(raw[:22] == b"PRA journal segment 1\n", f"{name} has another magic")
    (length,) = struct.unpack_from("<I", raw, 22)
    header = json.loads(raw[26 : 26 + length])
    expect(tuple(header) == SEGMENT, f"{name} has {tuple(header)}")
    expect(not any(raw[26 + length : 1020]), f"the header of {name} is not filled with zeros")
    expect(struct.unpack_from("<I", raw, 1020)[0] == zlib.crc32(raw[:1020]), f"{name}: its CRC")
    expect(name == f"{header['timeline']}-{header['seq'] + 1:020d}.seg", f"{name} is not its name")
    records, end = _records(raw, header)
    sealed = bool(records) and records[-1].kind == SEAL
    least = 1024 + 64 + len(records[0].payload) + 128 if records else 0
    expect(len(raw) == max(1 << 20, least), f"{name} has {len(raw)} bytes")
    fault = "something lies behind its end" if any(raw[end:]) else None
    return Segment(name, header, records, sealed, fault)


def _records(raw, header):
    found, at, seq, chain = [], 1024, header["seq"], bytes.fromhex(header["chain"])
    while at + 64 <= len(raw) and not (found and found[-1].kind == SEAL):
        head = raw[at : at + 64]
        magic, kind, pending, number, time_ms, length = struct.unpack("<4sB3sQQI", head[:28])
        payload = raw[at + 64 : at + 64 + length]
        digest = hashlib.sha256(chain + head[:28] + payload).digest()
        sound = magic == b"PRAR" and head[28:60] == digest
        if not sound or struct.unpack("<I", head[60:])[0] != zlib.crc32(head[:60]):
            break
        follows = {TRANSACTION: seq + 1, ABORT: seq, SEAL: seq}[kind]
        expect(number == follows, f"record {number} does not follow {seq}")
        expect(kind == TRANSACTION or not payload, f"record {number} has a payload")
        before = int.from_bytes(pending, "little")
        found.append(Record(kind, number, before, time_ms, payload, digest.hex()))
        seq, chain, at = number, digest, at + 64 + length
    return found, at


def transactions(backup):
    """Each committed transaction that is there: (timeline, schema hash, record)."""
    for one, limit in live_path(backup):
        for part in segments(backup, one["number"]):
            aborted = {record.seq for record in part.records if record.kind == ABORT}
            for record in part.records:
                within = limit is None or record.seq <= limit.seq
                if record.kind == TRANSACTION and record.seq not in aborted and within:
                    yield one["number"], part.header["schema"], record


def counters(payload):
    """AUTOINCREMENT's counters in a transaction's payload, and its changeset."""
    (length,) = struct.unpack_from("<I", payload)
    return json.loads(payload[4 : 4 + length]), payload[4 + length :]


def changes(changeset):
    """The changes of a changeset, in order."""
    at, table, key = 0, None, []
    while at < len(changeset):
        if changeset[at] == ord("T"):
            columns, at = _varint(changeset, at + 1)
            key = [byte != 0 for byte in changeset[at : at + columns]]
            end = changeset.index(0, at + columns)
            table, at = changeset[at + columns : end].decode(), end + 1
            continue
        operation, indirect, at = changeset[at], changeset[at + 1], at + 2
        expect(operation in (INSERT, UPDATE, DELETE) and indirect in (0, 1), "unknown operation")
        old = new = None
        if operation != INSERT:
            old, at = _row(changeset, at, len(key))
        if operation != DELETE:
            new, at = _row(changeset, at, len(key))
        yield Change(table, operation, key, old, new)


def _row(raw, at, columns):
    """Values of a row; Ellipsis for one that is not stated."""
    values = []
    for _ in range(columns):
        kind, at = raw[at], at + 1
        if kind in (1, 2):
            values.append(struct.unpack_from(">q" if kind == 1 else ">d", raw, at)[0])
            at += 8
        elif kind in (3, 4):
            length, at = _varint(raw, at)
            value, at = raw[at : at + length], at + length
            values.append(value.decode() if kind == 3 else value)
        else:
            expect(kind in (0, 5), f"a value has the type {kind}")
            values.append(None if kind else ...)
    return values, at


def _varint(raw, at):
    value = 0
    for count in range(9):
        byte, at = raw[at], at + 1
        if count == 8:
            return value << 8 | byte, at
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at


def mode(backup):
    """The journal's mode that the servers were started with last."""
    found = unseal(content(f"{backup}/.pra/mode.json"), ("kind", "format", "journal"))
    expect((found["kind"], found["format"]) == ("pra-mode", 1), "it is no mode")
    return found["journal"]


def damage(backup):
    """What the last backup found wrong; None if nothing."""
    try:
        return unseal(content(f"{backup}/.pra/damage.json"), ("generation", "what", "next"))
    except FileNotFoundError:
        return None


def exported(raw):
    """Manifest and database of an exported file."""
    sealed, at = _member(raw, 0, "manifest.json")
    known = unseal(sealed, EXPORT)
    expect((known["kind"], known["format"]) == ("pra-export", 1), "it is another kind of file")
    database, end = _member(raw, at, "app.db", int(known["created_time"]))
    expect(raw[end:] == bytes(1024), "it does not end with two blocks of zeros")
    found = len(database), hashlib.sha256(database).hexdigest()
    expect(found == (known["bytes"], known["sha256"]), "app.db is not what the manifest says")
    return known, database


def _member(raw, at, name, moment=None):
    """One member of a tar as it has to be, and where the next one begins."""
    header, start = raw[at : at + 512], at + 512
    size, mtime = int(header[124:135], 8), int(header[136:147], 8)
    expect(moment in (None, mtime), f"the time of {name} is another")
    fields = b"0000600\0" + b"0000000\0" * 2 + b"%011o\0%011o\0" % (size, mtime)
    blank = name.encode().ljust(100, b"\0") + fields + b" " * 8 + b"0" + bytes(100)
    blank = (blank + b"ustar  \0").ljust(512, b"\0")
    wanted = blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]
    expect(header == wanted, f"the header of {name} is another")
    end = start + size
    padded = end + -size % 512
    expect(not any(raw[end:padded]), f"{name} is not filled up with zeros")
    return raw[start:end], padded
