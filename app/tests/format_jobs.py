"""A reader of what jobs did, written from docs/format.md alone."""

from format_reader import content, expect, unseal

HALF = 8192
FIELDS = ("kind", "format", "number", "jobs", "running")


def record(backup):
    """What jobs did, by job, and which are under way: of the newer half that is whole."""
    raw = content(f"{backup}/.pra/jobs/record")
    expect(len(raw) == 2 * HALF, "the record of jobs has another size")
    halves = [raw[:HALF].rstrip(b"\0"), raw[HALF:].rstrip(b"\0")]
    found = {at: unseal(half, FIELDS) for at, half in enumerate(halves) if half}
    at, newest = max(found.items(), key=lambda one: one[1]["number"])
    expect((newest["kind"], newest["format"]) == ("pra-jobs", 1), "it is another kind of file")
    expect(newest["number"] % 2 == at, "it is in the other half")
    done = {
        name: {"runs": runs, "last": last, "seconds": seconds}
        for name, (runs, last, seconds) in newest["jobs"].items()
    }
    return done, newest["running"]
