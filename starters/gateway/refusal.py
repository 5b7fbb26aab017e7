"""A delivery that is answered without being handed over."""


class Refused(Exception):
    """The answer's status, its reason for the metrics, and a message for who set up the hook."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
