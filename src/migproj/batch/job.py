"""What a job file may say."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from migproj.errors import SchemaError

__all__ = ["Job", "LifeTable", "Source", "Spread", "read_job", "schema"]

Label: TypeAlias = int | float | str


class _Part(BaseModel):
    # Strict: true is no number, nor is "5".
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Spread(_Part):
    """How uncertain an input is: a random factor (or addend), as of `mp.ensemble.draws`."""

    distribution: str = Field(description="Name of a continuous distribution of scipy.stats.")
    parameters: dict[str, float] = Field(
        description="Its parameters by name, such as {loc = 1.0, scale = 0.05}."
    )
    by: list[str] = Field(
        default=[],
        description="Dims of the input whose labels have an independent number each; without "
        "any, there is one number a draw for all.",
    )
    apply: Literal["times", "plus"] = Field(
        default="times", description="Whether the input is multiplied by it, or it is added."
    )


class Source(_Part):
    """An input: a variable of a NetCDF or Zarr file, or a number."""

    file: str | None = Field(
        default=None,
        min_length=1,
        description="NetCDF file or Zarr folder, from the folder of the job file.",
    )
    variable: str | None = Field(
        default=None, description="The variable's name in the file. Default: the input's own."
    )
    value: float | None = Field(default=None, description="A number, instead of a file.")
    select: dict[str, Label | list[Label]] = Field(
        default={}, description="Labels to select, by dim: one, or a list."
    )
    rename: dict[str, str] = Field(
        default={}, description="New names of dims and coordinates, by their name in the file."
    )
    spread: Spread | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if (self.file is None) == (self.value is None):
            raise ValueError("expected either file or value")
        return self


class LifeTable(_Part):
    """A life table: two variables of a NetCDF or Zarr file."""

    file: str = Field(
        min_length=1, description="NetCDF file or Zarr folder, from the folder of the job file."
    )
    lx: str = Field(default="lx", description="The name of the survivors.")
    Tx: str = Field(default="Tx", description="The name of the person-years above an age.")
    select: dict[str, Label | list[Label]] = {}
    rename: dict[str, str] = {}


class _Mortality(_Part):
    survival: Source | None = Field(
        default=None, description="Survival ratios. One of survival, mx and life_table is given."
    )
    mx: Source | None = Field(default=None, description="Death rates, for mp.life_table.")
    life_table: LifeTable | None = None

    @model_validator(mode="after")
    def _one_mortality(self) -> _Mortality:
        given = [name for name in ("survival", "mx", "life_table") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"expected one of survival, mx and life_table, got {given or 'none'}")
        return self


class PopulationInputs(_Mortality):
    """The inputs of `mp.project_population`."""

    population: Source
    fertility: Source
    sex_ratio_at_birth: Source | float
    migration: Source | None = Field(
        default=None, description="Net migrants, or with migration_schedule their totals."
    )
    migration_rate: Source | None = None
    migration_schedule: Source | None = None
    emigration: Source | None = None
    fertility_pattern: Source | None = None
    separation: Source | None = None


class RoundsInputs(_Mortality):
    """The inputs of `mp.net_migration` (start, end) or `mp.net_migration_rounds` (rounds)."""

    start: Source | None = None
    end: Source | None = None
    rounds: Source | None = Field(default=None, description="All rounds, instead of start and end.")
    births: Source | None = None

    @model_validator(mode="after")
    def _one_form(self) -> RoundsInputs:
        two = (self.start is not None) + (self.end is not None)
        if two != (2 if self.rounds is None else 0):
            raise ValueError("expected either start and end or rounds")
        return self


class StocksInputs(_Mortality):
    """The inputs of `mp.project_stocks`."""

    stock: Source
    arrivals: Source | None = None
    emigration: Source | None = None
    net_migration: Source | None = None
    population: Source | None = None


class _Options(_Part):
    """Options of the call; left out, they are the function's own defaults."""


class PopulationOptions(_Options):
    """Options of `mp.project_population`."""

    timing: Literal["even", "end", "midpoint"] | None = None
    births_exposure: Literal["with-migrants", "ccmpp"] | None = None
    on_negative: Literal["warn", "raise", "limit"] | None = None
    schedule_scaling: Literal["proportional", "one-sided"] | None = None
    missing_migration: Literal["raise", "zero"] | None = None


class RoundsOptions(_Options):
    """Options of `mp.net_migration`."""

    method: Literal["forward", "reverse", "average", "midpoint", "end", "even"] | None = None
    children: Literal["births", "child-woman", "arrivals", "none"] | None = None
    interval: float | None = Field(default=None, description="Years between start and end.")
    interpolation: Literal["spline", "pchip"] | None = None


class StocksOptions(_Options):
    """Options of `mp.project_stocks`."""

    timing: Literal["even", "end", "midpoint"] | None = None


class Output(_Part):
    """What is stored."""

    keep: list[str] | None = Field(
        default=None, min_length=1, description="Variables to store. Default: all."
    )
    age_groups: list[int] | list[str] | None = Field(
        default=None, min_length=1, description="Wider age groups in which to store them."
    )
    quantiles: list[float] | None = Field(
        default=None, min_length=1, description="Quantiles over the draws, in their place."
    )
    dtype: Literal["float64", "float32"] = "float64"


class Draws(_Part):
    """How many draws, where an input has a spread."""

    count: PositiveInt
    seed: int = Field(ge=0)


class Chunks(_Part):
    """How much is done and stored at a time."""

    country: PositiveInt = 10
    draw: PositiveInt | None = Field(
        default=None, description="Default: 100; with quantiles all, as they need to be together."
    )


