"""What reads files of strangers, each with files to damage."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from rigs import exported
from rigs.model import RATE, make_tree, silence, tone, write_bundle, write_tree
from rigs.mutation import altered, damaged, misspelt

from ast_edge.app.plan import load_plan
from ast_edge.engines.choice import open_engine
from ast_edge.engines.config import EngineConfig
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.frontend.listener import Listener
from ast_edge.frontend.listening import Listening
from ast_edge.hub.graph_fit import fit_graph
from ast_edge.hub.layout import read_layout
from ast_edge.hub.outline import read_outline
from ast_edge.model.bundle import load_bundle
from ast_edge.model.onnx_file import external_files
from ast_edge.sources.recording import RecordingSource

CONFIGS = Path(__file__).parents[2] / "configs"

_EVERYTHING = """\
node: attic
bundle: bands
engine: {name: onnxruntime, threads: 1, precision: fp32}
hop: 0.5
sources:
  kitchen: {microphone: default, sample_rate: 48000, channels: 2, channel: 1, gate: -50}
  door: {file: sound.wav, pace: fast, gain_db: 6, high_pass: 80, started_at: x}
  yard: {url: "rtsp://user:pass@camera/1", stall_timeout: 3}
  pipe: {stdin: s16le, sample_rate: 16000}
labels:
  Hum: {on: 0.5, off: 0.3, min_duration: 0.2, hold: 1, cooldown: 5, active: "22:00-06:00"}
  Hiss: {suppress_while: Hum, active: [sat, "mon-fri 08:00-17:00"]}
groups:
  Noise: {members: [Hum, Hiss], score: noisy-or}
  Vehicle: ontology
time_zone: Europe/Berlin
mqtt:
  host: broker
  username: me
  base_topic: home/ast
  home_assistant: {prefix: homeassistant, areas: {door: Hall}}
  outbox: {max_age: 3600}
jsonl: events.jsonl
clips: {folder: clips, labels: Hum, pre_roll: 2, max_age: 86400}
"""


@dataclass(frozen=True)
class Target:
    """One reader of files."""

    share: float
    """Of all cases."""
    run: Callable[[random.Random, Path], object]
    """Damage a file, write it to the folder and read it."""


def targets(folder: Path) -> dict[str, Target]:
    """Prepare the files to damage in a folder."""
    bands = write_bundle(folder / "bands")
    graph = (bands / "model.onnx").read_bytes()
    sound = np.concatenate([silence(0.3), tone("Hum", 0.5)])
    soundfile.write(folder / "sound.wav", sound, RATE)
    originals = _recordings(folder, sound)
    texts = [path.read_text() for path in sorted(CONFIGS.glob("*.yaml"))]
    texts += [_EVERYTHING.replace(", started_at: x", "")] * 3

    def configuration(rng: random.Random, place: Path) -> object:
        text = rng.choice(texts)
        data = misspelt(rng, text).encode("utf-8", "surrogatepass")
        if rng.random() < 0.2:
            data = damaged(rng, text.encode())
        # Beside the files that it names.
        (folder / "mic.yaml").write_bytes(data)
        (place / "mic.yaml").write_bytes(data)
        return load_plan(folder / "mic.yaml")

    def recording(rng: random.Random, place: Path) -> object:
        (place / "sound").write_bytes(damaged(rng, rng.choice(originals)))
        listener = Listener(Listening(FbankSpec(), 98, 0.5))
        for block in RecordingSource("r", place / "sound", "fast").blocks():
            listener.feed(block)
        return listener.flush()

    def description(rng: random.Random, place: Path) -> object:
        (place / "model.onnx").write_bytes(graph)
        tree = make_tree(place)
        if rng.random() < 0.3:
            (place / "bundle.json").write_bytes(damaged(rng, json.dumps(tree).encode()))
        else:
            write_tree(place, altered(rng, tree))
        return load_bundle(place)

    def model(rng: random.Random, place: Path) -> object:
        (place / "model.onnx").write_bytes(damaged(rng, graph))
        write_tree(place, make_tree(place))
        bundle = load_bundle(place)
        name = rng.choice(("onnxruntime", "openvino"))
        engine = open_engine(bundle, EngineConfig(name=name, threads=1))
        engine.close()
        return engine

    return {
        "configuration": Target(0.3, configuration),
        "recording": Target(0.25, recording),
        "published": Target(0.05, _published),
        "bundle.json": Target(0.2, description),
        "model.onnx": Target(0.12, model),
        "checkpoint": Target(0.08, _checkpoint(folder)),
    }


def _published(rng: random.Random, place: Path) -> object:
    """Read what a hub has of a model."""
    files = exported.files()
    kind = rng.choice(("config.json", "preprocessor_config.json", "onnx/model.onnx"))
    if kind.endswith(".json") and rng.random() < 0.7:
        files[kind] = json.dumps(altered(rng, json.loads(files[kind]))).encode()
    else:
        files[kind] = damaged(rng, files[kind])
    for name in ("config.json", "preprocessor_config.json", "onnx/model.onnx"):
        (place / Path(name).name).write_bytes(files[name])
    layout = read_layout(place / "config.json", place / "preprocessor_config.json")
    external_files(place / "model.onnx")
    return fit_graph(read_outline(place / "model.onnx"), layout, "model.onnx")


def _recordings(folder: Path, sound: np.ndarray) -> list[bytes]:
    """Return the sound in every kind of file that is read."""
    kinds = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_24")]
    kinds += [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
    files = []
    for kind, subtype in kinds:
        path = folder / f"original.{kind}"
        stereo = np.stack([sound, sound / 2], axis=1)
        soundfile.write(path, sound if kind == "WAV" else stereo, RATE, subtype, format=kind)
        files.append(path.read_bytes())
    return files


def _checkpoint(folder: Path) -> Callable[[random.Random, Path], object]:
    """Prepare the reader of checkpoints; torch is imported when the first is read."""

    def checkpoint(rng: random.Random, place: Path) -> object:
        from rigs.checkpoints import random_checkpoint

        from ast_training.model.checkpoint import load_checkpoint

        original = folder / "original.safetensors"
        if not original.exists():
            random_checkpoint().save(original)
        content = original.read_bytes()
        data = damaged(rng, content) if rng.random() < 0.5 else _other_header(rng, content)
        (place / "small.safetensors").write_bytes(data)
        return load_checkpoint(place / "small.safetensors").build()

    return checkpoint


def _other_header(rng: random.Random, content: bytes) -> bytes:
    """Alter what a checkpoint says about itself, or about its tensors."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if rng.random() < 0.7:
        about = json.loads(header["__metadata__"]["ast_edge"])
        header["__metadata__"]["ast_edge"] = json.dumps(altered(rng, about))
    else:
        altered(rng, header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]
