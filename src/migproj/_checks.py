"""check_* functions: raise, or return None. Values of lazy (dask) arrays are not read."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj.conventions import DIMS, FEMALE, MALE
from migproj.errors import AlignmentError, IntervalError, SchemaError

__all__ = [
    "as_number",
    "check_counts",
    "check_dims",
    "check_finite",
    "check_labels_match",
    "check_labels_of",
    "check_lacks",
    "check_made_for",
    "check_none_within",
    "check_numbers",
    "check_of_women",
    "check_one_chunk",
    "check_rates",
    "check_ratio_at_birth",
    "check_same_places",
    "check_sexes",
    "check_shares",
    "check_survival",
    "check_table",
    "check_weights",
    "shown",
    "where",
]

#: Scalar coordinates that may differ between the inputs of one call.
_MAY_DIFFER: Final = frozenset({"time", "period", "age"})
_COUNTED_BY: Final = ("sex", "country", "region", "birthplace")
#: What is of one label of these goes with no array of all of them.
_ONE_OR_ALL: Final = (*_COUNTED_BY, "draw", "variant")
#: Shares that miss 1 by more than this are no shares.
_SHARES: Final = 1e-6


def as_number(name: str, value: Any) -> xr.DataArray:
    """A number or a DataArray, as a DataArray."""
    if isinstance(value, xr.DataArray):
        check_numbers(name, value)
        return value
    if isinstance(value, bool | np.timedelta64) or not isinstance(value, int | float | np.number):
        raise SchemaError(
            f"{name}: expected a number or an xarray.DataArray, got {shown(value)}; label several "
            "values: xr.DataArray(values, dims=..., coords=...)"
        )
    return xr.DataArray(float(value))


def check_table(name: str, table: Any, *variables: str) -> None:
    """`table` is a Dataset with `variables` of numbers by age."""
    if not isinstance(table, xr.Dataset):
        raise SchemaError(
            f"{name}: expected an xarray.Dataset with {list(variables)}, got "
            f"{type(table).__name__}; mp.life_table(mx) makes one"
        )
    lacking = [variable for variable in variables if variable not in table]
    if lacking:
        raise SchemaError(
            f"{name}: expected a Dataset with {list(variables)}, as mp.life_table makes, got one "
            f"with {list(table)[:8]}; it lacks {lacking}"
        )
    for variable in variables:
        check_dims(f"{name}[{variable!r}]", table[variable], "age")
        check_numbers(f"{name}[{variable!r}]", table[variable])
        if not _is_lazy(table[variable]):  # may be infinite, where nobody dies in the open group
            lowest, _ = _range(table[variable])
            _check_not_negative(f"{name}[{variable!r}]", table[variable], "values", lowest)


def check_dims(name: str, array: Any, *dims: str) -> None:
    """`array` is a DataArray that has `dims`, has cells, and labels no dim twice."""
    if not isinstance(array, xr.DataArray):
        hint = (
            "select a variable of it, such as ds['population']"
            if isinstance(array, xr.Dataset)
            else "wrap it: xr.DataArray(values, dims=(...), coords=...)"
        )
        raise SchemaError(
            f"{name}: expected an xarray.DataArray, got {type(array).__name__}; {hint}"
        )
    lacking = [dim for dim in dims if dim not in array.dims]
    if lacking:
        raise SchemaError(
            f"{name}: expected the dim(s) {lacking}, got dims {tuple(array.dims)!r}; rename the "
            f"dim that holds it ({name}.rename(...)), or add it ({name}.expand_dims(...))"
        )
    if array.size == 0:
        empty = [dim for dim in array.dims if array.sizes[dim] == 0]
        raise SchemaError(
            f"{name}: empty, dim {empty[0]!r} has length 0 (sizes {dict(array.sizes)}); the "
            "selection before this call kept nothing"
        )
    for dim, index in array.indexes.items():
        if not index.is_unique:
            twice = index[index.duplicated()].unique()
            raise SchemaError(
                f"{name}: dim {dim!r}: expected each label once, got {_first(twice)} repeatedly; "
                f"sum them with {name}.groupby({dim!r}).sum() or drop the repeats"
            )


def check_lacks(name: str, array: xr.DataArray, dim: str, mend: str) -> None:
    """`array` has no dim `dim`."""
    if dim in array.dims:
        raise SchemaError(
            f"{name}: the dim {dim!r} is not expected here (got dims {tuple(array.dims)!r}); {mend}"
        )


def check_one_chunk(name: str, array: xr.DataArray, dim: str) -> None:
    """A lazy `array` has the dim in one chunk."""
    if (pieces := len(array.chunksizes.get(dim, ()))) > 1:
        raise SchemaError(
            f"{name}: dim {dim!r} is split into {pieces} dask chunks; expected one: "
            f"{name}.chunk({{{dim!r}: -1}})"
        )


def check_same_places(name: str, array: xr.DataArray, whose: str, of: xr.DataArray) -> None:
    """Counts that go together have the same dims of sex and place.

    Rates broadcast; counts without, say, a country would be given to every country.
    """
    for short, counts, other, full in ((name, array, whose, of), (whose, of, name, array)):
        lacking = [dim for dim in _COUNTED_BY if dim in full.dims and dim not in counts.dims]
        if lacking:
            raise SchemaError(
                f"{short}: expected the dim(s) {lacking} as in {other}, got dims "
                f"{tuple(counts.dims)!r}: the same {short} would be counted for each label; give "
                f"them by {lacking[0]}, or sum {other} over it"
            )


def check_numbers(name: str, array: xr.DataArray) -> None:
    """`array` holds numbers."""
    if array.dtype.kind not in "iuf":  # np.integer would hold time differences
        first = "" if _is_lazy(array) else array.values.flat[0]
        sample = "" if _is_lazy(array) else f" such as {getattr(first, 'item', lambda: first)()!r}"
        raise SchemaError(
            f"{name}: expected numbers, got dtype {array.dtype}{sample}; convert with "
            f"{name}.astype(float) after mending what is not a number"
        )


def check_labels_of(
    name: str, array: xr.DataArray, dim: str, of: str, source: xr.DataArray, whose: str, mend: str
) -> None:
    """`array` has along `dim` the labels of the dim `whose` of `source`, in their order."""
    if whose not in source.indexes:
        raise SchemaError(
            f"{of}: dim {whose!r} has no labels; nothing is aligned by position: "
            f"{of}.assign_coords({whose}=[...])"
        )
    if dim not in array.indexes:
        raise SchemaError(
            f"{name}: dim {dim!r} has no labels; nothing is aligned by position: "
            f"{name}.assign_coords({dim}={of}[{whose!r}].values) if they are in that order"
        )
    expected, got = source.indexes[whose], array.indexes[dim]
    if len(expected) == len(got) and bool((expected == got).all()):
        return
    missing = expected[~expected.isin(got)].tolist()
    extra = got[~got.isin(expected)].tolist()
    fault = (
        f"missing: {missing[:5]}, not expected: {extra[:5]}. {mend}"
        if missing or extra
        else f"in another order: expected {expected.tolist()[:5]}, got {got.tolist()[:5]}; "
        f"{name}.sel({dim}={of}[{whose!r}].values) brings them into line"
    )
    raise AlignmentError(
        f"{name}: dim {dim!r}: expected the {len(expected)} labels of {whose!r} of {of}, got "
        f"{len(got)}; {fault}"
    )


def check_made_for(name: str, array: xr.DataArray, interval: float) -> None:
    """`array` is for as many years as the interval, if it says."""
    width = array.coords.get("period_width")
    if width is not None and width.ndim == 0 and float(width) != interval:
        raise IntervalError(
            f"{name}: made for {float(width):g} years, but {interval:g} years lie between "
            "start and end; make it for this interval"
        )


def check_none_within(name: str, moves: xr.DataArray, why: str) -> None:
    """Nobody moves from a place to itself: 0, or missing, as tables of moves have it."""
    if _is_lazy(moves):
        return
    origin, destination = moves["origin"], moves["destination"]
    within = (moves != 0) & moves.notnull() & (origin.drop_vars("origin") == destination)
    within = within.transpose(*moves.dims)
    if within.any():
        raise SchemaError(
            f"{name}: expected 0 where origin is destination, got {int(within.sum())} other "
            f"value(s): {'; '.join(where(moves, np.asarray(within.values)))}; {why}: "
            f"{name}.where({name}['origin'] != {name}['destination'], 0.0)"
        )


def check_counts(name: str, array: xr.DataArray, *, people: bool = True) -> None:
    """`array` holds counts: numbers, none negative and, if `people`, not all below 1."""
    check_numbers(name, array)
    if _is_lazy(array):
        return
    lowest, largest = _range(array)
    _check_not_negative(name, array, "counts", lowest)
    _check_not_infinite(name, array, largest)
    if people and 0 < largest < 1:
        raise SchemaError(
            f"{name}: expected counts of people, got values all below 1 (largest "
            f"{largest:g}): these look like rates or shares; multiply by the population"
        )


def check_survival(name: str, array: xr.DataArray) -> None:
    """`array` holds survival ratios: none negative, and not all so high that they are no ratios."""
    check_numbers(name, array)
    if _is_lazy(array):
        return
    lowest, largest = _range(array)
    _check_not_negative(name, array, "survival ratios", lowest)
    _check_not_infinite(name, array, largest)
    if lowest > 1.5:
        raise SchemaError(
            f"{name}: expected survival ratios near 0 to 1, got values all above 1.5 (smallest "
            f"{lowest:g}): divide percentages by 100"
        )


def check_finite(name: str, array: xr.DataArray) -> None:
    """`array` holds numbers, of either sign, none of them infinite."""
    check_numbers(name, array)
    if not _is_lazy(array):
        lowest, largest = _range(array)
        _check_not_infinite(name, array, max(-lowest, largest))


def check_rates(name: str, array: xr.DataArray) -> None:
    """`array` holds yearly rates a person: none negative, not mostly above 1."""
    check_numbers(name, array)
    if _is_lazy(array):
        return
    lowest, largest = _range(array)
    _check_not_negative(name, array, "rates", lowest)
    _check_not_infinite(name, array, largest)
    if largest > 1 and (median := float(np.nanmedian(array.values))) > 1:
        raise SchemaError(
            f"{name}: expected rates per person and year, got a median of {median:g}: "
            "these look like rates per 1,000 or counts; divide them first"
        )


def check_weights(name: str, array: xr.DataArray, what: str) -> None:
    """`array` holds numbers of 0 or more, none infinite."""
    check_numbers(name, array)
    if not _is_lazy(array):
        lowest, largest = _range(array)
        _check_not_negative(name, array, what, lowest)
        _check_not_infinite(name, array, largest)


def check_shares(name: str, array: xr.DataArray, dims: list[str]) -> None:
    """`array` sums to 1 over `dims`."""
    if _is_lazy(array):
        return
    total = array.sum(dims, skipna=False)
    odd = abs(total - 1.0) > _SHARES
    if odd.any():
        over = " and ".join(dims)
        raise SchemaError(
            f"{name}: expected shares that sum to 1 over {over}, got "
            f"{float(total.where(odd).max()):g} ({'; '.join(where(odd, odd.values))}); divide "
            f"them by their sum, {name} / {name}.sum({dims!r})"
        )


def check_ratio_at_birth(name: str, array: xr.DataArray) -> None:
    """`array` holds males per female at birth, not per 100."""
    check_numbers(name, array)
    if _is_lazy(array):
        return
    lowest, largest = _range(array)
    _check_not_negative(name, array, "males per female", lowest)
    if largest > 10:
        raise SchemaError(
            f"{name}: expected males per female (near 1.05), got {largest:g}: divide males "
            "per 100 females by 100"
        )
    if 0 < largest < 0.6:
        raise SchemaError(
            f"{name}: expected males per female (near 1.05), got {largest:g}: of a share of boys "
            "give share / (1 - share)"
        )


def _range(array: xr.DataArray) -> tuple[float, float]:
    """The smallest and the largest value, missing ones aside (NaN if there are no others)."""
    values = array.values
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _check_not_negative(name: str, array: xr.DataArray, what: str, lowest: float) -> None:
    if lowest < 0:
        negative = array.values < 0
        raise SchemaError(
            f"{name}: expected {what} of 0 or more, got {int(negative.sum())} negative value(s), "
            f"the lowest {lowest:g}: {'; '.join(where(array, negative))}; correct them, or if they "
            f"are codes for missing (-1, -9): {name}.where({name} >= 0)"
        )


def _check_not_infinite(name: str, array: xr.DataArray, largest: float) -> None:
    if largest == np.inf:
        infinite = np.isinf(array.values)
        raise SchemaError(
            f"{name}: expected finite numbers, got {int(infinite.sum())} infinite one(s): "
            f"{'; '.join(where(array, infinite))}; a division by 0 before this call makes them"
        )


def check_sexes(name: str, array: xr.DataArray, *, both: bool) -> None:
    """The dim sex, if there is one, is labelled "female" and "male" (both of them, if `both`)."""
    if "sex" not in array.dims and "sex" not in array.coords and not both:
        return
    if "sex" not in array.coords:
        raise SchemaError(
            f"{name}: dim 'sex' has no labels; expected {FEMALE!r} and {MALE!r}: "
            f"{name}.assign_coords(sex=[...])"
        )
    labels = [str(label) for label in np.atleast_1d(array.coords.variables["sex"].values)]
    odd = [label for label in labels if label not in (FEMALE, MALE)]
    if odd:
        raise SchemaError(
            f"{name}: dim 'sex': expected the labels {FEMALE!r} and {MALE!r}, got {_first(odd)}; "
            f"{name}.assign_coords(sex=[...]) renames them"
        )
    if both and set(labels) != {FEMALE, MALE}:
        raise SchemaError(
            f"{name}: dim 'sex': expected both {FEMALE!r} and {MALE!r}, got {labels}; "
            "give both, for the sexes are reckoned together here"
        )


def check_of_women(name: str, array: xr.DataArray) -> None:
    """`array` is of women, or does not say of whom."""
    if "sex" in array.coords and array["sex"].ndim == 0 and array["sex"].item() != FEMALE:
        raise SchemaError(
            f"{name}: 'sex': expected {FEMALE!r}, got {array['sex'].item()!r}; births depend on "
            f"women: select them, {name}.sel(sex={FEMALE!r}) of the array with both"
        )


def check_labels_match(
    arrays: Mapping[str, xr.DataArray] | Sequence[tuple[str, xr.DataArray]],
    dims: Iterable[Hashable],
) -> None:
    """On each of `dims` the arrays that have it carry the same labels in the same order."""
    named = list(arrays.items() if isinstance(arrays, Mapping) else arrays)
    indexed = [(name, array.dims, array.indexes) for name, array in named]
    for dim in dims:
        holders = [(name, indexes) for name, has, indexes in indexed if dim in has]
        for name, indexes in holders[1:]:
            first_name, first = holders[0]
            for owner, own in (holders[0], (name, indexes)):
                if dim not in own:
                    raise SchemaError(
                        f"{owner}: dim {dim!r} has no labels, and {first_name} and {name} share "
                        f"it; nothing is aligned by position: label both with "
                        f".assign_coords({dim}=...)"
                    )
            _check_same(str(dim), first_name, first[dim], name, indexes[dim])
    _check_same_scalars(named)


def _check_same(dim: str, first_name: str, expected: Any, name: str, got: Any) -> None:
    if expected.equals(got) or (len(expected) == len(got) and bool((expected == got).all())):
        return
    missing = expected[~expected.isin(got)]
    extra = got[~got.isin(expected)]
    if len(missing) == 0 and len(extra) == 0:
        raise AlignmentError(
            f"{name}: dim {dim!r}: the labels of {first_name} in another order: expected "
            f"{_first(expected)}, got {_first(got)}; {name}.sel({dim}={first_name}[{dim!r}]) "
            "brings them into line"
        )
    faults = []
    if len(missing):
        faults.append(f"{len(missing)} missing: {_first(missing)}")
    if len(extra):
        faults.append(f"{len(extra)} not in {first_name}: {_first(extra)}")
    raise AlignmentError(
        f"{name}: dim {dim!r}: expected the {len(expected)} labels of {first_name}, got "
        f"{len(got)}; {'; '.join(faults)}. Nothing is dropped for you: select the same labels in "
        f"both with .sel({dim}=[...])"
    )


def _check_same_scalars(arrays: Sequence[tuple[str, xr.DataArray]]) -> None:
    known: dict[Hashable, tuple[str, Any]] = {}
    for name, array in arrays:
        for coord in array.coords:
            if coord not in DIMS or coord in _MAY_DIFFER or coord in array.dims:
                continue
            if array[coord].ndim:
                continue
            value = array[coord].item()
            for other, holder in arrays:
                if coord in _ONE_OR_ALL and coord in holder.dims:
                    raise AlignmentError(
                        f"{name}: is of {coord} {value!r} alone, but {other} has the dim {coord!r} "
                        f"({_first(holder[coord].values)}); give {name} for each label, or "
                        f"{name}.drop_vars({coord!r}) to use it for all of them"
                    )
            first_name, first = known.setdefault(coord, (name, value))
            if first != value:
                raise AlignmentError(
                    f"{name}: {coord!r} is {value!r}, but {first!r} in {first_name}; expected "
                    f"the same: select one {coord} in both, or .drop_vars({coord!r}) if the "
                    "two are meant to be combined"
                )


def shown(value: Any) -> str:
    """What was given, in a line: its type, where that is not plain, and the value if short."""
    text, kind = repr(value), type(value).__name__
    if isinstance(value, str | int | float | tuple | None):
        return text if len(text) <= 80 else f"{text[:80]} ..."
    return f"{kind} {text}" if len(text) <= 80 and "\n" not in text else kind


def where(array: xr.DataArray, flags: npt.NDArray[np.bool_], most: int = 5) -> list[str]:
    """The labels of the first flagged cells, as ``country=ARG, age=10``."""
    cells = []
    for position in np.argwhere(flags)[:most]:
        labels = [
            f"{dim}={array[dim].values[k]}" if dim in array.coords else f"{dim}[{k}]"
            for dim, k in zip(array.dims, position, strict=True)
        ]
        cells.append(", ".join(labels) or "the only value")
    return cells


def _is_lazy(array: xr.DataArray) -> bool:
    return array.chunks is not None


def _first(labels: Iterable[Any], most: int = 5) -> str:
    items = [label.item() if hasattr(label, "item") else label for label in labels]
    return f"{items[:most]!r}" + (" ..." if len(items) > most else "")
