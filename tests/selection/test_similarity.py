from __future__ import annotations

from fakes import paper
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.model.digests import Topic
from digestmail.model.papers import Paper
from digestmail.selection.similarity import compare
from digestmail.selection.tokenize import read

SERVING = Topic(
    name="Efficient serving",
    keywords=("quantization",),
    description="training and serving large models with less memory, time and energy",
)
CACHE = paper(
    1,
    title="Smaller caches serve more users",
    abstract="A model that quantizes its cache needs little memory and energy when it serves long texts.",
)
BIRDS = paper(2, title="Counting birds", abstract="We count birds in winter and find fewer sparrows than in summer.")
GRAPHS = paper(3, title="On colouring graphs", abstract="A bound on the chromatic number of sparse graphs is shown.")


def values(papers: list[Paper], *topics: Topic) -> list[list[float]]:
    return [[similarity.value for similarity in row] for row in compare([read(p) for p in papers], topics)]


def test_a_paper_in_other_words_is_similar_to_the_topic():
    near, birds, graphs = (row[0] for row in compare([read(p) for p in (CACHE, BIRDS, GRAPHS)], [SERVING]))
    assert near.value > SERVING.min_strength > max(birds.value, graphs.value)
    assert set(near.words) >= {"memory", "energy", "quantizes"}


def test_a_single_paper_is_enough_to_compare():
    ((near,),) = compare([read(CACHE)], [SERVING])
    assert near.value > SERVING.min_strength


def test_common_words_say_little():
    chatter = paper(4, title="Large models", abstract="We train a large model with new data and show results in time.")
    near, far = values([CACHE, chatter], SERVING)
    assert near[0] > 3 * far[0]


def test_a_word_in_every_paper_of_the_day_has_little_weight():
    flood = [paper(n, title=f"Energy {n}", abstract="Energy.") for n in range(10, 60)]
    alone = values([flood[0], BIRDS, GRAPHS], SERVING)[0][0]
    among = values(flood, SERVING)[0][0]
    assert among < alone / 2


def test_one_shared_word_is_weaker_evidence_than_several():
    topic = Topic(name="Birds", description="sparrows owls herons")
    one, two = paper(1, abstract="sparrows fly high"), paper(2, abstract="sparrows owls high")
    ((first,), (second,)) = values([one, two], topic)
    assert second > 2 * first


def test_topics_are_compared_each_for_itself():
    birds = Topic(name="Birds", description="sparrows in winter")
    assert values([CACHE, BIRDS], SERVING, birds) == [
        [values([CACHE, BIRDS], SERVING)[0][0], 0.0],
        [0.0, values([CACHE, BIRDS], birds)[1][0]],
    ]


def test_nothing_compares_to_nothing():
    assert compare([], [SERVING]) == []
    assert compare([read(CACHE)], []) == [()]
    assert values([CACHE], Topic(name="")) == [[0.0]]
    assert values([paper(1, title="", abstract="")], SERVING) == [[0.0]]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=20), st.text(max_size=80)), max_size=6, unique=True),
    st.lists(st.text(max_size=30), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_similarity_is_a_share_and_does_not_depend_on_the_order_of_papers(texts, descriptions, random):
    papers = [paper(n, title=title or "-", abstract=abstract) for n, (title, abstract) in enumerate(texts)]
    topics = [Topic(name=f"topic{n}", description=text) for n, text in enumerate(descriptions)]
    found = dict(zip([p.id for p in papers], compare([read(p) for p in papers], topics), strict=True))
    shuffled = random.sample(papers, len(papers))
    assert found == dict(zip([p.id for p in shuffled], compare([read(p) for p in shuffled], topics), strict=True))
    assert all(0 <= similarity.value < 1 for row in found.values() for similarity in row)
    assert all(bool(similarity.words) == (similarity.value > 0) for row in found.values() for similarity in row)
