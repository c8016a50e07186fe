"""What the pictures share: colours, axes, labels that do not overlap, bands of quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_finite
from migproj._draws import checked_quantiles
from migproj.ages import AgeGroups
from migproj.errors import SchemaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = [
    "COLOURS",
    "Bands",
    "axes_or_new",
    "bands_of",
    "dots_in_rows",
    "grid_of",
    "inches_of",
    "label_ages",
    "label_of",
    "labels_of",
    "lines_of",
    "name_places",
    "need_of",
    "refuse_more",
    "style_of",
    "thin",
    "title_of",
]

#: Okabe & Ito (2008), told apart by colour-blind readers; line styles repeat after it.
COLOURS: Final = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
_STYLES: Final = ("-", "--", ":")
#: Bands of draws: those of 80 and 95 % that projections are published with, and the median.
_OF_DRAWS: Final = (0.025, 0.1, 0.5, 0.9, 0.975)
#: Width of a digit, and free room beside a label, as shares of the size of the font.
_DIGIT, _ROOM = 0.62, 0.8
#: Height of a line of text as a share of the size of the font, and the smallest font in use.
_LINE, _LEAST = 1.15, 2.0
#: Of how many labels one is shown: of years, and of groups of several.
_BY_TENS, _BY_TWOS = (1, 2, 5, 10, 20, 50), (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Bands:
    """Quantiles in pairs, the widest first, and what is in their midst."""

    middle: xr.DataArray
    #: Whether the middle is a quantile without partner: the median.
    has_median: bool
    pairs: tuple[tuple[str, xr.DataArray, xr.DataArray], ...]


def bands_of(name: str, array: xr.DataArray) -> Bands:
    """The bands of the dim ``quantile``, or of quantiles over ``draw``; none without these."""
    if {"quantile", "draw"} <= set(array.dims):
        raise SchemaError(
            f"{name}: expected the dim 'quantile' or 'draw', got both; a quantile is over draws: "
            f"select one draw, {name}.isel(draw=0)"
        )
    if "draw" in array.dims:
        array = array.quantile(list(_OF_DRAWS), "draw", skipna=False).assign_attrs(array.attrs)
    if "quantile" not in array.dims:
        return Bands(array, False, ())
    if "quantile" not in array.indexes:
        raise SchemaError(
            f"{name}: dim 'quantile' has no labels; expected numbers from 0 to 1: "
            f"{name}.assign_coords(quantile=[...])"
        )
    array = array.sortby("quantile")
    levels = checked_quantiles(array["quantile"].values.tolist())
    rows = [array.isel(quantile=k, drop=True) for k in range(len(levels))]
    pairs = [
        (f"{100 * levels[k]:g}–{100 * levels[-1 - k]:g} %", rows[k], rows[-1 - k])
        for k in range(len(levels) // 2)
    ]
    return Bands(rows[(len(levels) - 1) // 2], len(levels) % 2 == 1, tuple(pairs))


def refuse_more(name: str, array: xr.DataArray, along: Sequence[str], most: int) -> xr.DataArray:
    """`array` without dims of length 1, and at most `most` dims besides `along`."""
    slim = array.squeeze([d for d in array.dims if array.sizes[d] == 1 and d not in along])
    others = [str(dim) for dim in slim.dims if dim not in along]
    if len(others) > most:
        wanted = " and ".join(repr(dim) for dim in along)
        more = " and one more dim" if most else " alone"
        raise SchemaError(
            f"{name}: expected {wanted}{more}, got {tuple(slim.dims)!r}; select one label, such as "
            f"{name}.isel({others[most]}=0), or sum, such as {name}.sum({others[most]!r})"
        )
    slim = slim.compute()  # a picture reads every value
    check_finite(name, slim)
    return slim


def lines_of(name: str, array: xr.DataArray, along: str) -> list[tuple[str | None, Any]]:
    """The label and the values of each line along a dim; no label where there is but one."""
    slim = refuse_more(name, array, [along], 1)
    others = [dim for dim in slim.dims if dim != along]
    if not others:
        return [(None, slim.values)]
    rows = slim.transpose(others[0], along)
    return list(zip(labels_of(rows[others[0]]), rows.values, strict=True))


def label_of(value: Any) -> str:
    """A label in print: 1991 and 2010.5, not 1991.0 and 2010.49589."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value.is_integer() else f"{value:.6g}"


def labels_of(coord: xr.DataArray) -> list[str]:
    """The labels of a dim in print; dates as days."""
    values = np.atleast_1d(coord.values)
    if values.dtype.kind == "M":  # which tolist makes nanoseconds
        values = np.datetime_as_string(values, unit="D")
    return [label_of(value) for value in values.tolist()]


