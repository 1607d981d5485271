"""The settings that each rule of the workflow depends on, as a table of rules and fields.

A rule's `params` hold the values of its fields as text. When the text changes, Snakemake runs the rule's jobs again.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from pydantic_core import to_jsonable_python

from multitrain.planning.plan import Plan

__all__ = ["Job", "settings"]

Job = Mapping[str, str]  # wildcards of a job


def _each(part: str, fields: str) -> tuple[str, ...]:
    return tuple(f"{part}.{field}" for field in fields.split())


ANALYSIS = (  # for rules that read several runs, and for any rule that DEPENDS lacks
    *_each("scale", "name smoke_test"),
    *_each("scale.datasets.*", "title paper_letter"),
    *_each("experiments.tables.*", "datasets rows"),
    "experiments.runs",
    "project.seeds",
)
SURVEY = ("scale.model.frames", *_each("scale.datasets.{dataset}", "title sampling views transcode"))
OVERVIEW = tuple(path.replace("{dataset}", "*") for path in SURVEY)
SCORES = _each("scale.datasets.{dataset}", "sampling views")

# A path starts at the plan, or at an entry of VALUES. `*` is every key. A word in braces stands for its names in NAMES.
DEPENDS: dict[str, tuple[str, ...]] = {
    "synth": ("world", "scale.world.videos.{dataset}", "scale.datasets.{dataset}.reader"),
    "prepare": _each(
        "scale.datasets.{dataset}", "reader raw fraction holdout clip_seconds transcode classes_file prepared"
    ),
    "train": (  # titles, test views and other runs do not change a training
        "experiments.runs.{run}",
        "experiments.runs.{best}.checkpoint",
        "excluded",
        "pretrained",
        "project.exclude_leaks",
        "scale.model",
        "scale.backbones.{backbone}",
        *("scale.recipes.{recipe}", "scale.sizes.{size}"),
        *_each("scale.datasets.{read}", "sampling flip"),
        *_each("scale.machine", "precision portable"),
        *("experiments.runs.{paced}.datasets", *_each("scale.recipes.{paced recipe}", "epochs batch")),
        "experiments.runs.{paced set}.set",
    ),
    "evaluate": SCORES,
    "temporal": SCORES,
    "related": OVERVIEW,
    "flops": (*_each("scale", "model sizes backbones.*"), "experiments.runs.{with backbone}.backbone"),
    "networks": ("shown", "scale.model", "scale.backbones.*", "scale.machine.checkpointing", "project.seeds"),
    "table": (
        "experiments.tables.{table}",
        *_each("experiments.runs.{shown}", "datasets size init"),
        *_each("scale", "name fingerprint remark smoke_test"),
        *_each("scale.datasets.*", "title paper_letter"),
        "project.seeds",
    ),
    "table4": (*ANALYSIS, "experiments.projections"),
    "evidence": (*ANALYSIS, *_each("claims", "evidence_claims paper")),
    "claims": (*ANALYSIS, "claims"),
    "study_records": (*ANALYSIS, *_each("scale", "fingerprint recipes")),  # every setting that changes numbers
    "index": (*ANALYSIS, "experiments.tables.*.title", "experiments.projections.title", "left_out"),
    "study": ("scale", "experiments", "claims", "project.seeds"),  # all settings: their files are packed
    "accounting": (
        *_each("scale.datasets.*", "title reader raw fraction"),
        *_each("experiments.runs.*", "datasets init"),
        "scale.name",
    ),
    "survey": SURVEY,
    "overview": OVERVIEW,
    "card": (*ANALYSIS, *OVERVIEW, "world", "scale.world.videos"),
}
VALUES: dict[str, Callable[[Plan, Job], object]] = {  # values that are computed from fields
    "world": lambda plan, job: _world(plan, plan.world(job)),
    "excluded": lambda plan, job: plan.excluded(job["run"], plan.world(job)),
    "pretrained": lambda plan, job: plan.pretrained(job["run"]),
    "shown": lambda plan, _: {table: plan.experiments.shown_runs(table) for table in plan.experiments.tables},
}
NAMES: dict[str, Callable[[Plan, Job], Iterable[str]]] = {
    "dataset": lambda _, job: (job["dataset"],),
    "run": lambda _, job: (job["run"],),
    "best": lambda plan, job: filter(lambda run: plan.experiments.runs[run].checkpoint == "best", (job["run"],)),
    "table": lambda _, job: (job["table"],),
    "shown": lambda plan, job: plan.experiments.shown_runs(job["table"]),
    "read": lambda plan, job: plan.experiments.runs[job["run"]].datasets,
    "recipe": lambda plan, job: (plan.experiments.runs[job["run"]].recipe,),
    "size": lambda plan, job: (plan.experiments.runs[job["run"]].size,),
    "backbone": lambda plan, job: plan.scale.backbones.keys() & {plan.experiments.runs[job["run"]].backbone},
    "with backbone": lambda plan, _: (name for name, run in plan.experiments.runs.items() if run.backbone),
    "paced": lambda plan, job: filter(None, (plan.experiments.runs[job["run"]].steps_of,)),
    "paced set": lambda plan, job: (paced for paced in NAMES["paced"](plan, job) if plan.experiments.runs[paced].set),
    "paced recipe": lambda plan, job: (plan.experiments.runs[paced].recipe for paced in NAMES["paced"](plan, job)),
}


def _world(plan: Plan, number: int) -> dict | None:
    world = plan.scale.world
    return None if world is None else world.number(number).model_dump(exclude={"videos", "run_seeds"})


def settings(plan: Plan, rule: str, job: Job) -> str:
    """The values of all fields that a job of the rule depends on, as JSON."""
    values: dict[str, object] = {}
    for path in DEPENDS.get(rule, ANALYSIS):
        start, *rest = path.split(".")
        value = VALUES[start](plan, job) if start in VALUES else getattr(plan, start)
        values.update(_values(value, rest, start, lambda word: NAMES[word](plan, job)))
    return json.dumps(to_jsonable_python(values), sort_keys=True)


def _values(
    value: object, rest: list[str], path: str, names: Callable[[str], Iterable[str]]
) -> Iterator[tuple[str, object]]:
    """(path, value) of each field that `rest` selects below `value`."""
    if not rest:
        yield path, value
        return
    if value is None:  # a part that a study does not have
        yield path, None
        return
    step, *after = rest
    if step == "*":
        assert isinstance(value, Mapping), path
        keys: Iterable[str] = value
    else:
        keys = names(step[1:-1]) if step.startswith("{") else (step,)
    for name in keys:
        inner = value[name] if isinstance(value, Mapping) else getattr(value, name)
        yield from _values(inner, after, f"{path}.{name}", names)
