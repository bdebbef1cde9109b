"""Where PostgreSQL is: a URL with a password, which nothing that is shown may contain.

What could be read in two ways is refused: whoever shows the URL and libpq, which connects,
must find the password in the same place.
"""

import re
from urllib.parse import unquote

_SCHEMES = ("postgresql://", "postgres://")
_WRITE = "in a password, write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23, % as %25"
#: A name or an address in brackets, and a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(?::[0-9]*)?")
_ESCAPE = re.compile(r"%(?!(?!00)[0-9A-Fa-f]{2})")
#: Parameters whose values are secrets have one of these in their names.
_SECRET = ("password", "secret", "scram_")
#: Parts of a password that are as long as this are not shown either.
_PART = 4


class DatabaseUrl:
    """A URL of libpq that shows itself without its password.

    Attributes:
        shown: the same without password and parameters.
        parameters: those after the question mark, decoded.
    """

    def __init__(
        self, text: str, shown: str, parameters: tuple[tuple[str, str], ...], secrets: set[str]
    ):
        self._text, self.shown, self.parameters = text, shown, parameters
        # The longest first: a part of one must not break it up.
        self._secrets = sorted(secrets, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.shown!r})"

    def reveal(self) -> str:
        """All of it, for whoever connects."""
        return self._text

    def hide(self, said: str) -> str:
        """What somebody said of it, without the password."""
        for secret in self._secrets:
            said = said.replace(secret, "…")
        return said


def parse(text: str) -> DatabaseUrl:
    """Check a URL as far as that can be done without libpq.

    Raises:
        ValueError: it is none; says why, and never repeats what may be a password.
    """
    if any(character.isspace() or ord(character) < 32 for character in text):
        raise ValueError("it has a space or a line end in it")
    scheme = next((one for one in _SCHEMES if text.startswith(one)), None)
    if scheme is None:
        raise ValueError(f"it does not begin with {_SCHEMES[0]}")
    _refuse_undecodable(text)
    where, _, query = text.removeprefix(scheme).partition("?")
    user, separator, hosts, name = _parts(where, query)
    login, _, password = user.partition(":")
    parameters = _parameters(query, hosts)
    shown = f"{_SCHEMES[0]}{login}{separator}{hosts}/{name}"
    return DatabaseUrl(
        text,
        shown,
        tuple((key, unquote(value)) for key, value in parameters),
        _secrets([password, *(value for key, value in parameters if _is_secret(key))]) | {text},
    )


def _refuse_undecodable(text: str) -> None:
    if _ESCAPE.search(text):
        raise ValueError(f"a % is not followed by two hexadecimal digits; {_WRITE}")
    try:
        unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("what it writes with % is no UTF-8") from None


def _parts(where: str, query: str) -> tuple[str, str, str, str]:
    """User, the separator after it, hosts, and the name of the database."""
    authority, _, name = where.partition("/")
    if where.count("@") + query.count("@") > authority.count("@") or authority.count("@") > 1:
        raise ValueError(f"an @ stands where none can; {_WRITE}")
    if "#" in where or "/" in name:
        raise ValueError(f"a # or / stands where none can; {_WRITE}")
    if not name:
        raise ValueError(f"it names no database; {_WRITE}")
    user, separator, hosts = authority.rpartition("@")
    for host in hosts.split(","):
        _refuse_odd(host)
    return user, separator, hosts, name


def _refuse_odd(host: str) -> None:
    match = _HOST.fullmatch(host)
    if match is None:
        raise ValueError(f"a port is no number, or its host is none; {_WRITE}")
    # A name, and neither an address nor a folder of sockets.
    labels = match[1].removesuffix(".").split(".")
    named = match[1] and match[1][0] != "[" and "%" not in match[1]
    if named and any(not 0 < len(one) < 64 for one in labels):
        raise ValueError("a part of its host's name is empty, or longer than 63 letters")


def _parameters(query: str, hosts: str) -> list[tuple[str, str]]:
    """What stands after the question mark, as it is written there."""
    found = []
    for number, one in enumerate(query.split("&") if query else [], 1):
        key, equals, value = one.partition("=")
        if not equals or "=" in value or "+" in one or "%" in key:
            raise ValueError(
                f"its parameter {number} is not like name=value; in a value, write = as %3D,"
                " & as %26, + as %2B"
            )
        if key in [known for known, _ in found]:
            raise ValueError(f"its parameter {number} was given before")
        if (key == "host" and hosts) or (key == "port" and _has_port(hosts)):
            raise ValueError(f"its parameter {number} says again where the server is")
        found.append((key, value))
    return found


def _has_port(hosts: str) -> bool:
    return ":" in re.sub(r"\[.*?\]", "", hosts)


def _is_secret(key: str) -> bool:
    return any(one in key for one in _SECRET)


def _secrets(written: list[str]) -> set[str]:
    """The passwords, as they stand there and as they are meant, and their longer parts."""
    whole = {one for secret in written for one in (secret, unquote(secret))}
    parts = {part for one in whole for part in re.split(r"[@/?&=:#+% ]", one)}
    return whole - {""} | {part for part in parts if len(part) >= _PART}