def style_of(line: int) -> dict[str, Any]:
    """Colour and line style of the line of this number."""
    return {
        "color": COLOURS[line % len(COLOURS)],
        "linestyle": _STYLES[line // len(COLOURS) % len(_STYLES)],
    }


def dots_in_rows(ax: Axes, array: xr.DataArray, place: str, **style: Any) -> None:
    """A row for each label of `place`, the first on top; dots in the colour of the other dim."""
    rows = np.arange(array.sizes[place])
    for line, (label, values) in enumerate(lines_of("array", array, place)):
        look = {"linestyle": "none", "marker": "os"[line % 2], "label": label}
        ax.plot(values, rows, **{**look, "color": COLOURS[line % len(COLOURS)], **style})
    ax.set_ylim(len(rows) - 0.5, -0.5)
    name_places(ax.yaxis, labels_of(array[place]) if place in array.coords else [""] * len(rows))


def title_of(array: xr.DataArray) -> str:
    """Name and units, for an axis."""
    name = "" if array.name is None else str(array.name)
    units = str(array.attrs.get("units", ""))
    return f"{name} ({units})" if name and units else name or units


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "pictures are drawn by matplotlib, which is not installed: pip install 'migproj[plot]'"
        ) from error
    return pyplot


def axes_or_new(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is None:
        new: Axes = _pyplot().subplots(layout="constrained")[1]
        return new
    if not hasattr(ax, "get_window_extent") or not hasattr(ax, "plot"):
        raise SchemaError(
            f"ax: expected one matplotlib Axes, got {type(ax).__name__}; "
            "figure, ax = pyplot.subplots() makes one"
        )
    return ax


def grid_of(count: int) -> list[Axes]:
    """New axes, four in a row."""
    across = min(count, 4)
    down = -(-count // across)
    figure, axes = _pyplot().subplots(
        down, across, squeeze=False, layout="constrained", figsize=(3 * across, 2.5 * down)
    )
    for ax in axes.flat[count:]:
        figure.delaxes(ax)
    return list(axes.flat[:count])


def inches_of(ax: Axes) -> tuple[float, float]:
    """Width and height of axes."""
    box = ax.get_window_extent()
    return box.width / ax.figure.dpi, box.height / ax.figure.dpi


def need_of(axis: Axis, labels: Sequence[str]) -> float:
    """The distance on the axis at which the longest of `labels` does not reach the next."""
    across = axis is axis.axes.xaxis
    low, high = np.sort(axis.get_view_interval())
    size = inches_of(axis.axes)[0 if across else 1] * 72
    font = float(axis.get_ticklabels()[0].get_fontsize())
    longest = max(len(label) for label in labels) * _DIGIT if across else 1.0
    return float(font * (longest + _ROOM) * (high - low) / size)


def name_places(axis: Axis, labels: Sequence[str]) -> None:
    """A label at each whole number, none left out: upright, and smaller, if there is no room.

    The axis must have its limits and the axes their size.
    """
    axis.set_ticks(range(len(labels)), labels)
    across = axis is axis.axes.xaxis
    if across and need_of(axis, labels) <= 1:
        return
    if across:
        axis.set_tick_params(labelrotation=90)
    low, high = np.sort(axis.get_view_interval())
    line = inches_of(axis.axes)[0 if across else 1] * 72 / (high - low)
    font = float(axis.get_ticklabels()[0].get_fontsize())
    axis.set_tick_params(labelsize=min(font, max(_LEAST, line / _LINE)))


def thin(
    axis: Axis,
    places: npt.NDArray[Any],
    labels: Sequence[str],
    *,
    steps: Sequence[int] = _BY_TENS,
    always: int | None = None,
) -> None:
    """Ticks at `places`, one label of so many of `steps` as there is room for.

    `always` is one label that is kept before others. The axis must have its limits and the axes
    their size.
    """
    need = need_of(axis, labels)
    gap = float(np.diff(np.sort(places)).min()) if len(places) > 1 else need
    step = next((step for step in steps if step * gap >= need), len(places))
    kept = list(range(0, len(places), step))
    if always is not None:
        always %= len(places)
        kept = [k for k in kept if k == always or abs(places[k] - places[always]) >= need]
        kept = sorted({*kept, always})
    axis.set_ticks([places[k] for k in kept], [labels[k] for k in kept])


def label_ages(axis: Axis, groups: AgeGroups) -> None:
    """Labels of age groups in a row, the last one among them."""
    steps = _BY_TENS if groups.step == 1 else _BY_TWOS
    thin(axis, np.arange(len(groups)), groups.labels, steps=steps, always=-1)
