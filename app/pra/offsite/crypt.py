"""Encryption with age: for public keys that every pod may know, opened by private ones."""

import os
from collections.abc import Sequence

import pyrage

from pra.base.errors import Damaged, UsageError, from_os_error
from pra.base.settings import Settings
from pra.disk import files, look

_NAME_IT = "name the file that keygen made when the copies began, or who has that brings them back"
_NO_KEYS = "python -m pra offsite keygen FILE makes a key, and prints the public one"
#: What age says where an object is for other keys.
_FOR_OTHERS = "No matching keys"
#: Longest file of private keys, in bytes.
_LONGEST = 1 << 16


class WrongKey(Damaged):
    """No key at hand opens an object, or the object is not as it was written."""


class Recipients:
    """Those for whom copies are encrypted: each of them can open all.

    Attributes:
        texts: their public keys, without what follows those of SSH.
    """

    def __init__(self, texts: Sequence[str]):
        if not texts:
            raise UsageError("encrypting copies", "PRA_OFFSITE_RECIPIENTS is not set", _NO_KEYS)
        self._keys = [_recipient(text) for text in texts]
        self.texts = [" ".join(text.split()[:2]) for text in texts]

    def encrypt(self, content: bytes) -> bytes:
        """A content, encrypted for all of them."""
        return pyrage.encrypt(content, self._keys)


def recipients(settings: Settings) -> Recipients:
    """Those that the settings name.

    Raises:
        UsageError: there are none, or one is no public key.
    """
    return Recipients(settings.offsite_recipients)


class Identity:
    """Private keys, of which any may open a copy."""

    def __init__(self, keys: list):
        self._keys = keys

    def decrypt(self, data: bytes, what: str) -> bytes:
        """The content of an object.

        Raises:
            WrongKey: none of the keys opens it, or it was changed.
        """
        try:
            return pyrage.decrypt(data, self._keys)
        except pyrage.DecryptError as error:
            if _FOR_OTHERS in str(error):
                raise WrongKey(
                    f"opening {what}",
                    f"it was encrypted for another key than the one at hand ({error})",
                    "give the private key of one for whom it was; nothing is damaged",
                ) from None
            raise WrongKey(
                f"opening {what}",
                f"the key at hand does not open it ({error})",
                "give the private key of one of PRA_OFFSITE_RECIPIENTS; where other objects open,"
                " this one is damaged",
            ) from None


def read_identity(path: str) -> Identity:
    """Private keys from a file: of age, one a line, or one of SSH.

    Raises:
        UsageError: there is none in it.
        StorageError: it cannot be read.
    """
    doing = f"reading the private key in {path}"
    try:
        raw = look.read_small(path, _LONGEST)
    except OSError as error:
        raise from_os_error(doing, error) from error
    if raw is None:
        raise UsageError(doing, "there is no such file", _NAME_IT)
    try:
        if b"PRIVATE KEY-----" in raw:
            return Identity([pyrage.ssh.Identity.from_buffer(raw)])
        lines = [line.strip() for line in raw.decode("ascii").splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        found = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except (pyrage.IdentityError, UnicodeDecodeError):
        # Never what is in the file.
        found = []
    if not found:
        raise UsageError(
            doing, "it holds no private key of age (AGE-SECRET-KEY-1…) and none of SSH", _NAME_IT
        )
    return Identity(found)


def make_identity(path: str) -> str:
    """Make a private key in a new file that only this user can read; returns the public key.

    Raises:
        UsageError: there is such a file.
        StorageError: it was not made.
    """
    doing = f"making a key in {path}"
    key = pyrage.x25519.Identity.generate()
    public = str(key.to_public())
    try:
        fd = files.open_private(path)
        try:
            files.write_all(fd, f"# public key: {public}\n{key}\n".encode())
            files.fsync(fd)
        finally:
            files.close(fd)
        files.fsync_directory(os.path.dirname(os.path.abspath(path)))
    except FileExistsError:
        raise UsageError(
            doing, "there is a file of that name", "copies need the key in it: give another name"
        ) from None
    except OSError as error:
        raise from_os_error(doing, error) from error
    return public


def _recipient(text: str):
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise UsageError(
            "reading PRA_OFFSITE_RECIPIENTS",
            # Somebody may have put the private key there.
            "one of its keys is neither a public key of age (age1…) nor one of SSH",
            _NO_KEYS,
        ) from None
