"""One site of the replica average: the six states of (ket, bra) twice that independent Z rotations leave.

g^2 = g g* is linear in rho (x) rho*, whose elements on a site are rho_xy rho*_x'y'. A uniform Z rotation turns the
phase of an element by theta (z_x - z_y - z_x' + z_y')/2, so that its mean keeps x - y = x' - y' alone:

    00;00  00;11  11;00  11;11  (a population in both)      10;10  01;01  (a coherence in both)

Complex conjugation equals exchanging the replicas. Real coordinates follow: those of 00;00, 11;11, of
(00;11 + 11;00)/sqrt 2 and i (00;11 - 11;00)/sqrt 2, of 10;10 and 01;01.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = [
    "DIFFERENCE",
    "ODD",
    "POPULATIONS",
    "STATES",
    "TRACE",
    "operator_from_elements",
    "readout_coordinates",
    "site_elements",
    "state_coordinates",
]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Index = npt.NDArray[np.int64]

# (x, y, x', y') of each state
STATES = ((0, 0, 0, 0), (0, 0, 1, 1), (1, 1, 0, 0), (1, 1, 1, 1), (1, 0, 1, 0), (0, 1, 0, 1))
_ROOT = 1 / math.sqrt(2)
# columns: the real coordinates' vectors in the states above
_BASIS: Complex = np.array(
    [
        [1, 0, 0, 0, 0, 0],
        [0, 0, _ROOT, 1j * _ROOT, 0, 0],
        [0, 0, _ROOT, -1j * _ROOT, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ],
    dtype=np.complex128,
)
# x - y of each real coordinate, and whether it is odd under exchanging the replicas
DIFFERENCE = np.array([0, 0, 0, 0, 1, -1])
ODD = np.array([0, 0, 0, 1, 0, 0])
# both traces at once
TRACE: Real = np.array([1.0, 1.0, math.sqrt(2), 0.0, 0.0, 0.0])
# how many coordinates are populations in both replicas; they come first
POPULATIONS = 4


@lru_cache(maxsize=4)
def _basis(sites: int) -> Complex:
    return np.asarray(_BASIS if sites == 1 else np.kron(_basis(sites - 1), _BASIS))


@lru_cache(maxsize=4)
def site_elements(sites: int) -> tuple[Index, Index, Index, Index]:
    """x, y, x', y' of the 6^k states of k sites, the first site the least significant bit and the slowest state."""
    bits = np.array(STATES)
    shape = (6,) * sites
    states = np.stack(np.unravel_index(np.arange(6**sites), shape))
    out = [sum(bits[states[i], c] << i for i in range(sites)) for c in range(4)]
    return tuple(np.asarray(o, dtype=np.int64) for o in out)  # type: ignore[return-value]


def state_coordinates(rho: Complex) -> Real:
    """Real coordinates of rho (x) rho* of one site, shape (6,), for a one-qubit density matrix rho."""
    x, y, x2, y2 = site_elements(1)
    return np.asarray((_BASIS.conj().T @ (rho[x, y] * rho[x2, y2].conj())).real)


def readout_coordinates(elements: Complex) -> Complex:
    """Coordinates in which a readout is contracted with states, from those on the six states (last axis).

    The element of a readout O (x) O* at (x, y; x', y') is O_yx O*_y'x'. Of the whole readout they are real; those of a
    single site need not be.
    """
    return np.asarray(elements @ _BASIS)


def operator_from_elements(matrix: Complex) -> Real:
    """A linear map on the 6^k states, shape (6^k, 6^k), in real coordinates."""
    # Exchanging the replicas conjugates: M (x) M* and E (x) 1 + 1 (x) E* keep operators of the form sum rho (x) rho*,
    # whose coordinates in this basis are real. So the matrix is real there, up to rounding.
    sites = round(math.log(matrix.shape[0], 6))
    basis = _basis(sites)
    return np.ascontiguousarray((basis.conj().T @ matrix @ basis).real)
