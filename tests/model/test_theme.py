from __future__ import annotations

from dataclasses import replace

import pytest

from digestmail.model.theme import DARK, LIGHT, contrast, contrast_problems, invert


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_built_in_palettes_are_readable_even_if_inverted(palette):
    assert list(contrast_problems(palette)) == []
    assert list(contrast_problems(invert(palette))) == []


def test_inverting_twice_changes_nothing():
    assert invert(invert(DARK)) == DARK


def test_what_cannot_be_read_is_named_with_its_ratio_and_ground():
    found = dict(contrast_problems(replace(LIGHT, link="#9db8ff", paper="#ffffff")))

    assert found == {"link": "has a contrast of 2.0:1 on paper; at least 4.5:1 is needed"}
