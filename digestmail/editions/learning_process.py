"""Learns topics in a process of its own, which gives its memory back, can be stopped, and takes nothing down with it.

Run as `python -m digestmail.editions.learning_process`: it reads a pickled `Material` from standard input, and
writes the models as JSON to standard output.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile

from digestmail.model.digests import Topic
from digestmail.model.reports import Stop, never
from digestmail.selection.tokenize import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What topics are learned from."""

    papers: Sequence[tuple[str, str, tuple[str, ...]]]
    """Title, abstract and keywords of each."""
    topics: Sequence[Topic]
    embeddings: Sequence[bytes] = ()
    """Those of the papers, as for `selection.learning.learn`; empty without any."""
    topic_embeddings: Sequence[bytes] = ()


_LOOK_EVERY = 0.2
"""Seconds between two looks at whether to stop."""
_LONGEST = 180
"""The seconds after which learning is given up: it takes a few, and editions wait for it."""


class LearningError(Exception):
    """Topics could not be learned. The text says why."""


def learn_in_child(material: Material, stop: Stop = never) -> list[str | None] | None:
    """Return the model of each topic as `topic_model.dump` writes it; None if `stop` returned true first.

    A model is None if the papers say too little about the topic. Raises LearningError.
    """
    with TemporaryFile() as given, TemporaryFile() as answer, TemporaryFile() as said:
        pickle.dump(material, given)
        given.seek(0)
        # -P: modules are not looked for in the current directory. A session of its own, so that Ctrl-C reaches only
        # this process, which then ends the other.
        with subprocess.Popen(  # noqa: S603 - this interpreter and this module
            [sys.executable, "-P", "-m", __name__], stdin=given, stdout=answer, stderr=said, start_new_session=True
        ) as child:
            try:
                code = _wait(child, stop)
            finally:
                child.kill()
        answer.seek(0)
        said.seek(0)
        return None if code is None else _models(code, answer.read(), said.read())


def _wait(child: subprocess.Popen[bytes], stop: Stop) -> int | None:
    """Return the exit code of `child`; None if `stop` returned true first."""
    for _ in range(int(_LONGEST / _LOOK_EVERY)):
        try:
            return child.wait(_LOOK_EVERY)
        except subprocess.TimeoutExpired:
            if stop():
                return None
    raise LearningError(f"it took over {_LONGEST} seconds")


def _models(code: int, answer: bytes, said: bytes) -> list[str | None]:
    if code:
        lines = said.decode(errors="replace").strip().splitlines()
        ended = f"its process was ended by signal {-code}" if code < 0 else f"its process ended with code {code}"
        raise LearningError(lines[-1] if lines and code > 0 else ended)
    try:
        models: list[str | None] = json.loads(answer)
    except ValueError as error:
        raise LearningError("its process wrote something else than models") from error
    return models


def learn_here(material: Material, stop: Stop = never) -> list[str | None]:
    """Do the same as `learn_in_child` in this process. Raises LearningError. `stop` is not looked at."""
    del stop
    try:
        # NumPy and SciPy take longer to import than most runs take for everything else.
        from digestmail.selection.learning import learn
        from digestmail.selection.topic_model import dump

        texts = [read_text(title, " . ".join((abstract, *keywords))) for title, abstract, keywords in material.papers]
        models = learn(texts, material.topics, material.embeddings, material.topic_embeddings)
    except (ImportError, MemoryError, ArithmeticError, ValueError, RuntimeError) as error:
        raise LearningError(f"{type(error).__name__}: {error}") from error
    return [None if model is None else dump(model) for model in models]


def main() -> None:
    """Read what to learn from, learn, and write the models."""
    material = pickle.load(sys.stdin.buffer)  # noqa: S301 - the process that started this one wrote it
    try:
        models = learn_here(material)
    except LearningError as error:
        sys.exit(str(error))
    json.dump(models, sys.stdout)


if __name__ == "__main__":
    main()
