"""The command ``migproj`` (extra ``cli``)."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np
import xarray as xr
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from migproj import batch, datasets, example
from migproj.ages import groups_of
from migproj.errors import MigprojError

__all__ = ["main"]

#: Nine birthplaces and their total side by side.
_WIDTH = 120


class _Command(click.Group):
    """Turns what the library raises into one line without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except MigprojError as error:
            raise click.ClickException(str(error)) from error


def _folder(_: click.Context, __: click.Parameter, folder: str | None) -> Path | None:
    if folder == "":
        raise click.BadParameter("expected a folder, got an empty name; '.' is the current one")
    return None if folder is None else Path(folder)


def _horizon(_: click.Context, __: click.Parameter, year: int) -> int:
    if year not in range(1970, 2030, 10):
        raise click.BadParameter(
            f"{year} is not a census year after 1960: give 1970, 1980, ... up to 2020, by when "
            "only those aged 70+ are left of the people counted in 1960"
        )
    return year


@click.group(
    cls=_Command,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--method",
    type=click.Choice(example.ESTIMATORS),
    default="forward",
    show_default=True,
    help="The estimate of net migration that is repeated in the projection. Forward: migrants "
    "are counted at the end of the decade; reverse: at its start; average: the mean of the two; "
    "midpoint: half-way.",
)
@click.option(
    "--horizon",
    type=int,
    default=1980,
    show_default=True,
    callback=_horizon,
    metavar="YEAR",
    help="The census year to which the stocks of 1960 are projected, in steps of ten years.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False),
    callback=_folder,
    metavar="DIR",
    help="Also write every table there as tidy CSV and NetCDF and, where matplotlib is "
    "installed, a picture.",
)
@click.version_option(package_name="migproj")
@click.pass_context
def main(ctx: click.Context, method: str, horizon: int, output: Path | None) -> None:
    """Net migration and migrant stocks from two census rounds.

    Without a command, runs the main job on packaged census figures: males living in New
    England by division of birth, 1950 and 1960. It prints the two rounds, the survival ratios
    of everyone born in each division, net migration by birthplace and age, and the stocks
    projected with the same ratios and net migration repeated.

    \b
    Examples:
      migproj
      migproj --method average --horizon 2000 --output results
      migproj datasets
      migproj datasets bombay_1941
      migproj run job.toml
    """  # noqa: D301 - click reads the backspace
    if ctx.invoked_subcommand is not None:
        return
    result = example.run(method, horizon)
    console = _console()
    for table in _example_tables(result, method):
        console.print(table)
    console.print("[bold]Notes[/]")
    for text in (*result.warned, *(f"Source: {source}" for source in result.sources)):
        console.print(f"• {text}", highlight=False)
    if output is not None:
        for file in _write(result, method, output):
            console.print(f"Wrote {file}", highlight=False, soft_wrap=True)


@main.command("datasets")
@click.argument("name", required=False)
def show_datasets(name: str | None) -> None:
    """List the packaged tables, or show the one called NAME."""
    console = _console()
    if name is None:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("name", no_wrap=True)
        table.add_column("title")
        for row in datasets.titles().items():
            table.add_row(*row)
        console.print("Packaged tables: migproj datasets NAME shows one")
        console.print(table)
        return
    data = datasets.load(name)
    console.print(f"[bold]{data.attrs['title']}[/]", highlight=False)
    console.print(f"{data.attrs['source']}, {data.attrs['table']}", highlight=False)
    for variable, array in data.data_vars.items():
        units = array.attrs["units"]
        console.print(_grid(f"{variable}: {array.attrs['long_name']} ({units})", _columns(array)))
    for key in ("notes", "print_errors", "licence"):
        if key in data.attrs:
            console.print(f"[bold]{key.replace('_', ' ')}[/] {data.attrs[key]}", highlight=False)


@main.command("run")
@click.argument("job", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Share the chunks among N processes."
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Share them among the workers of a dask scheduler."
)
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Add log lines to FILE.  [default: log.txt in the folder STORE.job]",
)
@click.pass_context
def run_job(
    ctx: click.Context, job: Path, workers: int | None, scheduler: str | None, log: Path | None
) -> None:
    """Run the job file JOB, or go on with it where an earlier run has stopped.

    \b
    Exit codes:
      0    finished
      1    the job or its inputs are not what they should be
      2    wrong words on the command line
      3    another run writes to the store
      4    the store was made by another job, or from other inputs
      5    no space left on the disk
      6    the store cannot be written to
      7    the workers have died, or there are none
      130  interrupted (Ctrl-C); 143 terminated
    After 5, 6, 7, 130 and 143 the same command goes on with what is not finished.
    """  # noqa: D301 - click reads the backspace
    received: list[int] = []
    stop = threading.Event()

    def end(number: int, _: object) -> None:
        # An exception may get lost where Python ignores it, as while it frees an object.
        received.append(number)
        stop.set()
        raise KeyboardInterrupt

    tell = sys.unraisablehook

    def ignored(lost: sys.UnraisableHookArgs) -> None:
        # The event has said so. Objects that were interrupted while they were made lack something
        # when they are freed, such as a file of h5netcdf.
        half_made = stop.is_set() and lost.exc_type is AttributeError
        if lost.exc_type is not KeyboardInterrupt and not half_made:
            tell(lost)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    sys.unraisablehook = ignored
    interrupted = False
    try:
        batch.run(job, workers=workers, scheduler=scheduler, log=log, stop=stop)
    except KeyboardInterrupt:
        interrupted = True  # which is forgotten here, so that what it held is freed
    except batch.BatchError as error:
        raise _Stopped(error) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = tell
    if interrupted:
        click.echo("Interrupted: the same command goes on with what is not finished", err=True)
        ctx.exit(128 + (received or [signal.SIGINT])[0])


