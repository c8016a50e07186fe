"""Population pyramids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_counts, check_dims, check_sexes, shown
from migproj.ages import AgeGroups, groups_of
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.plot._common import Bands, axes_or_new, bands_of, labels_of, refuse_more, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pyramid"]

#: Sides and colours: men on the left.
_SIDES: Final = {MALE: (-1, "#0072B2"), FEMALE: (1, "#D55E00")}
#: The open group is drawn up to this age, or as wide as the group before it.
_TOP: Final = 100.0
_SHADES: Final = (0.4, 0.75, 1.0)
_MEDIAN: Final = "median"


def pyramid(
    population: xr.DataArray,
    other: xr.DataArray | None = None,
    *,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    add_legend: bool = True,
    **style: Any,
) -> Axes:
    """A population pyramid: one round, two of them overlaid, or a projection with its bands.

    Parameters
    ----------
    population : DataArray (sex, age), (quantile, sex, age) or (draw, sex, age)
        Population (persons), men drawn on the left. With ``quantile`` the bars reach to the
        median (with an even number of quantiles: to the one below), and bands from each quantile
        to its partner at the other end; with ``draw`` the bands are of 80 and 95 % of the draws.
        Dims of length 1 are left out.
    other : DataArray (sex, age), optional
        Another round, drawn as an outline; in age groups of its own.
    labels : sequence of two str, optional
        What the two are called. Default: the labels of the scalar coordinate in which they
        differ, such as ``time``.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.
    add_legend : bool, default True
        Whether the axes get a legend, where there is more than the bars to tell.
    **style
        Passed on to ``Axes.barh``, such as ``alpha`` or ``color``.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here.

    Notes
    -----
    The area of a bar is its count. Where all closed groups have the same width its length is the
    count; where they have not it is the count over the width of the group, persons per year of
    age. The open-ended group is hatched and drawn up to age 100 (from age 95 on: by the width of
    the group before it), its count spread over these years.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp
    >>> rounds = [mp.datasets.load(f"alabama_{year}")["population"].sum("race", keep_attrs=True)
    ...           for year in (1970, 1960)]
    >>> axes = mp.plot.pyramid(*rounds)
    >>> axes.get_xlabel()
    'thousand persons per 5 years of age'
    """
    main, groups = _checked("population", population)
    bands = bands_of("population", main)
    given = [(bands, groups)]
    if other is not None:
        second, of_other = _checked("other", other)
        if {"quantile", "draw"} & set(second.dims):
            raise SchemaError(
                f"other: expected 'sex' and 'age' alone, got {tuple(second.dims)!r}; bands are "
                "drawn of `population`: give the round that is known as `other`"
            )
        given.append((Bands(second, False, ()), of_other))
    steps = {each.step for _, each in given}
    years = steps.pop() if len(steps) == 1 else None
    names = _names(population, other, labels)
    ax = axes_or_new(ax)
    _bars(ax, bands, groups, years or 1.0, names[0], style)
    if other is not None:
        _outline(ax, given[1][0].middle, given[1][1], years or 1.0, names[1], ["black"] * 2)
    _dress(ax, groups, given, years, population.attrs.get("units", ""))
    named = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    order = [names[0], _MEDIAN, *(name for name, _, _ in bands.pairs), names[1]]
    shown = [name for name in order if name is not None and name in named]
    if shown and add_legend:
        look: dict[str, Any] = {"fontsize": "small", "frameon": False, "handlelength": 1.2}
        ax.legend([named[name] for name in shown], shown, loc="upper right", **look)
    return ax


def _checked(name: str, array: xr.DataArray) -> tuple[xr.DataArray, AgeGroups]:
    check_dims(name, array, "sex", "age")
    check_sexes(name, array, both=False)
    if array.sizes["sex"] != len(_SIDES):
        raise SchemaError(
            f"{name}: dim 'sex': expected both {FEMALE!r} and {MALE!r}, got "
            f"{array['sex'].values.tolist()}; a pyramid has two sides"
        )
    known = [dim for dim in ("quantile", "draw") if dim in array.dims]
    slim = refuse_more(name, array, [*known, "sex", "age"], 0)
    check_counts(name, slim, people=False)
    return slim.transpose(..., "sex", "age"), groups_of(array, name)


def _names(
    population: xr.DataArray, other: xr.DataArray | None, labels: Sequence[str] | None
) -> tuple[str | None, str | None]:
    """What the two are called."""
    if labels is not None:
        names: Any = labels
        several = isinstance(names, Sequence) and not isinstance(names, str)
        if not several or len(names) != 2 or other is None:
            raise SchemaError(
                f"labels: expected two, of `population` and of `other`, got {shown(labels)}"
                + ("; there is no `other`" if other is None else "")
            )
        return str(labels[0]), str(labels[1])
    if other is None:
        return None, None
    one, two = (
        {c: labels_of(array[c])[0] for c in array.coords if array[c].size == 1}
        for array in (population, other)
    )
    for coord in one:
        if coord in two and one[coord] != two[coord]:
            return one[coord], two[coord]
    return None, None


def _spans(groups: AgeGroups) -> npt.NDArray[np.float64]:
    """Years over which each group is drawn."""
    spans = np.array(groups.width)
    if groups.is_open:
        before = spans[-2] if len(spans) > 1 else 5.0
        spans[-1] = max(_TOP - groups.lower[-1], before)
    return spans


def _bars(
    ax: Axes,
    bands: Bands,
    groups: AgeGroups,
    years: float,
    label: str | None,
    style: dict[str, Any],
) -> None:
    """Bars up to the middle, and a band of each pair of quantiles at their ends."""
    spans = _spans(groups)
    factor = years / spans
    edge = {"edgecolor": "white", "linewidth": 0.4 if len(groups) < 40 else 0.0}
    for sex, (side, colour) in _SIDES.items():
        length = bands.middle.sel(sex=sex).values * factor
        faint = {"alpha": 0.25} if bands.pairs else {}
        named = {"label": label if side > 0 else None}
        look = {"color": colour, "align": "edge", **edge, **faint, **named, **style}
        bars = ax.barh(groups.lower, side * length, spans, **look)
        if groups.is_open:
            bars[-1].set_hatch("////")
        for k, (name, low, high) in enumerate(bands.pairs):
            start, stop = (array.sel(sex=sex).values * factor for array in (low, high))
            shade = _SHADES[max(0, len(_SHADES) - len(bands.pairs)) + min(k, 2)]
            ax.barh(
                groups.lower, side * (stop - start), spans, left=side * start, align="edge",
                color=_mixed(colour, shade), label=name if side > 0 else None,
            )  # fmt: skip
    if bands.has_median and bands.pairs:
        dark = [tuple(0.45 * part for part in _mixed(colour, 1.0)) for _, colour in _SIDES.values()]
        _outline(ax, bands.middle, groups, years, _MEDIAN, dark)


def _mixed(colour: str, shade: float) -> tuple[float, ...]:
    """A colour on white, so that bands that lie on bands are not seen through each other."""
    from matplotlib.colors import to_rgb

    return tuple(1 - shade * (1 - part) for part in to_rgb(colour))


def _outline(
    ax: Axes,
    array: xr.DataArray,
    groups: AgeGroups,
    years: float,
    label: str | None,
    colours: Sequence[Any],
) -> None:
    spans = _spans(groups)
    edges = np.append(groups.lower, groups.lower[-1] + spans[-1])
    for colour, (sex, (side, _)) in zip(colours, _SIDES.items(), strict=True):
        ax.stairs(
            side * array.sel(sex=sex).values * years / spans, edges, orientation="horizontal",
            color=colour, linewidth=1.1, baseline=None, label=label if side > 0 else None,
        )  # fmt: skip


def _dress(
    ax: Axes,
    groups: AgeGroups,
    given: Sequence[tuple[Bands, AgeGroups]],
    years: float | None,
    units: str,
) -> None:
    """Limits, ticks and titles."""
    arrays = [
        (array, each)
        for bands, each in given
        for array in (bands.middle, *(high for _, _, high in bands.pairs))
    ]
    longest = [
        np.nanmax(np.append(array.values * (years or 1.0) / _spans(each), 0.0))
        for array, each in arrays
    ]
    top = max(each.lower[-1] + _spans(each)[-1] for _, each in given)
    limit = 1.05 * (max(longest) or 1.0)
    scale, word = next(
        (pair for pair in ((1e6, "million "), (1e3, "thousand ")) if limit >= 2 * pair[0]), (1, "")
    )
    ax.set_xlim(-limit, limit)
    ax.set_ylim(groups.lower[0], top)
    ax.axvline(0, color="white", linewidth=0.8)
    ax.xaxis.set_major_locator(_locator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value) / scale:g}")
    per = "year of age" if years in (None, 1.0) else f"{years:g} years of age"
    ax.set_xlabel(f"{word}{units} per {per}".strip())
    ax.set_ylabel("age")
    ax.set_title(MALE, loc="left", fontsize="medium", color=_SIDES[MALE][1])
    ax.set_title(FEMALE, loc="right", fontsize="medium", color=_SIDES[FEMALE][1])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    _label_ages(ax, groups)


def _locator() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=6, symmetric=True, steps=[1, 2, 2.5, 5, 10])


def _label_ages(ax: Axes, groups: AgeGroups) -> None:
    """Every tenth year, and the open group by its lower bound."""
    last = groups.lower[-1]
    end = last if groups.is_open else int(groups.upper[-1])
    ages = range(-(-groups.lower[0] // 10) * 10, end + 1, 10)
    places = np.array(sorted({*ages, last}) if groups.is_open else list(ages))
    texts = [f"{age}+" if groups.is_open and age == last else f"{age}" for age in places]
    thin(ax.yaxis, places, texts, always=-1 if groups.is_open else None)
