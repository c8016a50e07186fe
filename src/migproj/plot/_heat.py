"""Residuals and other values of either sign, a cell for each pair of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from migproj._checks import check_dims
from migproj._choices import check_choice, plain_number
from migproj.ages import groups_of
from migproj.errors import SchemaError
from migproj.plot._common import (
    axes_or_new,
    label_ages,
    labels_of,
    name_places,
    refuse_more,
    thin,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["heat_map"]

#: Dims that run from left to right unless told.
_ACROSS: Final = ("time", "period", "destination")


def heat_map(
    array: xr.DataArray,
    *,
    x: str | None = None,
    vmax: float | None = None,
    add_colorbar: bool = True,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Residuals as colours: red above 0, blue below, white at 0, grey where missing.

    Parameters
    ----------
    array : DataArray (dim, dim)
        Values of either sign, such as estimated less published net migration by age and period.
        Dims of length 1 are left out.
    x : str, optional
        The dim from left to right. Default: ``time``, ``period`` or ``destination`` where there
        is one, else the last. Ages and other numbers rise upwards; other labels go down as in
        a table.
    vmax : float, optional
        The size, of either sign, from which colours are the darkest. Default: the largest there
        is, so that the scale is centred at 0.
    add_colorbar : bool, default True
        Whether the scale is drawn, with name and units.
    ax : matplotlib Axes, optional
        Where to draw. Default: a new figure.
    **style
        Passed on to ``Axes.pcolormesh``, such as ``cmap``.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    SchemaError
        If `array` has not two dims with several labels, values are infinite, or `vmax` is not
        above 0.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import migproj as mp
    >>> alabama = mp.datasets.load("alabama_1960_1970")
    >>> off = alabama["net_migration_average"] - alabama["net_migration"]
    >>> axes = mp.plot.heat_map(off.sel(race="white"), x="sex")
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('sex', 'age')
    """
    check_dims("array", array)
    across, down = _dims(array, x)
    slim = refuse_more("array", array, [down, across], 0).transpose(down, across)
    if vmax is not None and not 0 < plain_number("vmax", vmax, "a number above 0") < np.inf:
        raise SchemaError(f"vmax: expected a number above 0, got {vmax!r}")
    values = np.asarray(slim.values, dtype=np.float64)
    largest = float(np.fmax.reduce(abs(values), axis=None))
    limit = vmax or (largest if largest > 0 else 1.0)
    ax = axes_or_new(ax)
    look = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, **style}
    mesh = ax.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5, np.arange(values.shape[0] + 1) - 0.5, values, **look
    )
    ax.set_facecolor("0.8")
    if add_colorbar:
        extend = "both" if largest > limit else "neither"
        bar = ax.figure.colorbar(mesh, ax=ax, extend=extend)
        bar.set_label(title_of(array))
    if not _rises(slim, down):
        ax.invert_yaxis()
    _label(ax.xaxis, slim, across)
    _label(ax.yaxis, slim, down)
    return ax


def _dims(array: xr.DataArray, x: str | None) -> tuple[str, str]:
    """The dims across and down."""
    several = [str(dim) for dim in array.dims if array.sizes[dim] > 1]
    single = [str(dim) for dim in array.dims if array.sizes[dim] == 1]
    if x is not None:
        check_choice("x", x, map(str, array.dims))
    dims = several if x is None or x in several else [*several, x]
    dims = (single + dims if len(dims) < 2 else dims) if len(several) < 2 else dims
    dims = list(dict.fromkeys(dims))[-max(2, len(several)) :]
    if len(dims) != 2:
        mend = (
            f"select one label of the others, such as array.isel({dims[0]}=0)"
            if len(dims) > 2
            else "mp.plot.age_profile and stock_lines draw one as lines"
        )
        raise SchemaError(
            f"array: expected two dims with several labels, got sizes {dict(array.sizes)}; {mend}"
        )
    across = x or next((dim for dim in _ACROSS if dim in dims), dims[1])
    return across, next(dim for dim in dims if dim != across)


def _rises(array: xr.DataArray, dim: str) -> bool:
    return dim in array.coords and np.issubdtype(array[dim].dtype, np.number)


def _label(axis: Axis, array: xr.DataArray, dim: str) -> None:
    axis.set_label_text(dim)
    places = np.arange(array.sizes[dim])
    if dim == "age" and "age" in array.coords:
        label_ages(axis, groups_of(array, "array"))
        return
    labels = labels_of(array[dim]) if dim in array.coords else [str(k) for k in places]
    if _rises(array, dim) or dim not in array.coords:
        thin(axis, places, labels)
        return
    name_places(axis, labels)
