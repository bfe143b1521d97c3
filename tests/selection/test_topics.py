from __future__ import annotations

import re

import pytest
from fakes import paper
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.digests import Topic
from digestmail.selection.phrases import compile_phrase, occurs_in
from digestmail.selection.similarity import Similarity
from digestmail.selection.tokenize import STEM_HEAD, read, spelled, stem, words_of
from digestmail.selection.topic_model import Judgement
from digestmail.selection.topics import admits, compile_rule, excluded_by, match

NOTHING_ALIKE = Similarity()


def found(topic: Topic, similarity: Similarity = NOTHING_ALIKE, judgement: Judgement | None = None, **fields):
    subject, rule = paper(1, **fields), compile_rule(topic)
    evidence = match(rule, subject, read(subject), similarity, judgement)
    return evidence if evidence is not None and admits(rule, evidence) else None


def occurs(keyword: str, text: str) -> bool:
    return occurs_in(compile_phrase(keyword), read(paper(1, title="-", abstract=text)))


# -- phrases ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("LLM", "We compare LLMs."),
        ("LLMs", "An LLM writes."),
        ("llm", "an LLM's taste"),
        ("code", "Code, in short"),
        ("policy", "three policies"),
        ("policies", "a policy"),
        ("policies", "Policies first"),
        ("analysis", "two analyses"),
        ("analyses", "one analysis"),
        ("box", "boxes"),
        ("boxes", "one box"),
        ("bias", "biases"),
        ("loss", "losses"),
        ("losses", "the loss"),
        ("memory-efficient", "a memory efficient cache"),
        ("memory efficient", "a memory-efficient cache"),
        ("memory efficient", "a memory\u2011efficient cache"),
        ("pre-training", "after pretraining"),
        ("state-of-the-art", "state of the art"),
        ("tool use", "tool\nuse"),
        ("language model", "large language models"),
        ("language models", "a language model"),
        ("GPT-4", "GPT4 and others"),
        ("GPT-4", "as GPT 4 does"),
        ("3D", "3D scenes"),
        ("C++", "written in C++11, and in C++."),
        ("R&D", "their R&D costs"),
        (".NET", "on .NET"),
        ("a.b", "see a.b here"),
        ("k-means", "K-Means clustering"),
        ("tool_use", "tool use"),
        ("na\u00efve Bayes", "nai\u0308ve BAYES"),
        ("stra\u00dfe", "STRASSE"),
        ("\u0434\u0438\u0444\u0444\u0443\u0437\u0438\u044f", "\u0414\u0438\u0444\u0444\u0443\u0437\u0438\u044f"),
        ("\u8bed\u8a00\u6a21\u578b", "\u5927\u8bed\u8a00\u6a21\u578b\u7684\u63a8\u7406"),
        ("\ubaa8\ub378", "\uc5b8\uc5b4 \ubaa8\ub378\uc740"),
    ],
)
def test_a_keyword_is_found(keyword, text):
    assert occurs(keyword, text)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("code", "an encoder, a codec, to encode"),
        ("LLM", "vLLM serves"),
        ("RAG", "fragments and storage"),
        ("agent", "reagent"),
        ("GPT-4", "GPT-4o and GPT-40"),
        ("3D", "23D"),
        ("C++", "in C alone"),
        ("a.b", "axb"),
        (".*", "anything"),
        ("(", "no bracket"),
        ("news", "a new method"),
        ("memory efficient", "Less memory. Efficient training"),
        ("tool use", "a tool of use"),
        ("-", "a-b - c"),
        ("\u00ad", "soft"),
        ("", "nothing"),
    ],
)
def test_a_keyword_is_not_found(keyword, text):
    assert not occurs(keyword, text)


def test_phrases_do_not_run_from_one_keyword_of_a_paper_into_the_next():
    assert occurs_in(compile_phrase("tool use"), read(paper(1, keywords=("agents", "tool use"))))
    assert not occurs_in(compile_phrase("tool use"), read(paper(1, keywords=("tool", "use"))))


words = st.text("abcxyz\u00e9\u00f1019", min_size=1, max_size=6)


@given(
    st.lists(words, min_size=1, max_size=4), st.sampled_from([" ", "-", "  "]), st.text(max_size=8), st.text(max_size=8)
)
def test_a_keyword_between_spaces_is_always_found(parts, separator, before, after):
    keyword = separator.join(parts)
    assert occurs(keyword, f"{before} {keyword} {after}")
    assert occurs(keyword.upper(), f"{before} {keyword} {after}")
    assert occurs(f"{keyword}s", f"{before} {keyword}s {after}")


