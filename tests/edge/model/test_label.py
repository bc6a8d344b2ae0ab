import pytest
from hypothesis import given
from hypothesis import strategies as st

from ast_edge.base.transliteration import slugify
from ast_edge.model import label as labels
from ast_edge.model.label import Label


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Baby cry, infant cry", "baby_cry_infant_cry"),
        ("Crowing, cock-a-doodle-doo", "crowing_cock_a_doodle_doo"),
        ("  Türklingel! ", "turklingel"),
        ("A/C #1 +", "a_c_1"),
        ("Собака лает", "sobaka_laet"),
        ("σκύλος", "skylos"),
        ("パーティー", "patei"),
        ("개 짖는 소리", "gae_jijneun_sori"),
        ("狗叫声 (dog)", "u72d7_u53eb_u58f0_dog"),
        ("Straße", "strasse"),
        ("🐶 …", ""),
    ],
)
def test_a_name_becomes_a_topic_level(name, slug):
    assert slugify(name) == slug
    assert Label(0, name, "").slug == slug


def test_the_topic_level_of_a_label_is_made_once(monkeypatch):
    made = []
    monkeypatch.setattr(labels, "slugify", lambda name: made.append(name) or slugify(name))
    label = Label(0, "Baby cry, infant cry", "")
    assert [label.slug, label.slug] == ["baby_cry_infant_cry"] * 2
    assert made == [label.name]


@given(st.text())
def test_a_slug_is_safe_in_every_topic(name):
    slug = slugify(name)
    assert slug == slugify(slug)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
