"""Values of permutation-equivariant circuits by QuTiP's PIQS: its Liouvillian in the Dicke basis, and ``mesolve``.

PIQS takes D[sigma_z/2], so that its rate of dephasing is four times ours, and calls M = +J excited, so that its pumping
is relaxation from |1> to |0> here. It solves rho' = L rho for one unit of time after each layer; its coefficients of
local noise are of single precision. There are no gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import qutip
from qutip.piqs.piqs import Dicke, excited, jspin
from scipy.linalg import expm

__all__ = ["piqs_value"]


def piqs_value(num_qubits: int, layers: int, dephasing: float, down: float) -> Callable[[np.ndarray], float]:
    """A function from angles, shape (3 layers,), to mean Z; Liouvillian and spin operators are built outside of it."""
    liouvillian = Dicke(N=num_qubits, dephasing=4 * dephasing, pumping=down).liouvillian()
    spin = [operator.full() for operator in jspin(num_qubits)]
    x, y, z = spin
    start = excited(num_qubits)
    options = {"atol": 1e-10, "rtol": 1e-10, "nsteps": 100_000}

    def run(theta: np.ndarray) -> float:
        rho = start.full()
        for layer in range(layers):
            a, b, c = theta[3 * layer : 3 * layer + 3]
            unitary = np.diag(np.exp(-1j * c * np.diag(z) ** 2)) @ expm(-1j * b * y) @ expm(-1j * a * x)
            turned = qutip.Qobj(unitary @ rho @ unitary.conj().T, dims=start.dims)
            rho = qutip.mesolve(liouvillian, turned, [0.0, 1.0], options=options).states[-1].full()
        return float(2 * np.trace(z @ rho).real / num_qubits)

    return run
