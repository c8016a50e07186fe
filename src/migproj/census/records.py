"""Person records of a census tabulated: weighted stocks by any of their traits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._choices import check_flag
from migproj.ages import AgeGroups, AgesLike, as_groups
from migproj.census._coding import Coding, code_ages
from migproj.census._count import Counts, count, variances, weigh
from migproj.census._request import (
    Codes,
    Request,
    Unknown,
    label_coding,
    names_of_dims,
    opened,
    request,
)
from migproj.conventions import VARIABLES
from migproj.dates import DateLike, decimal_year
from migproj.errors import SchemaError

__all__ = ["tabulate"]

#: Names of variables and coordinates of the table, which no dim may have.
_TAKEN: Final = {"population", "n_records", "unknown_age", "standard_error", "age_width"}


def tabulate(
    records: Any,
    *,
    by: Sequence[str],
    weight: str | None = None,
    columns: Mapping[str, str] | None = None,
    codes: Codes | None = None,
    unknown: Unknown | None = None,
    ages: AgesLike = range(0, 85, 5),
    strata: str | None = None,
    cluster: str | None = None,
    standard_errors: bool = False,
    time: DateLike | None = None,
    memory_limit: str = "400MB",
    threads: int | None = None,
) -> xr.Dataset:
    r"""Tabulate person records: weighted stocks by birthplace, sex, age and any other trait.

    Files are read out of core: what is over `memory_limit` goes to the disk.

    Parameters
    ----------
    records : path, list of paths, DataFrame, pyarrow.Table or Records
        One row a person: CSV or Parquet files (a path may be a pattern such as
        ``"census/*.parquet"``), a pandas or polars DataFrame, a pyarrow Table, or what
        :func:`read_ipums` returns. Every value of a CSV file is read as text: codes keep
        their leading zeros.
    by : sequence of str
        Dims of the table, such as ``["country", "birthplace", "sex", "age"]``.
    weight : str, optional
        The column of persons that a row stands for; 1 each without.
    columns : mapping, optional
        The column of each dim, where it has another name: ``{"sex": "SEX"}``.
    codes : mapping, optional
        What the codes of a dim mean: ``{"sex": {1: "male", 2: "female"}}``. The dim gets these
        labels in this order, also those that nobody has, so that tables of two rounds match;
        several codes may have one label. Without codes the labels are the values found,
        sorted. ``{"age": {1: 0, 2: 5}}`` gives codes of age groups the ages at which they start.
    unknown : mapping, optional
        Codes that stand for unknown: ``{"age": [999], "sex": [9]}``. Missing and blank values do,
        unless `codes` say what ``""`` means.
    ages : array with an ``age`` coordinate, or sequence of int or str
        Age groups as in :func:`~migproj.age_coords`; the last is open-ended unless a label
        says otherwise. Only used with ``"age"`` in `by`, whose column holds completed years.
    strata, cluster : str, optional
        Columns of the sample's strata and of its clusters (those of the first stage), for the
        standard errors. A cluster lies in one stratum: the same number in two is two clusters.
    standard_errors : bool, default False
        Whether to return sampling standard errors; always done if `strata` or `cluster` is given.
    time : int, float, str or date, optional
        The day of the census, which becomes the scalar coordinate ``time``.
    memory_limit : str, default "400MB"
        Memory that DuckDB may use. The process takes about 200 MB beside it.
    threads : int, optional
        Threads that DuckDB may use; by default as many as there are processors.

    Returns
    -------
    Dataset
        ``population`` (persons) by the dims of `by`, with sex and age last; ``n_records`` (1),
        the rows behind each cell; ``unknown_age`` (persons), of which the age is not known, by
        the other dims; ``standard_error`` (persons) of ``population`` on request. Rows of which
        another trait is unknown stay under the label ``"unknown"`` of its dim, which comes last.

    Raises
    ------
    SchemaError
        If a file cannot be read or lacks a column, a weight is negative or missing, or a value
        has no code or is in no age group. The message names file, column, rows and values.
    IntervalError
        If `time` is no date.
    MigprojError
        If the persons in the table are not those of the records, to rounding.
    ImportError
        If duckdb is not installed.

    Notes
    -----
    A cell holds the total :math:`\hat T = \sum_h \sum_c t_{hc}`, with :math:`t_{hc}` the sum
    of the weights of the cell's people in cluster *c* of stratum *h*. Its variance, by the
    linearisation of totals with clusters taken as drawn with replacement, is

    .. math:: v(\hat T) = \sum_h \frac{n_h}{n_h - 1}
              \Big( \sum_c t_{hc}^2 - \frac{1}{n_h} \big( \sum_c t_{hc} \big)^2 \Big)

    over all :math:`n_h` clusters of a stratum, also those without anybody in the cell. Those left
    out of the records are not known: tabulate the whole sample, and select from the table. Without
    `cluster` each record is one; without `strata` there is one stratum. It leaves out the finite
    population correction, so it is too high where a large part of a stratum was drawn.
    Standard errors of sums of cells are not sums of theirs: tabulate by fewer dims.

    References
    ----------
    Wolter (2007), *Introduction to Variance Estimation*, 2nd ed.; Lumley (2010), *Complex
    Surveys: A Guide to Analysis Using R*.

    Examples
    --------
    >>> import migproj as mp, pandas as pd
    >>> people = pd.DataFrame({
    ...     "SEX": [1, 2, 2, 2, 9], "AGE": [31, 4, 33, 999, 62],
    ...     "BPL": ["BOL", "ARG", "BOL", "BOL", None], "PERWT": [10.0, 10.0, 12.0, 8.0, 10.0],
    ... })
    >>> table = mp.census.tabulate(
    ...     people, by=["birthplace", "sex", "age"], weight="PERWT", ages=[0, 15, 65],
    ...     columns={"birthplace": "BPL", "sex": "SEX", "age": "AGE"},
    ...     codes={"sex": {1: "male", 2: "female"}}, unknown={"sex": [9], "age": [999]},
    ...     time="2010-10-27",
    ... )
    >>> table["population"].sel(birthplace="BOL", sex=["male", "female"]).values
    array([[ 0., 10.,  0.],
           [ 0., 12.,  0.]])
    >>> table["birthplace"].values.tolist(), float(table["unknown_age"].sum())
    (['ARG', 'BOL', 'unknown'], 8.0)
    >>> float(table["population"].sum() + table["unknown_age"].sum())
    50.0
    """
    check_flag("standard_errors", standard_errors)
    when = None if time is None else decimal_year(time)
    by = names_of_dims(by, _TAKEN if when is None else {*_TAKEN, "time"})
    if not by:
        raise SchemaError("by: expected dims such as ['birthplace', 'sex', 'age'], got none")
    asked = request(records, by, weight, columns, codes, unknown)
    groups = as_groups(ages)
    design = {"strata": strata, "cluster": cluster}
    with opened(asked, memory_limit, threads, **design) as (con, source):
        weigh(con, source, asked.columns, asked.weight)
        codings = {
            dim.name: partial(code_ages, dim, groups, source.called())
            if dim.name == "age"
            else partial(label_coding, dim, source)
            for dim in asked.dims
        }
        coded, counts = count(con, codings)
        found = {
            "population": counts.spread(counts.persons),
            "n_records": counts.spread(counts.records),
        }
        if standard_errors or strata or cluster:
            variance = variances(con, source, asked.columns, counts, asked.weight, strata, cluster)
            found["standard_error"] = counts.spread(np.sqrt(variance))
    return _dataset(asked, groups, coded, counts, found, when)


def _dataset(
    asked: Request,
    groups: AgeGroups,
    coded: Sequence[Coding],
    counts: Counts,
    found: dict[str, npt.NDArray[Any]],
    time: float | None,
) -> xr.Dataset:
    """Labels and units on the sums; those of unknown age become a variable of their own."""
    dims = [dim.name for dim in asked.dims]
    coords = coords_of(dims, coded)
    if time is not None:
        coords["time"] = time
    if "age" in dims:  # the last dim
        found["unknown_age"] = found["population"][..., -1]
        for name in set(found) - {"unknown_age"}:
            found[name] = found[name][..., :-1]
    table = xr.Dataset(
        {name: (dims[: values.ndim], values, attrs_of(name)) for name, values in found.items()},
        coords=coords,
        attrs=dict(asked.attrs) | {"records": counts.total_records, "persons": counts.total},
    )
    return table.assign_coords(groups.coords()) if "age" in dims else table


def coords_of(dims: Sequence[str], coded: Sequence[Coding]) -> dict[str, Any]:
    """The labels of every dim but age; text as objects, of variable length."""
    return {
        dim: np.array(coding.labels, object if isinstance(coding.labels[0], str) else None)
        for dim, coding in zip(dims, coded, strict=True)
        if dim != "age"
    }


def attrs_of(name: str) -> dict[str, str]:
    """Units and meaning of a variable."""
    return {"units": VARIABLES[name].units, "long_name": VARIABLES[name].meaning}
