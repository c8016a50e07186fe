import numpy as np
import pytest
from scipy.optimize import minimize

from kernels import reference
from migproj._jit import run
from migproj._kernels import closing as kernels

X = np.arange(62.5, 97.5, 5)
TERMS = {
    "gompertz": (0, 0.0),
    "kannisto": (0, 1.0),
    "kannisto-makeham": (kernels.MAKEHAM_TERM, 1.0),
    "beard": (kernels.FREE_K, 0.0),
    "beard-makeham": (kernels.MAKEHAM_TERM + kernels.FREE_K, 0.0),
    "quadratic": (kernels.QUADRATIC, 0.0),
}


def rate(terms, found):
    a, b, c, k = found
    if terms == kernels.QUADRATIC:
        return a + b * X + c * X**2
    return c + 1 / (k + np.exp(-b * X) / a)


def loss(mu, first, exposure):
    if exposure is None:
        return (np.log(mu / first) ** 2).sum()
    expected = exposure * mu
    logs = np.where(first > 0, first * np.log(np.maximum(first, 1e-9) / expected), 0.0)
    return 2 * (logs - first + expected).sum()


@pytest.mark.parametrize("by_deaths", [0, 1])
@pytest.mark.parametrize("law", TERMS)
def test_no_other_parameters_fit_better(law, by_deaths):
    """Rows gathered, results scattered; each against a simplex that starts from what is found."""
    terms, fixed_k = TERMS[law]
    rng = np.random.default_rng(7)
    n = 5
    odds = 2e-5 * np.exp(0.105 * X) * rng.uniform(0.8, 1.2, (3, X.size))
    exposure = 1e5 * np.exp(-0.1 * (X - 60)) * rng.uniform(0.5, 2, (2, X.size))
    first = odds / (1 + odds)
    if by_deaths:
        first = np.round(first * exposure[0])
    first_row, exposure_row = reference.picks(rng, n, 3), reference.picks(rng, n, 2)
    out_row = rng.permutation(n)
    found = np.zeros((n, 4))
    parameters = (X, terms, fixed_k, by_deaths)
    run(
        kernels.fit_law, n, first, first_row, exposure, exposure_row, found, out_row, *parameters
    )  # fmt: skip
    fitted = [0, 1] + [2] * bool(terms & 5) + [3] * bool(terms & kernels.FREE_K)
    for b in range(n):
        best = found[out_row[b]]
        assert np.isfinite(best).all()
        data = first[first_row[b]], exposure[exposure_row[b]] if by_deaths else None
        least = loss(rate(terms, best), *data)

        def other(scaled, best=best, data=data):
            trial = best.copy()
            trial[fitted] = scaled * np.where(best[fitted] == 0, 1e-3, best[fitted])
            mu = rate(terms, trial)
            bounded = terms == kernels.QUADRATIC or (trial[2:] >= 0).all()
            return loss(mu, *data) if bounded and (mu > 0).all() else np.inf

        start = np.where(best[fitted] == 0, 0.0, 1.0)
        simplex = np.vstack([start, start + 1e-3 * np.eye(len(fitted))])
        options = {"initial_simplex": simplex, "maxiter": 2000, "xatol": 1e-10, "fatol": 1e-14}
        with np.errstate(all="ignore"):
            tried = minimize(other, start, method="Nelder-Mead", options=options)
        assert least <= tried.fun * (1 + 1e-9)


def test_rows_that_cannot_be_fitted():
    first = np.array([[0.0] * 7, [np.nan] * 7, [1.0] * 7])
    exposure = np.array([[1.0] * 7, [1.0, *[0.0] * 6]])
    rows = np.arange(3)
    found = np.zeros((3, 4))
    parameters = (X, 0, 1.0, 1)
    run(kernels.fit_law, 3, first, rows, exposure, np.array([0, 0, 1]), found, rows, *parameters)
    assert np.isnan(found).all()
