"""Where an application that judges tokens itself may read one from, beside `Authorization`."""

import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import parse_qsl

from jwtrail.errors import ConfigError
from jwtrail.middleware.http import Headers

__all__ = ["MAX_PLACES", "Places"]

MAX_PLACES = 8
"""Places that are named; libraries know three."""

_PLACE = re.compile(r"(header|cookie|query):([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})")
_TOKEN = re.compile(r"[\w-]++\.[\w-]++\.[\w-]++", re.ASCII)
# How a quoted cookie spells a character in another way (RFC 2109 section 4.1, as `http.cookies` reads it).
_SPELLED = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")


class Places:
    """Finds the tokens of a request.

    Args:
        named: `header:X-Access-Token`, `cookie:access_token_cookie`, `query:jwt`.

    Raises:
        ConfigError: a place is written in another way, or there are too many.
    """

    def __init__(self, named: tuple[str, ...] = ()) -> None:
        if len(named) > MAX_PLACES:
            raise ConfigError(f"more than {MAX_PLACES} places", where="http.token_places")
        self._headers, self._cookies, self._queries = [b"authorization"], set[str](), set[str]()
        for place in named:
            found = _PLACE.fullmatch(place)
            if found is None:
                raise ConfigError(
                    f"{place!r} is no place of a token",
                    where="http.token_places",
                    hint="header:NAME, cookie:NAME or query:NAME",
                )
            kind, name = found.groups()
            if kind == "header":
                self._headers.append(name.lower().encode())
            else:
                (self._cookies if kind == "cookie" else self._queries).add(name)

    def tokens(self, headers: Headers, query: bytes, limit: int) -> list[str]:
        """Whatever a library may take for the token, at most `limit`: some divide by any white space, some by commas, some
        know other schemes.
        """
        found = (match.group() for value in self._values(headers, query) for match in _TOKEN.finditer(value))
        return list(islice(found, limit))

    def _values(self, headers: Headers, query: bytes) -> Iterator[str]:
        for name in self._headers:
            yield from headers.all(name)
        if self._cookies:
            pairs = (pair.partition("=") for value in headers.all(b"cookie") for pair in value.split(";"))
            yield from (_unquoted(value.strip()) for name, _, value in pairs if name.strip() in self._cookies)
        if (
            self._queries and query
        ):  # all of it: what stands behind a flood is read by the application as well
            yield from (value for name, value in parse_qsl(query.decode("latin-1")) if name in self._queries)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return _SPELLED.sub(lambda match: chr(int(match[1], 8)) if match[1] else match[2], value)
