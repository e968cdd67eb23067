"""What a Django project adds to `jwtrail.wsgi.Trail` or `jwtrail.asgi.Trail`: the routes of its requests.

`MIDDLEWARE = ["jwtrail.django.routes", …]` for requests that reach a view, and for those that are refused before:
`application = trail.wrap(get_wsgi_application(), resolve=find_route)`.
"""

import re
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.contrib.admindocs import utils as patterns
from django.urls import Resolver404, resolve
from django.utils.decorators import sync_and_async_middleware

from jwtrail.middleware.wsgi import SCOPE

__all__ = ["find_route", "routes"]

_PARAMETER = re.compile(r"<(?:[^<>:]*:)?([^<>:]+)>")
"""A variable part, `<int:order_id>`; routes are told as `/orders/{order_id}` whatever the framework."""


@sync_and_async_middleware  # type: ignore[untyped-decorator]  # Django has no types
def routes(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware, under WSGI and ASGI: tells the trail which route a request had, and its parameters."""
    if iscoroutinefunction(get_response):

        async def waited(request: Any) -> Any:
            try:
                return await get_response(request)
            finally:
                _tell(request)

        return waited

    def called(request: Any) -> Any:
        try:
            return get_response(request)
        finally:
            _tell(request)

    return called


def find_route(scope: MutableMapping[str, Any]) -> None:
    """Find the route of a request that is refused before Django sees it, with the project's `ROOT_URLCONF`."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    try:
        _note(scope, resolve(path.removeprefix(root) or "/"))
    except Resolver404:
        return


def _tell(request: Any) -> None:
    scope = getattr(request, "scope", None) or request.environ.get(SCOPE)
    if scope is not None and request.resolver_match is not None:
        _note(scope, request.resolver_match)


def _note(scope: MutableMapping[str, Any], match: Any) -> None:
    scope["route"] = SimpleNamespace(path=_template(match.route))
    scope["path_params"] = match.kwargs


@lru_cache(maxsize=1024)
def _template(route: str) -> str:
    """Of a `path` or a `re_path`, as the routers of Django REST framework make them."""
    plain = patterns.replace_named_groups(patterns.remove_non_capturing_groups(route))
    plain = patterns.replace_metacharacters(patterns.replace_unnamed_groups(plain))
    return _PARAMETER.sub(r"{\1}", f"/{plain.removeprefix('/')}").replace("\\", "")
