"""Reads what is noted for restoring by itself, by docs/format.md alone."""

import format_reader as reader


def data_volume(backup):
    """The position of the last verified backup, and what the data volume was on then."""
    fields = ("kind", "format", "lineage", "timeline", "filesystem", "shared", "below", "journal")
    found = reader.unseal(reader.content(f"{backup}/.pra/data-volume.json"), fields)
    reader.expect(
        (found["kind"], found["format"]) == ("pra-data-volume", 1), "it is no data volume"
    )
    return found


def auto_restore(backup):
    """What became of restoring by itself; None where nothing is known of that."""
    fields = ("kind", "format", "lineage", "timeline", "state", "times", "at", "what", "next")
    try:
        found = reader.unseal(reader.content(f"{backup}/.pra/auto-restore.json"), fields)
    except FileNotFoundError:
        return None
    reader.expect((found["kind"], found["format"]) == ("pra-auto-restore", 1), "it is no attempt")
    reader.expect(found["state"] in ("begun", "failed", "left"), "its state is unknown")
    return found


def offsite(backup):
    """How far the copies elsewhere go."""
    fields = ("kind", "format", "lineage", "place", "covered", "ended", "what")
    fields += ("history", "reached", "missing", "since", "proven")
    found = reader.unseal(reader.content(f"{backup}/.pra/offsite.json"), fields)
    reader.expect((found["kind"], found["format"]) == ("pra-offsite-state", 1), "it is no state")
    return found


def offsite_branch(backup):
    """Which copies are a volume's own since they were begun anew."""
    fields = ("format", "kind", "lineage", "id", "branch")
    found = reader.unseal(reader.content(f"{backup}/.pra/offsite-branch.json"), fields)
    reader.expect((found["kind"], found["format"]) == ("pra-offsite-branch", 2), "it is no branch")
    twin = reader.content(f"{backup}/.pra-copy/offsite-branch.json")
    reader.expect(reader.unseal(twin, fields) == found, "its copy differs")
    return found
