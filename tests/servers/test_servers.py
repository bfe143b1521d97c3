"""Real mail servers on loopback: eighty messages in one run, and every recipient gets one.

`make servers` runs this; it downloads the servers. They relay nothing: each stores accepted messages in its queue or a
mailbox, where the test reads them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from fakes import THURSDAY
from receiving import receiver
from rooms import Room, missing, room
from worker_fixture import fill, listed, smtp, standing, worker

from digestmail.clock import SystemClock
from digestmail.model.deliveries import Manner
from digestmail.storage import servers
from digestmail.transports.smtp.login import Login
from digestmail.transports.smtp.manners import TRIAL_AFTER, Manners

PEOPLE = 80
HERE = Path(__file__).parent
_MESSAGE_ID = re.compile(r"Message-ID:\s*<(\d+\.\d+@example\.org)>", re.IGNORECASE)
pytestmark = pytest.mark.skipif(
    os.environ.get("DIGESTMAIL_TEST_SERVERS") != "1", reason="downloads and runs mail servers: make servers"
)


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    port: int
    arrived: Callable[[], list[str]]
    """Return the Message-IDs it accepted, as often as it did."""


@dataclass(frozen=True)
class Debian:
    """A mail server of Debian: its packages, and a script that configures and starts it on port @PORT@."""

    packages: tuple[str, ...]
    script: str
    kept: str = ""
    """Where it stores accepted messages."""


DEBIAN = {
    "Postfix": Debian(
        ("postfix",),
        """
        cat > /etc/postfix/main.cf <<'END'
compatibility_level = 3.6
myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains = example.org
smtpd_recipient_restrictions = static:HOLD, permit_mynetworks, reject
alias_maps =
maillog_file = /var/log/postfix.log
END
        sed -i 's/^smtp .*inet.*/127.0.0.1:@PORT@ inet n - n - - smtpd/' /etc/postfix/master.cf
        mkdir -p /var/spool/postfix/etc
        postfix start >/dev/null 2>&1
        """,
        "/var/spool/postfix/hold /var/spool/postfix/incoming /var/spool/postfix/active /var/spool/postfix/deferred",
    ),
    "Exim": Debian(
        ("exim4-daemon-light",),
        """
        cat > /etc/exim4/test.conf <<'END'
primary_hostname = mail.example.org
daemon_smtp_ports = @PORT@
local_interfaces = 127.0.0.1
acl_smtp_rcpt = take
acl_smtp_data = take
queue_only = true
host_lookup =
keep_environment =
rfc1413_query_timeout = 0s
pid_file_path = /srv/exim.pid
begin acl
take:
  accept
