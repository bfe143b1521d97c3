"""Emails of which each is another choice: assembled from parts, against rendered as a whole, on one core.

25 papers of 300, in the layout "full", with links for feedback and a reason for each paper. Both ways take turns, so
that what else the machine does slows both. Then the same for 500 segments: topics that readers chose, without picks.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from benchmarks.figures import Figure, figure, tell
from benchmarks.mail import AT, BASE_URL, entry, sample
from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.mail.writer import MailWriter
from digestmail.model.editions import Edition
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import PersonalSection, Section, TopicMatch
from digestmail.selection.segments import for_segment

PAPERS: Final = 300
SHOWN: Final = 25
ROUNDS: Final = 8
ASSEMBLED: Final = 1_500
WHOLE: Final = 15
SEGMENTS: Final = 500
REASONS: Final = tuple(
    [PickReason(kind=PickKind.LIKED, title=f"A Paper That Somebody Liked on Day {number}") for number in range(150)]
    + [PickReason(kind=PickKind.INTERESTS, names=("quantization", f"word {number}")) for number in range(100)]
)


def edition() -> Edition:
    """Return an edition of invented papers."""
    return replace(sample(), entries=tuple(entry(rank) for rank in range(1, PAPERS + 1)))


def choice(of: Edition, rng: Random) -> tuple[Section, ...]:
    """Return what one reader gets."""
    places = rng.sample(range(PAPERS), SHOWN)
    picked = PersonalSection(
        topic=None,
        entries=tuple(of.entries[at] for at in places),
        reasons=tuple(rng.choices(REASONS, k=SHOWN)),
        positions=tuple(at + 1 for at in places),
    )
    return (picked,)


def octets(template: MessageTemplate) -> int:
    """Return the size of the message for one reader, which is written for it."""
    message = template.personalize(
        recipient="reader@example.net", message_id="<a@example.org>", date=AT, unsubscribe_token="x" * 50
    )
    return len(message)


def seconds(work: Callable[[tuple[Section, ...]], MessageTemplate], choices: list[tuple[Section, ...]]) -> float:
    """Return the processor time of an email."""
    began = time.process_time()
    for sections in choices:
        octets(work(sections))
    return (time.process_time() - began) / len(choices)


def rates(signers: tuple[Signer, ...]) -> tuple[float, float, float]:
    """Return emails a second: assembled, and as a whole. And how much memory grew after the first round, in MB."""
    of, rng = edition(), Random(1)
    sender = Sender(mailbox="Papers <digest@example.org>", domain="example.org", base_url=BASE_URL)
    writer = MailWriter(Renderer(), sender, {}, signers)
    messages = writer.edition_messages(of, None)

    def assembled(sections: tuple[Section, ...]) -> MessageTemplate:
        return messages.message(of, sections)

    def whole(sections: tuple[Section, ...]) -> MessageTemplate:
        return writer.edition_message(of, writer.render(of, sections))

    fast, slow, memory = [], [], []
    for _ in range(ROUNDS + 1):
        fast.append(seconds(assembled, [choice(of, rng) for _ in range(ASSEMBLED)]))
        slow.append(seconds(whole, [choice(of, rng) for _ in range(WHOLE)]))
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    # In the first round, the parts are rendered.
    return len(fast[1:]) / sum(fast[1:]), len(slow[1:]) / sum(slow[1:]), memory[-1] - memory[1]


def segments(number: int) -> tuple[float, float]:
    """Return the processor time of the emails of so many segments of an edition: assembled, and as a whole.

    The second is that of every tenth one, times ten.
    """
    rng = Random(3)
    topics = tuple(f"Topic {at}" for at in range(12))
    of = replace(edition(), topics=topics)
    of = replace(
        of,
        entries=tuple(
            replace(one, matches=tuple(TopicMatch(topic=topic, strength=1.0) for topic in rng.sample(topics, 2)))
            for one in of.entries
        ),
    )
    chosen = dict.fromkeys(tuple(sorted(rng.sample(topics, rng.randrange(1, 7)))) for _ in range(4 * number))
    choices = [for_segment(of, some, ()) for some in chosen][:number]
    sender = Sender(mailbox="Papers <digest@example.org>", domain="example.org", base_url=BASE_URL)
    writer = MailWriter(Renderer(), sender, {}, ())
    writer.render(of, choices[0])  # compiles the templates
    messages = writer.edition_messages(of, None)
    assembled = seconds(lambda sections: messages.message(of, sections), choices) * len(choices)
    whole = seconds(lambda sections: writer.edition_message(of, writer.render(of, sections)), choices[::10])
    return assembled, whole * len(choices)


def main() -> None:
    """Measure."""
    figures: list[Figure] = []
    ed25519 = Signer(domain="example.org", selector="s", pem=generate(Algorithm.ED25519))
    rsa = Signer(domain="example.org", selector="r", pem=generate(Algorithm.RSA))
    for name, signers, aim in (("unsigned", (), 60), ("Ed25519", (ed25519,), 30), ("RSA-2048", (rsa,), None)):
        assembled, whole, grown = rates(signers)
        ratio = f"assembled / whole, {name}", assembled / whole, "times"
        figures += [
            Figure(f"assembled, {name}", round(assembled), "emails/s", "-", holds=True),
            Figure(f"whole, {name}", round(whole, 1), "emails/s", "-", holds=True),
            Figure(ratio[0], round(ratio[1], 1), ratio[2], "-", holds=True)
            if aim is None
            else figure(*ratio, ">=", aim),
            figure(f"memory grown, {name}", grown, "MB", "<=", 32),
        ]
    assembled, whole = segments(SEGMENTS)
    figures += [
        Figure(f"{SEGMENTS} segments, assembled", round(assembled, 2), "s", "-", holds=True),
        Figure(f"{SEGMENTS} segments, whole", round(whole, 2), "s", "-", holds=True),
        figure(f"whole / assembled, {SEGMENTS} segments", whole / assembled, "times", ">=", 5),
    ]
    tell(figures)


if __name__ == "__main__":
    main()
