import pytest

from ast_edge.base.errors import ConfigError
from ast_edge.model.label import Label
from ast_training.data.labels import label_table


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("audioset", 527, Label(23, "Baby cry, infant cry", "/t/dd00002")),
        ("esc50", 50, Label(0, "dog", "")),
        ("speechcommands", 35, Label(34, "one", "")),
    ],
)
def test_a_table_has_the_labels_of_its_data_set_in_order(name, count, some):
    labels = label_table(name)
    assert [label.index for label in labels] == list(range(count))
    assert labels[some.index] == some


@pytest.mark.parametrize("name", ["audioset", "esc50", "speechcommands"])
def test_every_label_has_a_topic_of_its_own(name):
    slugs = {label.slug for label in label_table(name)}
    assert len(slugs - {""}) == len(label_table(name))


def test_an_unknown_table_is_refused_with_the_nearest_match():
    with pytest.raises(ConfigError, match="no label table 'esc-50', did you mean 'esc50'"):
        label_table("esc-50")
