import pytest

from ast_edge.base.errors import ConfigError
from ast_training.datasets.urbansound8k import CLASSES, read_urbansound8k

TABLE = """slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark
100263-2-0-117.wav,100263,58.5,62.5,1,10,2,children_playing
"""


def write(folder, text=TABLE):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "UrbanSound8K.csv").write_text(text)


def test_lists_every_recording_with_its_fold(tmp_path):
    write(tmp_path / "metadata")
    (tmp_path / "audio").mkdir()
    assert [(c.path, c.labels, c.fold) for c in read_urbansound8k(tmp_path).clips] == [
        (tmp_path / "audio" / "fold5" / "100032-3-0-0.wav", ("dog_bark",), 5),
        (tmp_path / "audio" / "fold10" / "100263-2-0-117.wav", ("children_playing",), 10),
    ]


def test_the_source_of_a_recording_is_its_upload(tmp_path):
    write(tmp_path)
    groups = [clip.group for clip in read_urbansound8k(tmp_path).clips]
    assert groups == ["freesound:100032", "freesound:100263"]


def test_table_and_folds_may_lie_in_the_folder_itself(tmp_path):
    write(tmp_path)
    assert read_urbansound8k(tmp_path).clips[0].path == tmp_path / "fold5" / "100032-3-0-0.wav"


def test_labels_are_at_the_ids_of_the_table(tmp_path):
    write(tmp_path)
    labels = read_urbansound8k(tmp_path).labels
    assert len(labels) == 10
    assert (labels[3].name, labels[2].name) == ("dog_bark", "children_playing")
    assert tuple(sorted(CLASSES)) == CLASSES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("slice_file_name,fold,class\na.wav,1,cat\n", "a.wav: 'cat' in fold '1' is no class"),
        ("slice_file_name,fold,class\na.wav,one,siren\n", "'siren' in fold 'one'"),
        ("file,fold,class\n", "expected a column 'slice_file_name'"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, reason):
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=reason):
        read_urbansound8k(tmp_path)


def test_a_folder_without_the_table_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"UrbanSound8K\.csv: cannot be read"):
        read_urbansound8k(tmp_path)
