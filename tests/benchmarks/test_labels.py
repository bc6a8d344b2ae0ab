from label_cost import cost_of_commands, cost_of_steps, make_bundle
from labels import HERE, measure


def test_a_bundle_has_as_many_labels_as_are_asked_for_each_with_a_topic_of_its_own():
    bundle = make_bundle(527)
    assert len({label.slug for label in bundle.labels}) == 527
    assert list(bundle.settings) == list(bundle.labels)


def test_a_checkout_is_measured_in_all_that_is_done_for_labels():
    found, bundle = measure(HERE.parent, labels=7, sources=2), make_bundle(7)
    assert found.keys() == (cost_of_steps(bundle) | cost_of_commands(bundle, 2)).keys()
    assert all(microseconds > 0 for microseconds in found.values())
