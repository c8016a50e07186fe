"""Flows of the world from stocks, beside proportional fitting in plain NumPy."""

from __future__ import annotations

from . import flows, measure

#: How often as fast as plain NumPy, at the least; and GB that a process may hold.
_LEAST = 10.0
_MOST = 1.0


def test_flows_beside_numpy(benchmark, sizes, check, note):
    countries = 230 if sizes.full else 40
    taken = benchmark.pedantic(flows.measure, args=(countries,), rounds=1)
    case = f"flows_from_stocks {countries} x {countries} x 2"
    peak = taken["uniform"]["peak"] / 1e9
    check(measure.Check(case, "peak of the process, GB", peak, _MOST))
    for name in ("uniform", "prior", "summed"):
        some = taken[name]
        # Both fits stop at the same tolerance, of the largest margin, from different sides.
        assert some["largest_difference"] < 1e-9 * taken["people"]
        ratio = some["numpy_seconds"] / some["seconds"]
        check(measure.Check(f"{case}, {name}", "times as fast as NumPy", ratio, _LEAST, least=True))
        note(
            f"{case}, {name}: {some['seconds']:.3f} s and {some['rounds']} rounds, NumPy "
            f"{some['numpy_seconds']:.2f} s and {some['numpy_rounds']}; at most "
            f"{some['peak'] / 1e9:.2f} GB so far"
        )
