"""Pictures (extra ``plot``): each function draws on matplotlib axes and returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from migproj._checks import check_dims
from migproj.ages import groups_of
from migproj.errors import SchemaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["age_profile", "stock_lines"]

#: Okabe & Ito (2008), told apart by colour-blind readers; line styles repeat after it.
_COLOURS: Final = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
_STYLES: Final = ("-", "--", ":")


def age_profile(array: xr.DataArray, *, ax: Axes | None = None) -> Axes:
    """A quantity by age group, a line for each label of the other dim.

    Parameters
    ----------
    array : DataArray (age) or (dim, age)
        Such as net migration by birthplace (persons per period). Dims of length 1 are left out.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

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
    groups = groups_of(array, "array")
    ax = _axes(ax)
    places = np.arange(len(groups))
    for line, (label, values) in enumerate(_lines(array, "age")):
        ax.plot(places, values, label=label, marker=".", **_style(line))
    ax.set_xticks(places, groups.labels)
    ax.set_xlabel("age")
    ax.set_ylabel(_title(array))
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    return ax


def stock_lines(array: xr.DataArray, *, ax: Axes | None = None) -> Axes:
    """Stocks over time, a line for each label of the other dim, on a logarithmic scale.

    Parameters
    ----------
    array : DataArray (time) or (dim, time)
        Such as stocks by birthplace (persons). Dims of length 1 are left out.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    SchemaError
        If there is no dim time, or more than one other dim with several labels.

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
    ax = _axes(ax)
    for line, (label, values) in enumerate(_lines(array, "time")):
        ax.plot(array["time"].values, values, label=label, marker="o", **_style(line))
    ax.set_yscale("log")
    ax.set_xticks(array["time"].values, [f"{year:g}" for year in array["time"].values])
    ax.set_xlabel("year")
    ax.set_ylabel(_title(array))
    return ax


def _lines(array: xr.DataArray, along: str) -> list[tuple[str | None, Any]]:
    slim = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and dim != along])
    others = [dim for dim in slim.dims if dim != along]
    if len(others) > 1:
        raise SchemaError(
            f"array: expected {along!r} and one more dim, got {tuple(slim.dims)!r}; select or sum "
            f"the others, such as array.sum({others[1]!r})"
        )
    if not others:
        return [(None, slim.values)]
    rows = slim.transpose(others[0], along)
    return list(zip([str(label) for label in rows[others[0]].values], rows.values, strict=True))


def _style(line: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[line % len(_COLOURS)],
        "linestyle": _STYLES[line // len(_COLOURS) % len(_STYLES)],
    }


def _title(array: xr.DataArray) -> str:
    name = "" if array.name is None else str(array.name)
    return f"{name} ({array.attrs['units']})" if "units" in array.attrs else name


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]
