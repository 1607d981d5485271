"""Write docs/example: the tables, figures and notebook pages of one complete run, small enough for git.

python -m dev.example.complete_run --seconds 1800    # how long `snakemake --cores 2` took, in seconds
"""

import argparse
import base64
import io
import json
import os
import platform
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dev.example.records import RECORDS, write_records
from multitrain.common.markup import line
from multitrain.common.processor import model

COLOURS = 64  # of a copied plot
LIMIT = 2_500_000  # bytes of all examples together
PAGE_LIMIT = 100_000  # bytes of a notebook's page
ALIKE = 6.0  # grey levels between two sizes of one figure, in the mean, at most
KEPT = ("model", "clips")  # written by model_and_clips.py
EMBEDDED = r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=\s]+)"
NOT_COPIED = (  # large, or not made of the records
    *("README.md", "per_class.csv", "spectrum.csv"),
    *("world_card.csv", "when_it_helps.csv", "when_it_helps.md", "backbones.csv", "halves.csv", "halves.md"),
)
STAGES = {  # folder or file of results/benchmarks -> stage
    "synth": "synthetic datasets published",
    "prepare": "clips cut and transcoded",
    "train": "trainings",
    "evaluate": "test clips scored",
    "survey": "datasets surveyed",
    "figures": "figures",
    "notebooks": "notebooks",
}


def machine() -> str:
    """The processor, its cores and the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def stages(benchmarks: Path) -> pd.DataFrame:
    """Jobs, seconds and peak memory of each stage, from Snakemake's benchmark files."""
    rows = []
    for path in benchmarks.rglob("*.tsv"):
        measured = pd.read_csv(path, sep="\t").iloc[0]
        part = path.relative_to(benchmarks).parts
        rows.append((STAGES.get(part[0] if len(part) > 1 else "", "tables and analyses"), measured.s, measured.max_rss))
    frame = pd.DataFrame(rows, columns=["stage", "seconds", "MiB"])
    found = frame.groupby("stage").agg(jobs=("seconds", "size"), seconds=("seconds", "sum"), MiB=("MiB", "max"))
    order = [stage for stage in [*STAGES.values(), "tables and analyses"] if stage in found.index]
    return found.loc[order].round(0).astype(int).reset_index()


def shrink(picture: bytes) -> bytes:
    """A PNG with a palette of COLOURS, a quarter of the bytes and hardly a difference in a plot; a smaller JPEG.

    The palette covers the range of the colours, however few pixels have one: the strongest weights of a map are few.
    """
    image, out = Image.open(io.BytesIO(picture)), io.BytesIO()
    if image.format == "PNG":
        palette = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        palette.save(out, "PNG", optimize=True)
    else:
        image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(out, "JPEG", quality=60)
    return out.getvalue()


def write_page(html: str, path: Path, figures: Path) -> None:
    """Write a notebook's page whose style and pictures are files: one style.css, the figures, other pictures beside it.

    The links to what is not copied are left out.
    """
    html = re.sub(r"<header>.*?</header>", "", html, flags=re.DOTALL)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    if style:  # the first is the page's, later ones are of a table each
        (path.parent / "style.css").write_text(style[1], encoding="utf-8")
        html = html.replace(style[0], '<link rel="stylesheet" href="style.css">', 1)
    drawn = {figure: thumbnail(figure.read_bytes()) for figure in sorted(figures.glob("*.png"))}
    count = 0

    def linked(found: re.Match) -> str:
        nonlocal count
        picture = base64.b64decode(found[2])
        if same := same_figure(picture, drawn):
            return f"../{figures.name}/{same.name}"
        count += 1
        name = f"{path.stem}-{count}.{found[1].replace('jpeg', 'jpg')}"
        (path.parent / name).write_bytes(shrink(picture))
        return name

    path.write_text(re.sub(EMBEDDED, linked, html), encoding="utf-8")


def thumbnail(picture: bytes) -> tuple[float, np.ndarray]:
    """The ratio of a picture's sides, and the picture in a few grey pixels."""
    image = Image.open(io.BytesIO(picture))
    return image.width / image.height, np.asarray(image.convert("RGB").convert("L").resize((100, 100)), dtype=float)


def same_figure(picture: bytes, drawn: dict[Path, tuple[float, np.ndarray]]) -> Path | None:
    """The figure that a picture shows at another size: the closest of the same shape; None where none is close."""
    ratio, pixels = thumbnail(picture)
    apart = {
        np.abs(pixels - other).mean(): figure for figure, (its, other) in drawn.items() if abs(its / ratio - 1) < 0.02
    }
    return apart[min(apart)] if apart and min(apart) < ALIKE else None


