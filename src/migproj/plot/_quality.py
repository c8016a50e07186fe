"""The report of age quality."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from migproj.errors import SchemaError
from migproj.plot._common import dots_in_rows, grid_of, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["age_quality"]

#: Scores of age_quality: what they are without error, and where the next worse band begins.
_SCORES: Final[dict[str, tuple[float, tuple[float, ...]]]] = {
    "whipple_index": (100.0, (105.0, 110.0, 125.0, 175.0)),
    "myers_index": (0.0, ()),
    "bachi_index": (0.0, ()),
    "coale_li_index": (1.0, ()),
    "spoorenberg_index": (0.0, ()),
    "age_ratio_score": (0.0, ()),
    "sex_ratio_score": (0.0, ()),
    "age_sex_accuracy": (0.0, (20.0, 40.0)),
    "sawtooth_index": (1.0, (1.1,)),
    "roughness": (0.0, (0.2, 0.5)),
}


def age_quality(report: xr.Dataset, *, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """A report of age quality: a picture of each score, and of the shares of last digits.

    Parameters
    ----------
    report : Dataset
        Of :func:`migproj.age_quality`, with one dim besides ``sex`` and ``digit`` at most, as
        country. Dims of length 1 are left out.
    axes : sequence of matplotlib Axes, optional
        Where to draw, one for each picture. Default: a new figure.

    Returns
    -------
    list of matplotlib Axes
        One a score, in the order of the report: a dot for each label, in a colour for each sex
        (the legend of the first; of both together in grey), beside the value without error (line)
        and the worse bands (grey, darker as they get worse) where there are any. The last one has a
        line for each label, with the digits, in the same colours.

    Raises
    ------
    SchemaError
        If it is no such report, has more than one such dim, or `axes` are too few or too many.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> from migproj.plot import age_quality
    >>> people = xr.DataArray(np.arange(101.0, 0, -1), dims="age",
    ...                       coords=mp.age_coords(range(101)))
    >>> axes = age_quality(mp.age_quality(people + 40 * (people["age"] % 10 == 0)))
    >>> axes[0].get_title(), axes[-1].get_title()
    ('whipple_index', 'digit_shares')
    """
    names = [str(name) for name in report if name in _SCORES] if _is_report(report) else []
    if not names:
        raise SchemaError(
            f"report: expected the Dataset of scores that mp.age_quality makes, got "
            f"{list(report) if _is_report(report) else type(report).__name__}"
        )
    slim = report.squeeze([dim for dim, size in report.sizes.items() if size == 1])
    others = [str(dim) for dim in slim.dims if dim not in ("sex", "digit")]
    if len(others) > 1:
        raise SchemaError(
            f"report: expected one dim besides 'sex' at most, got {others}; select one label of "
            f"the others: report.isel({others[1]}=0)"
        )
    place = others[0] if others else "place"
    shown = [*names, "digit_shares"] if "digit" in slim.get("digit_shares", slim).dims else names
    given: Any = grid_of(len(shown)) if axes is None else axes
    got = len(given) if isinstance(given, Sequence | np.ndarray) else type(given).__name__
    if got != len(shown):
        raise SchemaError(
            f"axes: expected {len(shown)}, one for each of {shown}, got {got}; "
            f"figure, axes = pyplot.subplots({len(shown)}) makes them"
        )
    drawn = list(given)
    for ax, name in zip(drawn, shown, strict=True):
        ax.set_title(name)
        array = slim[name] if place in slim[name].dims else slim[name].expand_dims(place)
        if name == "digit_shares":
            _digits(ax, array)
        else:
            _score(ax, array, place, *_SCORES[name], _style(slim, array))
    handles, labels = drawn[0].get_legend_handles_labels()
    if labels:
        drawn[0].legend(handles, labels, fontsize="small")
    return drawn


def _is_report(report: Any) -> bool:
    return isinstance(report, xr.Dataset)


def _style(report: xr.Dataset, array: xr.DataArray) -> dict[str, Any]:
    """Of a score of both sexes together, beside those of each."""
    together = "sex" in report.dims and "sex" not in array.dims
    return {"color": "0.5", "marker": "D"} if together else {}


def _score(
    ax: Axes,
    array: xr.DataArray,
    place: str,
    perfect: float,
    bands: tuple[float, ...],
    style: dict[str, Any],
) -> None:
    """Dots of one score, a row for each label, the first on top."""
    dots_in_rows(ax, array, place, **style)
    ax.axvline(perfect, color="0.4", linewidth=0.8, zorder=0)
    left, right = ax.get_xlim()
    for k, (low, high) in enumerate(itertools.pairwise([*bands, np.inf])):
        if low < right:
            shade = str(0.93 - 0.08 * k)
            ax.axvspan(max(low, left), min(high, right), color=shade, zorder=-1, linewidth=0)
    ax.set_xlim(left, right)
    ax.set_xlabel(array.attrs.get("units", ""))


def _digits(ax: Axes, array: xr.DataArray) -> None:
    """Shares of the last digits, a line for each combination of labels."""
    rows = array.transpose(..., "digit")
    outer = [dim for dim in rows.dims if dim != "digit"]
    labels = itertools.product(*(rows[dim].values if dim in rows.coords else [""] for dim in outer))
    sexes = rows["sex"].values.tolist() if "sex" in outer else []
    for line, (label, values) in enumerate(
        zip(labels, rows.values.reshape(-1, rows.sizes["digit"]), strict=True)
    ):
        name = ", ".join(str(part) for part in label if str(part)) or None
        colour = sexes.index(label[outer.index("sex")]) if sexes else line
        ax.plot(rows["digit"].values, values, label=name, marker=".", **style_of(colour))
    ax.axhline(10, color="0.4", linewidth=0.8, zorder=0)
    ax.set_xticks(rows["digit"].values)
    ax.set_xlabel("last digit")
    ax.set_ylabel(array.attrs.get("units", ""))
