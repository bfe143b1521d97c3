from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from digestmail.config import (
    alerts,
    bounces,
    digests,
    embeddings,
    enrichment,
    load,
    logs,
    mail,
    network,
    oauth,
    outputs,
    profile,
    rules,
    settings,
    sources,
    summaries,
    web,
)
from digestmail.errors import ConfigError
from digestmail.model.digests import Arrival, OnMissed, Wait

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"

SMALL = """
[mail]
sender = "digest@example.org"

[[sources]]
name = "hf"
kind = "huggingface"

[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["hf"]
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load.load(path)
    return list(caught.value.problems)


def test_fifteen_lines_are_enough(write):
    assert len(SMALL.strip().splitlines()) <= 15
    digest = load.load(write(SMALL)).digest_values()[0]
    assert (digest.name, digest.schedule.timezone, digest.limits.max_papers) == ("daily", "UTC", 25)


def test_every_problem_comes_at_once_with_its_key_path_and_a_hint(write):
    text = """
bogus = 1
[mail]
sender = "nobody"
[mail.smtp]
prot = 25
port = 70000
[network]
timeout = -1
[[sources]]
name = "hugging"
kind = "huggingface"
catgories = []
[[sources]]
name = "hugging"
kind = "arxiv-feed"
[[topics]]
name = "Agents"
[[digests]]
name = "daily"
title = "Daily"
schedule = "99 7 * * *"
sources = ["huging"]
topics = ["Agent"]
allow_repeats_of = ["weekly"]
"""
    found = problems(write(text))
    begins = {line.split(":")[0] for line in found}
    assert begins == {
        "bogus", "mail.sender", "mail.smtp.prot", "mail.smtp.port", "network.timeout", "sources[0].catgories",
        "sources[1].name", "sources[1].categories", 'digests["daily"].schedule', 'digests["daily"].sources',
        'digests["daily"].topics', 'digests["daily"].allow_repeats_of',
    }  # fmt: skip
    text = "\n".join(found)
    assert "did you mean 'port'?" in text
    assert "did you mean 'hugging'?" in text
    assert "did you mean 'Agents'?" in text
    known = "base_url, block, header_files, headers, keep, kind, list, name, password, password_file, query, username"
    assert f"known here: {known}" in text


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('database = "mysql://x"', "database"),
        ('base_url = "ftp://x"', "base_url"),
        ('base_url = "https://user@x"', "base_url"),
    ],
)
def test_wrong_values_are_told_with_their_key(write, line, key):
    assert [p.split(":")[0] for p in problems(write(line + "\n" + SMALL))] == [key]


@pytest.mark.parametrize(
    ("imprint", "said"),
    [
        (
            '"""Example Labs\nStreet 1\n12345 City"""',
            "mail.imprint: write it in one line, its parts separated by commas",
        ),
        (f'"{"x" * 301}"', "mail.imprint: String should have at most 300 characters"),
    ],
)
def test_an_imprint_is_one_line_of_limited_length(write, imprint, said):
    text = SMALL.replace("[mail]\n", f"[mail]\nimprint = {imprint}\n", 1)
    assert text != SMALL
    (problem,) = problems(write(text))
    assert problem.startswith(said)


@pytest.mark.parametrize(("imprint", "read"), [('"  Example Labs, Street 1 "', "Example Labs, Street 1"), ('""', None)])
def test_an_imprint_is_optional(write, imprint, read):
    assert load.load(write(SMALL.replace("[mail]\n", f"[mail]\nimprint = {imprint}\n", 1))).mail.imprint == read


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('"" = 1', 'web."": unknown key'),
        ('"\\u001b[2J" = 1', 'web."\\u001b[2J": unknown key'),
        ('"two words" = 1', 'web."two words": unknown key'),
        ('"\\u202e" = 1', 'web."\\u202e": unknown key'),
    ],
)
def test_a_key_is_told_in_one_printable_line(write, line, said):
    (problem,) = problems(write(f"{SMALL}\n[web]\n{line}"))
    assert problem.startswith(said)
    assert problem.isprintable()


def test_a_name_with_control_characters_is_told_in_one_printable_line(write):
    text = SMALL.replace('"daily"', r'"a\u001b\nb"').replace('title = "Daily"', "title = 5")
    found = problems(write(text))
    assert any(line.startswith(r'digests["a\x1b\nb"].title: ') for line in found)
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"a = {'[' * 5000}", "nested too deeply"),
        (f"a = {'{b = ' * 5000}", "nested too deeply"),
        (f"a{'.a' * 5000} = 1", "nested too deeply"),
        (f"a = {'9' * 5000}", "is not TOML"),
        (f"a = [{{b = 0x{'f' * 5000}}}]", "more than 64 bits"),
        ("a = 9223372036854775808", "more than 64 bits"),
    ],
    ids=["lists", "tables", "dotted keys", "digits", "hexadecimal digits", "one too many"],
)
def test_what_toml_cannot_hold_is_a_clear_error(write, text, said):
    (problem,) = problems(write(text))
    assert said in problem


@pytest.mark.parametrize("value", ["[" * 5000, '{"a":' * 5000])
def test_an_override_that_is_nested_too_deeply_is_a_problem_of_its_key(write, monkeypatch, value):
    monkeypatch.setenv("DIGESTMAIL_MAIL", value)
    assert problems(write(SMALL))[0].startswith("mail: must be a table")


def test_a_directory_that_cannot_be_looked_at_is_a_problem_of_its_key(write):
    (problem,) = problems(write(f'templates_dir = "{"x" * 300}"\n{SMALL}'))
    assert problem.startswith("templates_dir: ")
    assert problem.endswith("cannot be read: File name too long")


def test_a_file_that_is_not_there_or_no_toml_is_a_clear_error(tmp_path, write):
    (absent,) = problems(tmp_path / "absent.toml")
    assert absent.startswith(f"there is no configuration file {tmp_path / 'absent.toml'}: ")
    assert "digestmail init" in absent
    assert "--config" in absent
    assert "name the file" in problems(tmp_path)[0]
    assert "is not TOML" in problems(write("[mail\n"))[0]


def test_the_environment_overrides_the_file(write, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_MAIL__SMTP__PASSWORD", "from the environment")
    monkeypatch.setenv("DIGESTMAIL_MAIL__SMTP__PORT", "587")
    monkeypatch.setenv("DIGESTMAIL_DATABASE", "postgresql://me@db/mail")
    monkeypatch.setenv("DIGESTMAIL_CONFIG", "elsewhere.toml")
    text = SMALL.replace('"digest@example.org"', '"digest@example.org"\n[mail.smtp]\nport = 25')
    loaded = load.load(write(text))
    assert loaded.mail.smtp.port == 587
    assert loaded.mail.smtp.password is not None
    assert loaded.mail.smtp.password.get_secret_value() == "from the environment"
    assert loaded.database.startswith("postgresql://")


def test_a_misspelt_override_is_refused(write, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_MAIL__SMTP__PASWORD", "x")
    assert "did you mean 'password'?" in problems(write(SMALL))[0]


def test_a_variable_that_names_no_key_is_told(write, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_DATABSE", "sqlite:///x.db")
    assert problems(write(SMALL)) == ["environment: DIGESTMAIL_DATABSE names no key; did you mean DIGESTMAIL_DATABASE?"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SOURCES", "x", "sources: must be a list of tables: write [[sources]] in the file, or JSON in "),
        ("MAIL", "x", "mail: must be a table: write [mail] and its keys below it (it is 'x'), set by DIGESTMAIL_MAIL"),
        ("MAIL__SMTP", "x", "mail.smtp: must be a table"),
        ("NETWORK__ALLOW_PRIVATE_HOSTS", '["a"', "network.allow_private_hosts: must be a list: write "),
        ("NETWORK__ALLOW_PRIVATE_HOSTS", '{"a": 1}', "network.allow_private_hosts: must be a list: write "),
        ("DIGESTS__0__TITLE", "x", "digests: must be a list of tables: "),
        ("MAIL__SMTP__PORT", "tcp", "mail.smtp.port: "),
    ],
)
def test_a_variable_of_the_wrong_form_is_named_with_its_key_and_the_form(write, monkeypatch, name, value, said):
    monkeypatch.setenv(f"DIGESTMAIL_{name}", value)
    (problem,) = problems(write(SMALL))
    assert problem.startswith(said)


def test_every_wrong_variable_is_reported_at_once_and_named(write, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_MAIL__SMTP__PORT", "tcp")
    monkeypatch.setenv("DIGESTMAIL_NETWORK__ALLOW_PRIVATE_HOSTS", "[")
    monkeypatch.setenv("DIGESTMAIL_WEB__PORT", "-1")
    found = problems(write(SMALL))
    assert sorted(line.rpartition(", set by ")[2] for line in found) == [
        "DIGESTMAIL_MAIL__SMTP__PORT", "DIGESTMAIL_NETWORK__ALLOW_PRIVATE_HOSTS", "DIGESTMAIL_WEB__PORT",
    ]  # fmt: skip


def test_a_list_of_the_environment_names_its_own_entries_not_those_of_the_file(write, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_DIGESTS", '[{"name": "mine", "title": "Mine", "schedule": "@daily"}]')
    (problem,) = problems(write(SMALL))
    assert problem == 'digests["mine"].sources: is missing, set by DIGESTMAIL_DIGESTS'


def test_entries_without_a_name_of_their_own_are_called_by_their_place(write):
    nameless = SMALL.replace('name = "daily"', "").replace('"0 7 * * *"', "7")
    assert {line.split(":")[0] for line in problems(write(nameless))} == {"digests[0].name", "digests[0].schedule"}


def test_variables_of_others_are_ignored_with_one_warning(write, monkeypatch, caplog):
    links = {
        "PORT": "tcp://10.0.0.7:8080", "SERVICE_HOST": "10.0.0.7", "SERVICE_PORT_HTTP": "8080",
        "WEB_PORT_8080_TCP_ADDR": "10.0.0.7", "_OTHER_SERVICE_HOST": "10.0.0.7", "RELEASE": "7",
    }  # fmt: skip
    for name, value in links.items():
        monkeypatch.setenv(f"DIGESTMAIL_{name}", value)
    load.load(write(SMALL))
    (record,) = caplog.records
    assert all(f"DIGESTMAIL_{name}" in record.getMessage() for name in links)


def test_what_the_environment_brings_is_checked_like_the_file(write, monkeypatch):
    monkeypatch.setenv(
        "DIGESTMAIL_DIGESTS",
        '[{"name": "d", "title": "D", "schedule": "99 * * * *", "timezone": "X", "sources": ["y"]}]',
    )
    keys = {problem.split(":")[0] for problem in problems(write(SMALL))}
    assert keys == {'digests["d"].schedule', 'digests["d"].timezone', 'digests["d"].sources'}


@pytest.mark.parametrize(
    ("kind", "says"),
    [("hugingface", "did you mean 'huggingface'?"), ("", 'sources["hf"].kind: is one of huggingface, arxiv-feed')],
)
def test_a_wrong_kind_is_told_with_the_kinds_there_are(write, kind, says):
    assert says in problems(write(SMALL.replace('"huggingface"', f'"{kind}"')))[0]


@pytest.mark.parametrize("number", ["inf", "nan", "1e12"])
def test_numbers_no_clock_can_count_are_refused(write, number):
    text = SMALL.replace('"digest@example.org"', f'"digest@example.org"\ngive_up_hours = {number}')
    assert problems(write(text))[0].startswith("mail.give_up_hours:")


def test_a_directory_of_templates_must_be_there(write):
    assert problems(write('templates_dir = "mine"\n' + SMALL))[0].startswith("templates_dir: there is no directory")


def test_a_secret_comes_from_a_file_beside_the_configuration_and_is_never_shown(write, tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    text = SMALL.replace('"digest@example.org"', '"digest@example.org"\n[mail.smtp]\npassword_file = "secret"')
    loaded = load.load(write(text))
    assert loaded.mail.smtp.password is not None
    assert loaded.mail.smtp.password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(loaded)
    (tmp_path / "secret").unlink()
    assert problems(write(text))[0].startswith("mail.smtp.password_file: there is no file secret in ")


@pytest.mark.parametrize(
    "line",
    [
        'base_url = "https://bob:s3cret@digest.example.org"',
        'base_url = "https://digest.example.org/?key=s3cret"',
        'database = "mysql://bob:s3cret@db.example.org/x"',
    ],
)
def test_a_wrong_address_is_shown_without_the_secret_in_it(write, line):
    (found,) = problems(write(line + "\n" + SMALL))
    assert "***" in found
    assert "s3cret" not in found


def test_a_byte_order_mark_belongs_neither_to_the_configuration_nor_to_a_secret(write, tmp_path):
    mark = b"\xef\xbb\xbf"
    (tmp_path / "secret").write_bytes(mark + b"s3cret\r\n")
    path = write(SMALL.replace('"digest@example.org"', '"digest@example.org"\n[mail.smtp]\npassword_file = "secret"'))
    path.write_bytes(mark + path.read_bytes())
    password = load.load(path).mail.smtp.password
    assert password is not None
    assert password.get_secret_value() == "s3cret"
    (tmp_path / "secret").write_bytes(mark + b"\r\n")
    assert problems(path)[0].startswith("mail.smtp.password_file: secret is empty")


def test_the_webhook_secret_comes_from_a_file_and_must_be_hard_to_guess(write, tmp_path):
    text = SMALL + '[web]\nwebhook_secret_file = "secret"\n'
    assert problems(write(text))[0].startswith("web.webhook_secret_file: there is no file secret in ")
    for weak in ("short", "x" * 15, "x" * 201, "sixteen letters and blanks", "é" * 20):
        (tmp_path / "secret").write_text(weak, "utf-8")
        (problem,) = problems(write(text))
        assert problem.startswith("web.webhook_secret: a secret has 16 to 200 characters")
        assert weak not in problem
    (tmp_path / "secret").write_text("a-made-up-webhook-secret\n")
    loaded = load.load(write(text))
    assert loaded.web.webhook_secret is not None
    assert loaded.web.webhook_secret.get_secret_value() == "a-made-up-webhook-secret"
    assert "a-made-up" not in repr(loaded)


def test_a_secret_that_is_no_text_is_not_printed(write):
    for key in ("webhook_secret", "admin_token"):
        assert "12345678" not in "".join(problems(write(SMALL + f"[web]\n{key} = 1234567890123456\n")))


def test_a_wrong_password_is_not_printed(write):
    text = SMALL.replace('"digest@example.org"', '"digest@example.org"\n[mail.smtp]\npassword = 12345678')
    assert "12345678" not in "".join(problems(write(text)))


# -- config.example.toml against the model ------------------------------------------------------------------------


def test_the_example_is_a_configuration(write):
    loaded = load.load(EXAMPLE)
    assert len(loaded.digest_values()) == 2


def test_hugging_face_and_feeds_are_curated_and_arxiv_announces():
    daily = load.load(EXAMPLE).digest_values()[0]
    assert daily.sources == ("huggingface", "arxiv", "arxiv-gaps", "blog")
    assert daily.curated == ("huggingface", "blog")


def shown(table: str) -> dict[str, object]:
    """Return every key the example shows for `table`, commented defaults included."""
    keys: dict[str, object] = {}
    current = ""
    for line in EXAMPLE.read_text("utf-8").splitlines():
        if header := re.fullmatch(r"#?\[+([\w.]+)\]+", line):
            current = header[1]
        elif current == table and (pair := re.fullmatch(r"(#?)(\w+) =\s*(.*)", line)):
            keys[pair[2]] = tomllib.loads(f"x = {pair[3]}")["x"] if pair[1] and pair[3] else ...
    return keys


def plain(field: FieldInfo) -> object:
    value = field.get_default(call_default_factory=False)
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


TABLES: dict[str, tuple[type[BaseModel], ...]] = {
    "": (settings.Config,),
    "mail": (mail.MailTable,),
    "mail.smtp": (mail.SmtpTable,),
    "mail.smtp.oauth": (oauth.OAuthTable,),
    "mail.fallback": (mail.SmtpTable,),
    "mail.domains": (mail.DomainTable,),
    "mail.maildir": (mail.MaildirTable,),
    "mail.sendmail": (mail.SendmailTable,),
    "mail.dkim": (mail.DkimTable,),
    "bounces": (bounces.BouncesTable,),
    "bounces.oauth": (oauth.OAuthTable,),
    "network": (network.NetworkTable,),
    "embeddings": (embeddings.EmbeddingsTable,),
    "summaries": (summaries.SummariesTable,),
    "enrichment": (enrichment.EnrichmentTable,),
    "alerts": (alerts.AlertsTable,),
    "profile": (profile.ProfileTable,),
    "web": (web.WebTable,),
    "logs": (logs.LogsTable,),
    "ranking": (digests.RankingTable,),
    "topics": (digests.TopicTable,),
    "digests": (digests.DigestTable,),
    "digests.theme": (digests.ThemeTable,),
    "digests.theme.dark": (digests.DarkTable,),
    "digests.theme.logo": (digests.LogoTable,),
    "sources": sources.KINDS,
    "outputs": tuple(outputs.OUTPUT_TABLES.values()),
    "sources.block": (rules.ConditionsTable,),
}


@pytest.mark.parametrize("table", TABLES)
def test_the_example_shows_every_key_and_its_true_default(table):
    models = TABLES[table]
    subtables = {name.split(".")[-1] for name in TABLES if name.rpartition(".")[0] == table and name}
    known = {key for model in models for key in model.model_fields} - subtables
    found = shown(table)
    if table in {"mail.fallback", "bounces.oauth"}:  # the keys of another table over again: one is enough to show
        known = {"host"} if table == "mail.fallback" else {"provider"}
    assert set(found) == known
    for key, value in found.items():
        if value is ... or any(model.model_fields[key].is_required() for model in models if key in model.model_fields):
            continue
        defaults = [plain(model.model_fields[key]) for model in models if key in model.model_fields]
        assert value in defaults, key


def test_the_model_is_frozen(write):
    loaded = load.load(write(SMALL))
    with pytest.raises(ValidationError):
        loaded.mail.sender = "other@example.org"


# -- looks -----------------------------------------------------------------------------------------------------------


def test_a_digest_s_look_is_read(write):
    text = (
        SMALL
        + """layout = "compact"
