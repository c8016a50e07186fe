"""Age groups and the cohorts that move through them."""

import itertools

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj._cohorts import cohorts
from migproj.ages import groups_of

FIVES = range(0, 85, 5)
MIXED = ["0-4", "5-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60+"]


def groups(ages):
    return groups_of(mp.age_coords(ages), "ages")


def arrive(start, end, interval):
    ways = cohorts(groups(start), groups(end), float(interval))
    people = [ways.start[g : g + 2].tolist() for g in range(len(ways.groups))]
    return ways.groups.labels, people, ways.born


@pytest.mark.parametrize(
    "text", [["0-4", "5-9", "10+"], ["0--4", "5 - 9", "10 and over"], ["0–4", "5 to 9", " 10+ "]]
)
def test_labels_as_printed(text):
    coords = mp.age_coords(text)
    assert coords["age"].values.tolist() == [0, 5, 10]
    assert coords["age_width"].values.tolist() == [5, 5, np.inf]


def test_labels_go_round():
    assert groups(MIXED).labels == tuple(MIXED)
    assert groups(["0", "1-4", "5-9", "10+"]).labels == ("0", "1-4", "5-9", "10+")


def test_lower_bounds():
    assert mp.age_coords([0, 5, 15])["age_width"].values.tolist() == [5, 10, np.inf]
    assert mp.age_coords([0, 5, 10], open_ended=False)["age_width"].values.tolist() == [5, 5, 5]
    assert mp.age_coords([0])["age_width"].values.tolist() == [np.inf]


def test_widths_default_to_differences_and_an_open_group():
    bare = xr.DataArray(np.ones(3), dims="age", coords={"age": [0, 1, 5]})
    assert groups_of(bare, "x").width == (1, 4, np.inf)


def test_five_years_on_five_year_groups():
    labels, people, born = arrive(FIVES, FIVES, 5)
    assert labels == groups(FIVES).labels
    assert born == 1
    assert people[1] == [0, 1]
    assert people[-1] == [15, 17]  # the open group pools 75-79 and 80+


def test_ten_years_on_five_year_groups():
    labels, people, born = arrive(FIVES, FIVES, 10)
    assert labels == groups(FIVES).labels
    assert born == 2
    assert people[-1] == [14, 17]


def test_single_years():
    labels, people, born = arrive(range(101), range(101), 1)
    assert len(labels) == 101
    assert born == 1
    assert people[-1] == [99, 101]


def test_an_open_group_grows_with_the_interval():
    # Design, section 2: 60+ is 70+ ten years later.
    end = [*MIXED[:-1], "60-69", "70+"]
    labels, people, born = arrive(MIXED, end, 10)
    assert labels == tuple(end)
    assert born == 2
    assert people[-1] == [7, 8]


def test_the_open_group_is_the_first_that_both_can_fill():
    # 80+ of the end would need 70+ of the start, which stops at 65+.
    labels, people, _ = arrive(range(0, 70, 5), FIVES, 5)
    assert labels[-1] == "70+"
    assert people[-1] == [13, 14]


def test_different_widths_give_the_common_bounds():
    labels, _, born = arrive(FIVES, range(0, 90, 10), 10)
    assert labels == groups(range(0, 90, 10)).labels
    assert born == 1
    labels, _, _ = arrive(range(0, 90, 10), FIVES, 10)
    assert labels[:3] == ("0-4", "5-9", "10-19")


def test_everyone_in_one_group():
    labels, people, born = arrive(["0+"], ["0+"], 10)
    assert labels == ("0+",)
    assert people == [[0, 1]]
    assert born == 0


@pytest.mark.parametrize(
    ("start", "end", "interval"),
    [(FIVES, FIVES, 10), (MIXED, [*MIXED[:-1], "60-69", "70+"], 10), (range(0, 70, 5), FIVES, 5)],
)
def test_every_group_of_both_rounds_arrives_once(start, end, interval):
    ways = cohorts(groups(start), groups(end), float(interval))
    came = np.concatenate([np.arange(a, b) for a, b in itertools.pairwise(ways.start[ways.born :])])
    assert came.tolist() == list(range(len(start)))
    seen = np.concatenate([np.arange(a, b) for a, b in itertools.pairwise(ways.end)])
    assert seen.tolist() == list(range(len(end)))


def test_regrouping_keeps_what_belongs_to_the_array():
    people = xr.DataArray(
        [[1.0, 2.0, 3.0, 4.0]],
        dims=("country", "age"),
        coords={"country": ["A"], **mp.age_coords(["0-4", "5-9", "10-14", "15+"])},
        attrs={"units": "persons"},
        name="population",
    ).assign_coords(time=1960.0)
    wide = mp.regroup_ages(people, [0, 10])
    assert wide.values.tolist() == [[3.0, 7.0]]
    assert wide.attrs == {"units": "persons"}
    assert wide.name == "population"
    assert wide["time"] == 1960
    assert wide["country"].values.tolist() == ["A"]


def test_regrouping_cuts_no_group_and_loses_nobody():
    people = xr.DataArray(np.ones(8), dims="age", coords=mp.age_coords(MIXED))
    with pytest.raises(mp.SchemaError, match=r"bound\(s\) \[15\] fall inside groups"):
        mp.regroup_ages(people, [0, 15, 60])
    with pytest.raises(mp.SchemaError, match="got 10 to inf: people would be lost"):
        mp.regroup_ages(people, [10, 60])


def test_a_code_for_unknown_age_is_no_age():
    counts = xr.DataArray(np.ones(4), dims="age", coords={"age": [0, 5, 10, 999]})
    with pytest.raises(mp.SchemaError, match="got 999, which reads like a code for unknown age"):
        mp.regroup_ages(counts, [0, 5])
