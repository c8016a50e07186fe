"""Uniform numbers by Philox4x32-10, against the generator's published answers."""

import numpy as np
import pytest

from migproj import _jit
from migproj._kernels import draws as kernels

#: Counter, key and result of Salmon et al. (2011), as in Random123's known-answer tests.
KNOWN = [
    (
        [0, 0, 0, 0],
        [0, 0],
        [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8],
    ),
    (
        [0xFFFFFFFF] * 4,
        [0xFFFFFFFF] * 2,
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
    ),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def signed(low, high):
    return np.array([low | high << 32], dtype=np.uint64).view(np.int64)


def uniform(number, cell, key):
    out = np.empty((number.size, cell.size))
    rows = np.arange(number.size)
    _jit.run(
        kernels.uniform,
        number.size,
        number,
        rows,
        cell.reshape(1, -1),
        np.zeros(number.size, dtype=np.int64),
        out,
        rows[::-1].copy(),
        key,
    )
    return out[::-1]


@pytest.mark.parametrize(("counter", "key", "known"), KNOWN)
def test_known_answers(counter, key, known):
    got = uniform(signed(*counter[:2]), signed(*counter[2:]), signed(*key))
    bits = (known[0] | known[1] << 32) >> 12
    assert got[0, 0] == (bits + 0.5) / 2**52


def test_distribution():
    """NumPy has Philox4x64-10: other numbers, of the same distribution."""
    numbers = np.arange(2000, dtype=np.int64)
    got = uniform(numbers, np.arange(50, dtype=np.int64), signed(7, 0))
    theirs = np.random.Generator(np.random.Philox(7)).random(100_000)
    # Two samples of 100,000 differ by more than 0.0087 in distribution once in a thousand.
    at = np.linspace(0, 1, 201)
    ours, peer = (np.searchsorted(np.sort(x.ravel()), at) / x.size for x in (got, theirs))
    assert np.abs(ours - peer).max() < 0.0087
    assert (got > 0).all()
    assert (got < 1).all()
    # Neither the draws nor the cells next to each other are correlated (5 standard errors).
    for a, b in ((got[1:], got[:-1]), (got[:, 1:], got[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)
