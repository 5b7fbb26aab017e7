"""Errors that a customer's request can cause."""


class StoreError(Exception):
    """A request that the shop refuses.

    `status` is the HTTP status, `code` a stable word for programs, the message one line for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def invalid(message: str) -> StoreError:
    """The request itself is wrong."""
    return StoreError(400, "invalid", message)


def not_found(what: str, name: object) -> StoreError:
    """The request names something that the shop does not have."""
    return StoreError(404, "not_found", f"there is no {what} {name}")


def conflict(code: str, message: str) -> StoreError:
    """The request is well formed, but the state of the shop does not allow it."""
    return StoreError(409, code, message)
