"""Sources at different hosts are read at the same time, those at one host never."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from fakes import THURSDAY, FakeSource, reading, sighting

from digestmail.collect.collector import collect
from digestmail.collect.lanes import AT_ONCE, lanes_of, run_lanes
from digestmail.errors import StorageError
from digestmail.sources.http.host_locks import HostLocks


def sources(hosts: int, each: int):
    found = [FakeSource(f"s{host}-{n}", reading()) for n in range(each) for host in range(hosts)]
    return found, {source.name: f"https://{source.name.partition('-')[0]}.test/{source.name}" for source in found}


class Watched:
    """Reads nothing, but sees who is at work at the same time."""

    def __init__(self, together: int) -> None:
        self.barrier = threading.Barrier(together)
        self.lock = threading.Lock()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def __call__(self, source) -> str:
        host = source.name.partition("-")[0]
        with self.lock:
            self.now[host] += 1
            self.most[host] = max(self.most[host], self.now[host])
        # Goes on only when as many hosts as there are threads are being read.
        self.barrier.wait(10)
        with self.lock:
            self.now[host] -= 1
        return source.name


def test_hosts_are_read_at_the_same_time_and_each_one_after_the_other():
    found, addresses = sources(AT_ONCE, 5)
    read = Watched(AT_ONCE)
    results = list(run_lanes(lanes_of(found, addresses), read, lambda: False))
    assert sorted(results) == sorted(source.name for source in found)
    assert set(read.most.values()) == {1}


def test_no_more_threads_than_allowed_are_at_work():
    found, addresses = sources(3 * AT_ONCE, 1)
    seen = set()

    def read(source):
        seen.add(threading.current_thread().name)
        return source.name

    assert len(list(run_lanes(lanes_of(found, addresses), read, lambda: False))) == len(found)
    assert len(seen) <= AT_ONCE


def test_sources_without_a_known_address_are_read_in_order():
    found, _ = sources(3, 2)
    assert list(run_lanes(lanes_of(found, {}), lambda source: source.name, lambda: False)) == [s.name for s in found]


def test_trouble_of_ours_in_one_lane_ends_all_and_is_raised():
    found, addresses = sources(4, 50)

    def read(source):
        if source.name == "s2-1":
            raise StorageError("disk full")
        return source.name

    with pytest.raises(StorageError, match="disk full"):
        list(run_lanes(lanes_of(found, addresses), read, lambda: False))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sources ")]


def test_nothing_new_is_begun_after_the_wish_to_stop():
    found, addresses = sources(2, 50)
    done: list[str] = []

    def read(source):
        done.append(source.name)
        return source.name

    results = list(run_lanes(lanes_of(found, addresses), read, lambda: len(done) >= 6))
    assert len(results) == len(done) < 10


@pytest.mark.parametrize("hosts", [1, 3])
def test_a_server_that_never_answers_does_not_keep_us_from_ending(hosts):
    found, addresses = sources(hosts, 2)
    begun, release = threading.Event(), threading.Event()

    def hang(source):
        begun.set()
        release.wait(30)
        return source.name

    try:
        assert list(run_lanes(lanes_of(found, addresses), hang, begun.is_set)) == []
        assert not release.is_set()
    finally:
        release.set()
        for thread in threading.enumerate():
            if thread.name.startswith("sources "):
                thread.join()


def test_who_reads_no_further_leaves_no_thread_behind():
    found, addresses = sources(3, 50)
    results = run_lanes(lanes_of(found, addresses), lambda source: source.name, lambda: False)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sources ")]


def test_the_report_is_in_the_order_of_the_configuration(database):
    found = [FakeSource(f"s{n}", reading(sighting(n), source=f"s{n}")) for n in range(20)]
    addresses = {source.name: f"https://{source.name}.test/" for source in found}
    report = collect(database, found, THURSDAY, addresses=addresses)
    assert [each.source for each in report.sources] == [source.name for source in found]
    assert sum(each.new for each in report.sources) == 20


def test_a_lock_keeps_two_from_one_host_and_lets_them_to_two():
    locks = HostLocks()
    first = locks.acquire("a.test")
    locks.acquire("b.test").release()
    waited = threading.Event()

    def wait() -> None:
        locks.acquire("a.test").release()
        waited.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not waited.is_set()
    first.release()
    thread.join(10)
    assert waited.is_set()