def grid(frame: pd.DataFrame) -> str:
    """A Markdown table."""
    rows = [frame.columns, ["---"] * len(frame.columns), *frame.to_numpy()]
    return "\n".join(line([str(value) for value in row]) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--config", type=Path, default=Path("config"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("docs/example"))
    parser.add_argument("--seconds", type=float, required=True, help="wall-clock time of the complete run")
    parser.add_argument("--beside", default="", help="what else the machine did meanwhile")
    options = parser.parse_args()
    copy(options.results, options.scale, options.out)
    write_records(options.results, options.scale, options.out, options.config, options.data)
    (options.out / "README.md").write_text(readme(options))
    require_small(options.out)


def copy(results: Path, scale: str, out: Path) -> None:
    """Replace what is in `out`, except KEPT, by the results' tables, figures, report and notebook pages."""
    for path in list(out.glob("*")):
        if path.is_dir() and path.name not in KEPT:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    for name in ("figures", "notebooks", "datasets"):
        (out / name).mkdir(parents=True)
    for path in sorted(results.glob("*")):
        if path.suffix in (".csv", ".md", ".tex") and path.name not in NOT_COPIED:
            shutil.copy(path, out)
    for path in sorted((results / "figures").glob("*.png")):
        (out / "figures" / path.name).write_bytes(shrink(path.read_bytes()))
    for path in (results / "report.html", *sorted((results / "notebooks").glob("*.html"))):
        write_page(path.read_text(encoding="utf-8"), out / "notebooks" / path.name, out / "figures")
    shutil.copy(results / "datasets" / scale / "overview.jpg", out / "datasets")


def readme(options: argparse.Namespace) -> str:
    """The page of the example: where it comes from, its time, and links to all that was copied."""
    results, out = options.results, options.out
    records = [json.loads(path.read_text()) for path in sorted((results / "runs" / options.scale).glob("*/*/run.json"))]
    every = {key: sorted({str(record[key]) for record in records}) for key in ("commit", "seed", "code")}
    versions = ", ".join(f"{name} {version}" for name, version in records[0]["versions"].items())
    drawn = sorted((out / "figures").iterdir())
    pictures = "\n\n".join(f"![{path.stem.replace('_', ' ')}](figures/{path.name})" for path in drawn)
    tables = ", ".join(f"[{p.stem}]({p.name})" for p in sorted(out.glob("*.md")))
    notebooks = [path for path in sorted((out / "notebooks").glob("*.html")) if path.stem != "report"]
    pages = ", ".join(f"[{path.stem}](notebooks/{path.name})" for path in notebooks)
    beside = f", with {options.beside}" if options.beside else ""
    return f"""# One complete run

Everything that `snakemake --cores 2` made at scale `{options.scale}`, as it came, the pictures with fewer colours.
Written by `dev/example/complete_run.py`.

- commit of the trainings {", ".join(every["commit"])}, numerical code {", ".join(every["code"])}
- seed {", ".join(every["seed"])}
- {machine()}; Python {platform.python_version()}, {versions}
- {len(records)} trainings; {options.seconds / 60:.1f} minutes from no data to the last page{beside}

{grid(stages(results / "benchmarks" / options.scale))}

Seconds are summed over jobs, two of which run side by side; MiB is the largest process tree of a job.

To try without training: `multitrain predict docs/example/model docs/example/clips` ([the model](model/README.md), of
scale `desk`; [its clips](clips/labels.csv), of val; written by `dev/example/model_and_clips.py`).

What the runs answered and recorded is [{RECORDS}]({RECORDS}): `multitrain results render docs/example/{RECORDS}
rendered` makes the tables of it again, without training ([a study in one file](../reference/evidence.md)); a test
compares them byte for byte.

[The report](notebooks/report.html) has the question, every verdict and the main table. Tables: {tables}. Notebooks as
pages (to read, download the folder: their pictures lie beside them): {pages}.

{pictures}
"""


def require_small(out: Path) -> None:
    """Exit where a page, or all examples together, are too large for git."""
    if large := [str(path) for path in (out / "notebooks").glob("*.html") if path.stat().st_size > PAGE_LIMIT]:
        raise SystemExit(f"{', '.join(large)}: more than {PAGE_LIMIT / 1e3:.0f} kB")
    apart = {*KEPT, RECORDS}  # which have limits of their own
    parts = [path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] not in apart]
    size = sum(path.stat().st_size for path in parts)
    if size > LIMIT:
        raise SystemExit(f"{out}: {size / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f}")


if __name__ == "__main__":
    main()
