import unicodedata

import pytest

from ast_edge.model.label import Label
from ast_edge.tuning.positives import in_folders


@pytest.mark.parametrize("of_folder", ["NFC", "NFD"])
@pytest.mark.parametrize("of_label", ["NFC", "NFD"])
def test_a_folder_may_spell_an_accented_letter_otherwise(tmp_path, of_folder, of_label):
    label = Label(0, unicodedata.normalize(of_label, "Türklingel"), "")
    folder = tmp_path / unicodedata.normalize(of_folder, "Türklingel")
    folder.mkdir()
    (folder / "1.wav").touch()
    assert [list(found) for found in in_folders(tmp_path, [label]).values()] == [[label]]
