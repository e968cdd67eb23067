"""The data streams: `logs-<data set>-<namespace>`, as Elastic's own agents name theirs."""

import re

from jwtrail.errors import ConfigError

__all__ = ["DATASETS", "NAMESPACE", "PATTERN", "check_namespace", "pattern_of", "stream_of"]

DATASETS = ("jwtrail.access", "jwtrail.audit", "jwtrail.alerts")

NAMESPACE = "default"

PATTERN = "logs-jwtrail.*-*"
"""All of ours, in any namespace."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._]{0,99}")
"""Engines take 100 bytes without capitals and `\\/*?\"<>| ,#:-`; less is enough."""


def check_namespace(namespace: str) -> str:
    """The namespace itself.

    Raises:
        ConfigError: engines would not take it.
    """
    if not _NAME.fullmatch(namespace):
        raise ConfigError(
            f"{namespace!r} is no namespace",
            where="engine.namespace",
            hint="small letters, digits, dots and underscores, 100 at most",
        )
    return namespace


def stream_of(dataset: str, namespace: str = NAMESPACE) -> str:
    """The data stream of a data set (`event.dataset`)."""
    return f"logs-{dataset}-{namespace}"


def pattern_of(namespace: str = NAMESPACE) -> str:
    """All data streams of a namespace; what a search or a data view names."""
    return f"logs-jwtrail.*-{namespace}"
