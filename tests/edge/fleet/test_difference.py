from rigs.broker.fleet import OTHER_SUM, SUM, info

from ast_edge.fleet.difference import changes, differences
from ast_edge.fleet.info import BundleInfo

OTHER = (BundleInfo("other", OTHER_SUM, 3),)


def test_nodes_that_are_alike_do_not_differ():
    assert differences([info("attic"), info("barn")]) == []


def test_one_node_and_none_do_not_differ():
    assert differences([]) == differences([info("attic")]) == []


def test_the_most_common_value_comes_first_with_its_nodes():
    (found,) = differences([info("attic", bundles=OTHER), info("cellar"), info("barn")])
    assert found.what == "bundle"
    assert found.values == ((f"home {SUM[:8]}", ("barn", "cellar")), ("other cdcdcdcd", ("attic",)))


def test_the_order_of_labels_is_no_difference():
    assert differences([info("attic"), info("barn", labels=("siren", "dog"))]) == []


def test_the_time_since_which_a_node_runs_is_no_difference():
    assert differences([info("attic"), info("barn", since="2026-11-01T12:00:00.000Z")]) == []


def test_a_bundle_of_the_same_name_with_another_sum_is_a_difference():
    same_name = (BundleInfo("home", OTHER_SUM, 57),)
    (found,) = differences([info("attic"), info("barn", bundles=same_name)])
    assert found.what == "bundle"


def test_a_node_that_has_changed_says_from_what_to_what():
    assert changes(info("attic"), info("attic", bundles=OTHER)) == [
        "bundle: home abababab → other cdcdcdcd"
    ]
