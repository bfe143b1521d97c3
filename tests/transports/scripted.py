"""A mail server that says what the test tells it to: refusals, drops, silence and nonsense at any step."""

from __future__ import annotations

import base64
import hmac
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from threading import Event, Thread
from typing import BinaryIO

HOST = "127.0.0.1"


class Act(Enum):
    """What to do instead of replying."""

    DROP = "close the connection"
    RESET = "abort the connection"
    STALL = "say nothing until the client is gone"
    DEAF = "say go on, and read nothing"


@dataclass(frozen=True)
class Farewell:
    """A reply after which the connection is closed."""

    reply: str


@dataclass(frozen=True)
class Pieces:
    """A reply that comes in pieces; `before` each of them something happens."""

    reply: str
    before: Callable[[], None]


class Manner(Enum):
    """What a server does about commands that came behind the final dot; those without one take them."""

    HANGS_UP = "accept the message, and close the connection without a reply"
    ANSWERS_AND_HANGS_UP = "accept the message, reply, and close the connection"
    DROPS = "reply to the message, and drop the commands"
    REFUSES = "reply to the message, and refuse each of the commands"
    REFUSES_FIRST = "refuse each of the commands, then reply to the message"
    REJECTS = "refuse the message because of what came behind it, and close the connection"
    SHUTS_DOWN = "reply to the message, and shut down"
    REFUSES_TOGETHER = "refuse each command that comes together with another, anywhere"
    DROPS_TOGETHER = "drop each command that comes together with another, anywhere"


Answer = str | bytes | Act | Farewell | Pieces


@dataclass(frozen=True)
class Account:
    """Who may log in; `secret` is a password or an access token."""

    username: str
    secret: str

    def proof(self, mechanism: str, challenge: bytes) -> bytes:
        """Return what a client has to send to log in (RFC 4616, RFC 2195, Google's XOAUTH2, RFC 7628).

        For OAUTHBEARER, `challenge` is the host and port of the server.
        """
        user, secret = self.username.encode(), self.secret.encode()
        match mechanism:
            case "CRAM-MD5":
                return user + b" " + hmac.new(secret, challenge, "md5").hexdigest().encode()
            case "XOAUTH2":
                return b"user=%s\1auth=Bearer %s\1\1" % (user, secret)
            case "OAUTHBEARER":
                host, port = challenge.split()
                return b"n,a=%s,\1host=%s\1port=%s\1auth=Bearer %s\1\1" % (user, host, port, secret)
            case "LOGIN":
                return user + b"\0" + secret
            case _:
                return b"\0%s\0%s" % (user, secret)


_GREETING = "220 mail.example.org ready"
_REPLIES = {
    "EHLO": "250 mail.example.org",
    "HELO": "250 mail.example.org",
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 go ahead",
    "END": "250 2.0.0 queued",
    "RSET": "250 2.0.0 reset",
    "QUIT": "221 2.0.0 bye",
    "AUTH": "235 2.7.0 welcome",
    "STARTTLS": "220 2.0.0 go ahead",
}


_TOKENS = {"XOAUTH2", "OAUTHBEARER"}
_CHALLENGE = b"<1896.697170952@mail.example.org>"
_NOBODY = "554 5.5.1 no valid recipients"


