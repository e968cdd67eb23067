"""An alert as a mail in plain text."""

import contextlib
import smtplib
import socket
import ssl
import threading
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate

from jwtrail.clock import parse_iso
from jwtrail.errors import ConfigError, NotifyError
from jwtrail.respond.notify.notice import Notice, Sender
from jwtrail.respond.notify.settings import Email

__all__ = ["mail_of", "sender"]

MAX_SUBJECT = 160
"""Characters of a subject; lists show eighty."""

_HERE = ("localhost", "127.0.0.1", "::1")


def sender(settings: Email, password: str, *, where: str, tls: ssl.SSLContext | None = None) -> Sender:
    """A channel.

    Args:
        tls: instead of the system's trust.

    Raises:
        ConfigError: mail without TLS to another machine.
    """
    if settings.tls == "none" and settings.host not in _HERE:
        raise ConfigError("mail without TLS only to this machine", where=where, hint='tls = "starttls"')

    def send(notice: Notice) -> None:
        try:
            _deliver(settings, password, mail_of(settings, notice), tls or ssl.create_default_context())
        except smtplib.SMTPResponseException as error:
            # RFC 5321 section 4.2.1: 5yz will be said again.
            final = 500 <= error.smtp_code < 600
            raise NotifyError(f"status {error.smtp_code}", where=settings.host, final=final) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            final = all(500 <= code < 600 for code in codes)
            raise NotifyError("every receiver was refused", where=settings.host, final=final) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotifyError(f"{type(error).__name__}: {error}"[:200], where=settings.host) from None

    return send


def _deliver(settings: Email, password: str, mail: EmailMessage, context: ssl.SSLContext) -> None:
    with _Server(settings, context) as server:
        if settings.tls == "starttls":
            server.starttls(context=context)
        if settings.user:
            server.login(settings.user, password)
        server.send_message(mail, settings.sender, list(settings.to))


class _Server(smtplib.SMTP):
    """A server that is hung up on when everything together takes too long: a socket's own timeout begins anew with each byte."""

    def __init__(self, settings: Email, context: ssl.SSLContext) -> None:
        self._context = context if settings.tls == "tls" else None
        self._end: threading.Timer | None = None
        self._line: socket.socket | None = None
        super().__init__(settings.host, settings.port, timeout=settings.timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self._line = plain.dup()  # TLS takes the other one over
        self._end = threading.Timer(timeout, _hang_up, (self._line,))
        self._end.daemon = True
        self._end.start()
        if self._context is None:
            return plain
        try:
            return self._context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            self.close()
            raise

    def close(self) -> None:
        if self._end is not None and self._line is not None:
            self._end.cancel()
            self._line.close()
        super().close()


def _hang_up(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def mail_of(settings: Email, notice: Notice) -> EmailMessage:
    """The mail; its `Message-ID` is the delivery's, so that a repetition is known as one."""
    mail = EmailMessage(policy=SMTP_POLICY)
    head = f"{'Test: ' if notice.test else ''}[{notice.level}] {notice.title}"
    mail["Subject"] = _line(head)[:MAX_SUBJECT]
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Message-ID"] = f"<{notice.id}@jwtrail.invalid>"
    mail["Date"] = _date(notice.at)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
    lines = [
        _line(notice.title),
        _line(notice.description),
        "",
        f"level   {notice.level}",
        f"when    {notice.at}",
        *([] if notice.held else [f"for     {_line(notice.group) or 'no group'}"]),
        f"count   {notice.count}",
        *([f"alert   {notice.alert}"] if notice.alert else []),
        *(f"done    {_line(action)}" for action in notice.actions),
        *(("", notice.link) if notice.link else ()),
    ]
    mail.set_content("\n".join(lines) + "\n")
    return mail


def _line(text: str) -> str:
    """One line, whatever it was."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _date(at: str) -> str:

    return formatdate(parse_iso(at) / 1_000_000)