@given(st.text(max_size=20), st.text(max_size=60))
def test_any_text_may_be_a_keyword(keyword, text):
    occurs(keyword, text)


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=10).filter(lambda text: re.search(r"\w", text)))
def test_a_keyword_is_literal(keyword):
    assert not occurs(keyword, "\u00a7")


# -- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family",
    [
        ("quantization", "quantized", "quantizing", "quantize"),
        ("robots", "robot", "robotic", "robotics"),
        ("plan", "plans", "planned", "planning"),
        ("embedding", "embeddings", "embedded", "embed"),
        ("retrieve", "retrieval", "retrieved", "retrieving"),
        ("policy", "policies"),
        ("generate", "generation", "generative", "generating"),
    ],
)
def test_words_of_one_family_have_one_stem(family):
    assert len({stem(word) for word in family}) == 1


@pytest.mark.parametrize("pair", [("general", "generate"), ("news", "new"), ("code", "codec")])
def test_words_of_different_families_have_different_stems(pair):
    assert stem(pair[0]) != stem(pair[1])


@pytest.mark.parametrize("word", ["the", "using", "2026", "s", "x"])
def test_empty_words_have_no_stem(word):
    assert stem(word) == ""


@given(st.text("abcdefginorstuyzl", min_size=1, max_size=14))
def test_a_stem_begins_like_its_word(word):
    root = stem(word)
    assert len(root) <= len(word)
    assert not root or root[:STEM_HEAD] == word[:STEM_HEAD]


@given(st.text())
def test_spelling_twice_changes_no_words(text):
    assert words_of(spelled(text.upper())) == words_of(spelled(spelled(text.upper())))


# -- topics ----------------------------------------------------------------------------------------------------------


def test_a_match_names_the_keywords_in_the_topics_order():
    topic = Topic(name="Agents", keywords=("tool use", "agent", "planning"))
    matched = found(topic, title="Planning agents", abstract="They use tools.")
    assert matched is not None
    assert (matched.topic, matched.keywords) == ("Agents", ("agent", "planning"))


def test_a_keyword_in_the_title_weighs_more_than_one_in_the_abstract():
    topic = Topic(name="Agents", keywords=("agent",))
    title, abstract = found(topic, title="An agent"), found(topic, abstract="An agent.")
    assert title is not None
    assert abstract is not None
    assert title.strength > abstract.strength > 0


def test_the_papers_own_keywords_count_like_its_abstract():
    topic = Topic(name="Agents", keywords=("agent",))
    assert found(topic, keywords=("Agents",)) == found(topic, abstract="An agent.")


def test_more_evidence_is_stronger_but_never_more_than_one():
    names = [f"word{number}" for number in range(40)]
    strengths = [
        matched.strength
        for count in range(1, 40)
        if (matched := found(Topic(name="T", keywords=tuple(names)), abstract=" ".join(names[:count])))
    ]
    assert strengths == sorted(strengths)
    assert strengths[0] == pytest.approx(0.5)
    assert strengths[-1] <= 1


@pytest.mark.parametrize(
    ("wanted", "categories", "matched"),
    [
        ("cs.LG", ("cs.LG", "cs.CL"), ("cs.LG",)),
        ("CS.lg", ("cs.LG",), ("cs.LG",)),
        ("cs.*", ("cs.LG", "cs.CL", "math.OC"), ("cs.LG", "cs.CL")),
        ("cs", ("math.OC", "cs.CL"), ("cs.CL",)),
        ("hep-th", ("hep-th",), ("hep-th",)),
    ],
)
def test_a_category_or_an_archive_is_matched(wanted, categories, matched):
    topic_match = found(Topic(name="T", categories=(wanted,)), categories=categories)
    assert topic_match is not None
    assert topic_match.categories == matched


@pytest.mark.parametrize(("wanted", "category"), [("cs.L", "cs.LG"), ("c", "cs.LG"), ("cs.LG", "cs"), ("cs", "csx.LG")])
def test_a_category_matches_only_as_an_entire_name(wanted, category):
    assert found(Topic(name="T", categories=(wanted,)), categories=(category,)) is None


