"""CSV files of the UN World Population Prospects, revisions of 2019, 2022 and 2024."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.io._cubes import age_groups, check_found, check_rows, cubes, described, wanted
from migproj.io._files import PathLike, chunks, coded, first, numbers, paths_of, whole

__all__ = [
    "read_wpp_fertility",
    "read_wpp_indicators",
    "read_wpp_life_table",
    "read_wpp_population",
]

_KEYS: Final = ("LocID", "Location", "Variant", "Time")
_KEYS_FROM_2022: Final = ("LocTypeName", "ISO3_code", "MidPeriod")
_AGE: Final = ("AgeGrp", "AgeGrpStart", "AgeGrpSpan")
#: Codes from here on are of regions and other groups of countries.
_AGGREGATES: Final = 900
_SOURCE: Final = "United Nations, World Population Prospects"
_TABLE: Final = ("mx", "ax", "qx", "lx", "dx", "Lx", "Tx", "ex")


@dataclass(frozen=True)
class _Selection:
    """What is read of a file, and what of it is left out."""

    countries: Sequence[int | str] | None
    years: Sequence[int] | None
    variant: str | Sequence[str] | None
    aggregates: bool
    gaps: bool


@dataclass(frozen=True)
class _Read:
    """The rows selected of some files, and the groups of countries left out of them."""

    frame: pd.DataFrame
    selection: _Selection
    file: str
    left_out: int

    @property
    def attrs(self) -> dict[str, Any]:
        return {"source": f"{_SOURCE}, {self.file}", "aggregates_left_out": self.left_out}


def read_wpp_population(
    path: PathLike | Iterable[PathLike],
    *,
    countries: Sequence[int | str] | None = None,
    years: Sequence[int] | None = None,
    variant: str | Sequence[str] | None = None,
    aggregates: bool = False,
    gaps: bool = False,
) -> xr.DataArray:
    """Population by age and sex from WPP2019/2022/2024 ``PopulationByAgeSex`` files.

    Files of single years (``PopulationBySingleAgeSex``) and of five-year groups
    (``PopulationByAge5GroupSex``), on 1 July or on 1 January, are read alike, compressed or not,
    some rows at a time and only the columns needed.

    Parameters
    ----------
    path : str, path, or several of them
        One file, or files that go on from each other (1950-2023 and 2024-2100).
    countries : sequence of int or str, optional
        UN location codes (``LocID``) or ISO3 codes (files of 2022 and 2024); all by default.
    years : sequence of int, optional
        The column ``Time``; all by default.
    variant : str or sequence of str, optional
        Of a file with several. One is a scalar coordinate of the result, several its dim.
    aggregates : bool, default False
        Whether to read regions and other groups too: codes of 900 and over, and those whose
        ``LocTypeName`` is not ``Country/Area``. ``attrs["aggregates_left_out"]`` is the number
        of those left out.
    gaps : bool, default False
        Whether cells without a figure are NaN. By default they are an error.

    Returns
    -------
    DataArray (country, time, sex, age)
        ``population``, persons (the file has thousands). ``country`` is the location code, with
        ``country_name`` and, from 2022 on, ``iso3`` beside it; ``time`` the decimal year, 1950.5
        on 1 July; the open-ended group (a span of -1 in the file) has an ``age_width`` of inf.

    Raises
    ------
    SchemaError
        If the file has another layout (the message names its reader), a cell is no number, a row
        comes twice or is missing, or something asked for is not in it.

    References
    ----------
    UN, Department of Economic and Social Affairs, Population Division (2019, 2022, 2024), *World
    Population Prospects*.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "WPP2019_PopulationByAgeSex_Medium.csv"
    >>> _ = file.write_text('''LocID,Location,VarID,Variant,Time,MidPeriod,AgeGrp,AgeGrpStart,\
AgeGrpSpan,PopMale,PopFemale,PopTotal
    ... 32,Argentina,2,Medium,2020,2020.5,0-4,0,5,1913.4,1821.5,3734.9
    ... 32,Argentina,2,Medium,2020,2020.5,5+,5,-1,20148.3,21312.6,41460.9
    ... 900,World,2,Medium,2020,2020.5,0-4,0,5,349432.6,328510.0,677942.6
    ... ''')
    >>> population = mp.io.read_wpp_population(file)
    >>> population.sel(country=32, time=2020.5, sex="male").values
    array([ 1913400., 20148300.])
    >>> population.attrs["aggregates_left_out"]
    1
    """
    read = _read(
        "read_wpp_population",
        path,
        (*_AGE, "PopMale", "PopFemale"),
        _Selection(countries, years, variant, aggregates, gaps),
    )
    frame = read.frame.rename(columns={"PopFemale": FEMALE, "PopMale": MALE})
    frame["time"] = _instants(frame, read.file)
    by_sex = _arrays(read, frame, "time", [FEMALE, MALE], aged=True)
    array = xr.concat([by_sex[FEMALE], by_sex[MALE]], pd.Index([FEMALE, MALE], name="sex"))
    array = array.assign_coords(sex=np.array([FEMALE, MALE], object))
    return described(
        array.transpose(..., "time", "sex", "age") * 1000.0,
        "population",
        published_units="thousands",
        **read.attrs,
    )


def read_wpp_life_table(
    path: PathLike | Iterable[PathLike],
    *,
    countries: Sequence[int | str] | None = None,
    years: Sequence[int] | None = None,
    variant: str | Sequence[str] | None = None,
    total: bool = False,
    aggregates: bool = False,
    gaps: bool = False,
) -> xr.Dataset:
    """Life tables, abridged (0, 1-4, 5-9, ...) or complete, from WPP ``Life_Table`` files.

    Parameters
    ----------
    path : str, path, or several of them
        One file or several: women's and men's, 1950-2023 and 2024-2100.
    countries, years, variant, aggregates, gaps
        As for :func:`read_wpp_population`. In the file of 2019 a year is the first of the
        period.
    total : bool, default False
        Read the tables of both sexes together, which have no dim ``sex``, instead of those of
        women and men.

    Returns
    -------
    Dataset (country, period, sex, age)
        ``mx``, ``ax``, ``qx``, ``lx``, ``dx``, ``Lx``, ``Tx``, ``ex`` as published: 100,000
        births. ``period`` is the start of the year (1950.0), or of the five years from 1 July
        (1950.5) in 2019, with ``period_width``. WPP's ``Sx`` are not read:
        :func:`migproj.survival_ratios` makes them for any interval.

    Raises
    ------
    SchemaError
        As for :func:`read_wpp_population`.

    References
    ----------
    UN, Department of Economic and Social Affairs, Population Division (2019, 2022, 2024), *World
    Population Prospects*.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "WPP2019_Life_Table_Medium.csv"
    >>> _ = file.write_text('''LocID,Location,VarID,Variant,Time,MidPeriod,SexID,Sex,AgeGrp,\
AgeGrpStart,AgeGrpSpan,mx,qx,px,lx,dx,Lx,Sx,Tx,ex,ax
    ... 32,Argentina,2,Medium,2015-2020,2018,2,Female,0,0,1,.01,.0099,.99,1e5,990,99e3,1,79e5,79,.1
    ... 32,Argentina,2,Medium,2015-2020,2018,2,Female,1+,1,-1,.0127,1,0,99e3,99e3,78e5,0,78e5,79,79
    ... ''')
    >>> table = mp.io.read_wpp_life_table(file)
    >>> table["mx"].squeeze(["country", "period", "sex"]).values
    array([0.01  , 0.0127])
    >>> table["period"].values, table["period_width"].values
    (array([2015.5]), array([5.]))
    """
    read = _read(
        "read_wpp_life_table",
        path,
        (*_AGE, "Sex", *_TABLE),
        _Selection(countries, years, variant, aggregates, gaps),
    )
    frame = read.frame
    sexes = coded(frame["Sex"], {"Female": FEMALE, "Male": MALE, "Total": "total"}, read.file)
    frame = frame.assign(sex=sexes)[(sexes == "total") == total]
    if frame.empty:
        have = first(sorted(sexes.unique()))
        raise SchemaError(f"{read.file}: total={total}: the file has tables of {have} only")
    frame["period"], width = _periods(frame, read.file)
    tables = _arrays(read, frame, "period", _TABLE, aged=True, sexes=not total)
    result = xr.Dataset({name: described(tables[name], name) for name in _TABLE})
    return result.assign_coords(_width(result, width)).assign_attrs(read.attrs)


def read_wpp_fertility(
    path: PathLike | Iterable[PathLike],
    *,
    countries: Sequence[int | str] | None = None,
    years: Sequence[int] | None = None,
    variant: str | Sequence[str] | None = None,
    aggregates: bool = False,
    gaps: bool = False,
) -> xr.DataArray:
    """Age-specific fertility rates from WPP ``Fertility_by_Age`` files.

    Parameters
    ----------
    path : str, path, or several of them
        The file of five-year groups or that of single years.
    countries, years, variant, aggregates, gaps
        As for :func:`read_wpp_population`. In the file of 2019 a year is the first of the
        period.

    Returns
    -------
    DataArray (country, period, age)
        ``fertility``, births per woman-year (the file has births per 1000 women), with
        ``period_width``.

    Raises
    ------
    SchemaError
        As for :func:`read_wpp_population`.

    References
    ----------
    UN, Department of Economic and Social Affairs, Population Division (2019, 2022, 2024), *World
    Population Prospects*.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "WPP2019_Fertility_by_Age.csv"
    >>> _ = file.write_text('''LocID,Location,VarID,Variant,Time,MidPeriod,AgeGrp,AgeGrpStart,\
AgeGrpSpan,ASFR,PASFR,Births
    ... 32,Argentina,2,Medium,2015-2020,2018,15-19,15,5,62.782,13.8,535.1
    ... 32,Argentina,2,Medium,2015-2020,2018,20-24,20,5,110.9,24.4,966.8
    ... ''')
    >>> mp.io.read_wpp_fertility(file).sel(country=32, period=2015.5).values
    array([0.062782, 0.1109  ])
    """
    read = _read(
        "read_wpp_fertility",
        path,
        (*_AGE, "ASFR"),
        _Selection(countries, years, variant, aggregates, gaps),
    )
    frame = read.frame
    frame["period"], width = _periods(frame, read.file)
    rates = _arrays(read, frame, "period", ["ASFR"], aged=True)["ASFR"] / 1000.0
    rates = described(rates, "fertility", published_units="births per 1000 women", **read.attrs)
    return rates.assign_coords(_width(rates, width))


def read_wpp_indicators(
    path: PathLike | Iterable[PathLike],
    *,
    countries: Sequence[int | str] | None = None,
    years: Sequence[int] | None = None,
    variant: str | Sequence[str] | None = None,
    aggregates: bool = False,
    gaps: bool = False,
) -> xr.Dataset:
    """Net migration and sex ratios at birth from WPP indicators.

    Parameters
    ----------
    path : str, path, or several of them
        ``Demographic_Indicators`` (2022, 2024) or ``Period_Indicators`` (2019).
    countries, years, variant, aggregates, gaps
        As for :func:`read_wpp_population`. In the file of 2019 a year is the first of the
        period.

    Returns
    -------
    Dataset (country, period)
        ``net_migration``, persons per period: a calendar year, or five years from 1 July in 2019
        (the file has thousands; of all ages and both sexes, for WPP publishes no others).
        ``sex_ratio_at_birth``, males per female (figures above 10 are males per 100 females).
        Since 2022 the file ends with a row of 2101 that has the population of 1 January alone:
        years at the end without any figure are left out, unless `years` or `gaps` asks for
        them, and are ``attrs["years_left_out"]``.

    Raises
    ------
    SchemaError
        As for :func:`read_wpp_population`.

    References
    ----------
    UN, Department of Economic and Social Affairs, Population Division (2019, 2022, 2024), *World
    Population Prospects*.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "WPP2024_Demographic_Indicators_Medium.csv"
    >>> _ = file.write_text('''LocID,ISO3_code,LocTypeName,Location,VarID,Variant,Time,SRB,\
NetMigrations,CNMR
    ... 32,ARG,Country/Area,Argentina,2,Medium,2023,104.2,3.886,0.085
    ... ''')
    >>> data = mp.io.read_wpp_indicators(file, countries=["ARG"])
    >>> data["net_migration"].sel(country=32, period=2023).item()
    3886.0
    """
    read = _read(
        "read_wpp_indicators",
        path,
        ("NetMigrations", "SRB"),
        _Selection(countries, years, variant, aggregates, gaps),
    )
    frame, empty = read.frame, []
    if years is None and not gaps:
        known = frame[["NetMigrations", "SRB"]].notna().any(axis=1)
        beyond = frame["year"] > frame["year"][known].max()
        empty = sorted(frame["year"][beyond].unique().tolist())
        frame = frame[~beyond].copy()
    frame["period"], width = _periods(frame, read.file)
    arrays = _arrays(read, frame, "period", ["NetMigrations", "SRB"], aged=False)
    ratio = arrays["SRB"].where(~(arrays["SRB"] > 10), arrays["SRB"] / 100.0)
    net = arrays["NetMigrations"] * 1000.0
    result = xr.Dataset(
        {
            "net_migration": described(net, "net_migration", published_units="thousands"),
            "sex_ratio_at_birth": described(ratio, "sex_ratio_at_birth"),
        }
    )
    attrs = read.attrs | ({"years_left_out": empty} if empty else {})
    return result.assign_coords(_width(result, width)).assign_attrs(attrs)


def _read(
    reader: str,
    path: PathLike | Iterable[PathLike],
    columns: Sequence[str],
    selection: _Selection,
) -> _Read:
    """Rows of the selection, chunk by chunk, with the columns as numbers."""
    files = paths_of(path)
    kept: list[pd.DataFrame] = []
    seen: dict[str, set[Any]] = {"country": set(), "year": set(), "variant": set()}
    left_out: set[int] = set()
    figures = [name for name in columns if name not in ("AgeGrp", "Sex")]
    for file in files:
        parts = chunks(
            file,
            reader,
            [*_KEYS, *columns],
            optional=_KEYS_FROM_2022,
            text=["Time", "AgeGrp", "Variant"],
        )
        for part in parts:
            part["LocID"] = whole(part["LocID"], file.name)
            part["year"] = whole(part["Time"].str[:4], file.name)
            part["Variant"] = part["Variant"].fillna("")
            group = _is_group(part)
            if not selection.aggregates:
                left_out |= set(part["LocID"][group])
                part = part[~group]
            codes = [name for name in ("LocID", "ISO3_code") if name in part]
            seen["country"].update(*(part[name].unique() for name in codes))
            seen["year"].update(part["year"].unique())
            seen["variant"].update(part["Variant"].unique())
            part = part[
                wanted(part, codes, selection.countries)
                & wanted(part, ["year"], selection.years)
                & wanted(part, ["Variant"], selection.variant)
            ].copy()
            for name in figures:
                read_as = whole if name in _AGE else numbers
                part[name] = read_as(part[name], file.name)
            kept.append(part)
    names = ", ".join(file.name for file in files)
    groups = f"; groups of countries ({len(left_out)}) need aggregates=True" if left_out else ""
    check_found("countries", selection.countries, list(seen["country"]), names, groups)
    check_found("years", selection.years, list(seen["year"]), names)
    check_found("variant", selection.variant, list(seen["variant"]), names)
    frame = pd.concat(kept, ignore_index=True)
    check_rows(frame, names)
    variants = sorted(frame["Variant"].unique())
    if selection.variant is None and len(variants) > 1:
        raise SchemaError(
            f"{names}: several variants: {first(variants, 20)}; name one or more with variant="
        )
    return _Read(frame, selection, names, len(left_out))


def _is_group(frame: pd.DataFrame) -> pd.Series[bool]:
    """Regions and other groups of countries."""
    group = frame["LocID"] >= _AGGREGATES
    if "LocTypeName" in frame:
        group |= frame["LocTypeName"] != "Country/Area"
    return group


def _instants(frame: pd.DataFrame, file: str) -> pd.Series[float]:
    """Decimal years: 1 January, or 1 July, which the files print as 1950.5 or 1950.497."""
    year = frame["year"].astype("float64")
    within = numbers(frame["MidPeriod"], file) - year if "MidPeriod" in frame else 0.5 + 0 * year
    odd = ~(within.between(-0.001, 0.003) | within.between(0.49, 0.51))
    if odd.any():
        raise SchemaError(
            f"{file}: column 'MidPeriod': expected 1 January or 1 July of the year in 'Time', got "
            f"{int(odd.sum())} others in {len(frame)} rows: {first(frame['MidPeriod'][odd])}"
        )
    return year + within.round(1)


def _periods(frame: pd.DataFrame, file: str) -> tuple[pd.Series[float], float]:
    """Starts of the periods and their width: a calendar year, or 2015-2020 from 1 July."""
    text = frame["Time"].str
    spans = text.fullmatch(r"\d{4}-\d{4}")
    if not spans.any():
        return frame["year"].astype("float64"), 1.0
    width = numbers(text[-4:], file, name="Time") - frame["year"]
    if not spans.all() or width.min() != width.max():
        raise SchemaError(
            f"{file}: column 'Time': expected years or periods of one length, got "
            f"{first(sorted(frame['Time'].unique()))}"
        )
    return frame["year"] + 0.5, float(width.iloc[0])


def _arrays(
    read: _Read,
    frame: pd.DataFrame,
    instant: str,
    values: Sequence[str],
    *,
    aged: bool,
    sexes: bool = False,
) -> dict[str, xr.DataArray]:
    dims = {"variant": "Variant", "country": "LocID", instant: instant}
    order: dict[str, Sequence[Any]] = {"country": list(frame["LocID"].unique())}
    if sexes:
        dims["sex"] = "sex"
    coords = xr.Coordinates()
    if aged:
        dims["age"] = "AgeGrpStart"
        # WPP marks the open-ended group by a span of -1, and by its label.
        is_open = (frame["AgeGrpSpan"] < 0) | frame["AgeGrp"].str.endswith("+", na=False)
        width = frame["AgeGrpSpan"].mask(is_open, np.inf)
        coords = age_groups(frame["AgeGrpStart"], width, read.file).coords()
    arrays = cubes(frame, dims, values, read.file, order=order, gaps=read.selection.gaps)
    if read.selection.variant is None or isinstance(read.selection.variant, str):
        label = np.array(frame["Variant"].iloc[0], object)
        arrays = {
            name: array.squeeze("variant", drop=True).assign_coords(variant=((), label))
            for name, array in arrays.items()
        }
    places = _places(frame)
    return {
        name: array.assign_coords(coords).assign_coords(places) for name, array in arrays.items()
    }


def _places(frame: pd.DataFrame) -> dict[str, Any]:
    """Names and ISO codes along the countries."""
    each = frame.drop_duplicates("LocID")
    columns = {"country_name": "Location", "iso3": "ISO3_code"}
    return {
        coord: ("country", each[column].fillna("").to_numpy(dtype=object))
        for coord, column in columns.items()
        if column in each
    }


def _width(table: xr.Dataset | xr.DataArray, width: float) -> dict[str, Any]:
    return {"period_width": ("period", np.full(table.sizes["period"], width))}
