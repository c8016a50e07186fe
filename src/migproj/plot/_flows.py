"""Flows between places: chord and Sankey diagrams."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_counts, check_dims, check_labels_of, where
from migproj._choices import check_choice
from migproj.errors import SchemaError
from migproj.plot._common import COLOURS, axes_or_new, inches_of, refuse_more

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["flow_chord", "flow_sankey"]

_FLOW: Final = ("origin", "destination")
#: More places than this cannot be told apart.
_MOST: Final = 20
#: Order of the colours: neighbours differ in hue and in lightness.
_ORDER: Final = (5, 1, 3, 7, 2, 6, 4, 0)
_FONT: Final = 8.0
_WRAP: Final = 16
#: Radii of the ring, of the ends of flows where they leave and arrive, and of the labels.
_RING, _WIDTH, _LEAVES, _ARRIVES, _LABELS = 1.0, 0.08, 0.91, 0.80, 1.05
#: Length of the tip of an arrow.
_TIP: Final = 0.05
#: Width of a bar of the Sankey diagram, and its distance from the labels.
_BAR, _PAD = 0.03, 0.03

Line = npt.NDArray[np.float64]


def flow_chord(
    flows: xr.DataArray,
    *,
    within: Literal["keep", "drop"] = "keep",
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Flows between places on a circle, each in the colour of its origin.

    Parameters
    ----------
    flows : DataArray (origin, destination)
        Movers or moves (persons per period), of 20 places at most. Dims of length 1 are left out.
    within : {"keep", "drop"}, optional
        Whether flows from a place to itself, such as within a region, are drawn. They may be
        missing.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.
    **style
        Passed on to the patches of the flows, such as ``alpha``.

    Returns
    -------
    matplotlib Axes
        The arc of a place is as long as those who left it and those who came to it. A flow begins
        at the arc of its origin and ends in a tip, with a gap before the arc of its destination.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, flows between places are missing, nobody
        moved, or the places are too many; :func:`migproj.regroup_flows` sums them to regions.
    AlignmentError
        If the labels of origin and destination differ.

    References
    ----------
    Abel, G. J. & Sander, N. (2014), "Quantifying global international migration flows", *Science*
    343:1520-1522: such diagrams of migration.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south"]
    >>> flows = xr.DataArray([[0.0, 30.0], [10.0, 0.0]], dims=("origin", "destination"),
    ...                      coords={"origin": places, "destination": places})
    >>> axes = mp.plot.flow_chord(flows)
    >>> sorted(text.get_text() for text in axes.texts)
    ['40 in all', 'north', 'south']
    """
    table = _checked(flows, within, square=True)
    moves = table.values
    names = [str(name) for name in table["origin"].values]
    ax = axes_or_new(ax)
    sizes = moves.sum(0) + moves.sum(1)
    gap = min(0.08, 1.0 / len(names))
    turn = (2 * np.pi - gap * len(names)) / sizes.sum()
    starts = np.append(0.0, np.cumsum(sizes * turn + gap)[:-1])
    for i, leave, arrive in _ends(moves, starts, turn):
        share = (leave[1] - leave[0]) / turn / moves.sum()
        _patch(ax, _chord(leave, arrive), i, share, style)
    _ring(ax, starts, sizes * turn)
    ax.set_aspect("equal")
    ax.set_axis_off()
    _round_labels(ax, names, starts + sizes * turn / 2)
    _in_all(ax, table)
    return ax


