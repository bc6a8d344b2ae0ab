import pytest

from ast_edge.base.errors import ConfigError
from ast_training.datasets.fsd50k import read_fsd50k

VOCABULARY = """0,Accelerating_and_revving_and_vroom,/m/07q2z82
1,Animal,/m/0jbk
2,Bark,/m/05tny_
3,Some_new_sound,/m/0none
"""
DEV = """fname,labels,mids,split
64760,"Bark,Animal","/m/05tny_,/m/0jbk",train
16399,Accelerating_and_revving_and_vroom,/m/07q2z82,val
"""
EVAL = 'fname,labels,mids\n99,"Bark,Animal","/m/05tny_,/m/0jbk"\n'


@pytest.fixture
def root(tmp_path):
    truth = tmp_path / "FSD50K.ground_truth"
    truth.mkdir()
    (truth / "vocabulary.csv").write_text(VOCABULARY)
    (truth / "dev.csv").write_text(DEV)
    (truth / "eval.csv").write_text(EVAL)
    (tmp_path / "FSD50K.eval_audio").mkdir()
    return tmp_path


def test_lists_every_recording_in_the_published_split(root):
    clips = read_fsd50k(root).clips
    assert [(clip.name, clip.path, clip.split) for clip in clips] == [
        ("dev/64760", root / "FSD50K.dev_audio" / "64760.wav", "train"),
        ("dev/16399", root / "FSD50K.dev_audio" / "16399.wav", "validation"),
        ("eval/99", root / "FSD50K.eval_audio" / "99.wav", "test"),
    ]


def test_the_source_of_a_recording_is_its_upload(root):
    groups = [clip.group for clip in read_fsd50k(root).clips]
    assert groups == ["freesound:64760", "freesound:16399", "freesound:99"]


def test_labels_have_audiosets_names_where_it_knows_them(root):
    clips = read_fsd50k(root)
    assert [(label.name, label.mid) for label in clips.labels] == [
        ("Accelerating, revving, vroom", "/m/07q2z82"),
        ("Animal", "/m/0jbk"),
        ("Bark", "/m/05tny_"),
        ("Some new sound", "/m/0none"),
    ]
    assert clips.clips[0].labels == ("Bark", "Animal")


def test_without_the_audio_of_the_evaluation_there_is_nothing_to_test_on(root):
    (root / "FSD50K.eval_audio").rmdir()
    clips = read_fsd50k(root)
    assert {clip.split for clip in clips.clips} == {"train", "validation"}
    assert "FSD50K.eval_audio: is not there" in clips.missing[0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("vocabulary.csv", "0,Bark\n", r"vocabulary\.csv:1: expected index, name, mid"),
        ("dev.csv", "fname,labels\n1,Bark\n", r"dev\.csv: expected a column 'mids'"),
        ("dev.csv", "fname,labels,mids,split\n1,Owl,/m/09d5_,train\n", r"dev\.csv: 1: .*/m/09d5_"),
        ("dev.csv", "fname,labels,mids,split\n1,Bark,/m/05tny_,dev\n", "the split 'dev'"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(root, name, text, reason):
    (root / "FSD50K.ground_truth" / name).write_text(text)
    with pytest.raises(ConfigError, match=reason):
        read_fsd50k(root)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"vocabulary\.csv: cannot be read: No such file"):
        read_fsd50k(tmp_path)
