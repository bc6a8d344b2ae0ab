import pytest

from ast_edge.model.label import Label
from ast_edge.model.label_names import why_unusable


def labels(*names):
    return [Label(index, name, "") for index, name in enumerate(names)]


def test_names_in_any_script_can_be_used():
    assert why_unusable(labels("Dog", "Türklingel", "Собака", "狗", "猫", "いぬ", "كلب")) is None


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["Dog", "🐶"], "no topic name can be made of the label '🐶'; rename it"),
        (["Dog", "dog!"], "two labels have the same topic name, 'dog': 'Dog' and 'dog!'; rename"),
        (["собака", "Sobaka"], "the same topic name, 'sobaka'"),
        (["Dog\nbark"], "that can be printed in one line, got 'Dog\\nbark'"),
        (["D" * 201], "at most 200 characters"),
    ],
)
def test_names_that_cannot_be_used_are_said_with_the_remedy(names, reason):
    assert reason in (why_unusable(labels(*names)) or "")
