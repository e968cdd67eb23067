"""Whether a path is below one that the operator named, however the client wrote it.

Frameworks read paths in their own ways: Werkzeug takes `//admin` for `/admin`, others decode twice or resolve `..`. So a path
that can be read in two ways is never taken for an exception, and always for what must be strict.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["perhaps_below", "surely_below"]

_AMBIGUOUS = re.compile(r"^(?!/)|//|/\.\.?(?:/|$)|[\\%;\x00-\x1f\x7f\ufffd]")
"""Empty and dot segments, what is still encoded, path parameters, and what was no text."""


def surely_below(scope: Mapping[str, Any], paths: tuple[str, ...]) -> bool:
    """The application can only read the path as one of `paths` (`/login`) or below one of them (`/login/otp`)."""
    path = _of_application(scope)
    return any(_begins(path, one) for one in paths) and not _AMBIGUOUS.search(path)


def perhaps_below(scope: Mapping[str, Any], paths: tuple[str, ...]) -> bool:
    """The application, or what it is mounted in, may read the path as one that begins with one of `paths`."""
    if not paths:
        return False
    full, path = str(scope.get("path", "")), _of_application(scope)
    shortest = tuple(one.rstrip("/") for one in paths)
    return (
        path.startswith(shortest) or full.startswith(shortest) or _AMBIGUOUS.search(path or "/") is not None
    )


def _begins(path: str, one: str) -> bool:
    return path == one or path.startswith(one if one.endswith("/") else f"{one}/")


def _of_application(scope: Mapping[str, Any]) -> str:
    """The path without what the application is mounted at, which is what it routes by."""
    path, root = str(scope.get("path", "")), str(scope.get("root_path", ""))
    inner = path.removeprefix(root)
    return inner if root and inner[:1] in ("", "/") else path