class _Job(_Part):
    store: str = Field(
        min_length=1, description="Zarr folder to make, from the folder of the job file."
    )
    output: Output = Output()
    draws: Draws | None = None
    chunks: Chunks = Chunks()

    @model_validator(mode="after")
    def _together(self) -> _Job:
        if self.output.quantiles is not None and self.chunks.draw is not None:
            raise ValueError("chunks.draw: with quantiles all draws are done together: drop it")
        inputs: Any = self.inputs  # type: ignore[attr-defined] # each kind of job has its own
        spread = [name for name, source in inputs if getattr(source, "spread", None)]
        if spread and self.draws is None:
            raise ValueError(f"inputs.{spread[0]}.spread needs [draws] with count and seed")
        return self


class _Projection(_Job):
    steps: PositiveInt | None = Field(
        default=None, description="How many steps, where no input has the dim period."
    )
    horizon: float | None = Field(
        default=None, description="The year in which to end, instead of steps."
    )

    @model_validator(mode="after")
    def _one_end(self) -> _Projection:
        if self.steps is not None and self.horizon is not None:
            raise ValueError("expected steps or horizon, got both")
        return self


class PopulationJob(_Projection):
    """Project populations by cohort components."""

    task: Literal["project_population"]
    inputs: PopulationInputs
    options: PopulationOptions = PopulationOptions()


class RoundsJob(_Job):
    """Estimate net migration between census rounds."""

    task: Literal["net_migration"]
    inputs: RoundsInputs
    options: RoundsOptions = RoundsOptions()


class StocksJob(_Projection):
    """Project migrant stocks."""

    task: Literal["project_stocks"]
    inputs: StocksInputs
    options: StocksOptions = StocksOptions()


Job: TypeAlias = PopulationJob | RoundsJob | StocksJob
_TASKS: Final[dict[str, type[_Part]]] = {
    "project_population": PopulationJob,
    "net_migration": RoundsJob,
    "project_stocks": StocksJob,
}
#: Types of values, as faults call them, in words.
_KINDS: Final = {"float": "a number", "int": "a whole number", "string": "text", "list": "a list"}
#: What faults add to a place that may be of several types.
_TYPES: Final = ("float", "int", "str")
_JOB: TypeAdapter[Job] = TypeAdapter(Annotated[Job, Field(discriminator="task")])


def schema() -> dict[str, Any]:
    """The JSON schema of a job file."""
    made = _JOB.json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Job", **made}


def read_job(file: Path) -> Job:
    """The job of a file, checked against the schema."""
    try:
        # Some editors begin a file with a mark of its encoding, which TOML has not.
        words = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SchemaError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"{file}: is not TOML: {error}") from error
    try:
        return _JOB.validate_python(words)
    except ValidationError as error:
        found = _said(error.errors(include_url=False))
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise SchemaError(
            f"{file}: {'; '.join(found[:5])}{more}; migproj schema prints what a job may say"
        ) from None


def _said(faults: list[Any]) -> list[str]:
    """What is wrong, a text for each place in the file."""
    found: dict[tuple[str, str], list[str]] = {}
    for fault in faults:
        place, part = _place(fault)
        got = fault["input"]
        silent = fault["type"] in ("missing", "extra_forbidden") or isinstance(got, dict)
        found.setdefault((place, "" if silent else f", got {got!r}"), []).append(_text(fault, part))
    said = []
    for (place, got), (first, *others) in found.items():
        texts = [first, *(text.removeprefix("expected ") for text in others)]
        said.append(f"{place}: {' or '.join(texts)}{got}".removeprefix(": "))
    return said


def _place(fault: Any) -> tuple[str, type[_Part] | None]:
    """Where in the file a fault is, and the part of a job that has this key."""
    keys = [str(key) for key in fault["loc"]]
    part: type[_Part] | None = _TASKS.get(keys[0]) if keys else None
    if part is not None:
        keys = keys[1:]
    own = keys[-1:] if fault["type"] == "extra_forbidden" else []
    # Names of classes, validators and types are alternatives that were tried, no keys.
    rest = keys[: len(keys) - len(own)]
    keys = [key for key in rest if key.islower() and "[" not in key and key not in _TYPES] + own
    for key in keys[:-1]:
        part = _part_of(part, key)
    return ".".join(keys), part


def _part_of(part: type[_Part] | None, key: str) -> type[_Part] | None:
    field = part.model_fields.get(key) if part is not None else None
    kinds: list[Any] = [field.annotation, *get_args(field.annotation)] if field else []
    return next(
        (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, _Part)), None
    )


def _text(fault: Any, part: type[_Part] | None) -> str:
    kind, more = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden" and part is not None:
        keys = list(part.model_fields)
        near = get_close_matches(str(fault["loc"][-1]), keys, 1)
        return f"is none of the keys {keys}" + (f"; did you mean {near[0]!r}" if near else "")
    if kind == "union_tag_invalid":
        return f"task: expected one of {list(_TASKS)}, got {more['tag']!r}"
    if kind == "union_tag_not_found":
        return f"task: is missing; expected one of {list(_TASKS)}"
    words = {
        "missing": "is missing",
        "literal_error": "expected {expected}",
        "greater_than": "expected a number above {gt}",
        "greater_than_equal": "expected a number of {ge} or more",
        "model_type": "expected a table of keys, such as {{ file = 'x.nc' }}",
    } | {
        f"{name}_{how}": f"expected {what}"
        for name, what in _KINDS.items()
        for how in ("type", "parsing", "from_float")
    }
    own = words.get(kind)
    return own.format(**more) if own else str(fault["msg"]).removeprefix("Value error, ")
