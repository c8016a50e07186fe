"""Lines by age and by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from migproj._checks import check_counts, check_dims
from migproj._choices import check_choice
from migproj.ages import groups_of
from migproj.dates import year_of
from migproj.errors import SchemaError
from migproj.indicators import sex_ratio
from migproj.plot._common import (
    axes_or_new,
    bands_of,
    dots_in_rows,
    label_ages,
    label_of,
    lines_of,
    refuse_more,
    style_of,
    thin,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["age_profile", "sex_ratios", "stock_lines"]

_MEDIAN: Final = "median"
_FAINT: Final = 0.25
#: Of more points than this the markers would run together: they are as wide as the line.
_POINTS: Final = 40
#: More labels than this go above the axes.
_MANY: Final = 5
#: A point between two that are missing is still seen.
_NARROW: Final[dict[str, Any]] = {"marker": "o", "markersize": 1.5, "markeredgewidth": 0}
#: The line of as many men as women.
_EVEN: Final[dict[str, Any]] = {"color": "0.6", "linewidth": 0.8, "zorder": 0}


def age_profile(
    array: xr.DataArray, *, ax: Axes | None = None, add_legend: bool = True, **style: Any
) -> Axes:
    """A quantity by age group, a line for each label of the other dim, with its uncertainty.

    Parameters
    ----------
    array : DataArray (age) or (dim, age), with ``quantile`` or ``draw`` or without
        Such as net migration by birthplace (persons per period). Around the line of the median
        (none, with an even number of quantiles) lies a band from each quantile to its partner at
        the other end; with ``draw`` the bands are of 80 and 95 % of the draws. Dims of length 1
        are left out.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.
    add_legend : bool, default True
        Whether the axes get a legend, where there are several lines or bands.
    **style
        Passed on to ``Axes.plot``, such as ``linewidth`` or ``marker``.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    SchemaError
        If there is no dim age, or more than one other dim with several labels.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp
    >>> from migproj.plot import age_profile
    >>> axes = age_profile(mp.datasets.load("bombay_1941_1951")["net_migration"])
    >>> axes.get_ylabel()
    'net_migration (persons per period)'
    """
    check_dims("array", array, "age")
    ax = _by_age(axes_or_new(ax), "array", array, style, add_legend)
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    return ax


def stock_lines(
    array: xr.DataArray, *, ax: Axes | None = None, add_legend: bool = True, **style: Any
) -> Axes:
    """Stocks over time, a line for each label of the other dim, on a logarithmic scale.

    Parameters
    ----------
    array : DataArray (time) or (dim, time), with ``quantile`` or ``draw`` or without
        Such as stocks by birthplace (persons), in order of time whatever their order. Bands as in
        :func:`age_profile`. Dims of length 1 are left out. A line to a stock of 0 leaves the axes
        at the bottom, for a logarithmic scale has no 0.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure. ``axes.set_yscale("linear")`` afterwards for a scale
        from 0.
    add_legend : bool, default True
        Whether the axes get a legend, where there are several lines or bands.
    **style
        Passed on to ``Axes.plot``, such as ``linewidth`` or ``marker``.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    SchemaError
        If there is no dim time, more than one other dim with several labels, or a negative stock.
    IntervalError
        If a label of time is no date.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp
    >>> from migproj.plot import stock_lines
    >>> axes = stock_lines(mp.datasets.load("imila_table_1")["stock"])
    >>> axes.get_yscale()
    'log'
    """
    check_dims("array", array, "time")
    array = array.compute()
    check_counts("array", array, people=False)
    ax = _by_time(axes_or_new(ax), "array", array, style, add_legend)
    ax.set_yscale("log")
    _plain(ax)
    return ax


def sex_ratios(
    population: xr.DataArray,
    *,
    along: str = "age",
    ax: Axes | None = None,
    add_legend: bool = True,
    **style: Any,
) -> Axes:
    """Men per 100 women by age, time or place, a line (or a dot) for each label of the other dim.

    Parameters
    ----------
    population : DataArray (sex, age) or (dim, sex, age), with ``draw`` or without
        Counts (persons) of both sexes. With ``draw``, bands of 80 and 95 % of the draws. Dims of
        length 1 are left out.
    along : str, default "age"
        The dim along which the ratios are shown: ``"age"`` and ``"time"`` from left to right;
        any other, such as ``"birthplace"``, a row for each label, the first on top.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.
    add_legend : bool, default True
        Whether the axes get a legend, where there are several lines or bands.
    **style
        Passed on to ``Axes.plot``, such as ``linewidth`` or ``marker``.

    Returns
    -------
    matplotlib Axes
        With a line at 100, as many men as women.

    Raises
    ------
    SchemaError
        If `population` lacks ``sex`` or `along`, is of quantiles, or has more than one other dim
        with several labels.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp
    >>> axes = mp.plot.sex_ratios(mp.datasets.load("imila_table_5")["stock"], along="birthplace")
    >>> axes.get_xlabel()
    'men per 100 women'
    """
    check_dims("population", population, "sex")
    dims = [str(dim) for dim in population.dims]
    check_choice("along", along, [dim for dim in dims if dim not in ("sex", "draw", "quantile")])
    if "quantile" in population.dims:
        raise SchemaError(
            "population: dim 'quantile': the quantiles of men over those of women are no quantiles "
            "of their ratio; give the draws, or select one quantile"
        )
    ratio = sex_ratio(population)
    ax = axes_or_new(ax)
    if along == "age":
        _by_age(ax, "population", ratio, style, add_legend)
    elif along == "time":
        _by_time(ax, "population", ratio, style, add_legend)
    else:
        dots_in_rows(ax, refuse_more("population", ratio, [along], 1), along, **style)
        above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3, "borderpad": 0.1}
        _legend(ax, add_legend, **above)
    flat = along in ("age", "time")
    (ax.set_ylabel if flat else ax.set_xlabel)(ratio.attrs["units"])
    (ax.axhline if flat else ax.axvline)(100, **_EVEN)
    return ax


def _by_age(
    ax: Axes, name: str, array: xr.DataArray, style: dict[str, Any], add_legend: bool
) -> Axes:
    groups = groups_of(array, name)
    marker = {"marker": "."} if len(groups) <= _POINTS else _NARROW
    _lines(ax, name, array, "age", np.arange(len(groups)), {**marker, **style})
    label_ages(ax.xaxis, groups)
    ax.set_xlabel("age")
    _legend(ax, add_legend)
    return ax


def _by_time(
    ax: Axes, name: str, array: xr.DataArray, style: dict[str, Any], add_legend: bool
) -> Axes:
    if "time" not in array.coords:
        raise SchemaError(f"{name}: dim 'time' has no labels; {name}.assign_coords(time=[...])")
    years = np.array([year_of(label, name, "time") for label in array["time"].values])
    order = np.argsort(years)
    array, times = array.isel(time=order), years[order]
    marker = {"marker": "o", "markersize": 4} if len(times) <= _POINTS else _NARROW
    _lines(ax, name, array, "time", times, {**marker, **style})
    thin(ax.xaxis, times, [label_of(year) for year in times.tolist()], always=-1)
    ax.set_xlabel("year")
    _legend(ax, add_legend)
    return ax


def _lines(
    ax: Axes, name: str, array: xr.DataArray, along: str, places: Any, style: dict[str, Any]
) -> None:
    """Lines of the medians, and the bands around them."""
    known = [dim for dim in ("quantile", "draw") if dim in array.dims]
    bands = bands_of(name, refuse_more(name, array, [along, *known], 1))
    several = bands.middle.ndim > 1
    ends = [
        (lines_of(name, low, along), lines_of(name, high, along)) for _, low, high in bands.pairs
    ]
    has_lines = bands.has_median or not ends
    for line, (label, values) in enumerate(lines_of(name, bands.middle, along)):
        look = {**style_of(line), **style}
        if has_lines:
            ax.plot(places, values, label=_MEDIAN if ends and not several else label, **look)
        for k, (low, high) in enumerate(ends):
            ax.fill_between(
                places, low[line][1], high[line][1], color=look["color"], alpha=_FAINT,
                linewidth=0, label=None if has_lines or k else label,
            )  # fmt: skip
    for k, (band, _, _) in enumerate(bands.pairs):  # as dark as bands on bands are
        colour = "0.3" if several else {**style_of(0), **style}["color"]
        ax.fill_between([], [], color=colour, alpha=1 - (1 - _FAINT) ** (k + 1), lw=0, label=band)
    ax.set_ylabel(title_of(array))


def _legend(ax: Axes, wanted: bool, **place: Any) -> None:
    """A legend where lines leave room for it; of many lines, above them."""
    labels = ax.get_legend_handles_labels()[1]
    if not (wanted and labels):
        return
    if len(labels) > _MANY and not place:
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": 2}
    look: dict[str, Any] = {"fontsize": "small", "frameon": False, **place}
    if ax.legend(**look).get_window_extent().width > ax.figure.bbox.width:
        ax.legend(**look | {"ncols": 1})


def _plain(ax: Axes) -> None:
    """Whole numbers at the ticks of a logarithmic scale, not powers of ten."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:,.10g}" if super().__call__(x, pos) else ""

    ax.yaxis.set_major_formatter(Plain())
    ax.yaxis.set_minor_formatter(Plain(labelOnlyBase=False))
