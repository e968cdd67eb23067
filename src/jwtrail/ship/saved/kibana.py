"""Handing the saved objects to a running Kibana or OpenSearch Dashboards."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from urllib3.filepost import encode_multipart_formdata

from jwtrail.elastic.address import address_of
from jwtrail.elastic.answer import Answer, refusal
from jwtrail.elastic.settings import EngineSettings
from jwtrail.elastic.signing import signer_of
from jwtrail.elastic.wire import Call, Node
from jwtrail.errors import ConfigError, EngineError
from jwtrail.ship.saved.objects import written

__all__ = ["Imported", "Interface", "import_objects"]

Interface = Literal["kibana", "dashboards"]

_HEADER: dict[Interface, str] = {"kibana": "kbn-xsrf", "dashboards": "osd-xsrf"}
"""Each refuses a request without its own: other sites cannot make a browser send it."""

MAX_NAMED = 5
"""Refused objects that an error names; the others fail for the same cause."""


class Imported(Struct, frozen=True):
    """What came of an import.

    Args:
        made: objects that were made, or replaced when that was asked for.
        there: those that were there already and stayed as they are.
    """

    made: int
    there: int


def import_objects(
    url: str,
    interface: Interface,
    objects: Sequence[dict[str, Any]],
    settings: EngineSettings,
    *,
    overwrite: bool,
) -> Imported:
    """Import into the space that the address names.

    Args:
        url: `https://kibana.example:5601`, with the base path and `/s/SPACE` where there is one.
        overwrite: replace objects that are there, and whatever people changed in them.

    Raises:
        ConfigError: the address is none of an interface for people.
        EngineError: it refused the import or one of the objects; the others were made.
    """
    answer = _post(url, interface, written(objects), settings, overwrite=overwrite)
    body = answer.json
    if answer.status != 200 or not isinstance(body, dict) or "success" not in body:
        raise _refused(answer, url, interface)
    # 200 is not success: what happened to each object stands in the body.
    errors = [error for error in body.get("errors") or () if isinstance(error, dict)]
    there = [error for error in errors if _cause(error) == "conflict"]
    failed = [error for error in errors if _cause(error) != "conflict"]
    if failed or not (body["success"] or there):
        raise EngineError(_told(failed), status=200, where=url, hint="the others were imported")
    return Imported(int(body.get("successCount") or 0), len(there))


def _post(
    url: str, interface: Interface, lines: bytes, settings: EngineSettings, *, overwrite: bool
) -> Answer:
    address = address_of(url)
    if address.flavour is not None or len(address.nodes) != 1:
        raise ConfigError(
            "not the address of Kibana or Dashboards", where=url, hint="https://kibana.example:5601"
        )
    if (
        address.scheme == "http"
        and settings.signs_in
        and not (address.is_loopback or settings.plain_credentials)
    ):
        raise ConfigError("credentials over plain HTTP can be read on the way", where=url, hint="use https")
    data, kind = encode_multipart_formdata({"file": ("jwtrail.ndjson", lines, "application/ndjson")})
    headers = {"content-type": kind, "accept": "application/json", _HEADER[interface]: "true"}
    path = f"{address.prefix}/api/saved_objects/_import" + ("?overwrite=true" if overwrite else "")
    ((host, port),) = address.nodes
    node = Node(address.scheme, host, port, settings, signer_of(settings))
    try:
        return node.send(Call("POST", path, data, headers, settings.timeout_s))
    finally:
        node.close()


def _refused(answer: Answer, url: str, interface: Interface) -> EngineError:
    """The error of an import that did not take place at all."""
    error = refusal(answer, url)
    if "xsrf" in error.message:
        other = "--dashboards" if interface == "kibana" else "--kibana"
        error.hint = f"name it with {other}"
    elif answer.status == 200 or 300 <= answer.status < 400:
        error.message, error.hint = (
            "no Kibana or Dashboards answers here",
            "give the address with its base path",
        )
    return error


def _cause(error: dict[str, Any]) -> str:
    inner = error.get("error")
    return str(inner.get("type", "")) if isinstance(inner, dict) else ""


def _told(failed: Sequence[dict[str, Any]]) -> str:
    named = "; ".join(
        f"{one.get('type')} {one.get('id')}: {_cause(one) or 'no cause'}" for one in failed[:MAX_NAMED]
    )
    more = f" and {len(failed) - MAX_NAMED} more" if len(failed) > MAX_NAMED else ""
    return f"{len(failed)} objects were refused: {named}{more}" if failed else "the import was not a success"
