"""The tables `[notify.NAME]`: who is told about which alerts, and how."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = ["Channel", "Email", "Level", "Plugin", "Secret", "Slack", "Webhook", "check_channels"]

# The words of `sigma.Level`; a test holds them equal. Not imported: every worker reads the settings.
Level = Literal["informational", "low", "medium", "high", "critical"]

MAX_CHANNELS = 16
"""Channels of one daemon: each has a thread."""

MACHINES = 1000
"""Messages an hour to a channel that a program reads; people get fewer."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

Port = Annotated[int, Meta(ge=1, le=65_535)]
PerHour = Annotated[int, Meta(ge=0, le=100_000)]
Seconds = Annotated[float, Meta(ge=0.1, le=60)]


class Secret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret is: never in the settings themselves.

    Args:
        file: path of a file whose first line it is.
        env: name of an environment variable that holds it.
    """

    file: str = ""
    env: str = ""

    def __post_init__(self) -> None:
        """Refuse both at once, and none."""
        if bool(self.file) == bool(self.env):
            raise ValueError("say either `file` or `env`")


class _Common(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every channel has.

    Args:
        min_level: alerts below it are not told here.
        rules: codes or ids; only these rules, whatever their level. Empty for all.
        held: also alerts that a health rule holds back.
        timeout_s: for a delivery as a whole: to connect, to send, to wait for an answer.
        max_per_hour: alerts that are told one by one within an hour, critical ones apart; of what is more a summary says
            every ten minutes how much it was and where to look. 0 for no limit.
    """

    min_level: Level = "medium"
    rules: tuple[str, ...] = ()
    held: bool = False
    timeout_s: Seconds = 10.0
    max_per_hour: PerHour = 30


class Webhook(_Common, frozen=True, kw_only=True, tag="webhook"):
    """JSON to an address, signed as Standard Webhooks describes.

    Args:
        url: https, or http to this machine.
        url_from: where the address is, when it is a secret itself.
        secret: where the signing secret is, `whsec_` and base64, or any text of 24 bytes and more.
    """

    secret: Secret
    url: str = ""
    url_from: Secret | None = None
    max_per_hour: PerHour = MACHINES

    def __post_init__(self) -> None:
        """Refuse a channel without an address, or with two."""
        _one_url(self.url, self.url_from)


class Slack(_Common, frozen=True, kw_only=True, tag="slack"):
    """A message to an incoming webhook of Slack, Mattermost, Rocket.Chat or any other that takes Slack's JSON.

    Args:
        url_from: where the address is; whoever knows it may post, so it is a secret.
        url: the address, for a server of your own that is not open to others.
    """

    url: str = ""
    url_from: Secret | None = None

    def __post_init__(self) -> None:
        """Refuse a channel without an address, or with two."""
        _one_url(self.url, self.url_from)


class Email(_Common, frozen=True, kw_only=True, tag="email"):
    """A mail.

    Args:
        host: the SMTP server.
        sender: `From`.
        to: one or more receivers.
        port: 587 for STARTTLS, 465 for TLS from the first byte.
        tls: `starttls`, `tls`, or `none`, which is only taken for a server on this machine.
        user: to sign in with; empty for no sign-in.
        password: where the password is.
    """

    host: str
    sender: str
    to: tuple[str, ...]
    port: Port = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None
    timeout_s: Seconds = 30.0

    def __post_init__(self) -> None:
        """Refuse mail to nobody, and a user without a password."""
        if not self.to:
            raise ValueError("`to` names nobody")
        if bool(self.user) != (self.password is not None):
            raise ValueError("`user` and `password` go together")
        for address in (self.sender, *self.to):
            if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", address):
                raise ValueError(f"{address!r} is no mail address")


class Plugin(_Common, frozen=True, kw_only=True, tag="plugin"):
    """A channel of your own: an entry point of the group `jwtrail.notifiers`.

    Args:
        name: of the entry point.
        options: handed to it as they are.
        secret: where its secret is, when it needs one.
    """

    name: str
    options: dict[str, str] = {}
    secret: Secret | None = None
    max_per_hour: PerHour = MACHINES


Channel = Webhook | Slack | Email | Plugin


def check_channels(channels: "dict[str, Channel]") -> None:
    """Refuse what cannot run.

    Raises:
        ValueError: a bad name, or too many.
    """
    if len(channels) > MAX_CHANNELS:
        raise ValueError(f"notify: more than {MAX_CHANNELS} channels")
    for name in channels:
        if not _NAME.fullmatch(name):
            raise ValueError(f"notify: {name!r} is no name of a channel: small letters, digits, - and _")


def _one_url(url: str, url_from: Secret | None) -> None:
    if bool(url) == (url_from is not None):
        raise ValueError("say either `url` or `url_from`")
