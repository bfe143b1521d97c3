"""The transactions of SMTP (RFC 5321 section 3.3) over a connection that is set up, pipelined (RFC 2920) if offered.

Where the server takes it, the next message's envelope goes out right behind the final dot of the one before, so that a
transaction costs one round trip. `manners` decides where that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from digestmail.errors import DeliveryError, TransportError
from digestmail.transports.base import (
    MessageSource,
    NotSentError,
    NotTakenError,
    OutboundMessage,
    OutcomeUnknownError,
    Receipt,
    ThrottledError,
    Verdict,
)
from digestmail.transports.smtp.commands import Commands
from digestmail.transports.smtp.manners import TRIAL_PATIENCE, Terms
from digestmail.transports.smtp.replies import Step, judge_refusal
from digestmail.transports.smtp.reply_reader import ProtocolError, Reply, ReplyReader, ReplyTimeoutError

_SHUTTING_DOWN = 421
_GO_ON = 354
_USUAL = (250, 250, _GO_ON)
"""To MAIL, RCPT and DATA when nothing is wrong."""
_OUT_OF_STEP = frozenset({500, 502, 503})
"""Command not recognised, not implemented, out of sequence: to a command that is none of these, the server was not
ready for it (RFC 5321 section 4.2.2)."""
_AFTER_THE_DOT = 10
"""The answer to the final dot may take this many times longer (RFC 5321 section 4.5.3.2.6: 10 minutes)."""


class _OutOfStepError(TransportError):
    """The server was not ready for a command that went ahead of its replies."""


class Conversation:
    """The transactions on one connection; see `Connection`."""

    def __init__(
        self, wire: ReplyReader, features: Mapping[str, str], terms: Terms, *, timeout: float, limit: int
    ) -> None:
        """Converse over `wire` with a server that offered `features` (lower case, with their parameters).

        `terms` say what may be pipelined. `timeout` is the longest silence in seconds, ten times that after the final
        dot; `limit` the most messages.
        """
        self._wire = wire
        self._wording = Commands(features)
        self._terms = terms
        self._pipelines = terms.pipelines
        self._timeout = timeout
        self._left = limit
        self._needs_reset = False
        self._recipient = ""
        """Whom the commands in hand are for."""
        self._ahead = False
        """Whether the command whose reply is awaited went out before the reply to the one before it."""
        self._behind = False
        """Whether the commands in hand went out behind the final dot of the message before."""

    async def quit(self) -> None:
        """Take leave politely, if anybody is still there."""
        with suppress(TransportError):
            self._wire.write(b"QUIT\r\n")
            await self._wire.reply(self._timeout)

    async def send_all(self, source: MessageSource) -> None:
        """Carry message after message; see `Connection`."""
        try:
            while self._left > 0 and (outgoing := await source.take()) is not None:
                commands = self._begin(outgoing)
                following = outgoing if commands else None
                if commands:
                    self._wire.write(b"".join(commands) if self._pipelines else commands[0])
                while following is not None:
                    following = await self._carry(following, source)
        finally:
            self._terms.release()

    def _begin(self, outgoing: OutboundMessage) -> tuple[bytes, ...]:
        """Return the commands before the message; none if it cannot go to this server, which is then resolved."""
        try:
            mail, rcpt = self._wording.write(outgoing.envelope, len(outgoing.message))
        except (DeliveryError, TransportError) as error:
            outgoing.resolve(error)
            return ()
        self._left -= 1
        self._behind = False
        self._recipient = outgoing.envelope.recipient
        self._commands = (*((b"RSET\r\n",) if self._needs_reset else ()), mail, rcpt, b"DATA\r\n")
        return self._commands

    async def _carry(self, outgoing: OutboundMessage, source: MessageSource) -> OutboundMessage | None:
        """See a message through whose first commands are written; return the one whose commands went with it."""
        try:
            refusal = None if self._welcome() else await self._envelope()
        except TransportError as error:
            verdict = self._ahead_of_replies(error)
            outgoing.resolve(verdict)
            raise verdict from error
        if self._behind and not self._terms.proven:
            self._terms.answered()
        if refusal is not None:
            outgoing.resolve(refusal)
            if isinstance(refusal, TransportError):
                raise refusal
            if _is_farewell(refusal):
                raise NotTakenError(str(refusal))
            return None
        following = source.try_take() if self._pipelines and self._left > 0 and self._terms.may_go_behind() else None
        commands = self._begin(following) if following is not None else ()
        following = following if commands else None
        self._behind = following is not None
        behind = b"".join(commands)
        message = outgoing.message
        if outgoing.needs_no_dot_stuffing:
            self._wire.write(message, b".\r\n" + behind)
        else:
            self._wire.write(dot_stuffed(message), behind)
        return await self._record_result(outgoing, following, behind)

    async def _record_result(
        self, outgoing: OutboundMessage, following: OutboundMessage | None, behind: bytes
    ) -> OutboundMessage | None:
        """Hear the reply to the final dot; return the message whose commands are `behind` it."""
        verdict: Verdict
        try:
            reply = await self._wire.reply(self._timeout * _AFTER_THE_DOT)
            if following is not None and self._is_about_what_is_behind(reply):
                raise _OutOfStepError(f"the final dot was answered with {reply.code} {reply.text}")
        except TransportError as error:
            verdict = _without_answer(error, handed_over_in_part=self._wire.unsent > len(behind))
            if following is not None:
                error = self._not_taken(error)
                following.resolve(error)
            outgoing.resolve(verdict)
            raise error from None
        verdict = _final(reply, outgoing.envelope.recipient)
        outgoing.resolve(verdict)
        if isinstance(verdict, Receipt):
            self._terms.took()
        elif isinstance(verdict, TransportError):
            if following is not None:
                following.resolve(NotSentError(str(verdict)))
            raise verdict
        elif _is_farewell(verdict):
            farewell = NotTakenError(str(verdict))
            if following is not None:
                following.resolve(farewell)
            raise farewell
        return following

    def _is_about_what_is_behind(self, reply: Reply) -> bool:
        """Return whether a reply to the final dot may refuse the commands behind it, and not the message."""
        permanent = reply.code // 100 == 5  # noqa: PLR2004 - RFC 5321 section 4.2.1
        return reply.code in _OUT_OF_STEP or (permanent and not self._terms.proven)

    def _ahead_of_replies(self, error: TransportError) -> TransportError:
        """Return what `error`, met while the replies to an envelope were heard, says of its message.

        Where commands ran ahead of the replies, that may be all that was wrong: the message goes over the next
        connection with fewer of them together.
        """
        if self._behind:
            # A server may hang up, or say 421, on a connection that was used for long. On one that has not yet shown
            # that it takes commands behind the dot, that is its answer to them.
            if not isinstance(error, NotSentError) or not self._terms.proven:
                return self._not_taken(error)
        elif isinstance(error, _OutOfStepError) or (self._ahead and isinstance(error, ReplyTimeoutError)):
            self._terms.lost()
            return NotTakenError(str(error))
        return error

    def _not_taken(self, error: TransportError) -> NotTakenError:
        self._terms.refused()
        return NotTakenError(f"the mail server does not take commands behind the final dot: {error}")

    def _welcome(self) -> bool:
        """Return whether all replies to the commands before the message are there, and are the usual ones."""
        return self._pipelines and len(self._commands) == len(_USUAL) and self._wire.had(_USUAL)

    async def _envelope(self) -> DeliveryError | TransportError | None:
        """Hear the replies to the commands before the message; return what refuses it, if anything does.

        Raises NotSentError, and other TransportErrors, when the connection is of no more use.
        """
        commands = self._commands
        refusal: DeliveryError | TransportError | None = None
        patience = min(self._timeout, TRIAL_PATIENCE) if self._behind and self._terms.on_trial else self._timeout
        for number, command in enumerate(commands):
            if number and not self._pipelines:
                if refusal is not None:
                    break
                self._wire.write(command)
            self._ahead = self._pipelines and number > 0
            reply = await self._wire.reply(patience)
            step = _step(command)
            if reply.code == _SHUTTING_DOWN:
                return self._closed(step or Step.MAIL, reply)
            if refusal is None and self._out_of_step(step, reply):
                raise _OutOfStepError(f"{step} was answered with {reply.code} {reply.text}")
            if step is None and not reply.positive:
                raise NotSentError(f"RSET was answered with {reply.code} {reply.text}", code=reply.code)
            if step is Step.DATA and reply.code == _GO_ON:
                await self._unless(refusal)
            elif step is not None and refusal is None and (step is Step.DATA or not reply.positive):
                refusal = judge_refusal(step, reply.code, reply.text, self._recipient)
        self._needs_reset = refusal is not None
        return refusal

    def _closed(self, step: Step, reply: Reply) -> ThrottledError:
        """Return what a 421 says of the message, if it asks for less. Raises NotSentError if the server shuts down."""
        refusal = judge_refusal(step, reply.code, reply.text, self._recipient)
        if isinstance(refusal, ThrottledError):
            return refusal
        raise NotSentError(f"the mail server is shutting down: 421 {reply.text}", code=_SHUTTING_DOWN)

    def _out_of_step(self, step: Step | None, reply: Reply) -> bool:
        """Return whether a reply says that the command came too early, rather than that it is wrong."""
        if self._behind and not self._terms.proven and step is Step.MAIL:
            return not reply.positive  # believed once it is said to a command that came by itself
        return (self._ahead or self._behind) and reply.code in _OUT_OF_STEP

    async def _unless(self, refusal: DeliveryError | TransportError | None) -> None:
        """End at once a message that goes to nobody, for the server is waiting for one (RFC 2920 section 3.1)."""
        if self._wire.leftover() is not None:
            # It would pass for the answer to the message, which has not been sent yet.
            raise ProtocolError("the mail server answers what nobody asked")
        if refusal is not None:
            self._wire.write(b".\r\n")
            await self._wire.reply(self._timeout)


def _step(command: bytes) -> Step | None:
    return {b"MAIL": Step.MAIL, b"RCPT": Step.RCPT, b"DATA": Step.DATA}.get(command[:4])


def _is_farewell(refusal: DeliveryError) -> bool:
    """Return whether a server that accepts less closes the connection with this (RFC 5321 section 4.2.3)."""
    return isinstance(refusal, ThrottledError) and refusal.code == _SHUTTING_DOWN


def _final(reply: Reply, recipient: str) -> Receipt | DeliveryError | TransportError:
    """Judge the answer to the whole message."""
    if reply.positive:
        return Receipt(code=reply.code, text=reply.text)
    if reply.code // 100 in {4, 5}:
        return judge_refusal(Step.CONTENT, reply.code, reply.text, recipient)
    return _without_answer(TransportError(f"answered with {reply.code}"), handed_over_in_part=False)


def _without_answer(error: TransportError, *, handed_over_in_part: bool) -> DeliveryError | TransportError:
    if handed_over_in_part:
        return NotSentError(str(error))
    return OutcomeUnknownError(f"no intelligible reply to the end of the message, the outcome is unknown: {error}")


def dot_stuffed(message: bytes) -> bytes:
    """Return the octets that follow DATA, the final dot included (RFC 5321 section 4.5.2); line ends must be CRLF."""
    stuffed = message.replace(b"\r\n.", b"\r\n..") if b"\r\n." in message else message
    if message.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
