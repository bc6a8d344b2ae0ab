"""Compute golden.json with sed_eval and sed_scores_eval, in an environment of their own:

    uv venv golden-env && uv pip install --python golden-env/bin/python \\
        sed_eval==0.2.1 sed_scores_eval==0.0.4 'pandas<2.4' 'numpy<2.5' 'setuptools<81'
    golden-env/bin/python tests/edge/evaluation/golden/make.py

sed_scores_eval 0.0.4 fails with pandas 3, sed_eval 0.2.1 takes 760 MB: so they are no dependencies.
"""

import json
import math
from importlib.metadata import version
from pathlib import Path

import numpy as np

LABELS = ["Dog", "Cat", "Bell"]
RECORDINGS = 5
SECONDS = 40.0
STEP = 0.25
COLLARS = {
    "event_200ms": (0.2, 0.2),
    "event_500ms": (0.5, 0.5),
    "onset_200ms": (0.2, None),
    "onset_500ms": (0.5, None),
}
SCENARIOS = {
    "psds1": {"dtc_threshold": 0.7, "gtc_threshold": 0.7, "alpha_ct": 0.0, "alpha_st": 1.0},
    "psds2": {
        "dtc_threshold": 0.1,
        "gtc_threshold": 0.1,
        "cttc_threshold": 0.3,
        "alpha_ct": 0.5,
        "alpha_st": 1.0,
    },
}


def draw_recording(rng):
    """Events of a recording, what was detected, and scores (steps, labels)."""
    references, detected = [], []
    scores = rng.random((int(SECONDS / STEP), len(LABELS))) * 0.4
    for column, label in enumerate(LABELS):
        offset = 0.0
        for onset in np.sort(rng.uniform(0, SECONDS - 6, rng.integers(0, 6))):
            if onset <= offset + 0.01:  # sed_scores_eval refuses events of a label that touch
                continue
            offset = onset + rng.uniform(0.3, 5)
            references.append([round(onset, 3), round(offset, 3), label])
            heard = rng.random()
            if heard < 0.8:
                name = label if heard < 0.7 else LABELS[(column + 1) % len(LABELS)]
                times = np.array([onset, offset]) + rng.normal(0, 0.3, 2)
                start, end = max(0.0, times[0]), max(times[0] + 0.1, times[1])
                detected.append([round(start, 3), round(min(end, SECONDS), 3), name])
            steps = slice(round(onset / STEP), round(offset / STEP) + 1)
            other = column if rng.random() < 0.8 else (column + 1) % len(LABELS)
            scores[steps, other] += rng.uniform(0.1, 0.6)
        for onset in rng.uniform(0, SECONDS - 3, rng.integers(0, 3)):
            detected.append([round(onset, 3), round(onset + rng.uniform(0.2, 3), 3), label])
    # Two decimals: many scores are equal, as those of a saturated network are.
    return {
        "references": references,
        "detected": detected,
        "scores": np.minimum(scores, 1.0).round(2).tolist(),
    }


def events(rows):
    keys = ("event_onset", "event_offset", "event_label")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def number(value):
    return None if math.isnan(value) else float(value)


def by_sed_eval(recordings):
    import sed_eval

    results = {}
    for name, (collar, share) in COLLARS.items():
        metrics = sed_eval.sound_event.EventBasedMetrics(
            LABELS,
            t_collar=collar,
            percentage_of_length=share or 0.0,
            evaluate_offset=share is not None,
        )
        for recording in recordings:
            metrics.evaluate(events(recording["references"]), events(recording["detected"]))
        classes = metrics.results_class_wise_metrics()
        results[name] = {
            "f1": {label: number(classes[label]["f_measure"]["f_measure"]) for label in LABELS},
            "precision": {
                label: number(classes[label]["f_measure"]["precision"]) for label in LABELS
            },
            "recall": {label: number(classes[label]["f_measure"]["recall"]) for label in LABELS},
            "micro": number(metrics.results_overall_metrics()["f_measure"]["f_measure"]),
            "macro": number(metrics.results_class_wise_average_metrics()["f_measure"]["f_measure"]),
        }
    metrics = sed_eval.sound_event.SegmentBasedMetrics(LABELS, time_resolution=1.0)
    for recording in recordings:
        metrics.evaluate(events(recording["references"]), events(recording["detected"]), SECONDS)
    classes, overall = metrics.results_class_wise_metrics(), metrics.results_overall_metrics()
    results["segment"] = {
        "f1": {label: number(classes[label]["f_measure"]["f_measure"]) for label in LABELS},
        "micro": number(overall["f_measure"]["f_measure"]),
        "error_rate": number(overall["error_rate"]["error_rate"]),
    }
    return results


def by_sed_scores_eval(recordings):
    from sed_scores_eval.base_modules.scores import create_score_dataframe
    from sed_scores_eval.intersection_based import psds

    times = np.arange(int(SECONDS / STEP) + 1) * STEP
    scores = {
        str(number): create_score_dataframe(np.array(one["scores"]), times, LABELS)
        for number, one in enumerate(recordings)
    }
    truth = {
        str(number): [tuple(row) for row in one["references"]]
        for number, one in enumerate(recordings)
    }
    durations = dict.fromkeys(scores, SECONDS)
    results = {}
    for name, scenario in SCENARIOS.items():
        score, by_label, _, _ = psds(scores, truth, durations, max_efpr=100.0, **scenario)
        results[name] = {"score": float(score), "by_label": {k: float(by_label[k]) for k in LABELS}}
    # So few detections never reach 100 an hour; this looks at the rise of the curves.
    score, by_label, _, _ = psds(scores, truth, durations, max_efpr=2000.0, **SCENARIOS["psds2"])
    results["psds2 to 2000"] = {
        "score": float(score),
        "by_label": {k: float(by_label[k]) for k in LABELS},
    }
    return results


def main():
    rng = np.random.default_rng(7)
    recordings = [draw_recording(rng) for _ in range(RECORDINGS)]
    tree = {
        "made_with": {name: version(name) for name in ("sed_eval", "sed_scores_eval", "numpy")},
        "labels": LABELS,
        "seconds": SECONDS,
        "step": STEP,
        "recordings": recordings,
        "results": by_sed_eval(recordings) | by_sed_scores_eval(recordings),
    }
    path = Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(tree, separators=(",", ":")) + "\n", encoding="utf-8")
    print(path, path.stat().st_size, "bytes", json.dumps(tree["results"], indent=1))


if __name__ == "__main__":
    main()
