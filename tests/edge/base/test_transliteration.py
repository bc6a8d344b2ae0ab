import unicodedata

import pytest

from ast_edge.base.transliteration import to_latin


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("Щенок", "shchenok"),
        ("ΣΚΎΛΟΣ", "skýlos"),
        ("Łódź ßæøı", "lódź ssaeoi"),
        ("いぬ", "inu"),
        ("イヌ", "inu"),
        ("개", "gae"),
        ("狗3", "_u72d7_3"),
        ("٣", "3"),
        ("A\u2013B 🐶", "a\u2013b 🐶"),
    ],
)
def test_letters_of_other_scripts_are_spelt_and_the_rest_stays(text, latin):
    assert to_latin(text) == unicodedata.normalize("NFD", latin)


@pytest.mark.parametrize("text", ["Türklingel", "개 짖는 소리", "パン", "Ёж"])
def test_composed_and_decomposed_letters_are_the_same(text):
    decomposed = unicodedata.normalize("NFD", text)
    assert to_latin(decomposed) == to_latin(text)