def test_the_primary_category_weighs_more_than_another():
    topic = Topic(name="T", categories=("cs.CV",))
    primary, other = found(topic, categories=("cs.CV", "cs.LG")), found(topic, categories=("cs.LG", "cs.CV"))
    assert primary is not None
    assert other is not None
    assert primary.strength > other.strength


@pytest.mark.parametrize(
    ("wanted", "author"),
    [
        ("Tri Dao", "Tri Dao"),
        ("tri dao", "TRI DAO"),
        ("Tri Dao", "T. Dao"),
        ("T. Dao", "Tri Dao"),
        ("T Dao", "Tri M. Dao"),
        ("Dao, Tri", "Tri Dao"),
        ("Yann LeCun", "Yann A. LeCun"),
        ("Bernhard Scholkopf", "Bernhard Sch\u00f6lkopf"),
        ("Bart\u0142omiej Wr\u00f3bel", "Bartlomiej Wrobel"),
        ("S\u00f8ren Hauberg", "Soren Hauberg"),
        ("Aaron van den Oord", "A\u00e4ron van den Oord"),
        ("DeepSeek-AI", "DeepSeek-AI"),
        ("\u738b\u5c0f\u660e", "\u738b\u5c0f\u660e"),
    ],
)
def test_an_author_is_found(wanted, author):
    matched = found(Topic(name="T", authors=(wanted,)), authors=("Someone Else", author))
    assert matched is not None
    assert matched.authors == (author,)


@pytest.mark.parametrize(
    ("wanted", "author"),
    [
        ("Tri Dao", "Tan Dao"),
        ("Dao", "Tri Dao"),
        ("Tri Dao", "Tri Daoust"),
        ("T. Dao", "Dao"),
        ("", "Tri Dao"),
        (",", "."),
    ],
)
def test_other_authors_are_not_found(wanted, author):
    assert found(Topic(name="T", authors=(wanted,)), authors=(author,)) is None


def test_an_exclusion_names_its_word():
    rule = compile_rule(Topic(name="T", keywords=("sparse",), exclude=("quantum computer", "survey")))
    assert excluded_by(rule, read(paper(1, abstract="Sparse codes for quantum-computers."))) == "quantum computer"
    assert excluded_by(rule, read(paper(1, title="A Survey"))) == "survey"
    assert excluded_by(rule, read(paper(1, abstract="Sparse codes."))) is None


def test_similarity_alone_makes_a_match_from_the_topics_threshold_on():
    near = Similarity(value=0.3, words=("serving", "memory"))
    assert found(Topic(name="T", keywords=("x-ray",), min_strength=0.31), near) is None
    matched = found(Topic(name="T", keywords=("x-ray",), min_strength=0.29), near)
    assert matched is not None
    assert (matched.keywords, matched.similarity, matched.words) == ((), 0.3, ("serving", "memory"))
    assert matched.strength == pytest.approx(0.3)


def test_no_evidence_is_no_match_whatever_the_threshold():
    assert found(Topic(name="T", min_strength=0), Similarity()) is None


def test_what_was_learned_decides_and_a_keyword_alone_does_not():
    topic = Topic(name="T", keywords=("fine-tuning",))
    text = {"title": "Tuning a violin by ear", "abstract": "Fine-tuning, step by step."}
    assert found(topic, **text) is not None
    assert found(topic, judgement=Judgement(probability=0.2, terms=()), **text) is None
    matched = found(topic, judgement=Judgement(probability=0.8, terms=("tun", "violin")), **text)
    assert matched is not None
    assert (matched.strength, matched.probability) == (pytest.approx(0.8), 0.8)
    assert matched.keywords == ("fine-tuning",)


def test_learned_words_are_named_as_the_paper_writes_them():
    judgement = Judgement(probability=0.9, terms=("quant", "low bit"))
    matched = found(Topic(name="T"), judgement=judgement, title="Quantized networks", abstract="We use low bits.")
    assert matched is not None
    assert matched.words == ("quantized", "low bits")


@pytest.mark.parametrize("reason", [{"categories": ("cs.DC",)}, {"authors": ("Tri Dao",)}])
def test_a_category_or_author_of_the_topic_always_matches(reason):
    topic = Topic(name="T", categories=("cs.DC",), authors=("Tri Dao",), min_strength=1.0)
    matched = found(topic, judgement=Judgement(probability=0.0, terms=()), **reason)
    assert matched is not None
    assert matched.strength >= 0.5


def test_a_topic_without_any_rule_matches_nothing():
    assert found(Topic(name="Topic"), title="A topic") is None
