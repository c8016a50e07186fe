"""Why a batch run did not start or stopped, each with the command's exit code."""

from __future__ import annotations

from migproj.errors import MigprojError

__all__ = [
    "BatchError",
    "OtherJobError",
    "StoreFullError",
    "StoreInUseError",
    "StoreNotWritableError",
    "WorkersLostError",
]


class BatchError(MigprojError):
    """A batch run that cannot start or go on; what is finished stays finished."""

    code = 1


class StoreInUseError(BatchError):
    """Another run writes to the store."""

    code = 3


class OtherJobError(BatchError):
    """The store was made by another job, or from other inputs."""

    code = 4


class StoreFullError(BatchError):
    """No space is left where the store is."""

    code = 5


class StoreNotWritableError(BatchError):
    """The store, or the folder it is in, cannot be written to."""

    code = 6


class WorkersLostError(BatchError):
    """The workers of a distributed run have died, or their scheduler is not there."""

    code = 7
