"""Microphones of one format and number of channels each, as a plug-in of ALSA."""

import shutil
import subprocess
from ctypes.util import find_library
from pathlib import Path

FORMATS = {
    # name: (format, signs of the channels)
    "zeros32": ("S32_LE", "00"),
    "zeros24": ("S24_3LE", "0"),
    "stereo": ("S16_LE", "++"),
    "six": ("S16_LE", "++++++"),
    "right": ("S32_LE", "0+"),
    "fourth": ("S32_LE", "000+0000"),
    "antiphase": ("S16_LE", "+-"),
    "padded": ("S24_LE", "++"),
}


def build(folder: Path) -> str | None:
    """Compile the plug-in and write `asoundrc`, for ALSA_CONFIG_PATH; return why it cannot be."""
    if find_library("portaudio") is None:
        return "PortAudio is not installed (apt install libportaudio2)"
    if shutil.which("gcc") is None:
        return "gcc is not installed (apt install gcc libc6-dev)"
    library = folder / "libasound_module_pcm_testmic.so"
    source = Path(__file__).with_suffix(".c")
    flags = ["-shared", "-fPIC", "-DPIC", "-O1", "-o", str(library), str(source), "-lasound"]
    if subprocess.run(["gcc", *flags], capture_output=True).returncode != 0:
        return "ALSA's headers are not installed (apt install libasound2-dev)"
    lines = ["</usr/share/alsa/alsa.conf>", f'pcm_type.testmic {{ lib "{library}" }}']
    for name, (sample, signs) in FORMATS.items():
        lines.append(f'pcm.{name} {{ type testmic format {sample} signs "{signs}" }}')
    (folder / "asoundrc").write_text("\n".join([*lines, ""]))
    return None
