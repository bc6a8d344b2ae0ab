import pytest

from ast_export import parity
from ast_export.cli.main import main


def test_prints_the_parity_of_the_engine(written, audio, capsys):
    arguments = ["verify", str(written[0]), "--engine", "openvino", "--audio", str(audio)]
    assert main(arguments) == 0
    assert "openvino" in capsys.readouterr().out


def test_an_engine_beyond_the_limits_is_exit_65(written, audio, capsys, monkeypatch):
    monkeypatch.setattr(parity, "LIMITS", parity.LIMITS)
    monkeypatch.setitem(parity.LIMITS, "fp32", -1.0)
    arguments = ["verify", str(written[0]), "--engine", "onnxruntime", "--audio", str(audio)]
    assert main(arguments) == 65
    assert "FAILS" in capsys.readouterr().out


def test_an_unknown_engine_is_one_line(written, audio, capsys):
    assert main(["verify", str(written[0]), "--engine", "tflite", "--audio", str(audio)]) == 78
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "'tflite'" in error


def test_recordings_are_asked_for(written):
    with pytest.raises(SystemExit):
        main(["verify", str(written[0])])
