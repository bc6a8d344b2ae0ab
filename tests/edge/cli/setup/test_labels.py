import pytest

from ast_edge.base.errors import BundleError
from ast_edge.cli.setup.labels import parse_labels
from ast_edge.model.bundle import find_bundle, load_bundle


@pytest.fixture(scope="module")
def home():
    return load_bundle(find_bundle("home"), sums=False)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Dog,Sneeze", ("Dog", "Sneeze")),
        (" dog ; Crowing, cock-a-doodle-doo", ("Dog", "Crowing, cock-a-doodle-doo")),
        ("Crowing, cock-a-doodle-doo, Dog,", ("Crowing, cock-a-doodle-doo", "Dog")),
        ("Dog,Dog", ("Dog",)),
        ("all", ()),
        ("", ()),
    ],
)
def test_names_may_have_commas_in_them(text, names, home):
    assert parse_labels(text, home) == names


def test_an_unknown_name_is_answered_with_the_nearest(home):
    with pytest.raises(BundleError, match="did you mean 'Sneeze'"):
        parse_labels("Dog,Sneze", home)
