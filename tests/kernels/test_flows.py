import numpy as np
import pytest

from kernels import flows_reference as reference
from kernels.reference import picks
from migproj._jit import run
from migproj._kernels import flows as kernels

SYSTEMS = ["closed", "open", "open-crossed"]
TOLERANCE = 1e-13


def draw(rng, rows, n=5):
    """Stocks with empty cells; births of one country outnumber its natives."""
    start = rng.uniform(0.0, 100.0, (rows, n, n)) * (rng.random((rows, n, n)) > 0.3)
    end = start * rng.uniform(0.95, 1.05, (rows, n, n))
    for stock in (start, end):
        stock[:, np.arange(n), np.arange(n)] = rng.uniform(2000.0, 2200.0, (rows, n))
    births, deaths = rng.uniform(10.0, 60.0, (2, rows, n))
    start[:, 0, 0], end[:, 0, 0] = 40.0, 38.0
    start[:, 0, 1], end[:, 0, 1] = 700.0, 690.0
    births[:, 0] = 39.0
    return start, end, births, deaths


def accounts(given, index, system, native, by_account, before):
    n = given[0].shape[1]
    count = len(index[0])
    parts = np.full((count, 8, n, n), 7.0)
    whole = [np.full(count, 7, np.int64) for _ in range(4)]
    error = np.full(count, 7.0)
    paired = [part for pair in zip(given, index, strict=True) for part in pair]
    run(
        kernels.accounts,
        count,
        *paired,
        parts,
        whole[0],
        error,
        *whole[1:],
        np.arange(count),
        kernels.NATIVE if native else kernels.STOCK_END,
        kernels.BIRTHPLACE if by_account else kernels.STOCK_START,
        SYSTEMS.index(system),
        kernels.BALANCE_BEFORE if before else kernels.BALANCE_AFTER,
        TOLERANCE,
        100_000,
    )
    return np.ascontiguousarray(parts.swapaxes(0, 1)), error, whole


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("by_account", [False, True])
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("system", SYSTEMS)
def test_accounts(system, native, by_account, before):
    if by_account and (system != "closed" or not before):
        return  # deaths by account need people to grow by births less deaths
    rng = np.random.default_rng(1)
    given = draw(rng, 3)
    if by_account:
        # Deaths that close the accounts: of the end, less than survive and move.
        start, end, births, deaths = given
        deaths[...] = 0.03 * start.sum(2)
        end[...] = start * 0.97
        end[:, np.arange(5), np.arange(5)] += births
    index = [picks(rng, 7, 3) for _ in given]
    if by_account:
        index = [index[0]] * 4
    (first, last, born, dead, left, came, more, grown), error, (times, fault, _, spread) = accounts(
        given, index, system, native, by_account, before
    )
    assert (times >= 0).all()
    assert (spread == native * (not by_account)).all()
    if system == "open-crossed":
        assert set(fault.tolist()) == {kernels.NOTHING, kernels.OUTSIDE_ABOVE}
    else:
        assert (fault == kernels.NOTHING).all()
    for row in range(7):
        own = [array[k[row]] for array, k in zip(given, index, strict=True)]
        wanted = reference.account(*own, system, native, by_account, before)
        negative = any((part < -1e-9).any() for part in wanted)
        assert negative == (fault[row] != kernels.NOTHING)
        if negative:
            assert all(np.isnan(part[row]).all() for part in (first, last, born, left))
            continue
        for got, want in zip((first, last, born, dead, left, came), wanted, strict=True):
            # Fits end within the tolerance of a margin; how far cells are off depends on how
            # fast they converge.
            np.testing.assert_allclose(got[row], want, rtol=0, atol=1e-7)
        for change, stock, used in (
            (more, own[0], first[row] + dead[row]),
            (grown, own[1], last[row] + born[row]),
        ):
            want = used - stock if system == "closed" else np.zeros_like(stock)
            np.testing.assert_allclose(change[row], want, rtol=0, atol=1e-11)
        np.testing.assert_allclose(first[row].sum(0), last[row].sum(0), rtol=1e-13)
        assert error[row] <= TOLERANCE * own[0].sum(1).max() * 2