thumbnails = true
language = "de"
[digests.theme]
link = "#0B3D91"
[digests.theme.logo]
url = "https://example.org/logo.png"
alt = "Example"
"""
    )
    look = load.load(write(text)).digest_values()[0].look

    assert (look.layout, look.thumbnails, look.language) == ("compact", True, "de")
    assert (look.theme.light.link, look.theme.dark.link) == ("#0b3d91", "#8ab4ff")
    assert look.theme.logo.alt == "Example"


def test_colours_nobody_can_read_are_told_with_all_other_problems(write):
    text = (
        SMALL
        + """layout = "loud"
[digests.theme]
link = "#9db8ff"
ink = "red"
shadow = "#000000"
[digests.theme.dark]
quiet = "#444444"
[digests.theme.logo]
url = "http://example.org/logo.png"
alt = "Example"
"""
    )
    found = "\n".join(problems(write(text)))

    for wanted in (
        'digests["daily"].layout: ',
        'digests["daily"].theme.link: has a contrast of 2.0:1 on card; at least 4.5:1 is needed',
        "digests[\"daily\"].theme.ink: a colour is written #rrggbb (it is 'red')",
        'digests["daily"].theme.shadow: unknown key',
        'digests["daily"].theme.dark.quiet: has a contrast of',
        'digests["daily"].theme.logo.url: a picture in a mail has an https:// address',
    ):
        assert wanted in found, wanted


def test_a_language_without_a_catalogue_is_told(write):
    found = problems(write(SMALL + 'language = "es"'))

    assert found == ["digests[\"daily\"].language: there is no catalogue for 'es'; known: de, en, fr, he"]


@pytest.mark.parametrize(
    "sender",
    [
        "Müller, Papers 🚀 <digest@example.org>",
        '\\"Müller, Papers 🚀\\" <digest@example.org>',
        "Papers (weekly), Inc. <digest@example.org>",
        "digest@example.org",
    ],
)
def test_any_name_of_a_sender_works_with_quotes_or_without(write, sender: str):
    loaded = load.load(write(SMALL.replace("digest@example.org", sender, 1)))

    assert loaded.mail.sender_address == "digest@example.org"
    assert loaded.mail.dkim_domain() == "example.org"


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("Papers\\r\\nBcc: x@example.org <digest@example.org>", "line end"),
        ("<Papers> <digest@example.org>", "put quotes around it"),
        ("a@example.org, b@example.org", "not a mail address"),
        ("Papers <nobody>", "not a mail address"),
    ],
)
def test_a_sender_that_is_not_one_mailbox_is_refused_with_what_to_write(write, sender: str, said: str):
    (problem,) = problems(write(SMALL.replace("digest@example.org", sender, 1)))

    assert problem.startswith("mail.sender: ")
    assert said in problem


def test_a_name_that_a_digest_lists_twice_is_an_error(write):
    text = SMALL + '\ntopics = ["Agents", "Agents"]\n[[topics]]\nname = "Agents"\nkeywords = ["agent"]\n'
    assert [problem.split(": ", 1)[1] for problem in problems(write(text))] == ["'Agents' is listed twice"]


# -- the right moment ---------------------------------------------------------------------------------------------


def test_by_default_no_edition_waits_and_missed_slots_are_merged(write):
    (daily,) = load.load(write(SMALL)).digest_values()
    assert (daily.wait.sources, daily.on_missed) == ((), OnMissed.MERGE)


def test_how_the_papers_of_a_source_come_follows_from_its_kind(write):
    text = EXAMPLE.read_text("utf-8").replace(
        "#wait_for = []", 'wait_for = ["arxiv", "arxiv-gaps", "huggingface", "blog"]'
    )
    daily = load.load(write(text.replace("#wait_hours = 3.0", "wait_hours = 1.5"))).digest_values()[0]
    assert daily.wait == Wait(
        sources=(
            ("arxiv", Arrival.ARXIV),
            ("arxiv-gaps", Arrival.ARXIV),
            ("huggingface", Arrival.GRADUAL),
            ("blog", Arrival.AT_ONCE),
        ),
        hours=1.5,
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('wait_for = ["arxiv"]', "digests[\"daily\"].wait_for: 'arxiv' is not one of the digest's sources"),
        ("wait_hours = 0", 'digests["daily"].wait_hours: '),
        ("wait_hours = 25", 'digests["daily"].wait_hours: '),
        ('on_missed = "all"', 'digests["daily"].on_missed: '),
    ],
)
def test_what_no_edition_can_wait_for_is_named(write, line, problem):
    (found,) = problems(write(f"{SMALL}{line}\n"))
    assert found.startswith(problem)
