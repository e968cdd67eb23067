"""A message in the JSON of Slack's incoming webhooks, which most chat servers take."""

from typing import Any

import msgspec

from jwtrail.respond.notify.notice import Notice, Sender
from jwtrail.respond.notify.post import checked_url, post

__all__ = ["message_of", "sender"]

MAX_TEXT = 2900
"""Characters of one block; Slack takes 3,000."""

MAX_ACTIONS = 10

_COLOURS = {
    "informational": "#8a8f98",
    "low": "#3b82f6",
    "medium": "#d9a400",
    "high": "#d9480f",
    "critical": "#b00020",
}


def sender(url: str, *, timeout_s: float, where: str) -> Sender:
    """A channel.

    Raises:
        ConfigError: a bad address.
    """
    target = checked_url(url, where)

    def send(notice: Notice) -> None:
        body = msgspec.json.encode(message_of(notice))
        post(target, body, {"Content-Type": "application/json"}, timeout_s=timeout_s)

    return send


def message_of(notice: Notice) -> dict[str, Any]:
    """The message. Everything that may come from an attacker is plain text: no mention, no link, no markup."""
    head = f"{'Test: ' if notice.test else ''}[{notice.level}] {notice.title}"
    lines = [*([] if notice.held else [notice.group or "no group"]), *notice.actions[:MAX_ACTIONS]]
    if notice.description:
        lines.insert(0, notice.description)
    blocks: list[dict[str, Any]] = [_plain(head), _plain("\n".join(lines))]
    told = f"{notice.at[:19].replace('T', ' ')} UTC{f', alert {notice.alert}' if notice.alert else ''}"
    blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": told, "emoji": False}]})
    if notice.link:
        button = {"type": "plain_text", "text": "Open", "emoji": False}
        blocks.append(
            {"type": "actions", "elements": [{"type": "button", "text": button, "url": notice.link}]}
        )
    return {
        # What notifications show, and servers that know no blocks; here Slack would read markup.
        "text": _escaped(head)[:MAX_TEXT],
        "attachments": [{"color": _COLOURS.get(notice.level, "#8a8f98"), "blocks": blocks}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": text[:MAX_TEXT], "emoji": False}}


def _escaped(text: str) -> str:
    """The three characters that begin something in Slack's markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