class _Stopped(click.ClickException):
    """Shown in one line, with the exit code of the error."""

    def __init__(self, error: batch.BatchError) -> None:
        super().__init__(str(error))
        self.exit_code: int = error.code  # type: ignore[misc] # click's is a default for all


@main.command("schema")
def show_schema() -> None:
    """Print the JSON schema of a job file."""
    click.echo(json.dumps(batch.schema(), indent=2))


def _console() -> Console:
    console = Console()
    return Console(width=max(console.width, _WIDTH))


def _example_tables(result: example.Example, method: str) -> Iterable[Group]:
    for year, array in ((1950, result.start), (1960, result.end)):
        yield _by_birthplace(
            f"Census of {year}: males living in New England, by division of birth (persons)", array
        )
    yield _by_birthplace(
        "Census survival ratios 1950-60 of white males born in each division, by age in 1960",
        result.survival,
        decimals=4,
        totals=False,
    )
    net = result.estimates["net_migration"]
    shown = ["forward", "reverse", "average"]
    for estimator in shown if method in shown else [*shown, method]:
        yield _by_birthplace(
            f"Net migration 1950-60, {estimator}, by age in 1960 (persons per period of 10 years)",
            net.sel(estimator=estimator),
        )
    stock = result.stocks["stock"]
    for instant in stock["time"].values[1:]:
        at = stock.sel(time=instant)
        yield _by_birthplace(
            f"Projected to {instant:g}, {method} net migration repeated (persons); those under 10 "
            "in 1960 are not in the tables",
            at,
        )


def _by_birthplace(
    title: str, array: xr.DataArray, *, decimals: int = 0, totals: bool = True
) -> Group:
    """Age groups down, birthplaces across."""
    frame = array.squeeze("sex", drop=True).transpose("age", "birthplace")
    values = frame.values
    rows = list(groups_of(array, "array").labels)
    heads = [str(label) for label in frame["birthplace"].values]
    if totals:  # over the age groups that are known
        values = np.vstack([values, np.nansum(values, axis=0)])
        total = values.sum(axis=1, keepdims=True)
        values = np.hstack([values, total])
        known = ~np.isnan(frame.values).any(axis=1)
        first = "" if known.all() else f" {groups_of(array, 'array').lower[int(known.argmax())]}+"
        rows, heads = [*rows, f"Total{first}"], [*heads, "Total"]
    texts = [[_number(value, decimals) for value in row] for row in values]
    return _grid(title, [("age", rows), *zip(heads, zip(*texts, strict=True), strict=True)])


def _columns(array: xr.DataArray) -> list[tuple[str, Sequence[str]]]:
    """Columns of a table of any array: a column for each label of sex, else one of values."""
    frame = array.rename("value").drop_vars(
        [name for name in array.coords if name not in array.dims]
    )
    if array.ndim == 0:
        return [("value", [_number(float(array), 2)])]
    series = frame.to_series()
    wide = "sex" in array.dims and array.ndim > 1
    plain = series.unstack("sex", sort=False).reset_index() if wide else series.reset_index()
    if "age" in plain:
        groups = groups_of(array, "array")
        plain["age"] = plain["age"].map(dict(zip(groups.lower, groups.labels, strict=True)))
    decimals = 0 if array.attrs["units"].startswith("persons") else 4
    return [
        (
            str(head),
            [_number(x, decimals) for x in plain[head]]
            if plain[head].dtype == float and head not in ("time", "period")
            else [f"{x:g}" if isinstance(x, float) else str(x) for x in plain[head]],
        )
        for head in plain.columns
    ]


def _number(value: float, decimals: int) -> str:
    if np.isnan(value):
        return "unknown"
    text = f"{value:,.{decimals}f}"
    return text if decimals < 4 else text.rstrip("0").rstrip(".") if value == int(value) else text


def _grid(title: str, columns: Sequence[tuple[str, Sequence[str]]]) -> Group:
    """A table under its title (rich's own titles wrap at the width of the table)."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head, cells in columns:
        number = any(cell[:1].isdigit() or cell[:1] == "-" for cell in cells) and head != "age"
        table.add_column(head, justify="right" if number else "left")
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*row)
    return Group(Text(title, style="bold"), table)


def _write(result: example.Example, method: str, folder: Path) -> list[Path]:
    try:
        files = result.write(folder)
        picture = _picture(result, method, folder / "new_england.png")
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot write to {folder}: {error.strerror or error}; give --output a folder that "
            "can be written to"
        ) from error
    if picture is None:
        click.echo("No picture: install matplotlib with pip install 'migproj[plot]'", err=True)
        return files
    return [*files, picture]


def _picture(result: example.Example, method: str, file: Path) -> Path | None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    from migproj.plot import age_profile, stock_lines

    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    net = result.estimates["net_migration"].sel(estimator=method)
    age_profile(net, ax=left, add_legend=False)
    left.set_title(f"Net migration 1950-60 by age in 1960 ({method})")
    since = int(result.stocks["time"][-1]) - 1950
    known = result.stocks["stock"].sel(age=slice(since, None)).sum("age", keep_attrs=True)
    stock_lines(known, ax=right, add_legend=False)
    right.set_title(f"Stocks aged {since}+ by division of birth")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.savefig(file, dpi=120)
    return file
