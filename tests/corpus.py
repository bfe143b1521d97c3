"""Abstracts made of the words of four fields, to learn topics from."""

from __future__ import annotations

from random import Random

from digestmail.model.digests import Topic

FIELDS = {
    "optics": "laser photon waveguide cavity beam polarization interferometer wavelength lens pulse fiber modulator "
    "resonator refraction grating spectrometer coherence aperture mirror diffraction",
    "law": "court statute contract plaintiff liability judge appeal verdict tribunal clause precedent jurisdiction "
    "damages tort defendant lawyer hearing ruling injunction treaty",
    "soil": "nitrogen compost erosion root moisture microbe fertilizer tillage crop drainage humus clay irrigation "
    "harvest fungi earthworm sediment organic acidity seedling",
    "music": "melody harmony rhythm chord tempo orchestra violin timbre pitch composer singer score tuning concert "
    "drummer cadence motif ensemble vocal improvisation",
}
PLAIN = "we show that results of a study with measurements and a simple model explain most observed effects"
OPTICS = Topic(name="Light", keywords=("laser", "lens", "beam"))
LAW = Topic(name="Courts", keywords=("plaintiff", "class action"))


def abstract(field: str, random: Random, without: str = "") -> str:
    """Return a text of forty words, half of them of `field`."""
    own = [word for word in FIELDS[field].split() if word != without]
    words = random.choices(own, k=20) + random.choices(PLAIN.split(), k=20)
    random.shuffle(words)
    return " ".join(words)


def papers(count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Return `count` titles and abstracts, the fields in turn. A third of the texts lacks its field's first word."""
    random = Random(seed)
    found = []
    for number in range(count):
        field = list(FIELDS)[number % len(FIELDS)]
        lacking = FIELDS[field].split()[0] if random.random() < 1 / 3 else ""
        text = abstract(field, random, without=lacking)
        found.append((" ".join(text.split()[:5]), text))
    return found
