"""How the recorded bounces are read: the confusion table, and milliseconds a mail."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.figures import Figure, figure, tell

ROOT = Path(__file__).resolve().parents[1]
BOUNCES = ROOT.parent / "shared" / "data" / "bounces"
ROUNDS = 20


def main() -> None:
    """Measure."""
    if not BOUNCES.is_dir():
        sys.exit("the recorded bounces are not here: nothing is measured")
    sys.path.insert(0, str(ROOT / "tests"))
    from bounce_corpus import confusion, flufl, sisimai

    from digestmail.bounces.parsing.parse import read

    cases = list(sisimai(BOUNCES))
    for title, some in (("sisimai", cases), ("flufl", list(flufl(BOUNCES)))):
        for (expected, found), count in sorted(confusion(some).items()):
            sys.stderr.write(f"{title:8} {expected:14} read as {found:14} {count:3}\n")
    told_hard = [case for case in cases if case.found == "hard"]
    right = [case for case in told_hard if case.expected == "hard"]
    blamed = [case for case in cases if case.expected in {"complaint", "auto-reply"} and case.returned.failures]
    raws = [path.read_bytes() for path in BOUNCES.glob("*/*.*")]
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for raw in raws:
            read(raw)
    milliseconds = (time.perf_counter() - began) / ROUNDS / len(raws) * 1000
    everything = sum(case.expected == "hard" for case in cases)
    tell(
        [
            figure("hard bounces found", len(right) / everything, "of all", ">=", 1.0),
            figure("hard bounces that are", len(right) / len(told_hard), "of found", ">=", 1.0),
            figure("complaints and auto-replies counted", len(blamed), "mails", "<=", 0),
            Figure("mails read", len(raws), "mails", "-", holds=True),
            figure("a mail", milliseconds, "ms", "<=", 5),
        ]
    )


if __name__ == "__main__":
    main()
