import pytest
from rigs.training.teachers import save_mobilenet

from ast_edge.base.errors import BundleError, ConfigError
from ast_edge.base.yaml_file import Section, load_yaml
from ast_training.teacher.config import TeacherConfig, open_teachers


class Lesson(Section):
    teachers: list[TeacherConfig]


@pytest.fixture
def lesson(tmp_path):
    """Write a file that lists teachers, and read it."""

    def read(text):
        (tmp_path / "lesson.yaml").write_text(f"teachers: [{text}]\n")
        return load_yaml(tmp_path / "lesson.yaml", Lesson).teachers

    return read


def test_teachers_of_a_list_speak_as_one(lesson, tmp_path):
    save_mobilenet(tmp_path / "one.pt", labels=2)
    save_mobilenet(tmp_path / "two.pt", labels=2, seed=2)
    (tmp_path / "one.txt").write_text("Dog\nCat\n")
    (tmp_path / "two.txt").write_text("Cat\nOwl\n")
    kind = "kind: mobilenet"
    text = ", ".join(f"{{{kind}, weights: {n}.pt, labels: {n}.txt}}" for n in ("one", "two"))
    ensemble = open_teachers(lesson(text))
    assert ensemble.labels == ("Dog", "Cat", "Owl")


def test_without_a_list_of_labels_they_are_audiosets(lesson, tmp_path):
    save_mobilenet(tmp_path / "mn.pt", labels=527)
    ensemble = open_teachers(lesson("{kind: mobilenet, weights: mn.pt}"))
    assert ensemble.labels[:2] == ("Speech", "Male speech, man speaking")


def test_weights_that_do_not_exist_are_said_when_the_list_is_read(lesson):
    with pytest.raises(ConfigError, match=r"weights: no such file: .*mn\.pt"):
        lesson("{kind: mobilenet, weights: mn.pt}")


def test_another_number_of_outputs_than_audiosets_is_refused(lesson, tmp_path):
    save_mobilenet(tmp_path / "mn.pt", labels=5)
    with pytest.raises(BundleError, match="expected 527 outputs, one per label, got 5"):
        open_teachers(lesson("{kind: mobilenet, weights: mn.pt}"))


def test_a_bundle_names_its_own_labels(lesson, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    from rigs.model import LABELS, write_bundle

    write_bundle(tmp_path / "last-round")
    assert open_teachers(lesson("{kind: bundle, weights: last-round/bundle.json}")).labels == LABELS


def test_other_names_for_a_bundles_labels_are_refused(lesson, tmp_path):
    (tmp_path / "bundle.json").touch()
    (tmp_path / "names.txt").write_text("Dog\nCat\n")
    with pytest.raises(ConfigError, match="labels: a bundle has its own"):
        lesson("{kind: bundle, weights: bundle.json, labels: names.txt}")
