"""Who may do what with our data streams: one role to ship, one to read, one to erase."""

from typing import Any

from msgspec import Struct

from jwtrail.elastic.streams import PATTERN

__all__ = ["ROLES", "Role", "opensearch_role", "xpack_role"]


class Role(Struct, frozen=True):
    """One role in the words of both engines.

    Args:
        name: in the engine.
        doc: what somebody with it can do.
        cluster: privileges of Elasticsearch on the cluster, `indices`: on our data streams.
        permissions: OpenSearch's on the cluster, `actions`: on our data streams.
    """

    name: str
    doc: str
    cluster: tuple[str, ...]
    indices: tuple[str, ...]
    permissions: tuple[str, ...]
    actions: tuple[str, ...]


ROLES = (
    Role(
        "jwtrail_writer",
        "jwtrail ship: adds events and looks up which of them are there; changes none",
        ("monitor",),
        ("create_doc", "auto_configure", "read", "view_index_metadata", "maintenance"),
        ("cluster_monitor", "indices:data/write/bulk"),
        (
            "read",
            "indices:data/write/bulk*",
            "indices:data/write/index",
            "create_index",
            "indices:admin/mapping/put",
            "indices:admin/mappings/get",
            "indices:admin/get",
            "indices:admin/refresh*",
        ),
    ),
    Role(
        "jwtrail_reader",
        "search, stats, serve and detect with --store, trail verify --remote, dashboards",
        ("monitor",),
        ("read", "view_index_metadata"),
        ("cluster_monitor", "cluster_composite_ops_ro"),
        ("read", "indices:admin/mappings/get", "indices:admin/get", "indices:admin/resolve/index"),
    ),
    Role(
        "jwtrail_keeper",
        "subject erase and retention: changes and deletes events",
        ("monitor",),
        ("read", "index", "delete", "view_index_metadata", "maintenance"),
        ("cluster_monitor", "cluster_composite_ops"),
        (
            "read",
            "write",
            "delete",
            "indices:admin/refresh*",
            "indices:admin/mappings/get",
            "indices:admin/get",
        ),
    ),
)


def xpack_role(role: Role) -> dict[str, Any]:
    """The body of `PUT _security/role/…`."""
    return {
        "cluster": list(role.cluster),
        "indices": [{"names": [PATTERN], "privileges": list(role.indices)}],
    }


def opensearch_role(role: Role) -> dict[str, Any]:
    """The body of `PUT _plugins/_security/api/roles/…`; `.ds-` because rights are checked on backing indices too."""
    return {
        "cluster_permissions": list(role.permissions),
        "index_permissions": [
            {"index_patterns": [PATTERN, f".ds-{PATTERN}"], "allowed_actions": list(role.actions)}
        ],
    }
