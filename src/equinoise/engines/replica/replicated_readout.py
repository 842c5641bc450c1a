"""The readout on the replicas, O (x) O* as a matrix product; a projected one counts charges along the chain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from equinoise.engines.replica.sites import readout_coordinates, site_elements
from equinoise.reduction.program import Program

__all__ = ["replica_readout"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

_LETTERS = {
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1.0, -1.0]).astype(np.complex128),
}
# singular values below this share of the largest are rounding
_ROUNDING = 1e-14


def replica_readout(program: Program, order: Sequence[int]) -> tuple[tuple[int, ...], tuple[Real, ...]]:
    """The sites that the readout sees, along the chain, and O (x) O* on them: tensors of shape (left, 6, right).

    Args:
        program: The compiled problem.
        order: Cone qubits along the chain.
    """
    place = {q: i for i, q in enumerate(program.cone.qubits)}
    terms = [
        (complex(c).real, {place[q]: _LETTERS[a] for a, q in zip(letters, qubits, strict=True)})
        for letters, qubits, c in program.problem.readout.to_sparse_list()
    ]
    weights = _charge_weights(program)
    touched = {site for _, factors in terms for site in factors}
    sites = tuple(i for i in order if weights is not None or i in touched)
    tensors = _compressed(_sum_of_products(terms, sites))
    if weights is not None:
        tensors = _compressed(_counting(tensors, weights))
    # O (x) O*: the bonds of the matrix product of O are doubled, and of the 16 elements of a site the six are kept.
    x, y, x2, y2 = site_elements(1)
    squared = []
    for a in tensors:  # a[l, x, y, r] holds O_yx
        pair = np.einsum("lsr,mst->lmsrt", a[:, x, y], a[:, x2, y2].conj())
        shape = (a.shape[0] ** 2, 6, a.shape[3] ** 2)
        squared.append(readout_coordinates(pair.transpose(0, 1, 3, 4, 2)).transpose(0, 1, 4, 2, 3).reshape(shape))
    found = _compressed(
        [_real(t, i == 0, i == len(squared) - 1)[:, :, None].astype(np.complex128) for i, t in enumerate(squared)]
    )
    return sites, tuple(np.ascontiguousarray(t[:, :, 0].real) for t in found)


def _charge_weights(program: Program) -> Real | None:
    """What a projected readout makes of each charge of the cone, shape (w + 1,); None where that is 1."""
    problem = program.problem
    if not problem.projected or problem.charge is None:
        return None
    strongly = program.noise_class in ("none", "strong")
    if strongly and problem.initial.bits is not None:
        return None  # the input's charge is the readout's
    weights = np.zeros(program.width + 1)
    for charge, weight in (program.charge_weights if strongly else {problem.charge: 1.0}).items():
        weights[charge] = weight
    return weights


def _sum_of_products(terms: Sequence[tuple[float, dict[int, Complex]]], sites: Sequence[int]) -> list[Complex]:
    """Tensors of shape (terms, 2, 2, terms), operators transposed: a readout is contracted as O_yx."""
    out = []
    for i, site in enumerate(sites):
        tensor = np.zeros((len(terms), 2, 2, len(terms)), dtype=np.complex128)
        for t, (coefficient, factors) in enumerate(terms):
            tensor[t, :, :, t] = factors.get(site, np.eye(2)).T * (coefficient if i == 0 else 1.0)
        if i == 0:
            tensor = tensor.sum(axis=0, keepdims=True)
        if i == len(sites) - 1:
            tensor = tensor.sum(axis=3, keepdims=True)
        out.append(tensor)
    return out


def _counting(tensors: Sequence[Complex], weights: Real) -> list[Complex]:
    """The operator with each charge multiplied by a weight: bonds carry the charge counted so far."""
    out = []
    # P = sum_q weight_q P_q is diagonal: a counter on the bond adds each site's x, and the weights close it at the end.
    # O conserves the charge, so counting the rows of O counts its columns too.
    for i, tensor in enumerate(tensors):
        left, right = tensor.shape[0], tensor.shape[3]
        wide = np.zeros((left, i + 1, 2, 2, right, i + 2), dtype=np.complex128)
        for n in range(i + 1):
            for x in (0, 1):
                wide[:, n, x, :, :, n + x] = tensor[:, x]
        if i == len(tensors) - 1:
            wide = (wide @ weights)[..., None]
        out.append(wide.reshape(left * (i + 1), 2, 2, -1))
    return out


def _real(tensor: Complex, first: bool, last: bool) -> Real:
    """Complex numbers as 2x2 matrices on the bonds; the ends take the real part, which is all there is."""
    # z -> [[Re z, -Im z], [Im z, Re z]] turns products of complex matrices into products of real ones; the first row
    # and the first column of the whole are its real part.
    left, size, right = tensor.shape
    out = np.zeros((left, 2, size, right, 2))
    out[:, 0, :, :, 0] = out[:, 1, :, :, 1] = tensor.real
    out[:, 0, :, :, 1] = -tensor.imag
    out[:, 1, :, :, 0] = tensor.imag
    rows = out[:, :1] if first else out
    both = rows[..., :1] if last else rows
    return both.reshape(left * both.shape[1], size, right * both.shape[4])


def _compressed(tensors: Sequence[Complex]) -> list[Complex]:
    """The same matrix product (tensors of four indices) with no more than its bonds need."""
    # QR from the right makes all tensors but the first isometries, so the singular values met from the left are those
    # of the whole vector at each bond: what is at rounding there is dropped.
    out = list(tensors)
    for i in range(len(out) - 1, 0, -1):
        t = out[i]
        q, r = np.linalg.qr(t.reshape(t.shape[0], -1).T)
        out[i] = q.T.reshape(-1, *t.shape[1:])
        out[i - 1] = np.tensordot(out[i - 1], r.T, axes=(3, 0))
    for i in range(len(out) - 1):
        t = out[i]
        u, s, v = np.linalg.svd(t.reshape(-1, t.shape[3]), full_matrices=False)
        kept = max(1, int(np.count_nonzero(s > _ROUNDING * s[0])))
        out[i] = u[:, :kept].reshape(*t.shape[:3], kept)
        out[i + 1] = np.tensordot(s[:kept, None] * v[:kept], out[i + 1], axes=(1, 0))
    return out
