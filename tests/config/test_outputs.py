"""`[[outputs]]` in the configuration: every problem at once, and no secret in any message."""

from __future__ import annotations

from pathlib import Path

import pytest

from digestmail.config.load import load
from digestmail.config.output_problems import output_secrets
from digestmail.errors import ConfigError
from digestmail.wiring.outputs import targets_of, with_outputs

BASE = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["hf"]
"""
PERSONAL = """
[[digests]]
name = "mine"
title = "Papers"
schedule = "0 7 * * *"
sources = ["hf"]
selection = "personal"
"""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = (
    '[[outputs]]\nname = "hook"\nkind = "webhook"\nurl = "https://hook.example.org/x?key=made-up-key"\n'
    f'secret = "{SECRET}"\n'
)
CHAT = (
    '[[outputs]]\nname = "chat"\nkind = "apprise"\nurls = ["ntfy://made-up-topic", "json://localhost/made-up-path"]\n'
)
FILES = '[[outputs]]\nname = "site"\nkind = "files"\npath = "public"\n'
ZOTERO = (
    '[[outputs]]\nname = "zotero"\nkind = "zotero"\nlibrary = "https://www.zotero.org/groups/456/lab"\n'
    'collection = "Digest"\napi_key = "made-up-key"\n'
)


def loaded(path: Path, *tables: str, base: str = BASE):
    (path / "config.toml").write_text(base + "".join(tables), "utf-8")
    return load(path / "config.toml", None)


def problems(path: Path, *tables: str, base: str = BASE) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        loaded(path, *tables, base=base)
    return list(raised.value.problems)


def test_all_four_kinds_load_and_each_url_of_a_chat_is_a_target(tmp_path):
    config = loaded(tmp_path, HOOK, CHAT, FILES, ZOTERO)

    assert [len(targets_of(table)) for table in config.outputs] == [1, 2, 1, 1]
    assert config.outputs[3].library == "groups/456"
    (daily,) = with_outputs(config.digest_values(), config)
    assert len(daily.outputs) == 5


def test_an_output_without_digests_gets_all_but_the_personal_ones(tmp_path):
    config = loaded(tmp_path, PERSONAL, FILES)
    daily, mine = with_outputs(config.digest_values(), config)

    assert (len(daily.outputs), len(mine.outputs)) == (1, 0)


def test_an_output_for_one_digest_gets_only_that(tmp_path):
    table = PERSONAL.replace('selection = "personal"\n', "").replace("mine", "other")
    config = loaded(tmp_path, table, FILES + 'digests = ["other"]\n')
    daily, other = with_outputs(config.digest_values(), config)

    assert (len(daily.outputs), len(other.outputs)) == (0, 1)


def test_every_problem_is_reported_at_once(tmp_path):
    found = problems(
        tmp_path,
        PERSONAL,
        HOOK.replace(f'secret = "{SECRET}"\n', ""),
        CHAT.replace("json://localhost/made-up-path", "ntfy://made-up-topic") + 'digests = ["dayly", "mine"]\n',
        FILES,
        FILES.replace('"site"', '"again"').replace("public", "./x/../public"),
        ZOTERO + 'url = "http://zotero.example.org"\n',
        FILES,
    )

    assert found == [
        "outputs[5].name: 'site' is used twice",
        "outputs[\"chat\"].digests: there is no 'dayly' in [[digests]]; did you mean 'daily'?",
        (
            'outputs["chat"].digests: \'mine\' has selection = "personal": what its readers get is for each of '
            "them alone; leave it out here"
        ),
        'outputs["hook"]: a secret is missing: set secret_file or secret',
        'outputs["chat"].urls: number 2 is listed twice (it is not shown)',
        'outputs["again"].path: is the folder of outputs["site"] too: give each output its own',
        'outputs["zotero"].url: the API key would go over the network in clear text: use an https:// address',
        'outputs["site"].path: is the folder of outputs["site"] too: give each output its own',
    ]


def test_a_personal_digest_alone_has_nothing_for_outputs(tmp_path):
    only = BASE.replace('sources = ["hf"]\n', 'sources = ["hf"]\nselection = "personal"\n')

    (found,) = problems(tmp_path, FILES, base=only)
    assert 'every digest has selection = "personal"' in found


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            FILES.replace("files", "file"),
            "outputs[\"site\"].kind: is one of webhook, apprise, files, zotero (it is 'file')",
        ),
        (FILES.replace("path", "paht"), "outputs[\"site\"].paht: unknown key; did you mean 'path'?"),
        (FILES + 'format = "pdf"\n', "outputs[\"site\"].format: Input should be 'markdown' or 'html' (it is 'pdf')"),
        (FILES + "timeout = 600\n", 'outputs["site"].timeout: Input should be less than or equal to 60 (it is 600)'),
        (FILES + "digests = []\n", 'outputs["site"].digests: is empty'),
        (HOOK.replace("https://", "ftp://"), 'outputs["hook"].url: not a web address'),
        (HOOK.replace("hook.example.org", "user:made-up@hook.example.org"), 'outputs["hook"].url: write the login'),
        (HOOK.replace(SECRET, "made-up-key"), 'outputs["hook"].secret: a webhook secret begins with whsec_'),
        (CHAT.replace("ntfy://", ""), 'outputs["chat"].urls: number 1 is not a URL of Apprise'),
        (CHAT.replace("ntfy://made-up-topic", "ntfy://a b"), 'outputs["chat"].urls: number 1 is not a URL of Apprise'),
        (ZOTERO.replace("groups/456/lab", "x"), 'outputs["zotero"].library: '),
        (
            ZOTERO.replace("made-up-key", "made-up\\nkey"),
            'outputs["zotero"].api_key: the value of a header is one line',
        ),
    ],
)
def test_a_mistake_is_named_by_its_key_and_secrets_are_not_shown(tmp_path, table, said):
    found = problems(tmp_path, table)

    assert any(one.startswith(said) for one in found), found
    assert not any(word in one for one in found for word in ("made-up-key", "made-up-topic", "made-up-path", SECRET))


def test_secrets_are_read_from_files(tmp_path):
    (tmp_path / "hook").write_text(f"{SECRET}\n{SECRET[:-1]}A\n")
    (tmp_path / "chats").write_text("# our rooms\nntfy://one\n\njson://two\n")
    (tmp_path / "key").write_text("made-up-key\n")
    config = loaded(
        tmp_path,
        HOOK.replace(f'secret = "{SECRET}"', 'secret_file = "hook"'),
        CHAT.split("urls", maxsplit=1)[0] + 'urls_file = "chats"\n',
        ZOTERO.replace('api_key = "made-up-key"', 'api_key_file = "key"'),
    )

    assert len(config.outputs[0].secret.get_secret_value().split()) == 2
    assert [url.get_secret_value() for url in config.outputs[1].urls] == ["ntfy://one", "json://two"]
    assert output_secrets(config)['outputs["zotero"].api_key'] == "made-up-key"
    assert not any(word in repr(config) for word in (SECRET, "ntfy://one", "api_key=made"))


@pytest.mark.parametrize("content", ["", "# only a comment\n", "not a url\n", "ntfy://a\nntfy://a\n"])
def test_a_file_of_urls_that_cannot_be_used_is_named(tmp_path, content):
    (tmp_path / "chats").write_text(content)
    found = problems(tmp_path, CHAT.split("urls", maxsplit=1)[0] + 'urls_file = "chats"\n')

    assert len(found) == 1
    assert found[0].startswith('outputs["chat"].urls_file: ')


def test_a_file_that_is_not_there_and_one_beside_a_value_are_named(tmp_path):
    found = problems(tmp_path, HOOK.replace("secret =", 'secret_file = "nowhere"\nsecret ='))
    found += problems(tmp_path, ZOTERO.replace('api_key = "made-up-key"', 'api_key_file = "nowhere"'))

    assert found[0] == 'outputs["hook"].secret_file: secret is set too: leave one of them out'
    assert found[1].startswith('outputs["zotero"].api_key_file: there is no file nowhere')
