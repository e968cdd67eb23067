"""Channels and hooks made ready from the settings: secrets read, entry points loaded."""

from collections.abc import Callable, Iterator
from functools import partial

from jwtrail import config, plugins
from jwtrail.errors import ConfigError, NotifyError
from jwtrail.respond.notify import mail, slack, webhook
from jwtrail.respond.notify.notice import HOOK, Notice, Sender
from jwtrail.respond.notify.settings import Channel, Email, Plugin, Secret, Slack, Webhook

__all__ = ["limits_of", "problems_of", "sender_of", "senders_of"]


def senders_of(settings: config.Settings) -> dict[str, Sender]:
    """Everything that can be told or called, by the name of its deliveries.

    Raises:
        ConfigError: a secret cannot be read, an address is refused, or an entry point is missing.
    """
    return {name: make() for name, make in _makers(settings)}


def limits_of(settings: config.Settings) -> dict[str, int]:
    """Messages an hour of the channels that have a limit. Hooks have none: they act."""
    return {name: one.max_per_hour for name, one in settings.notify.items() if one.max_per_hour}


def problems_of(settings: config.Settings) -> list[ConfigError]:
    """Everything for which `senders_of` would refuse these settings; nobody is told anything."""
    found = []
    for _, make in _makers(settings):
        try:
            make()
        except ConfigError as error:
            found.append(error)
    return found


def _makers(settings: config.Settings) -> Iterator[tuple[str, Callable[[], Sender]]]:
    for name, channel in settings.notify.items():
        yield name, partial(sender_of, name, channel)
    for code, answer in settings.respond.answers.items():
        if answer.hook:
            yield HOOK + answer.hook, partial(_hook, answer.hook, f"respond.answers.{code}")


def _hook(name: str, where: str) -> Sender:
    return partial(_called, plugins.load(plugins.RESPONSES, name, where))


def sender_of(name: str, channel: Channel) -> Sender:
    """One channel.

    Raises:
        ConfigError: see `senders_of`.
    """
    where = f"notify.{name}"
    match channel:
        case Webhook():
            url = _url(channel.url, channel.url_from, where)
            return webhook.sender(url, _read(channel.secret, where), timeout_s=channel.timeout_s, where=where)
        case Slack():
            url = _url(channel.url, channel.url_from, where)
            return slack.sender(url, timeout_s=channel.timeout_s, where=where)
        case Email():
            return mail.sender(channel, _read(channel.password, where), where=where)
        case Plugin():
            factory = plugins.load(plugins.NOTIFIERS, channel.name, where)
            return partial(_called, factory(dict(channel.options), _read(channel.secret, where)))


def _called(send: Sender, notice: Notice) -> None:
    """Code of others may fail in any way; for us it was not delivered."""
    try:
        send(notice)
    except NotifyError:
        raise
    except Exception as error:
        raise NotifyError(f"{type(error).__name__}: {error}"[:200]) from error


def _url(url: str, url_from: Secret | None, where: str) -> str:
    return url if url_from is None else _read(url_from, where)


def _read(secret: Secret | None, where: str) -> str:
    return "" if secret is None else config.secret(file=secret.file, env=secret.env, where=where)
