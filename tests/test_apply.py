"""The bridge: inputs keep their own dims, kernels see one kind of array, labels only label."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj import _apply, _jit
from migproj._apply import Input, Output, apply
from migproj._kernels import ages as kernels
from migproj._kernels import netmigration

AGES = mp.age_coords([0, 5, 10, 15])
OFFSETS = np.array([0, 2, 4])
COUNTRIES = ["A", "B", "C"]


def people(dtype=float):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    return xr.DataArray(values, dims=("country", "age"), coords={"country": COUNTRIES, **AGES})


def regroup(array):
    output = Output("population", ("age",), (2,))
    return apply(kernels.regroup, [Input("counts", array, ("age",))], [output], OFFSETS)[0]


FORMS = {
    "float32": lambda a: a.astype("float32"),
    "int32": lambda a: a.astype("int32"),
    "big-endian": lambda a: a.astype(">f8"),
    "Fortran": lambda a: a.copy(data=np.asfortranarray(a.values)),
    "transposed": lambda a: a.T,
    "strided": lambda a: xr.concat([a, a], "twice").transpose(..., "twice").isel(twice=0),
    "reversed": lambda a: a.isel(country=slice(None, None, -1)).isel(country=slice(None, None, -1)),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_array_gives_the_same_numbers(form):
    xr.testing.assert_identical(
        regroup(FORMS[form](people())).transpose("country", "age"), regroup(people())
    )


def test_read_only_input():
    locked = people()
    locked.values.flags.writeable = False
    xr.testing.assert_identical(regroup(locked), regroup(people()))
    assert not locked.values.flags.writeable


def test_a_kernel_has_one_signature():
    for form in FORMS.values():
        regroup(form(people()))
    assert len(kernels.regroup.signatures) <= 1  # none with the compiler off


@pytest.fixture
def seen(monkeypatch):
    """What the bridge hands to the kernel."""
    calls = []
    run = _jit.run

    def spy(function, n, *args, **options):
        calls.append((function.__name__, n, args))
        run(function, n, *args, **options)

    monkeypatch.setattr(_jit, "run", spy)
    return calls


def test_an_input_keeps_only_its_own_dims(seen):
    draws = xr.DataArray(np.zeros(50), dims="draw", coords={"draw": range(50)})
    end = people() + 100
    mp.net_migration(
        end + draws, end, people() * 0 + 0.9, interval=5, children="none", method="forward"
    )
    (_, n, args), *_ = [call for call in seen if call[0] == "net_migration"]
    assert n == 150
    rows = {"start": args[0], "end": args[2], "survival": args[4], "births": args[6]}
    assert {key: len(array) for key, array in rows.items()} == {
        "start": 150,
        "end": 3,
        "survival": 3,
        "births": 1,
    }
    # The largest shared input is read row after row.
    assert (np.diff(args[3]) >= 0).all()
    for array in args[:10]:
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.dtype in (np.float64, np.int64)


@pytest.mark.parametrize("countries", [3, 200])
def test_the_batch_goes_in_the_order_of_a_large_shared_input(seen, countries):
    """A small one is at hand in any order: its batch goes as it lies in memory."""
    values = np.arange(4.0 * countries).reshape(countries, 4) + 100
    end = xr.DataArray(
        values, dims=("country", "age"), coords={"country": range(countries), **AGES}
    )
    draws = xr.DataArray(np.arange(5.0), dims="draw", coords={"draw": range(5)})
    start = draws + end
    assert start.dims == ("draw", "country", "age")
    options = {"interval": 5, "children": "none", "method": "forward"}
    made = mp.net_migration(start, end, end * 0 + 0.9, **options)["net_migration"]
    (_, _, args), *_ = [call for call in seen if call[0] == "net_migration"]
    own_row, shared_row = args[1], args[3]
    assert (np.diff(own_row) == 1).all() == (countries == 3)
    assert (np.diff(shared_row) >= 0).all() == (countries == 200)
    one = mp.net_migration(start.isel(draw=3), end, end * 0 + 0.9, **options)["net_migration"]
    xr.testing.assert_identical(made.isel(draw=3), one)


def test_broadcast_views_are_not_written_out(seen):
    wide = people().expand_dims(draw=np.arange(1000))
    assert wide.values.strides[0] == 0
    result = regroup(wide)
    _, n, args = seen[-1]
    assert n == 3000
    assert len(args[0]) == 3
    assert (result == regroup(people())).all()


def test_one_call_a_chunk_and_lazily(seen):
    lazy = regroup(people().chunk(country=1))
    assert seen == []
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), regroup(people()))
    assert [n for _, n, _ in seen] == [1, 1, 1, 3]


def test_a_core_dim_in_chunks():
    with pytest.raises(mp.SchemaError, match=r"dim 'age' is split into 2 dask chunks.*chunk\("):
        regroup(people().chunk(age=2))


def test_units_and_coordinates_come_back():
    named = people().assign_coords(name=("country", ["a", "b", "c"]), source="census", time=1960.0)
    result = regroup(named)
    assert result.attrs == {"units": "persons"}
    assert result["name"].values.tolist() == ["a", "b", "c"]
    assert result["source"] == "census"
    assert "time" not in result.coords  # an instant is the input's own: callers say the result's


def test_labels_of_a_dim_outlive_one_of_them_given_alone():
    places = people().rename(country="town")
    outcome = mp.net_migration(
        places.isel(town=0), places + 50, people().isel(country=0, drop=True) * 0 + 0.9,
        interval=5, children="none", method="forward",
    )  # fmt: skip
    assert outcome["town"].values.tolist() == COUNTRIES


def test_what_inputs_say_in_two_ways_is_said_by_none():
    start = people().assign_coords(name=("country", ["a", "b", "c"]), source=("country", [1, 2, 3]))
    end = (people() + 50).assign_coords(
        name=("country", ["a", "b", "c"]), source=("country", [1, 2, 4])
    )
    survival = people().isel(country=0, drop=True) * 0 + 0.9
    outcome = mp.net_migration(start, end, survival, interval=5, children="none", method="forward")
    assert outcome["name"].values.tolist() == ["a", "b", "c"]
    assert "source" not in outcome.coords


def test_levels_of_a_stacked_dim_come_back():
    stacked = people().expand_dims(sex=["female", "male"]).stack(row=("sex", "country"))
    result = regroup(stacked)
    assert result.indexes["row"].equals(stacked.indexes["row"])
    xr.testing.assert_identical(
        result.unstack("row").sel(sex="male", drop=True).transpose("country", "age"),
        regroup(people()),
    )


def test_unlabelled_dims_are_never_paired():
    start = people().drop_vars("country")
    inputs = [Input("start", start, ("age",)), Input("end", start, ("age",))]
    with pytest.raises(mp.SchemaError, match="start: dim 'country' has no labels.*by position"):
        apply(netmigration.net_migration, inputs, [Output("net_migration", ("age",), (4,))])


def test_nothing_to_do():
    none = _apply._Block(kernels.regroup, ((1, np.float64),), (((2,), np.float64),), (OFFSETS,))
    assert none(np.empty((0, 4))).shape == (0, 2)
