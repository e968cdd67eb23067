"""Bringing an engine to what the plan says, once: what is there already is left alone, what is newer is refused.

Everything is looked at before anything is changed.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jwtrail.elastic.client import Engine
from jwtrail.elastic.lifecycle import Keeping
from jwtrail.elastic.plan import EVENTS, LeftOut, Made, Plan, Step, plan_for
from jwtrail.elastic.roles import mapping_with
from jwtrail.elastic.streams import DATASETS, NAMESPACE, check_namespace, stream_of
from jwtrail.errors import EngineError

__all__ = ["Change", "Report", "provision"]

_REMARK = re.compile(
    r"managed_by=(jwtrail) version=(\d{1,6}) catalogue=(\d{1,6}) fields=(\d{1,6}) sha256=([0-9a-f]{16})"
)


class Change(Struct, frozen=True):
    """One request, and why it is made.

    Args:
        action: `create`, `update`, or `extend` for the mapping of a data stream that exists.
    """

    action: Literal["create", "update", "extend"]
    kind: str
    name: str
    method: str
    path: str
    body: dict[str, Any] | None


class Report(Struct, frozen=True):
    """What was done, or would be.

    Args:
        engine: name and version.
        changes: requests in order; none when everything is there.
        unchanged: names of what was there already.
        left_out: what the engine cannot take.
    """

    engine: str
    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def provision(
    engine: Engine,
    keeping: Keeping | None = None,
    *,
    namespace: str = NAMESPACE,
    grants: Mapping[str, tuple[str, ...]] | None = None,
    dry_run: bool = False,
) -> Report:
    """Make templates, policies, data streams and roles, or bring them up to date.

    Args:
        keeping: when events are deleted there; None keeps them for ever.
        grants: users by role, who get it beside those who have it.
        dry_run: look, and change nothing.

    Raises:
        EngineError: an object of that name belongs to somebody else or to a newer jwtrail; or the engine refuses.
        ConfigError: the namespace cannot be a name.
    """
    plan = plan_for(engine.product, engine.features, keeping or Keeping(), check_namespace(namespace))
    changes: list[Change] = []
    unchanged: list[str] = []
    for step in plan.steps:
        change = _change(engine, step)
        if change is None:
            unchanged.append(f"{step.kind} {step.name}")
        else:
            changes.append(change)
    if any(change.kind == "component template" and change.action == "update" for change in changes):
        changes += _extensions(engine, plan, namespace)
    changes += _grants(engine, grants or {})
    if not dry_run:
        for change in changes:
            _carry_out(engine, change)
    return Report(str(engine.product), tuple(changes), tuple(unchanged), plan.left_out)


def _change(engine: Engine, step: Step) -> Change | None:
    """What has to be asked for one step; None when nothing."""
    answer = engine.request("GET", step.path, allow=(404,))
    body = answer.json
    if answer.status == 404 or not body:
        return Change("create", step.kind, step.name, "PUT", step.path, step.body)
    if step.once or step.body is None:
        return None
    there = _object(step, body)
    current = _holds(there, step.body) if step.made is None else _is_current(step, step.made, _known(there))
    if current:
        return None
    path = step.path
    if "_seq_no" in body:  # OpenSearch replaces a policy only for whoever has seen it
        path += f"?if_seq_no={int(body['_seq_no'])}&if_primary_term={int(body['_primary_term'])}"
    return Change("update", step.kind, step.name, "PUT", path, step.body)


def _is_current(step: Step, ours: Made, theirs: Made | None) -> bool:
    where = f"{step.kind} {step.name}"
    if theirs is None:
        raise EngineError(
            "this name is taken by something that jwtrail did not make",
            where=where,
            hint="rename or delete it first",
        )
    if theirs.age > ours.age:
        raise EngineError(
            f"made by a newer jwtrail ({_age(theirs)}; this one has {_age(ours)})",
            where=where,
            hint="provision with the newest jwtrail that ships to this engine",
        )
    return theirs.digest == ours.digest


def _age(made: Made) -> str:
    return f"version {made.version}, {made.fields} fields"


def _object(step: Step, body: dict[str, Any]) -> dict[str, Any]:
    """The object inside the answer to a GET: each API wraps it in its own way."""
    match step.kind:
        case "component template":
            found = body["component_templates"][0]["component_template"]
        case "index template":
            found = body["index_templates"][0]["index_template"]
        case "policy":
            found = body if "policy" in body else body[step.name]
        case _:
            found = body[step.name]
    return found if isinstance(found, dict) else {}


def _known(there: dict[str, Any]) -> Made | None:
    """What jwtrail wrote into an object; None when it was not jwtrail."""
    inner = there.get("policy", there)
    remarks = inner.get("_meta", inner.get("metadata"))
    if isinstance(remarks, dict):
        try:
            return msgspec.convert(remarks, Made)
        except msgspec.ValidationError:
            return None
    found = _REMARK.fullmatch(str(inner.get("description", "")))
    return Made(found[1], int(found[2]), int(found[3]), int(found[4]), found[5]) if found else None


def _holds(there: Any, ours: Any) -> bool:
    """Whether everything of ours is there; engines add their defaults."""
    if isinstance(ours, dict):
        return isinstance(there, dict) and all(_holds(there.get(key), value) for key, value in ours.items())
    return bool(there == ours)


def _extensions(engine: Engine, plan: Plan, namespace: str) -> list[Change]:
    """New fields for the indices that are written to now: a template reaches only those made later."""
    body = next(step.body for step in plan.steps if step.name == EVENTS)
    assert body is not None
    found = []
    for dataset in DATASETS:
        name = stream_of(dataset, namespace)
        path = f"/{name}/_mapping"
        if engine.request("GET", path, allow=(404,)).status == 200:
            mappings = body["template"]["mappings"]
            found.append(Change("extend", "mapping", name, "PUT", f"{path}?write_index_only=true", mappings))
    return found


def _grants(engine: Engine, grants: Mapping[str, tuple[str, ...]]) -> list[Change]:
    """What gives users their roles."""
    if not grants:
        return []
    if engine.features.security != "/_plugins/_security/api/roles":
        raise EngineError(
            "roles are given to users elsewhere in this engine",
            where="--grant",
            hint="Elasticsearch: in the user, or in an API key; a build without security asks nobody who they are",
        )
    found: list[Change] = []
    for role, users in grants.items():
        path = f"/_plugins/_security/api/rolesmapping/{role}"
        answer = engine.request("GET", path, allow=(404,))
        there = answer.json.get(role, {}) if answer.status == 200 else {}
        body = mapping_with(there, users)
        if body is not None:
            found.append(
                Change("update" if there else "create", "users of the role", role, "PUT", path, body)
            )
    return found


def _carry_out(engine: Engine, change: Change) -> None:
    try:
        engine.request(change.method, change.path, body=change.body)
    except EngineError as error:
        if change.action == "extend" and error.status == 400:
            error.hint = f"a field changed its type; roll over first: POST /{change.name}/_rollover"
        raise