@dataclass(frozen=True)
class Received:
    """A message the server accepted, dots unstuffed."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass
class ScriptedServer:
    """What the server will say, and what it has heard.

    `answers` holds for each step (GREETING, a command verb, END for the final dot) what to say the first, second, ...
    time it comes, over all connections; afterwards everything goes well.
    """

    port: int
    extensions: Sequence[str] = ()
    tls: ssl.SSLContext | None = None
    immediate_tls: bool = False
    account: Account | None = None
    """Who has to log in before anything else, over a secure line if there is one to be had."""
    answers: dict[str, deque[Answer]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    connections: int = 0
    deaf: list[socket.socket] = field(default_factory=list)
    manner: Manner | None = None
    behind: int = 0
    """How often commands came behind the final dot, before the reply to it."""
    after_errors: list[bytes] = field(default_factory=list)
    """What clients sent after the error challenge of a login with a token."""

    def verbs(self) -> list[str]:
        """The commands heard, without what came behind them."""
        return [command.split(" ")[0].upper() for command in self.commands]


@contextmanager
def scripted(
    answers: Mapping[str, Sequence[Answer]] | None = None,
    *,
    extensions: Sequence[str] = ("PIPELINING", "SIZE 100000"),
    tls: ssl.SSLContext | None = None,
    immediate_tls: bool = False,
    account: Account | None = None,
    manner: Manner | None = None,
) -> Iterator[ScriptedServer]:
    """Run a scripted server on a free loopback port; with `tls` it offers STARTTLS or speaks TLS from the start."""
    with socket.create_server((HOST, 0)) as listener:
        script = {step: deque(said) for step, said in (answers or {}).items()}
        server = ScriptedServer(listener.getsockname()[1], extensions, tls, immediate_tls, account, script)
        server.manner = manner
        stopping = Event()
        thread = Thread(target=_accept, args=(listener, server, stopping))
        thread.start()
        try:
            yield server
        finally:
            stopping.set()
            # wakes the thread out of accept
            socket.create_connection((HOST, server.port)).close()
            thread.join()
            for connection in server.deaf:
                connection.close()


def _accept(listener: socket.socket, server: ScriptedServer, stopping: Event) -> None:
    """Serve every connection in a thread of its own."""
    threads: list[Thread] = []
    while True:
        connection, _ = listener.accept()
        if stopping.is_set():
            connection.close()
            for thread in threads:
                thread.join()
            return
        # A client that forgot to hang up must not block the test for ever.
        connection.settimeout(10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.connections += 1
        threads.append(Thread(target=_serve, args=(connection, server)))
        threads[-1].start()


def _serve(connection: socket.socket, server: ScriptedServer) -> None:
    with connection, suppress(OSError, _HungUpError):
        _Conversation(server, connection).run()


class _HungUpError(Exception):
    """The conversation is over."""


class _Conversation:
    def __init__(self, server: ScriptedServer, connection: socket.socket) -> None:
        self._server = server
        self._socket = connection
        self._file: BinaryIO | None = None
        self._logged_in = False

    def run(self) -> None:
        try:
            if self._server.immediate_tls:
                self._secure()
            self._converse()
        finally:
            self._release()
            self._socket.close()

    def _converse(self) -> None:
        self._answer("GREETING", _GREETING)
        sender, recipients, begun = "", [], False
        while True:
            command = self._line().rstrip(b"\r\n").decode("utf-8", "replace")
            self._server.commands.append(command)
            verb, _, argument = command.partition(" ")
            if verb.upper() == "RCPT" and not begun:
                self._say("503 5.5.1 MAIL first")
                continue
            if verb.upper() == "AUTH" and self._server.account is not None:
                self._log_in(self._server.account, *argument.split(" "))
                continue
            together = self._waiting()
            reset_failures = self._command(verb.upper(), anybody=bool(recipients))
            match verb.upper():
                case "MAIL":
                    begun = reset_failures
                    sender, recipients = _address(argument), []
                    self._one_at_a_time(together)
                case "RCPT" if reset_failures:
                    recipients.append(_address(argument))
                case "DATA" if reset_failures:
                    self._take(sender, recipients)
                case "STARTTLS" if reset_failures:
                    self._release()
                    self._secure()
                case "QUIT":
                    return

    def _take(self, sender: str, recipients: list[str]) -> None:
        """Take the message, and do what this server does about commands behind it."""
        received = Received(sender, tuple(recipients), self._content())
        behind = self._waiting()
        self._server.behind += behind > 0
        if behind and self._server.manner is not None:
            if self._server.manner is not Manner.REJECTS:
                self._server.messages.append(received)
            self._behave(self._server.manner, behind)
        elif self._answer("END", _REPLIES["END"] if recipients else _NOBODY):
            self._server.messages.append(received)

    def _one_at_a_time(self, together: int) -> None:
        """Refuse or drop the commands that came together with MAIL, if this server does."""
        if self._server.manner not in {Manner.REFUSES_TOGETHER, Manner.DROPS_TOGETHER}:
            return
        for _ in range(together):
            self._line()
            if self._server.manner is Manner.REFUSES_TOGETHER:
                self._say("503 5.5.1 one at a time")

    def _command(self, verb: str, *, anybody: bool) -> bool:
        reply = _REPLIES.get(verb, "502 5.5.1 what?")
        if verb == "DATA" and not anybody:
            reply = _NOBODY
        if verb == "MAIL" and self._server.account is not None and not self._logged_in:
            reply = "530 5.7.0 authentication required"
        if verb == "EHLO":
            offered = [*self._server.extensions]
            if self._server.tls and not isinstance(self._socket, ssl.SSLSocket):
                offered.append("STARTTLS")
            reply = "\n".join([reply, *(f"250 {extension}" for extension in offered)])
        return self._answer(verb, reply)

    def _log_in(self, account: Account, mechanism: str, *initial: str) -> None:
        if self._server.tls and not isinstance(self._socket, ssl.SSLSocket):
            self._say("538 5.7.11 encryption required")
            return
        said = base64.b64decode(initial[0]) if initial else b""
        if mechanism == "CRAM-MD5":
            said = self._ask(_CHALLENGE)
        elif mechanism == "LOGIN":
            said += b"\0" + self._ask(b"Password:")
        elif mechanism in _TOKENS and not initial:
            said = self._ask(b"")
        where = f"{HOST} {self._server.port}".encode()
        right = said == account.proof(mechanism, where if mechanism == "OAUTHBEARER" else _CHALLENGE)
        if not right and mechanism in _TOKENS:
            self._server.after_errors.append(self._ask(b'{"status":"401","scope":"mail"}'))
        self._logged_in = self._answer("AUTH", _REPLIES["AUTH"] if right else "535 5.7.8 bad credentials")

    def _ask(self, challenge: bytes) -> bytes:
        self._say(f"334 {base64.b64encode(challenge).decode()}")
        return base64.b64decode(self._line())

    def _answer(self, step: str, usual: str) -> bool:
        """Say what the script has for this step; return whether it means to go on."""
        script = self._server.answers.get(step)
        answer = script.popleft() if script else usual
        match answer:
            case Act():
                self._act(answer, usual)
            case Farewell(reply):
                self._say(reply)
                raise _HungUpError
            case Pieces(reply, before):
                for octet in f"{reply}\r\n".encode():
                    before()
                    with suppress(OSError):  # who waits no longer
                        self._socket.sendall(bytes([octet]))
                return reply[0] in "23"
            case bytes():
                self._socket.sendall(answer)
                return answer[:1] in b"23"
            case str():
                self._say(answer)
                return answer[0] in "23"
        return False

    def _act(self, act: Act, usual: str) -> None:
        match act:
            case Act.STALL:
                while self._line():
                    pass
            case Act.DEAF:
                self._say(usual)
                self._server.deaf.append(self._socket.dup())  # stays open, while the next connection is served
                raise _HungUpError
            case Act.DROP:
                raise _HungUpError
            case Act.RESET:
                self._abort()

    def _say(self, reply: str) -> None:
        """Send a reply, several lines as RFC 5321 section 4.2.1 has them: `250-a`, `250 b`."""
        *first, last = reply.split("\n")
        lines = [f"{line[:3]}-{line[4:]}" for line in first] + [last]
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _line(self) -> bytes:
        if self._file is None:
            self._file = self._socket.makefile("rb")
        line = self._file.readline()
        if not line:
            raise _HungUpError
        return line

    def _content(self) -> bytes:
        """Read up to the final dot, which is one only between two CRLFs."""
        lines: list[bytes] = []
        while True:
            line = self._line()
            if line == b".\r\n" and (not lines or lines[-1].endswith(b"\r\n")):
                return b"".join(lines)
            at_line_start = not lines or lines[-1].endswith(b"\r\n")
            lines.append(line[1:] if at_line_start and line.startswith(b".") else line)

    def _waiting(self) -> int:
        """Return how many commands have come already."""
        assert self._file is not None
        if isinstance(self._socket, ssl.SSLSocket):
            return 0  # which cannot be asked without waiting
        self._socket.settimeout(0)
        waiting = self._file.peek().count(b"\n")  # type: ignore[attr-defined] # a BufferedReader's
        self._socket.settimeout(10)
        return waiting

    def _behave(self, manner: Manner, behind: int) -> None:
        """Do what this server does about so many commands behind the dot."""
        refusals = ["503 5.5.1 pipelined behind the end of data"] * behind
        for reply in {
            Manner.HANGS_UP: [],
            Manner.REFUSES: [_REPLIES["END"], *refusals],
            Manner.REFUSES_TOGETHER: [_REPLIES["END"], *refusals],
            Manner.REFUSES_FIRST: [*refusals, _REPLIES["END"]],
            Manner.REJECTS: ["554 5.5.0 synchronization error"],
            Manner.SHUTS_DOWN: [_REPLIES["END"], "421 4.3.2 you talk too soon"],
        }.get(manner, [_REPLIES["END"]]):
            self._say(reply)
        if manner in {Manner.HANGS_UP, Manner.ANSWERS_AND_HANGS_UP, Manner.REJECTS, Manner.SHUTS_DOWN}:
            raise _HungUpError
        for _ in range(behind):
            self._line()

    def _secure(self) -> None:
        assert self._server.tls is not None
        self._socket = self._server.tls.wrap_socket(self._socket, server_side=True)

    def _abort(self) -> None:
        """Close so that the client sees a reset."""
        self._release()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raise _HungUpError

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