def fill(before, after, prior, weight):
    """By rows; with rows of several birthplaces, the flows of them together."""
    one = before.ndim == 2
    if one:
        before, after = before[:, None], after[:, None]
    count, several, n = before.shape
    flows, stayers = np.full((count, n, n), 7.0), np.full((count, several, n), 7.0)
    times, fault, place = (np.full(count, 7, np.int64) for _ in range(3))
    error = np.full(count, 7.0)
    every = np.arange(count)
    run(
        kernels.fill,
        count,
        before,
        every,
        after,
        every,
        np.ones((1, 1, 1, 1)) if prior is None else prior.reshape(1, -1, n, n),
        np.zeros(count, np.int64),
        flows,
        stayers,
        times,
        error,
        fault,
        place,
        every,
        prior is not None,
        weight,
        TOLERANCE,
        100_000,
    )
    return flows, stayers[:, 0] if one else stayers, times, error, fault, place


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("weight", [1.0, 0.0, 0.3])
def test_fill(weight, given):
    rng = np.random.default_rng(2)
    first, last, *_ = reference.account(
        *[array[0] for array in draw(rng, 1)], "closed", True, False, True
    )
    prior = rng.uniform(0.1, 2.0, (5, 5)) if given else None
    flows, stayers, times, error, fault, _ = fill(
        np.ascontiguousarray(first.T), np.ascontiguousarray(last.T), prior, weight
    )
    want = sum(
        share * reference.flows(first, last, prior, fewest)
        for share, fewest in ((weight, True), (1 - weight, False))
    )
    got = flows.transpose(1, 2, 0).copy()
    assert (np.diagonal(got) == 0).all()
    got[np.arange(5), np.arange(5)] = stayers.T
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-8)
    assert (fault == 0).all()
    assert (times > 0).any() == given
    assert (error <= 1e-9).all()


@pytest.mark.parametrize("priors", [0, 1, 4])
@pytest.mark.parametrize("weight", [1.0, 0.0, 0.3])
def test_fill_sums_over_birthplaces(weight, priors):
    rng = np.random.default_rng(5)
    before = rng.uniform(0.0, 50.0, (3, 4, 5)) * (rng.random((3, 4, 5)) > 0.2)
    before[1, 2] = 0.0  # nobody
    after = rng.permuted(before, axis=2)
    prior = rng.uniform(0.1, 2.0, (priors, 5, 5)) if priors else None
    flows, stayers, times, error, fault, _ = fill(before, after, prior, weight)
    assert (fault == 0).all()
    for row in range(3):
        parts = [
            fill(before[row, k][None], after[row, k][None],
                 prior if prior is None or priors == 1 else prior[k], weight)
            for k in range(4)
        ]  # fmt: skip
        np.testing.assert_allclose(flows[row], sum(part[0][0] for part in parts), rtol=1e-14)
        for got, want in ((stayers[row], 1), (times[row], 2), (error[row], 3)):
            alone = np.array([part[want][0] for part in parts])
            np.testing.assert_array_equal(got, alone if want == 1 else alone.max())


def test_a_fault_of_one_birthplace():
    """Its flows cannot be found, so the sum cannot: it is missing, and the place says which."""
    before = np.array([[[10.0, 0.0], [0.0, 7.0], [3.0, 3.0]], [[1.0, 1.0]] * 3])
    after = np.array([[[10.0, 0.0], [7.0, 0.0], [3.0, 3.0]], [[1.0, 1.0]] * 3])
    flows, stayers, _, error, fault, place = fill(before, after, np.eye(2), 1.0)
    assert fault.tolist() == [kernels.FLOWS_UNMET, kernels.NOTHING]
    assert error.tolist() == [7.0, 0.0]
    assert place[0] == 1 * 4 + 2 + 0  # of the second birthplace, the first destination
    assert np.isnan(flows[0]).all()
    assert np.isnan(stayers[0]).all()
    assert np.isfinite(flows[1]).all()
    before[1, 1, 0] = np.nan
    flows, stayers, _, error, fault, _ = fill(before, after, None, 1.0)
    assert np.isnan(flows[1]).all()
    assert np.isnan(stayers[1]).all()
    assert np.isnan(error).tolist() == [False, True]


def test_fill_where_nobody_can_move():
    before, after = np.array([[10.0, 0.0], [5.0, 5.0]]), np.array([[0.0, 10.0], [5.0, 5.0]])
    _, _, _, error, fault, _ = fill(before, after, np.zeros((2, 2)), 1.0)
    assert fault.tolist() == [kernels.FLOWS_UNMET, kernels.NOTHING]
    assert error.tolist() == [10.0, 0.0]


def test_missing_numbers_stay_in_their_account():
    rng = np.random.default_rng(3)
    given = draw(rng, 2)
    given[2][1, 3] = np.nan
    index = [np.arange(2)] * 4
    parts, error, (times, *_) = accounts(given, index, "closed", True, False, True)
    assert all(np.isnan(part[1]).all() and np.isfinite(part[0]).all() for part in parts)
    assert np.isnan(error).tolist() == [False, True]
    assert times[1] == 0
    flows, stayers, _, error, *_ = fill(parts[0][1], parts[1][1], None, 1.0)
    assert np.isnan(flows).all()
    assert np.isnan(stayers).all()
    assert np.isnan(error).all()
