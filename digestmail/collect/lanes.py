"""Read many sources at once, but those at one host one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from digestmail.logs.runs import in_same_run
from digestmail.model.reports import Stop
from digestmail.sources.base import Source

AT_ONCE = 8
"""How many hosts are asked at the same time."""
_PATIENCE = 0.5
"""Seconds without a result after which we look whether to stop."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def lanes_of(sources: Sequence[Source], addresses: Mapping[str, str]) -> list[list[Source]]:
    """Divide the sources by host; those whose address is not known share one lane."""
    lanes: dict[str | None, list[Source]] = {}
    for source in sources:
        lanes.setdefault(host_of(addresses.get(source.name, "")), []).append(source)
    return list(lanes.values())


def host_of(address: str) -> str | None:
    """Return the host of an address; None if it is no address, which reading it will say."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def run_lanes(
    lanes: Sequence[Sequence[_Item]], read: Callable[[_Item], _Result], stop: Stop
) -> Generator[_Result, None, None]:
    """Yield what `read` returns for every item of the lanes, such as a source, as soon as it is there.

    `stop` is asked before each item, and while all of them make us wait. What is being read then is given up: nothing
    of it was stored, and a server that never answers must not keep the process from ending.

    What `read` raises is raised here, after the sources in hand were read.
    """
    # The longest lane first: it decides how long all of it takes.
    work = _Work(sorted(lanes, key=len, reverse=True), read, stop)
    threads = [
        Thread(target=in_same_run(work.do), name=f"sources {n}", daemon=True) for n in range(min(AT_ONCE, len(lanes)))
    ]
    for thread in threads:
        thread.start()
    wait = True
    try:
        yield from work.results(len(threads))
        wait = not work.given_up
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        work.over.set()
        for thread in threads if wait else ():
            thread.join()


class _Work(Generic[_Item, _Result]):
    """What the threads share: the lanes that no one has taken yet, and what came of the others."""

    def __init__(self, lanes: Iterable[Sequence[_Item]], read: Callable[[_Item], _Result], stop: Stop) -> None:
        self._waiting: SimpleQueue[Sequence[_Item]] = SimpleQueue()
        for lane in lanes:
            self._waiting.put(lane)
        self._done: SimpleQueue[tuple[_Result] | BaseException | None] = SimpleQueue()
        self._read = read
        self._stop = stop
        self.over = Event()
        self.given_up = False
        """Whether it was over while something was being read."""

    def do(self) -> None:
        """Take one lane after the other, until there are none or it is over."""
        try:
            while not self.over.is_set():
                for item in self._waiting.get_nowait():
                    if self.over.is_set() or self._stop():
                        self.over.set()
                        break
                    self._done.put((self._read(item),))
        except Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            self._done.put(error)
        finally:
            self._done.put(None)

    def results(self, running: int) -> Iterator[_Result]:
        """Yield what comes, until `running` threads have ended or it is time to stop."""
        while running:
            try:
                result = self._done.get(timeout=_PATIENCE)
            except Empty:
                if self._stop():
                    self.given_up = True
                    return
                continue
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result[0]
