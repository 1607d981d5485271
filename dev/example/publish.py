"""Write docs/example: the records of a study joined, and its tables, figures and pages, small enough for git.

python -m dev.example.publish    # of desk's seeds in docs/notes, with its CNN's study beside
"""

import argparse
import base64
import io
import json
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from dev.command import start
from dev.example.records import RECORDS, write_records, write_tables
from dev.pages.desk import CNN, NOTES, SEEDS
from multitrain.analysis.cost.study_cost import HEAD, cells, study_parts
from multitrain.analysis.packed.packed_study import Key, Study, read_study
from multitrain.analysis.render.cells import unique
from multitrain.analysis.study.run_names import ranges
from multitrain.common.markup import grid

COLOURS = 64  # of a copied plot
LIMIT = 2_500_000  # bytes of all examples together
PAGE_LIMIT = 150_000  # bytes of a notebook's page: those with a line a seed grow
ALIKE = 6.0  # grey levels between two sizes of one figure, in the mean, at most
KEPT = ("model", "clips")  # written by model_and_clips.py
PUBLISHED = Path("resources/published")
EMBEDDED = r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=\s]+)"
NOT_COPIED = ("per_class.csv", "spectrum.csv")  # large


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", type=Path, nargs="*", default=sorted(NOTES.glob(SEEDS)), help="packed seeds")
    parser.add_argument("--scale", default="desk")
    parser.add_argument("--backbone", type=Path, default=NOTES / CNN, help="the packed study of another network")
    parser.add_argument("--out", type=Path, default=Path("docs/example"))
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_records(options.seeds, options.scale, scratch)
        write_tables(scratch, scratch / "rendered", options.backbone, pages=True)
        copy(scratch / "rendered", options.out)
        shutil.copy(scratch / RECORDS, options.out)
    study = read_study(options.out / RECORDS)
    (options.out / "README.md").write_text(readme(study, options.out), encoding="utf-8")
    require_small(options.out)


def copy(results: Path, out: Path) -> None:
    """Replace what is in `out`, except KEPT, by the results' tables, figures, report and notebook pages."""
    for path in list(out.glob("*")):
        if path.is_dir() and path.name not in KEPT:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    for name in ("figures", "notebooks"):
        (out / name).mkdir(parents=True)
    for path in sorted(results.glob("*")):
        if path.suffix in (".csv", ".md", ".tex") and path.name not in NOT_COPIED:
            shutil.copy(path, out)
    for path in sorted((*(results / "figures").glob("*.png"), *results.glob("*.png"))):
        (out / "figures" / path.name).write_bytes(shrink(path.read_bytes()))
    for path in (results / "report.html", *sorted((results / "notebooks").glob("*.html"))):
        html = path.read_text(encoding="utf-8").replace(str(results), results.name)  # a folder that is gone
        write_page(html, out / "notebooks" / path.name, out / "figures")


def readme(study: Study, out: Path) -> str:
    """The page of the example: where it comes from, its cost, and links to all that was copied."""
    records = [json.loads(study.texts[Key(run, seed, name="run.json")]) for run, seed in study.records()]
    commits, codes = (unique((record[key] for record in records), ", ") for key in ("commit", "code"))
    kinds = unique(("{model} ({kind}, {instructions})".format(**record["processor"]) for record in records), ", ")
    drawn = sorted((out / "figures").iterdir())
    pictures = "\n\n".join(f"![{path.stem.replace('_', ' ')}](figures/{path.name})" for path in drawn)
    tables = ", ".join(f"[{p.stem}]({p.name})" for p in sorted(out.glob("*.md")) if p.name != "README.md")
    notebooks = [path for path in sorted((out / "notebooks").glob("*.html")) if path.stem != "report"]
    pages = ", ".join(f"[{path.stem}](notebooks/{path.name})" for path in notebooks)
    cost = grid(HEAD, cells(study_parts(study, PUBLISHED)))
    return f"""# The study of scale `{study.scale}`

Everything that the packed records of seeds {ranges(study.seeds())} give, the pictures with fewer colours.
Written by `dev/example/publish.py`. What the scale is, and which seeds are missing: [desk.md](../guides/desk.md).

- commit of the trainings {commits}, numerical code {codes}; processors: {kinds}
- {len(records)} trainings:

{cost}

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
    start(main)
