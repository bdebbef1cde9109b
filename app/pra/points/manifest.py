"""The manifest beside a point: what was verified when the point was made."""

from itertools import repeat

from pra.base import sealing

FORMAT = 1
KEPT_STATUS = ("verified", "quarantined", "safety")
_ABSENT = object()
_FIELDS = {
    "format": int,
    "name": str,
    "serial": int,
    "created": str,
    "created_epoch": int,
    "created_time": (int, float),
    "bytes": int,
    "sha256": str,
    "status": str,
    "rows": (int, type(None)),
    "max_id": (int, type(None)),
    "reason": (str, type(None)),
    "position": (dict, type(None)),
}


def decode(raw: bytes, name: str) -> dict:
    """Read the manifest of the point ``name``.

    Raises:
        ValueError: says what is wrong with it.
    """
    content = sealing.unseal(raw)
    # One pass in C where all is well: listings decode thousands of these.
    if not all(map(isinstance, map(content.get, _FIELDS, repeat(_ABSENT)), _FIELDS.values())):
        field = next(
            f for f, kind in _FIELDS.items() if not isinstance(content.get(f, _ABSENT), kind)
        )
        raise ValueError(f"the manifest has no valid {field}")
    if content["format"] != FORMAT:
        raise ValueError(f"the manifest has format {content['format']}, known is {FORMAT}")
    if content["name"] != name:
        raise ValueError(f"the manifest belongs to {content['name']}")
    if content["status"] not in KEPT_STATUS:
        raise ValueError(f"the manifest has the unknown status {content['status']!r}")
    # Manifests of earlier versions name the history only where they name a position.
    content.setdefault("lineage", (content["position"] or {}).get("lineage"))
    if not isinstance(content["lineage"], (str, type(None))):
        raise ValueError("the manifest has no valid lineage")
    return content


def proves_content(content: dict) -> bool:
    """Whether the file was checked when the manifest was made; a raw copy was not."""
    return content["rows"] is not None
