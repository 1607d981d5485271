"""Fine-tuning report: accuracy on the test clips, the worst classes, and the files that are not used."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy.stats import binomtest

from multitrain.common.files.atomic import atomic
from multitrain.common.markup import line, markdown
from multitrain.common.ranks import answers, ranks, top
from multitrain.common.records.predictions import predictions_path
from multitrain.common.records.run_record import read_record
from multitrain.data.manifest import Manifest
from multitrain.datasets.formats.class_folders import NO_VIDEO, OTHER_CLASS

__all__ = ["write_report"]

WORST = 5  # classes that are shown
SHOWN = 5  # names in a sentence


def write_report(out: Path, name: str, manifest: Manifest) -> str:
    """Write report.md into `out` and return its text."""
    record = read_record(out, "settings", "steps", "seed")
    train, missing = manifest.split("train"), pd.read_csv(manifest.folder / "missing.csv", keep_default_na=False)
    scored = len(manifest.split("test"))
    lines = [f"# {len(manifest.classes)} classes, {len(train)} videos to train on, {scored} to score", ""]
    lines += _scores(predictions_path(out, name), manifest)
    if len(missing):
        reasons = Counter(missing["reason"])
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        files = "1 file is" if len(missing) == 1 else f"{len(missing)} files are"
        lines += ["", f"**{files} not used** ({counts}): see {manifest.folder / 'missing.csv'}."]
        lines += _missing_details(missing)
    how = "head alone, on features" if record["settings"].get("freeze") else "all weights"
    lines += ["", f"Trained: {how}, {record['steps']} steps, seed {record['seed']}. Model: {out / 'model.pt'}"]
    text = "\n".join(lines) + "\n"
    with atomic(out / "report.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def _missing_details(missing: pd.DataFrame) -> list[str]:
    """Lines on files that are in two classes, and one on all files that are no videos."""
    twice = [markdown(detail) for detail in missing["detail"] if OTHER_CLASS in str(detail)]
    lines = [f"- {detail}: one of the two is in the wrong class" for detail in twice[:SHOWN]]
    lines += [f"- and {len(twice) - SHOWN} more"] if len(twice) > SHOWN else []
    others = [str(detail).removesuffix(NO_VIDEO) for detail in missing["detail"] if NO_VIDEO in str(detail)]
    if others := [markdown(name) for name in others]:
        names = f"{', '.join(others[:SHOWN])}{f' and {len(others) - SHOWN} more' if len(others) > SHOWN else ''}"
        lines.append(f"- not named as videos, and so no part of the split: {names}")
    return ["", *lines] if lines else []


def _scores(path: Path, manifest: Manifest) -> list[str]:
    """Lines with the accuracy and the worst classes with their confusions."""
    table = pq.read_table(path, columns=["label", "scores"])
    labels, scores = table["label"].to_numpy(), np.stack(table["scores"].to_numpy())
    rank, found = ranks(scores, labels), answers(scores, labels)
    right, count = int(top(1, rank).sum()), len(labels)
    low, high = binomtest(right, count).proportion_ci(method="wilson")  # 95 %, also for few clips
    most = Counter(manifest.split("train").table["label"].to_pylist()).most_common()
    largest, videos = most[0]
    always = float((labels == largest).mean())
    name, which = markdown(repr(manifest.classes[largest])), "a" if len(most) > 1 and most[1][1] == videos else "the"
    lines = [
        f"**Accuracy {right / count:.1%}** ({right} of {count}; 95 % interval {low:.1%} to {high:.1%}). "
        f"Always saying {name}, {which} class with most videos, gives {always:.1%}."
    ]
    if len(manifest.classes) > 5:
        lines.append(f"Among the five likeliest: {top(5, rank).mean():.1%}.")
    unscored = [manifest.classes[label] for label in range(len(manifest.classes)) if label not in set(labels.tolist())]
    if unscored:
        more = f" and {len(unscored) - SHOWN} more" if len(unscored) > SHOWN else ""
        names = f"{', '.join(map(markdown, unscored[:SHOWN]))}{more}"
        lines += ["", f"**Not scored**, since no video was set aside: {names}."]
    return lines + _worst(labels, found, manifest.classes)


def _worst(labels: np.ndarray, found: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """A table of the classes with most wrong answers; empty where all are right."""
    rows = []
    for label in np.unique(labels):
        answers = found[labels == label]
        wrong = Counter(answers[answers != label].tolist())
        if wrong:
            taken = ", ".join(f"{classes[other]} ({times})" for other, times in sorted(wrong.items(), key=_often)[:3])
            rows.append((1 - sum(wrong.values()) / len(answers), label, len(answers), taken))
    if not rows:
        return []
    lines = ["", "| worst classes | right | of | taken for |", "| --- | --- | --- | --- |"]
    for share, label, count, taken in sorted(rows)[:WORST]:
        lines.append(line([classes[label], f"{share:.0%}", str(count), taken]))
    return lines


def _often(item: tuple[int, int]) -> tuple[int, int]:
    return -item[1], item[0]
