import os

from ast_export import machine
from ast_export.machine import cpu_flags, cpu_name, describe_machine

AMX = "model name\t: Some CPU\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nmodel name\t: Other\n"


def test_names_the_processor_of_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(AMX)
    assert cpu_name() == "Some CPU"
    assert cpu_flags() == {"fpu", "avx2", "avx512f", "amx_bf16"}


def test_names_the_board_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "MODEL", tmp_path / "model")
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert cpu_name() == "Raspberry Pi 5 Model B Rev 1.0"


def test_without_cpuinfo_there_is_an_architecture_and_no_word_about_amx(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    assert describe_machine().startswith(os.uname().machine)
    assert "AMX" not in describe_machine()


def test_says_whether_there_is_amx(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(AMX)
    assert "AMX bf16" in describe_machine()
    assert "no AMX" not in describe_machine()
    (tmp_path / "cpuinfo").write_text(AMX.replace(" amx_bf16", ""))
    assert "no AMX" in describe_machine()


def test_generations_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    said = "cpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: avx2\n"
    (tmp_path / "cpuinfo").write_text(said)
    assert describe_machine().startswith("AMD EPYC (family 26, model 2), ")
