"""Opening the store that the settings name."""

from pra.base.errors import UsageError
from pra.base.settings import Settings
from pra.offsite.store import Store


def of(settings: Settings) -> Store:
    """The store that the settings name.

    Raises:
        UsageError: they name none.
    """
    refuse_none(settings)
    place = settings.offsite
    if place.folder is not None:
        from pra.offsite.folder import FolderStore

        return FolderStore(place.folder)
    # boto3 takes a third of a second to load.
    from pra.offsite.bucket import BucketStore

    return BucketStore(place, settings.offsite_credentials)


def refuse_none(settings: Settings) -> None:
    """Refuse settings that name no place.

    Raises:
        UsageError
    """
    if settings.offsite is None:
        raise UsageError(
            "looking for the copies elsewhere",
            "PRA_OFFSITE is not set",
            "set it to an absolute path, or to s3://BUCKET/PREFIX?endpoint=https://HOST:PORT",
        )
