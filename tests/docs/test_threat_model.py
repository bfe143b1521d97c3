"""The threat model names a test for every promise, each of them exists, and the security policy repeats none of it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/threat-model.md").read_text("utf-8")
NAMED = frozenset(re.findall(r"`(tests/[\w/]+\.py::\w+)`", TEXT))
SENDERS = {
    title: body
    for title, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    if title != "What is installed with it"
}
ROWS = [(title, row) for title, body in SENDERS.items() for row in re.findall(r"^\| (?!-)(.+) \|$", body, re.MULTILINE)]
KINDS = {
    "one bad message, entry, event, line or subscriber stops no other": (
        "bounces/test_quarantine.py::test_a_message_that_the_parser_fails_on_is_put_aside_and_the_next_is_counted",
        "sources/test_feed.py::test_one_bad_entry_is_skipped_with_its_reason_and_the_rest_is_kept",
        "web/test_events.py::test_a_batch_counts_each_event_and_one_bad_event_hurts_no_other",
        "subscribers/test_csv.py::test_a_line_that_is_wrong_fails_alone",
        "delivery/test_deliver.py::test_a_bug_met_on_one_mail_costs_no_other_theirs",
    ),
    "a text that is too long stops no run": (
        "collect/test_long_entries.py::test_the_entries_beside_it_are_stored_found_and_published",
    ),
    "the cost of a feed is limited": (
        "sources/test_xml_limits.py::test_both_parsers_of_feeds_obey_the_limits",
        "sources/test_bounds.py::test_json_of_too_many_objects_is_refused",
        "sources/test_authors.py::test_hostile_authors_cost_linear_time",
    ),
    "a sign-up is kept, or the page says that it is not": (
        "web/test_requests.py::test_a_locked_database_is_a_503_that_says_so_and_nothing_is_lost",
        "web/test_requests.py::test_a_sign_up_while_the_mail_server_is_down_is_confirmed_when_it_is_back",
    ),
    "erasing leaves no address": (
        "storage/test_erasing.py::test_no_column_mentions_an_erased_address_and_each_that_may_did_before",
        "storage/test_erasing.py::test_the_files_of_a_database_contain_no_erased_address",
    ),
    "placeholders cannot be guessed": ("mail/test_render.py::test_two_renderings_have_different_placeholders",),
    "a private host is open to its source only": (
        "sources/test_guard.py::test_a_private_host_is_open_only_to_fetches_that_begin_there",
    ),
    "a login is tried once, and not in clear text": (
        "delivery/test_logins.py::test_a_refused_login_pauses_the_relay_blames_nobody_and_tells_no_secret",
        "config/test_servers.py::test_a_secret_in_clear_over_the_network_needs_a_key_that_says_so",
    ),
    "the web server withstands its visitors": (
        "web/test_cache.py::test_an_unknown_parameter_or_another_spelling_costs_no_rendering",
        "web/test_protocol.py::test_octets_that_trickle_in_do_not_move_the_deadline",
        "web/test_protocol.py::test_an_aborted_body_is_not_an_error_in_the_log",
        "web/test_hostile.py::test_a_number_of_any_length_is_refused_or_ignored",
        "web/test_requests.py::test_every_kind_of_address_is_answered_after_the_same_statements",
        "subscribers/test_rate_limit.py::test_tagged_addresses_of_one_mailbox_share_its_limit",
        "web/test_proxies.py::test_nothing_that_a_client_writes_changes_what_the_proxy_appends",
        "text/test_addresses.py::test_ip_addresses_and_bare_host_names_are_refused",
        "mail/test_tokens.py::test_links_of_different_people_have_nothing_in_common",
        "web/test_own_templates.py::test_a_template_cannot_leave_the_sandbox",
        "web/test_server.py::test_a_port_in_use_ends_the_command_and_names_who_uses_it",
    ),
    "files are for their owner, whatever the umask": (
        "status/test_files.py::test_the_database_and_the_files_beside_it_are_for_their_owner_only",
        "status/test_files.py::test_mailboxes_are_for_their_owner_only",
    ),
    "an interrupt drains, and a dead worker is succeeded": (
        "delivery/test_deliver.py::test_it_stops_between_two_mails_and_gives_the_rest_back_at_once",
        "delivery/test_takeover.py::test_the_next_run_takes_over_deferred_emails_that_a_killed_process_had_claimed",
    ),
    "dependencies are audited and listed": (
        "e2e/test_release.py::test_the_audit_asks_for_every_pin_and_fails_for_one_that_is_vulnerable",
        "e2e/test_release.py::test_the_sbom_names_every_pin_with_its_hashes_and_the_version_that_is_released",
    ),
}
"""Kinds of harm, and harmless tests that would notice each."""


@cache
def functions_of(name: str) -> frozenset[str]:
    """Return the names of the test functions of a module."""
    path = ROOT / name
    tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
    found = (one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(one for one in found if one.startswith("test_"))


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_test_that_the_threat_model_names_exists(name):
    module, _, function = name.partition("::")
    assert function in functions_of(module)


@pytest.mark.parametrize(("sender", "row"), [row for row in ROWS if not row[1].endswith("| promise | test")])
def test_every_promise_names_its_tests(sender, row):
    _, promise, tests = row.split(" | ")
    assert promise
    assert set(tests.split(", ")) <= {f"`{name}`" for name in NAMED}, sender


def test_each_sender_has_promises_and_says_what_is_not_promised():
    assert len(SENDERS) == 13
    for sender, body in SENDERS.items():
        assert sum(title == sender for title, _ in ROWS) >= 2, sender
        assert "\nNot promised: " in body, sender


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_harm_has_a_test_that_the_threat_model_names(kind):
    assert {f"tests/{name}" for name in KINDS[kind]} <= NAMED


def test_the_security_policy_links_to_every_sender_and_repeats_no_test():
    policy = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "tests/" not in policy
    linked = re.findall(r"docs/threat-model\.md#([\w-]+)", policy)
    assert linked == [re.sub(r"[^\w\- ]", "", sender.lower()).replace(" ", "-") for sender in SENDERS]
