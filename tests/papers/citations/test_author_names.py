from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.papers.citations.authors import GroupName, PersonName, author_names, has_others


def split(name: str, organization: str = ""):
    (found,) = author_names((name,), organization)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "Kimi Team",
        "Gemma Team, Example Labs",
        "team Meadow",
        "The CMS Collaboration",
        "CMS and LHCb Collaborations",
        "Example Working Group",
        "Group for Open Models",
        "Meadow Lab",
        "Meadow Research",
        "Example Research Institute",
        "Universität Beispielstadt",
        "Society of Sample Makers",
        "Bank of Placeholder",
        "the Meadow authors",
        "Doe and Sons",
        "Doe & Sons",
        "Acme, Inc.",
        "Acme Robotics GmbH",
        "Meta AI",
        "Acme Motors AG",
        "Meadow - Open Models",
        "École de Placeholder",
        "Open-Team Meadow",
        "Women in Sample Sciences",
        "Meadow 2 Developers",
        "Meadow v2",
        "OpenAI",
        "Plato",
        "李明",
        "李 明",
        "김 철수",
        "Davis Jr.",
    ],
)
def test_a_group_or_a_single_name_is_one_unit(name):
    assert split(name) == GroupName(name)


def test_the_paper_s_own_organization_is_a_group():
    assert split("Example DeepThought", "Example DeepThought") == GroupName("Example DeepThought")
    assert split("Example DeepThought") == PersonName(given="Example", family="DeepThought")


@pytest.mark.parametrize(
    ("name", "given", "particle", "family", "suffix"),
    [
        ("Ada Example", "Ada", "", "Example", ""),
        ("A. B. Example", "A. B.", "", "Example", ""),
        ("Xiaodong (Wesley) Madeup", "Xiaodong (Wesley)", "", "Madeup", ""),
        ("Zoë Étude", "Zoë", "", "Étude", ""),
        ("Jean-Luc LeSample", "Jean-Luc", "", "LeSample", ""),
        ("danah madeup", "danah", "", "madeup", ""),
        # Ai is a family name, AI is not; a list in capitals cannot tell.
        ("Weiwei Ai", "Weiwei", "", "Ai", ""),
        ("WEIWEI AI", "WEIWEI", "", "AI", ""),
        ("The Anh Sample", "The Anh", "", "Sample", ""),
        # Suffixes and degrees.
        ("Sammy Sample Jr.", "Sammy", "", "Sample", "Jr."),
        ("Sammy Sample, Jr.", "Sammy", "", "Sample", "Jr."),
        ("Sample, Jr., Sammy", "Sammy", "", "Sample", "Jr."),
        ("Sample, Sammy, Jr.", "Sammy", "", "Sample", "Jr."),
        ("Robert B. Sample III", "Robert B.", "", "Sample", "III"),
        ("Jan van der Sample IV", "Jan", "van der", "Sample", "IV"),
        ("Naosuke Ii", "Naosuke", "", "Ii", ""),
        ("Jane Doe, PhD", "Jane", "", "Doe", ""),
        ("Jane Doe Ph.D.", "Jane", "", "Doe", ""),
        # Particles.
        ("Ludwig van Sample", "Ludwig", "van", "Sample", ""),
        ("Laurens van der Sample", "Laurens", "van der", "Sample", ""),
        ("Charles Louis de la Vallée Sample", "Charles Louis", "de la", "Vallée Sample", ""),
        ("van der Sample, Jan", "Jan", "van der", "Sample", ""),
        ("Gerard 't Sample", "Gerard", "'t", "Sample", ""),
        ("Bart in 't Sample", "Bart", "in 't", "Sample", ""),
        ("Mohammed bin Sample", "Mohammed", "bin", "Sample", ""),
        ("de la Cruz", "", "de la", "Cruz", ""),
        # Capitalized, they belong to the family name.
        ("Luc Van Sample", "Luc", "", "Van Sample", ""),
        ("Nicolas Le Sample", "Nicolas", "", "Le Sample", ""),
        ("El Mahdi El Sample", "El Mahdi", "", "El Sample", ""),
        ("Laurens Van der Sample", "Laurens", "", "Van der Sample", ""),
        ("LUC VAN SAMPLE", "LUC", "", "VAN SAMPLE", ""),
        # In Vietnamese names "Van" is a given name.
        ("Quoc Van Le", "Quoc Van", "", "Le", ""),
        ("Khanh Van To", "Khanh Van", "", "To", ""),
        ("Nguyễn Van Sample", "Nguyễn Van", "", "Sample", ""),
        # Two family names.
        ("José Ortega y Sample", "José", "", "Ortega y Sample", ""),
        ("Josep Puig i Sample", "Josep", "", "Puig i Sample", ""),
        ("Pedro de Castro e Sample", "Pedro", "de", "Castro e Sample", ""),
        # A name that begins like the word that joins authors.
        ("And Sample", "And", "", "Sample", ""),
        ("and Jane Doe", "Jane", "", "Doe", ""),
        ("Anders Andsample", "Anders", "", "Andsample", ""),
    ],
)
def test_a_person_s_name_is_split(name, given, particle, family, suffix):
    assert split(name) == PersonName(given=given, particle=particle, family=family, suffix=suffix)


def test_et_al_is_no_author_but_is_known():
    names = ("Ada Example", "and others")
    assert author_names(names) == (PersonName(given="Ada", family="Example"),)
    assert has_others(names)
    assert author_names(("et al.", " ", ",")) == ()
    assert not has_others(("Ada Example",))


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_is_split_into_as_many_names_without_an_empty_family_name(names):
    found = author_names(tuple(names))
    assert len(found) <= len(names)
    for one in found:
        assert one.name if isinstance(one, GroupName) else one.family