def flow_sankey(
    flows: xr.DataArray,
    *,
    within: Literal["keep", "drop"] = "keep",
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Flows from places on the left to places on the right, each in the colour of its origin.

    Parameters
    ----------
    flows : DataArray (origin, destination)
        Movers or moves (persons per period), or stocks by birthplace renamed to these dims, of 20
        origins and 20 destinations at most. Dims of length 1 other than these are left out.
        Places may differ on the two sides; they are drawn in the order they have.
    within : {"keep", "drop"}, optional
        Whether flows from a place to itself are drawn. They may be missing.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.
    **style
        Passed on to the patches of the flows, such as ``alpha``.

    Returns
    -------
    matplotlib Axes
        Heights are in units of `flows`.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, flows between places are missing, nobody
        moved, or the places are too many; :func:`migproj.regroup_flows` sums them to regions.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp
    >>> stock = mp.datasets.load("imila_table_5")["stock_subregion"].sel(time=2001)
    >>> axes = mp.plot.flow_sankey(stock.rename(subregion="origin", sex="destination"))
    >>> len(axes.patches)  # 2 and 2 bars, and 4 flows
    8
    """
    table = _checked(flows, within, square=False)
    moves = table.values
    ax = axes_or_new(ax)
    total = moves.sum()
    names = {dim: [str(name) for name in table[dim].values] for dim in _FLOW}
    tops = {dim: _tops(moves.sum(1 - k), total) for k, dim in enumerate(_FLOW)}
    leave, arrive = tops["origin"].copy(), tops["destination"].copy()
    bands = []
    for i, j in np.argwhere(moves > 0):
        bands.append((moves[i, j], i, _band(leave[i], arrive[j], moves[i, j])))
        leave[i] -= moves[i, j]
        arrive[j] -= moves[i, j]
    for size, i, band in sorted(bands, key=lambda each: -each[0]):
        _patch(ax, band, i, size / total, style)
    for k, dim in enumerate(_FLOW):
        _bars(ax, float(k), tops[dim], moves.sum(1 - k), names[dim], names["origin"])
    ax.set_axis_off()
    _side_labels(ax, names, {dim: tops[dim] - moves.sum(1 - k) / 2 for k, dim in enumerate(_FLOW)})
    _in_all(ax, table)
    return ax


def _checked(flows: xr.DataArray, within: str, *, square: bool) -> xr.DataArray:
    """The table (origin, destination), without missing cells."""
    check_dims("flows", flows, *_FLOW)
    check_choice("within", within, ("keep", "drop"))
    table = refuse_more("flows", flows, _FLOW, 0).transpose(*_FLOW).astype(np.float64)
    check_counts("flows", table, people=False)
    for dim in _FLOW:
        if dim not in table.indexes:
            raise SchemaError(
                f"flows: dim {dim!r} has no labels; name the places: "
                f"flows.assign_coords({dim}=[...])"
            )
        if table.sizes[dim] > _MOST:
            raise SchemaError(
                f"flows: dim {dim!r}: {table.sizes[dim]} places are too many to tell apart in a "
                f"picture (at most {_MOST}); sum them to regions, mp.regroup_flows(flows, "
                "regions), or select some"
            )
    if square:
        mend = "give every place as origin and as destination; 0 where nobody moved"
        check_labels_of("flows", table, "destination", "flows", table, "origin", mend)
    same = table["origin"].drop_vars("origin") == table["destination"].drop_vars("destination")
    table = table.where(~same, 0.0 if within == "drop" else table.fillna(0.0))
    missing = np.isnan(table.values)
    if missing.any():
        raise SchemaError(
            f"flows: {int(missing.sum())} flows are missing: {'; '.join(where(table, missing))}; "
            "a picture of the others would look complete: fill them, or flows.fillna(0) if "
            "nobody moved"
        )
    if not table.values.any():
        raise SchemaError("flows: nobody moved, every flow is 0; there is nothing to draw")
    return table


def _ends(
    moves: Line, starts: Line, turn: float
) -> list[tuple[int, tuple[float, float], tuple[float, float]]]:
    """The arcs at which each flow begins and ends, the largest flow first.

    Around a place the flows are in the order of the other places the other way round, so that
    those of one place do not cross.
    """
    n = len(moves)
    leave: dict[tuple[int, int], tuple[float, float]] = {}
    arrive: dict[tuple[int, int], tuple[float, float]] = {}
    for i in range(n):
        at = starts[i]
        for j in ((i + step) % n for step in (*range(n - 1, 0, -1), 0)):
            for found, pair in ((leave, (i, j)), (arrive, (j, i))):
                found[pair] = (at, at + moves[pair] * turn)
                at = found[pair][1]
    pairs = sorted((pair for pair in leave if moves[pair] > 0), key=lambda pair: -moves[pair])
    return [(pair[0], leave[pair], arrive[pair]) for pair in pairs]


def _at(radius: float | Line, angle: Line | float) -> Line:
    """Points on a circle; angles run clockwise from the top."""
    return np.column_stack(np.broadcast_arrays(radius * np.sin(angle), radius * np.cos(angle)))


def _curve(four: Line) -> Line:
    """A cubic Bézier curve through its first and last of four points."""
    t = np.linspace(0, 1, 40)[:, None]
    a, b, c, d = four
    points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return np.asarray(points)


def _inside(start: tuple[float, float], end: tuple[float, float]) -> Line:
    """A curve between two (radius, angle), the deeper inside the farther they are apart."""
    apart = abs(start[1] - end[1]) % (2 * np.pi)
    depth = max(0.0, 1 - min(apart, 2 * np.pi - apart) / (0.7 * np.pi))
    inner = [(0.75 * depth * radius, angle) for radius, angle in (start, end)]
    return _curve(np.vstack([_at(*p) for p in (start, *inner, end)]))


def _chord(leave: tuple[float, float], arrive: tuple[float, float]) -> Line:
    """The outline of a flow: an arc where it leaves, a tip where it arrives."""
    tip = _ARRIVES + _TIP * (1 - abs(np.linspace(-1, 1, 21)))
    return np.vstack(
        [
            _at(_LEAVES, np.linspace(*leave, 21)),
            _inside((_LEAVES, leave[1]), (_ARRIVES, arrive[0])),
            _at(tip, np.linspace(*arrive, 21)),
            _inside((_ARRIVES, arrive[1]), (_LEAVES, leave[0])),
        ]
    )


def _band(left: float, right: float, size: float) -> Line:
    """The outline of a flow from a bar to another, given the tops of its ends."""
    edges = [
        _curve(np.array([(_BAR, a), (0.5, a), (0.5, b), (1 - _BAR, b)]))
        for a, b in ((left, right), (left - size, right - size))
    ]
    return np.vstack([edges[0], edges[1][::-1]])


def _tops(sizes: Line, total: float) -> Line:
    """The upper ends of bars below each other, around 0."""
    gap = total * min(0.04, 0.25 / max(1, len(sizes) - 1))
    height = total + gap * (len(sizes) - 1)
    return np.asarray(height / 2 - np.append(0.0, np.cumsum(sizes + gap)[:-1]))


def _colour(place: int) -> tuple[float, float, float]:
    """Of the place of this number; after eight the same ones lighter, then darker."""
    from matplotlib.colors import to_rgb

    parts = to_rgb(COLOURS[_ORDER[place % len(_ORDER)]])
    again = place // len(_ORDER)
    red, green, blue = (
        p if again == 0 else 1 - 0.5 * (1 - p) if again == 1 else 0.55 * p for p in parts
    )
    return red, green, blue


def _patch(ax: Axes, outline: Line, place: int, share: float, style: dict[str, Any]) -> None:
    """A flow; with a white edge, unless that would hide it."""
    from matplotlib.patches import Polygon

    edge = 0.3 if share > 0.01 else 0.0
    look = {"facecolor": _colour(place), "alpha": 0.7, "edgecolor": "white", "linewidth": edge}
    ax.add_patch(Polygon(outline, closed=True, **{**look, **style}))


def _ring(ax: Axes, starts: Line, sizes: Line) -> None:
    from matplotlib.patches import Wedge

    for place, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        ends = (90 - np.degrees(start + size), 90 - np.degrees(start))
        ax.add_patch(Wedge((0, 0), _RING, *ends, width=_WIDTH, color=_colour(place), linewidth=0))


def _bars(ax: Axes, x: float, tops: Line, sizes: Line, names: list[str], known: list[str]) -> None:
    """Bars at one side, in the colours of the origins; grey for what is none."""
    for name, top, size in zip(names, tops, sizes, strict=True):
        colour = _colour(known.index(name)) if name in known else "0.45"
        left = x if x == 0 else x - _BAR
        ax.bar(left, size, _BAR, bottom=top - size, align="edge", color=colour, linewidth=0)


def _texts(names: list[str], height: float) -> list[str]:
    """Labels in several lines, if there is room for so many below each other."""
    wrapped = ["\n".join(textwrap.wrap(name, _WRAP)) or name for name in names]
    return wrapped if sum(_inches(text)[1] for text in wrapped) <= height else names


def _inches(text: str) -> tuple[float, float]:
    """Width and height of a label."""
    from matplotlib.textpath import TextPath

    lines = text.split("\n")
    widths = [TextPath((0, 0), line, size=_FONT).get_extents().width for line in lines if line]
    return max(widths, default=0.0) / 72, (1.1 * len(lines) + 0.15) * _FONT / 72


def _apart(wanted: Line, heights: Line, low: float, high: float) -> Line:
    """Places nearest to those wanted (least squares) at which labels do not overlap."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(wanted)
    tall = heights[order]
    offsets = np.append(0.0, np.cumsum((tall[1:] + tall[:-1]) / 2))
    found = isotonic_regression(wanted[order] - offsets).x
    last = max(low, high - offsets[-1])
    result = np.empty(len(found))
    result[order] = np.clip(found, low, last) + offsets
    return result


def _room(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes after the figure has been laid out."""
    figure = ax.figure.canvas.figure  # also that of subfigures
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    return inches_of(ax)


def _round_labels(ax: Axes, names: list[str], angles: Line) -> None:
    """Names beside a circle, those of each half below each other."""
    points = _at(1.0, angles)
    width, height = _room(ax)
    texts = _texts(names, 1.5 * height)  # on two sides
    sizes = np.array([_inches(text) for text in texts])
    right = points[:, 0] >= -1e-9
    room = [sizes[part, 0].max(initial=0.0) for part in (~right, right)]
    line = _FONT * 1.15 / 72
    scale = min((width - sum(room)) / (2 * _LABELS + 0.1), (height - 4 * line) / (2 * _LABELS))
    scale = max(scale, 0.25 * min(width, height))
    tall = sizes[:, 1] / scale
    for part, side in ((~right, -1), (right, 1)):
        ys = _apart(_LABELS * points[part, 1], tall[part], -_LABELS, _LABELS)
        for k, y in zip(np.flatnonzero(part), ys, strict=True):
            nearest = max(abs(y) - tall[k] / 2, 0.0)
            x = side * max(np.sqrt(max(_LABELS**2 - nearest**2, 0.0)), 0.02)
            _label(ax, texts[k], points[k], (x, y), side, abs(y - _LABELS * points[k, 1]) > line)
    ax.set_xlim(-_LABELS - 0.05 - room[0] / scale, _LABELS + 0.05 + room[1] / scale)
    ax.set_ylim(-_LABELS - 2.5 * line / scale, _LABELS + 1.5 * line / scale)


def _side_labels(ax: Axes, names: dict[str, list[str]], middles: dict[str, Line]) -> None:
    """Names beside the bars of each side."""
    width, height = _room(ax)
    line = _FONT * 1.15 / 72
    texts = {dim: _texts(names[dim], height - 3 * line) for dim in _FLOW}
    sizes = {dim: np.array([_inches(text) for text in texts[dim]]) for dim in _FLOW}
    room = [sizes[dim][:, 0].max() for dim in _FLOW]
    across = max((width - sum(room)) / (1 + 2 * _PAD + 0.02), 0.3 * width)
    most = max(abs(np.concatenate(list(middles.values()))).max(), 0.5 * _extent(ax))
    up = (height - 3 * line) / (2 * most)
    for k, dim in enumerate(_FLOW):
        side = 2 * k - 1
        ys = _apart(middles[dim], sizes[dim][:, 1] / up, -most, most)
        for text, middle, y in zip(texts[dim], middles[dim], ys, strict=True):
            point = np.array([float(k), middle])
            moved = abs(y - middle) > 0.5 * line / up
            _label(ax, text, point, (k + side * _PAD, y), side, moved)
    ax.set_xlim(-_PAD - 0.01 - room[0] / across, 1 + _PAD + 0.01 + room[1] / across)
    ax.set_ylim(-most - 2 * line / up, most + line / up)


def _extent(ax: Axes) -> float:
    """Height of what is drawn."""
    return float(ax.dataLim.height)


def _label(
    ax: Axes, text: str, point: Line, place: tuple[float, float], side: int, moved: bool
) -> None:
    """A label at the left or the right, and a line to it where it had to move."""
    x, y = place
    ha = "left" if side > 0 else "right"
    ax.text(x, y, text, ha=ha, va="center", fontsize=_FONT, linespacing=1.1)
    if moved:
        ax.plot([point[0], x - side * 0.01], [point[1], y], color="0.6", linewidth=0.5)


def _in_all(ax: Axes, table: xr.DataArray) -> None:
    """The sum, for a scale."""
    units = table.attrs.get("units", "")
    text = f"{table.values.sum():,.0f} {units} in all".replace("  ", " ")
    ax.text(
        0.5, 0.0, text, transform=ax.transAxes, ha="center", va="bottom", fontsize=_FONT - 1,
        color="0.35",
    )  # fmt: skip
