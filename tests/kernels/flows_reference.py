"""Flows from stocks in plain NumPy, one account at a time, fitted as three-way tables."""

from __future__ import annotations

import numpy as np


def proportional(seed, targets, axes, rounds=100_000, tolerance=1e-13):
    """`seed` scaled to each target in turn; `axes` are those to sum over."""
    fitted = seed.astype(float)
    for _ in range(rounds):
        worst = 0.0
        for target, axis in zip(targets, axes, strict=True):
            have = fitted.sum(axis)
            worst = max(worst, np.abs(have - target).max())
            ratio = np.divide(target, have, out=np.zeros_like(have), where=have != 0)
            fitted = fitted * np.expand_dims(ratio, axis)
        if worst <= tolerance * max(np.abs(target).max() for target in targets):
            break
    return fitted


def shares(stock, axis):
    whole = stock.sum(axis, keepdims=True)
    return np.divide(stock, whole, out=np.zeros_like(stock), where=whole != 0)


def account(start, end, births, deaths, system, native, by_account, before):
    """Who is where of those there at both instants, births, deaths, who left and who came.

    Arrays are by country and birthplace.
    """
    first, last = start.astype(float), end.astype(float)
    home = np.arange(len(first))

    def balance(first, last, growth):
        missing = growth - (last.sum() - first.sum())
        for stock, part in ((first, -missing / 2), (last, missing / 2)):
            stock[home, home] *= 1 + part / stock.trace()

    if system == "closed" and before:
        balance(first, last, births.sum() - deaths.sum())
    if by_account:
        of_birthplace = first.sum(0) + births - last.sum(0)
        dead = proportional(first, [deaths, of_birthplace], [1, 0])
    else:
        dead = shares(first, 1) * deaths[:, None]
    born = shares(last, 1) * births[:, None]
    if native:
        enough = last[home, home] >= births
        born[enough] = np.diag(births)[enough]
    first, last = first - dead, last - born
    left, came = np.zeros_like(first), np.zeros_like(first)
    if system == "closed":
        if not before:
            balance(first, last, 0.0)
        mean = (first.sum(0) + last.sum(0)) / 2
        first = proportional(first, [first.sum(1), mean], [1, 0])
        last = proportional(last, [last.sum(1), mean], [1, 0])
    else:
        more = first.sum(0) - last.sum(0)
        as_left, as_came = (first, last) if system == "open" else (last, first)
        left = shares(as_left, 0) * np.maximum(more, 0.0)
        came = shares(as_came, 0) * np.maximum(-more, 0.0)
        first, last = first - left, last - came
    return first, last, born, dead, left, came


def flows(first, last, prior, fewest):
    """(origin, destination, birthplace), those who stay on the diagonal."""
    n = len(first)
    stay = np.minimum(first, last) if fewest else np.zeros_like(first)
    seed = np.repeat((np.ones((n, n)) if prior is None else prior)[:, :, None], n, axis=2)
    table = proportional(seed, [first - stay, last - stay], [1, 0])
    table[np.arange(n), np.arange(n)] += stay
    return table
