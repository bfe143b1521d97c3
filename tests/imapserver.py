"""As much of an IMAP server as a reader of bounces needs."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from typing import BinaryIO


class ImapServer:
    """As much of RFC 3501 as a reader of bounces needs; LOGIN is `reader`, `secret`."""

    def __init__(self, *mails: bytes) -> None:
        self.mails = dict(enumerate(mails, start=11))
        self.seen: set[int] = set()
        self.flagged: set[int] = set()
        self.folders: dict[str, list[bytes]] = {}
        self.commands: list[str] = []
        self.refuses = ""
        self.mechanisms: tuple[str, ...] = ()
        self.proofs: list[bytes] = []
        """What clients sent to AUTHENTICATE."""
        self.accepts: bytes | None = None

    def talk(self, connection: socket.socket, over: threading.Event) -> None:
        del over
        connection.sendall(b"* OK made up\r\n")
        with connection.makefile("rb") as file:
            for line in file:
                tag, _, command = line.decode("latin-1").strip().partition(" ")
                self.commands.append(command)
                if command.startswith("AUTHENTICATE "):
                    self.authenticate(connection, file, tag)
                    continue
                if self.refuses and command.startswith(self.refuses):
                    connection.sendall(f"{tag} NO not today\r\n".encode("latin-1"))
                    continue
                connection.sendall(self.answer(command) + f"{tag} OK done\r\n".encode("latin-1"))
                if command == "LOGOUT":
                    return

    def authenticate(self, connection: socket.socket, file: BinaryIO, tag: str) -> None:
        """Ask for a proof, and say in a challenge what is wrong with it (RFC 7628 section 3.2)."""
        connection.sendall(b"+ \r\n")
        self.proofs.append(base64.b64decode(file.readline()))
        if self.proofs[-1] == self.accepts:
            connection.sendall(f"{tag} OK done\r\n".encode())
            return
        challenge = json.dumps({"status": "401", "schemes": "bearer", "scope": "mail"}).encode()
        connection.sendall(b"+ " + base64.b64encode(challenge) + b"\r\n")
        self.proofs.append(base64.b64decode(file.readline()))
        connection.sendall(f"{tag} NO AUTHENTICATE failed.\r\n".encode())

    def answer(self, command: str) -> bytes:
        if command.startswith("CAPABILITY"):
            offered = "".join(f" AUTH={name}" for name in self.mechanisms)
            return f"* CAPABILITY IMAP4rev1{offered}\r\n".encode()
        if command.startswith("SELECT"):
            return f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n".encode()
        if command.startswith("UID SEARCH"):
            assert "UNSEEN" in command
            return f"* SEARCH {' '.join(str(uid) for uid in self.mails if uid not in self.seen)}\r\n".encode()
        if found := re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", command):
            if int(found[1]) not in self.mails:
                return b""
            raw = self.mails[int(found[1])][: int(found[2])]
            return f"* 1 FETCH (UID {found[1]} BODY[]<0> {{{len(raw)}}}\r\n".encode() + raw + b")\r\n"
        if found := re.fullmatch(r"UID STORE (\d+) \+FLAGS(?:\.SILENT)? \(\\Seen( \\Flagged)?\)", command):
            self.seen.add(int(found[1]))
            self.flagged |= {int(found[1])} if found[2] else set()
        return self.answer_about_folders(command)

    def answer_about_folders(self, command: str) -> bytes:
        if found := re.fullmatch(r'LIST "" "(\S+)"', command):
            there = found[1] == "Bounces" or found[1] in self.folders
            return f'* LIST () "." "{found[1]}"\r\n'.encode() if there else b""
        if found := re.fullmatch(r'CREATE "(\S+)"', command):
            self.folders[found[1]] = []
        if found := re.fullmatch(r'UID COPY (\d+) "(\S+)"', command):
            self.folders[found[2]].append(self.mails[int(found[1])])
        if found := re.fullmatch(r'STATUS "(\S+)" \(MESSAGES\)', command):
            return f'* STATUS "{found[1]}" (MESSAGES {len(self.folders[found[1]])})\r\n'.encode()
        return b"* BYE\r\n" if command == "LOGOUT" else b""
