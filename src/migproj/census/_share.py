"""People of unknown age, sex or birthplace shared out over the known, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import xarray as xr

from migproj._checks import where
from migproj.census._labels import shown, text
from migproj.errors import MigprojError, SchemaError
from migproj.intensity import named

__all__ = ["check_kept", "distribute_birthplaces", "distribute_unknown"]

#: Sums of the same numbers in another order.
_ROUNDING: Final = 1e-9


def check_kept(what: str, before: xr.DataArray, after: xr.DataArray, over: Sequence[str]) -> None:
    """What is shared out stays in total, for each label of the other dims."""
    kept = [dim for dim in before.dims if dim not in over]
    was, now = (a.sum([dim for dim in a.dims if dim not in kept]) for a in (before, after))
    odd = abs(now - was) > _ROUNDING * was
    if odd.any():
        raise MigprojError(
            f"census.round: sharing out {what} did not keep the total "
            f"({'; '.join(where(odd, odd.values))}); please report this with the table"
        )


def distribute_unknown(
    counts: xr.DataArray, choices: Mapping[str, Literal["error", "pro rata"]]
) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
    """Counts of known age and sex with the unknown shared out, and those of each kind.

    The last place of each dim of `choices` holds the unknown. Each kind has the shares of the
    known people of its own row, so that the order in which they are shared out does not matter.
    """
    known = counts.isel({dim: slice(-1) for dim in choices})
    result, moved = known, {}
    kinds = [[dim] for dim in choices] + ([list(choices)] if len(choices) > 1 else [])
    for kind in kinds:
        others = {dim: slice(-1) for dim in choices if dim not in kind}
        part = counts.isel(dict.fromkeys(kind, -1) | others, drop=True)
        part = part.drop_vars(kind, errors="ignore")
        what = " and ".join(kind)
        wanted = [dim for dim in kind if choices[dim] == "error"]
        if wanted:
            _check_none(what, part, wanted)
            continue
        result = result + _pro_rata(f"unknown {what}", known, part, kind)
        moved[f"unknown_{what.replace(' ', '_')}_distributed"] = part
    check_kept("the unknown", counts, result, list(choices))
    return result.transpose(*counts.dims), {name: named(part, name) for name, part in moved.items()}


def _check_none(what: str, part: xr.DataArray, dims: list[str]) -> None:
    some = part > 0
    if some.any():
        options = ", ".join(f"unknown_{dim}='pro rata'" for dim in dims)
        raise SchemaError(
            f"table: {float(part.sum()):,.10g} person(s) of unknown {what} in {int(some.sum())} "
            f"cell(s): {'; '.join(where(part, some.values))}; pass {options} to share them out "
            "like those known, or take these rows out of the table"
        )


def _pro_rata(what: str, known: xr.DataArray, part: xr.DataArray, over: list[str]) -> xr.DataArray:
    base = known.sum(over)
    nobody = (part > 0) & (base == 0)
    if nobody.any():
        raise SchemaError(
            f"table: {float(part.where(nobody).sum()):,.10g} person(s) of {what} cannot be shared "
            f"out pro rata, as nobody is known in {int(nobody.sum())} cell(s): "
            f"{'; '.join(where(part, nobody.transpose(*part.dims).values))}; take them out of the "
            "table, or put them where they belong with codes="
        )
    return known / base.where(base > 0, 1.0) * part


def distribute_birthplaces(
    population: xr.DataArray, given: Sequence[Any] | Mapping[Any, Sequence[Any] | None]
) -> tuple[xr.DataArray, xr.DataArray]:
    """The population by known birthplace, and what each of them was given."""
    if "birthplace" not in population.dims:
        raise SchemaError(
            f"distribute_birthplace: expected a column of birthplace, got dims "
            f"{tuple(population.dims)!r}; columns={{'birthplace': ...}} says which it is"
        )
    have = {text(label): label for label in population["birthplace"].values}
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SchemaError(f"distribute_birthplace: expected a list of labels, got {given!r}")
    wanted = list(given.items() if isinstance(given, Mapping) else dict.fromkeys(given).items())
    names = [text(label) for label, _ in wanted]
    shared = _of_table(names, have)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SchemaError(f"distribute_birthplace: expected each label once, got {twice} again")
    known = [label for label in have.values() if label not in shared]
    if not known:
        raise SchemaError("distribute_birthplace: no other birthplace is left to receive them")
    base = population.sel(birthplace=known)
    added = xr.zeros_like(base)
    for label, (_, receivers) in zip(shared, wanted, strict=True):
        to = known if receivers is None else _receivers(label, receivers, have)
        odd = [label for label in to if label in shared]
        if odd:
            raise SchemaError(
                f"distribute_birthplace: {shown(odd)} cannot receive, as they are shared out too"
            )
        part = population.sel(birthplace=label, drop=True)
        extra = _among(str(label), base.sel(birthplace=to), part)
        added = added + extra.reindex(birthplace=known, fill_value=0.0)
    result = base + added
    check_kept("birthplaces", population, result, ["birthplace"])
    dims = population.dims
    return result.transpose(*dims), named(added.transpose(*dims), "birthplace_distributed")


def _receivers(label: Any, given: Any, have: dict[str, Any]) -> list[Any]:
    receivers = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else []
    if not receivers:
        raise SchemaError(
            f"distribute_birthplace: {label!r}: expected a list of birthplaces that receive it, "
            f"got {given!r}"
        )
    return _of_table([text(receiver) for receiver in receivers], have)


def _of_table(labels: list[str], have: dict[str, Any]) -> list[Any]:
    odd = [label for label in labels if label not in have]
    if odd:
        raise SchemaError(
            f"distribute_birthplace: expected birthplaces of the table, {shown(have, 8)}, got "
            f"{shown(odd)}"
        )
    return [have[label] for label in labels]


def _among(what: str, known: xr.DataArray, part: xr.DataArray) -> xr.DataArray:
    """Shares of the same cell; where it is empty, of all ages and sexes."""
    cell = known.sum("birthplace")
    empty = (cell == 0) & (part > 0)
    whole = known.sum([dim for dim in ("sex", "age") if dim in known.dims])
    of_whole = _pro_rata(f"birthplace {what!r}", whole, part.where(empty, 0.0), ["birthplace"])
    return known / cell.where(cell > 0, 1.0) * part.where(~empty, 0.0) + of_whole
