"""What is there of one history, by name: the listing is all that whoever copies can read."""

from pra.offsite import names
from pra.offsite.names import Name, Piece
from pra.offsite.store import Store


class Index:
    """The objects of a history, as they were when they were looked at last."""

    def __init__(self, store: Store, history: str):
        self._store, self._history = store, history
        self._folders: dict[str, dict[str, int]] = {}

    def look(self, prefix: str) -> None:
        """Look, or look anew, at those whose names begin so.

        Args:
            prefix: nothing, or folders that end with a slash.

        Raises:
            PraError: the store cannot be used.
        """
        found = self._store.sizes(f"{self._history}/{prefix}")
        for folder in [one for one in self._folders if f"{one}/".startswith(prefix)]:
            del self._folders[folder]
        for text, size in found.items():
            self.add(text[len(self._history) + 1 :], size)

    def add(self, text: str, size: int) -> None:
        """Remember an object of so many bytes."""
        folder, _, name = text.rpartition("/")
        self._folders.setdefault(folder, {}).setdefault(name, size)

    def size(self, text: str) -> int | None:
        """The bytes of an object; None where there is none."""
        folder, _, name = text.rpartition("/")
        return self._folders.get(folder, {}).get(name)

    def within(self, folder: str) -> list[Name]:
        """The names of ours in a folder."""
        found = (names.parse(f"{folder}/{name}") for name in self._folders.get(folder, {}))
        return [one for one in found if one]

    def pieces(self, timeline: int, first: int) -> list[Piece]:
        """The pieces of a segment that can hold what their names say."""
        found = self.within(names.folder_of(timeline, first))
        # One that is cut off holds nothing; sending it again tells that it is.
        return [one for one in found if self.size(names.text_of(one)) > one.end - one.start]

    def timelines(self) -> dict[int, set[int]]:
        """By the number of each timeline that has a journal: where its segments begin."""
        found: dict[int, set[int]] = {}
        for folder in self._folders:
            for one in self.within(folder)[:1] if folder.startswith(f"{names.JOURNAL}/") else ():
                found.setdefault(one.timeline, set()).add(one.first)
        return found
