"""Children ever born and surviving, by age and birthplace of the women."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._choices import check_flag
from migproj.ages import AgeGroups, AgesLike, as_groups
from migproj.census._coding import Coding, Dimension, code_ages, code_numbers
from migproj.census._count import Counts, count, weigh
from migproj.census._request import (
    Codes,
    Unknown,
    label_coding,
    names_of_dims,
    opened,
    request,
)
from migproj.census.records import attrs_of, coords_of
from migproj.conventions import FEMALE
from migproj.dates import DateLike, decimal_year
from migproj.errors import SchemaError

__all__ = ["children_ever_born"]

_BORN: Final = "children_born"
_SURVIVING: Final = "children_surviving"
#: Names of other variables and coordinates of the table, which no dim may have.
_TAKEN: Final = {
    "women", "women_unknown_parity", "mean_children_born", "women_unknown_survival",
    "children_dead", "proportion_dead", "n_records", "age_width",
}  # fmt: skip
#: No woman has more; codes for unknown are above.
_MOST_CHILDREN: Final = 60


def children_ever_born(
    records: Any,
    *,
    by: Sequence[str] = ("birthplace",),
    surviving: bool = True,
    weight: str | None = None,
    columns: Mapping[str, str] | None = None,
    codes: Codes | None = None,
    unknown: Unknown | None = None,
    ages: AgesLike = range(15, 50, 5),
    time: DateLike | None = None,
    memory_limit: str = "400MB",
    threads: int | None = None,
) -> xr.Dataset:
    r"""Children ever born and children who died, by age and birthplace of the women.

    Parameters
    ----------
    records : path, list of paths, DataFrame, pyarrow.Table or Records
        One row a person, as in :func:`tabulate`. Rows of men, of women of other ages, and of
        unknown sex are not counted.
    by : sequence of str, default ("birthplace",)
        Dims of the table beside age.
    surviving : bool, default True
        Whether the records hold children surviving.
    weight, columns, codes, unknown, time, memory_limit, threads
        As in :func:`tabulate`, for the dims of `by` and for ``sex``, ``age``, ``children_born``
        and ``children_surviving``: ``columns={"children_born": "CHBORN"}``,
        ``unknown={"children_born": [98, 99]}``.
    ages : array with an ``age`` coordinate, or sequence of int or str
        Age groups of the women; of bounds the last is as wide as the one before it (15-19 to
        45-49 by default).

    Returns
    -------
    Dataset
        By the dims of `by` and age: ``women`` (persons); ``women_unknown_parity`` (persons), those
        of them whose children ever born are not known, who are in none of the following;
        ``children_born`` (persons); ``mean_children_born`` (1), per woman of known parity. With
        `surviving`: ``women_unknown_survival`` (persons), mothers of known parity who are left
        out of the rest; ``children_dead`` (persons) and ``proportion_dead`` (1), of the children
        of women for whom both are known. ``n_records`` (1) is the rows behind a figure. Missing
        where there is no woman or child to divide by. The scalar coordinate ``sex`` is female.

    Raises
    ------
    SchemaError
        As in :func:`tabulate`; if a number of children is none (codes for unknown must be told), or
        more children survive than were born.
    MigprojError
        If the persons in the table are not those of the records, to rounding.
    ImportError
        If duckdb is not installed.

    Notes
    -----
    With weights *w*, children born *b* and surviving *s* of the women of a cell,

    .. math:: \bar b = \frac{\sum w b}{\sum w}, \qquad
              d = 1 - \frac{\sum w s}{\sum w b}

    over women for whom they are known. The proportion dead by age of mother is what indirect
    estimates of child mortality begin with. Women of unknown parity are often childless, whose
    answer was left blank; then the mean over those known is too high. Compare their share with that
    of the childless by age before using it.

    References
    ----------
    UN (1983), *Manual X: Indirect Techniques for Demographic Estimation*, chs. II-III.

    Examples
    --------
    >>> import migproj as mp, pandas as pd
    >>> people = pd.DataFrame({
    ...     "birthplace": ["BOL", "BOL", "BOL", "ARG", "ARG"],
    ...     "sex": ["female", "female", "female", "female", "male"],
    ...     "age": [31, 32, 34, 47, 31], "children_born": [4, 1, 99, 2, None],
    ...     "children_surviving": [3, 1, 99, 2, None], "weight": [10.0, 20.0, 5.0, 10.0, 10.0],
    ... })
    >>> table = mp.census.children_ever_born(
    ...     people, weight="weight",
    ...     unknown={"children_born": [99], "children_surviving": [99]},
    ... ).sel(birthplace="BOL", age=30)
    >>> names = ["women", "women_unknown_parity", "mean_children_born", "proportion_dead"]
    >>> [round(float(table[name]), 3) for name in names]
    [35.0, 5.0, 2.0, 0.167]
    """
    check_flag("surviving", surviving)
    when = {} if time is None else {"time": decimal_year(time)}
    by = names_of_dims(by, {*_TAKEN, *when})
    own = [name for name in ("sex", "age", _BORN, _SURVIVING) if name in by]
    if own:
        raise SchemaError(f"by: {own} are there in any case; leave them out of by=")
    groups = as_groups(ages, open_ended=False)
    children = [_BORN, _SURVIVING] if surviving else [_BORN]
    asked = request(records, [*by, *children, "sex", "age"], weight, columns, codes, unknown)
    every = _all_ages(groups)
    with opened(asked, memory_limit, threads) as (con, source):
        weigh(con, source, asked.columns, asked.weight)

        def coding(dim: Dimension) -> Any:
            if dim.name == "age":
                return partial(code_ages, dim, every, source.called())
            if dim.name in children:
                what = "numbers of children"
                return partial(code_numbers, dim, what, _MOST_CHILDREN, source.called())
            return partial(label_coding, dim, source)

        coded, counts = count(con, {dim.name: coding(dim) for dim in asked.dims})
        called = source.called()
    first = every.lower.index(groups.lower[0])
    table = _Women(coded, counts, len(by), first, len(groups), surviving)
    table.check(called)
    dims = [*by, "age"]
    return xr.Dataset(
        {name: (dims, values, attrs_of(name)) for name, values in table.figures().items()},
        coords=coords_of(by, coded[: len(by)]) | {"sex": FEMALE} | when,
        attrs=dict(asked.attrs),
    ).assign_coords(groups.coords())


def _all_ages(groups: AgeGroups) -> AgeGroups:
    """The groups, and one on either side, so that everybody is in one."""
    lower, upper = list(groups.lower), groups.upper[-1]
    if lower[0] > 0:
        lower.insert(0, 0)
    if not groups.is_open:
        lower.append(int(upper))
    return as_groups(lower)


class _Women:
    """Women of the ages wanted: cell of the result, children born and surviving, persons."""

    def __init__(
        self,
        coded: Sequence[Coding],
        counts: Counts,
        others: int,
        first: int,
        groups: int,
        surviving: bool,
    ) -> None:
        places = np.unravel_index(counts.cells, counts.shape)
        sexes = coded[-2].labels
        age = places[-1] - first
        female = sexes.index(FEMALE) if FEMALE in sexes else -1
        kept = (places[-2] == female) & (age >= 0) & (age < groups)
        self.shape = (*counts.shape[:others], groups)
        within = tuple(place[kept] for place in (*places[:others], age))
        self.cell = np.ravel_multi_index(within, self.shape)
        self.persons, self.records = counts.persons[kept], counts.records[kept]
        self.born = _numbers(coded[others], places[others][kept])
        self.alive = (
            _numbers(coded[others + 1], places[others + 1][kept])
            if surviving
            else np.full(len(self.born), np.nan)
        )
        # Who has borne none has lost none, also where that was not asked.
        self.alive[(self.born == 0) & np.isnan(self.alive)] = 0.0
        self.surviving = surviving

    def check(self, called: str) -> None:
        """No more children survive than were born."""
        odd = self.alive > self.born
        if odd.any():
            first = int(np.flatnonzero(odd)[0])
            raise SchemaError(
                f"{called}: expected at most as many children surviving as born, got more in "
                f"{int(self.records[odd].sum()):,} record(s) of women, such as "
                f"{self.alive[first]:g} of {self.born[first]:g}; mend them, or make them unknown"
            )

    def figures(self) -> dict[str, npt.NDArray[Any]]:
        """The variables of the table."""
        known = ~np.isnan(self.born)
        women, unknown = self._sum(self.persons), self._sum(self.persons * ~known)
        born = self._sum(np.where(known, self.persons * self.born, 0.0))
        found = {
            "women": women,
            "women_unknown_parity": unknown,
            "children_born": born,
            "mean_children_born": _ratio(born, self._sum(self.persons * known)),
        }
        if self.surviving:
            both = known & ~np.isnan(self.alive)
            lost = np.where(both, self.persons * (self.born - self.alive), 0.0)
            dead = self._sum(lost)
            at_risk = self._sum(np.where(both, self.persons * self.born, 0.0))
            found |= {
                "women_unknown_survival": self._sum(self.persons * (known & ~both)),
                "children_dead": dead,
                "proportion_dead": _ratio(dead, at_risk),
            }
        found["n_records"] = self._sum(self.records).astype(np.int64)
        return found

    def _sum(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        size = int(np.prod(self.shape))
        sums = np.bincount(self.cell, values, minlength=size)
        return np.asarray(sums, dtype=np.float64).reshape(self.shape)


def _numbers(coding: Coding, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The number at each place, NaN where it is not known."""
    return np.array([*coding.labels, np.nan], dtype=np.float64)[places]


def _ratio(
    over: npt.NDArray[np.float64], under: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    result = np.full(over.shape, np.nan)
    np.divide(over, under, out=result, where=under > 0)
    return result