END
        exim4 -C /etc/exim4/test.conf -bd
        """,
        "/var/spool/exim4/input",
    ),
    "sendmail": Debian(
        ("sendmail-bin",),
        """
        mkdir -p /srv/mqueue /srv/status
        cat > /srv/test.mc <<'END'
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`relay_entire_domain')dnl
define(`confDELIVERY_MODE', `queueonly')dnl
define(`confDOMAIN_NAME', `mail.example.org')dnl
define(`QUEUE_DIR', `/srv/mqueue')dnl
define(`confHOST_STATUS_DIRECTORY', `/srv/status')dnl
define(`confPID_FILE', `/srv/sendmail.pid')dnl
define(`confREFUSE_LA', `9999')dnl
define(`confQUEUE_LA', `9999')dnl
define(`confDELAY_LA', `9999')dnl
define(`confTO_IDENT', `0s')dnl
LOCAL_DOMAIN(`example.org')dnl
define(`LUSER_RELAY', `local:root')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA, Port=@PORT@, Addr=127.0.0.1')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
END
        printf 'hosts files\\naliases files\\n' > /etc/mail/service.switch
        m4 /srv/test.mc > /srv/test.cf
        /usr/libexec/sendmail/sendmail -C/srv/test.cf -bd
        """,
        "/srv/mqueue",
    ),
    "OpenSMTPD": Debian(
        ("opensmtpd",),
        """
        cat > /srv/smtpd.conf <<'END'
table people { "@" = "mail" }
listen on 127.0.0.1 port @PORT@ hostname mail.example.org
action "keep" mda "/bin/cat" virtual <people>
match from any for any action "keep"
END
        smtpd -f /srv/smtpd.conf
        for try in 1 2 3 4 5 6 7 8 9; do smtpctl pause mda && break; sleep 1; done
        """,
        "/var/spool/smtpd",
    ),
    "Courier": Debian(
        ("courier-mta",),
        """
        sed -i 's/^PORT=.*/PORT=127.0.0.1.@PORT@/; s/^TCPDOPTS=.*/TCPDOPTS="-nodnslookup -noidentlookup"/' \
            /etc/courier/esmtpd
        sed -i 's/^BOFHCHECKDNS=1/BOFHCHECKDNS=0/; s/^MAXPERIP=.*/MAXPERIP=40/; s/^MAXPERC=.*/MAXPERC=40/' \
            /etc/courier/esmtpd
        echo mail.example.org > /etc/courier/me
        echo example.org > /etc/courier/esmtpacceptmailfor.dir/default
        makeacceptmailfor
        printf '127.0.0.1\\tallow,RELAYCLIENT\\n' > /etc/courier/smtpaccess/default
        makesmtpaccess
        echo ':127.0.0.1,9' > /etc/courier/esmtproutes
        courier start
        esmtpd start
        """,
        "/var/lib/courier/msgs /var/lib/courier/tmp",
    ),
    "Dovecot LMTP": Debian(
        ("dovecot-lmtpd",),
        """
        mkdir -p /srv/mail
        chown mail:mail /srv/mail
        cat > /etc/dovecot/dovecot.conf <<'END'
protocols = lmtp
ssl = no
listen = 127.0.0.1
log_path = /srv/dovecot.log
mail_location = maildir:/srv/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=mail gid=mail home=/srv/mail/%u allow_all_users=yes
}
service lmtp {
  inet_listener lmtp {
    port = @PORT@
  }
}
END
        dovecot
        """,
        "/srv/mail/*/new",
    ),
    "Dovecot submission": Debian(
        ("dovecot-submissiond",),
        """
        cat > /etc/dovecot/dovecot.conf <<'END'
protocols = submission
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
log_path = /srv/dovecot.log
mail_location = maildir:/srv/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
hostname = mail.example.org
submission_relay_host = 127.0.0.1
submission_relay_port = @BEHIND@
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=mail gid=mail home=/srv/mail/%u
}
service submission-login {
  inet_listener submission {
    port = @PORT@
  }
}
END
        mkdir -p /srv/mail
        chown mail:mail /srv/mail
        dovecot
        """,
    ),
    "Cyrus": Debian(
        ("cyrus-imapd",),
        """
        cat > /etc/cyrus.conf <<'END'
START {
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"
}
SERVICES {
  lmtp cmd="lmtpd -a" listen="127.0.0.1:@PORT@" prefork=0 maxchild=20
}
END
        cat >> /etc/imapd.conf <<'END'
autocreate_post: yes
lmtp_catchall_mailbox: keep
virtdomains: off
END
        mkdir -p /run/cyrus/proc /run/cyrus/lock /run/cyrus/socket
        chown -R cyrus:mail /run/cyrus
        /usr/lib/cyrus/bin/master -d -p /srv/cyrus.pid
        """,
        "/var/spool/cyrus",
    ),
}


@contextmanager
def debian(server: Debian, directory: Path) -> Iterator[Running]:
    """Run a server of Debian in a room."""
    if reason := missing():
        pytest.skip(f"rooms cannot be had here: {reason}")
    port = free_port()
    with receiver("body", "dot") as behind, room(directory, *server.packages) as inside:
        inside.run(server.script.replace("@PORT@", str(port)).replace("@BEHIND@", str(behind.port)))
        wait_for(port, inside)

        def arrived() -> list[str]:
            if server.kept:
                kept = f"grep -arhoi 'Message-ID: *<[0-9.]*@example.org>' {server.kept} || true"
                return _MESSAGE_ID.findall(inside.run(kept))
            return list(behind.arrived.elements())

        yield Running(port, arrived)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_for(port: int, inside: Room) -> None:
    """Return when a server listens at `port`."""
    for _ in range(600):
        if listening(port):
            return
        inside.run("sleep 0.1")
    raise AssertionError("the server did not start")


def listening(port: int) -> bool:
    """Return whether a server listens at `port`. A connection to itself does not count."""
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            return connection.getsockname() != connection.getpeername()
    except ConnectionRefusedError:
        return False


@contextmanager
def node(directory: Path, package: str, prepare: Callable[[Path, int], list[str]]) -> Iterator[Running]:
    """Run a server from npm, which notes the Message-IDs in a file."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing")
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", directory, package],
        check=True,
        capture_output=True,
    )
    port, kept = free_port(), directory / "kept"
    kept.touch()
    command = prepare(directory, port)
    environment = os.environ | {"KEPT": str(kept), "PORT": str(port)}
    with subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not listening(port):
                assert process.poll() is None, "the server ended"
                os.sched_yield()
            yield Running(port, lambda: _MESSAGE_ID.findall(kept.read_text()))
        finally:
            process.terminate()


def haraka(directory: Path, port: int) -> list[str]:
    """Make a configuration whose only plugin keeps everything."""
    program = ["node", "node_modules/Haraka/bin/haraka"]
    subprocess.run([*program, "-i", "made"], cwd=directory, check=True, capture_output=True)
    made = directory / "made"
    (made / "plugins").mkdir(exist_ok=True)
    (made / "config" / "smtp.ini").write_text(f"listen=127.0.0.1:{port}\nnodes=0\n")
    (made / "config" / "plugins").write_text("keep\n")
    shutil.copy(HERE / "haraka-keep.js", made / "plugins" / "keep.js")
    return [*program, "-c", str(made)]


def nodemailer(directory: Path, _port: int) -> list[str]:
    """Copy the program that keeps everything."""
    shutil.copy(HERE / "smtp-server.js", directory / "server.js")
    return ["node", "server.js"]


@contextmanager
def aiosmtpd(_directory: Path) -> Iterator[Running]:
    """Run aiosmtpd's server in a thread."""
    found: list[str] = []

    class Keep(Sink):
        async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802 - as aiosmtpd calls it
            found.extend(_MESSAGE_ID.findall(envelope.content.decode()))
            return "250 OK"

    controller = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield Running(controller.port, lambda: found)
    finally:
        controller.stop()


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Running]]] = {
    **{name: partial(debian, server) for name, server in DEBIAN.items()},
    "Haraka": lambda directory: node(directory, "Haraka@3.3.4", haraka),
    "nodemailer": lambda directory: node(directory, "smtp-server@3", nodemailer),
    "aiosmtpd": aiosmtpd,
}
OPTIONS = {
    "Dovecot submission": {"login": Login(username="digest", password="any")},
    "Dovecot LMTP": {"dialect": "lmtp"},
    "Cyrus": {"dialect": "lmtp"},
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_real_server_gets_every_mail_once_in_one_run(tmp_path, sqlite_template, name):
    told = {}
    with SERVERS[name](tmp_path_of(tmp_path, "server")) as server:
        for trial_after in (TRIAL_AFTER, 1):
            before = Counter(server.arrived())
            database = fresh(tmp_path, sqlite_template, trial_after)
            relay = smtp(server.port, timeout=60, manners=Manners(trial_after=trial_after), **OPTIONS.get(name, {}))
            report = worker(database, [relay], SystemClock(THURSDAY), tmp_path / f"epoch-{trial_after}").deliver()
            arrived = Counter(server.arrived()) - before
            assert (report.sent, report.stopped) == (PEOPLE, ""), report
            assert standing(database) == {"sent": PEOPLE}
            assert listed(database) == {}
            assert sorted(arrived.values()) == [1] * PEOPLE, arrived
            with database.connect() as connection:
                told |= servers.known(connection, relay.server, THURSDAY)
            database.close()
    assert all(manner in {Manner.BEHIND_DOT, Manner.WITHIN} for manner in told.values())
    print(json.dumps({"server": name, "learned": told}))  # noqa: T201 - the finding to report


def tmp_path_of(tmp_path: Path, name: str) -> Path:
    directory = tmp_path / name
    directory.mkdir()
    return directory


def fresh(tmp_path: Path, template: Path, number: int):
    """Return a database with a new edition for everyone."""
    from digestmail.storage.database import Database

    shutil.copy(template, tmp_path / f"{number}.db")
    database = Database.open(f"sqlite:///{tmp_path / f'{number}.db'}", base=tmp_path)
    fill(database, PEOPLE)
    return database
