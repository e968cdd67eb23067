"""The one error inside this room; `locate` gives it a place in the file."""

__all__ = ["LowerError"]


class LowerError(Exception):
    """A value that has no exact predicate; caught in this room, where its place in the file is known.

    Args:
        field: the field it stood on, None for a keyword.
    """

    def __init__(self, message: str, *, field: str | None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint
