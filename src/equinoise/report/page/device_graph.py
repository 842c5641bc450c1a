"""Where qubits sit in a picture: a device's couplers, or the bonds of a circuit, with coordinates in the plane."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equinoise.errors import DeviceError, EquinoiseError
from equinoise.report.page.results import Results

__all__ = ["DeviceGraph", "coordinates", "device_graph", "graph_of"]

Real = npt.NDArray[np.float64]
Pair = tuple[int, int]

_LONGEST_LINE = 12
_AROUND = 2
_WHOLE = 24
_STEPS = 400


@dataclass(frozen=True)
class DeviceGraph:
    """A circuit's qubits in the plane.

    Attributes:
        qubits: Circuit qubits, shape (n,).
        physical: The physical qubit of each, empty where the circuit is on no device.
        positions: x and y of each, shape (n, 2); neighbours are about 1 apart.
        bonds: Pairs of circuit qubits with a gate, or a coupler, between them.
        around: x and y of the device's qubits nearby that the circuit does not use, shape (m, 2).
        around_names: Their physical numbers, shape (m,).
        around_lines: Couplers among and to those, as x0, y0, x1, y1, shape (k, 4).
        caption: What is drawn.
    """

    qubits: tuple[int, ...]
    physical: tuple[int, ...]
    positions: Real
    bonds: tuple[Pair, ...]
    around: Real
    around_names: tuple[int, ...]
    around_lines: Real
    caption: str


def coordinates(num_qubits: int, pairs: Sequence[Pair]) -> Real:
    """A flat drawing of a graph in which distances along edges become distances on paper, shape (n, 2).

    A path becomes rows read like a text whose every second line runs backwards, a cycle a circle, any other graph is
    drawn by stress majorization: minimize sum (|x_i - x_j| - d_ij)^2 / d_ij^2, d_ij the number of edges between i and
    j, starting from classical scaling.

    Args:
        num_qubits: Number of vertices n.
        pairs: Edges.

    Example:
        >>> coordinates(3, [(0, 1), (1, 2)]).tolist()
        [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
    """
    edges = {(min(p), max(p)) for p in pairs if p[0] != p[1]}
    if not edges or edges == {(i, i + 1) for i in range(num_qubits - 1)}:
        per_row = num_qubits if num_qubits <= _LONGEST_LINE else math.ceil(num_qubits / math.ceil(num_qubits / 10))
        place = np.arange(num_qubits)
        row, column = place // per_row, place % per_row
        backwards = per_row - 1 - column
        return np.stack([np.where(row % 2 == 0, column, backwards), -row], axis=1).astype(np.float64) + 0.0
    if edges == {(i, i + 1) for i in range(num_qubits - 1)} | {(0, num_qubits - 1)}:
        angle = np.pi / 2 - 2 * np.pi * np.arange(num_qubits) / num_qubits
        return np.stack([np.cos(angle), np.sin(angle)], axis=1) / (2 * math.sin(math.pi / num_qubits))
    return _stress(_distances(num_qubits, edges))


def _distances(num_qubits: int, edges: Iterable[Pair]) -> Real:
    """Number of edges between any two vertices; parts that are not connected a little further than the widest part."""
    step = np.zeros((num_qubits, num_qubits), dtype=bool)
    for a, b in edges:
        step[a, b] = step[b, a] = True
    distance = np.where(np.eye(num_qubits, dtype=bool), 0.0, math.inf)
    reached = np.eye(num_qubits, dtype=bool)
    front, length = reached, 0.0
    while front.any():
        length += 1.0
        front = (front.astype(np.int64) @ step.astype(np.int64) > 0) & ~reached
        distance[front] = length
        reached = reached | front
    widest = distance[np.isfinite(distance)].max(initial=0.0)
    return np.where(np.isfinite(distance), distance, widest + 2.0)


def _stress(distance: Real) -> Real:
    count = len(distance)
    centre = np.eye(count) - 1.0 / count
    values, vectors = np.linalg.eigh(-0.5 * centre @ distance**2 @ centre)
    points = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 1e-9))
    # parts alike in distance would start, and stay, on top of one another
    points = points + np.random.default_rng(0).normal(scale=0.05, size=points.shape)
    weight = 1.0 / np.where(distance > 0, distance, math.inf) ** 2
    inverse = np.linalg.pinv(np.diag(weight.sum(axis=1)) - weight)
    for _ in range(_STEPS):
        apart = np.linalg.norm(points[:, None] - points[None, :], axis=2)
        ratio = -weight * distance / np.where(apart > 1e-9, apart, math.inf)
        np.fill_diagonal(ratio, -ratio.sum(axis=1))
        points = inverse @ ratio @ points
    # long side across the page, first vertex to the upper left: the same picture on every machine
    _, _, axes = np.linalg.svd(points - points.mean(axis=0))
    points = (points - points.mean(axis=0)) @ axes.T
    flip = np.where(points[0] * np.array([-1.0, 1.0]) < 0, -1.0, 1.0)
    return np.asarray(points * flip)


@functools.cache
def _device(name: str) -> tuple[int, tuple[Pair, ...], Real]:
    from equinoise.device.snapshots import couplers

    pairs = couplers(name)
    count = 1 + max(max(pair) for pair in pairs)
    return count, pairs, coordinates(count, pairs)


@functools.cache
def _built_bonds(source: str) -> tuple[Pair, ...]:
    from equinoise.circuit.layers import split_layers
    from equinoise.sources import load_circuit

    layers = split_layers(load_circuit(source))
    return tuple(
        sorted({(min(b.qubits), max(b.qubits)) for layer in layers for b in layer.blocks if len(b.qubits) == 2})
    )


def device_graph(
    qubits: Sequence[int], bonds: Sequence[Pair], device: str | None = None, layout: Sequence[int] = ()
) -> DeviceGraph:
    """The picture of a circuit, on its device if it is on one.

    Args:
        qubits: Circuit qubits to draw.
        bonds: Pairs of circuit qubits with a gate between them; empty if unknown.
        device: A snapshot's name, None for no device.
        layout: Physical qubit of each circuit qubit.

    Raises:
        DeviceError: No such snapshot, or qiskit-ibm-runtime is missing.
    """
    nothing = np.zeros((0, 2)), (), np.zeros((0, 4))
    drawn = tuple(sorted(qubits))
    if device is None or not layout:
        place = {qubit: i for i, qubit in enumerate(drawn)}
        kept = tuple(sorted(pair for pair in bonds if set(pair) <= set(place)))
        said = "the circuit's bonds" if kept else "the circuit's qubits in a row (its bonds are not recorded)"
        positions = coordinates(len(drawn), [(place[a], place[b]) for a, b in kept])
        return DeviceGraph(drawn, (), positions, kept, *nothing, said)
    count, pairs, everywhere = _device(device)
    if max(layout) >= count or len(layout) <= max(drawn):
        raise DeviceError(f"the layout {list(layout)} does not fit {device} (qubits 0..{count - 1}) and the circuit.")
    site = {qubit: layout[qubit] for qubit in drawn}
    back = {physical: qubit for qubit, physical in site.items()}
    used = tuple(sorted((min(back[a], back[b]), max(back[a], back[b])) for a, b in pairs if {a, b} <= set(back)))
    near = set(back)
    for _ in range(_AROUND):
        near |= {end for pair in pairs if near & set(pair) for end in pair}
    others = tuple(sorted(near - set(back)))
    lines = [[*everywhere[a], *everywhere[b]] for a, b in pairs if {a, b} <= near and not {a, b} <= set(back)]
    return DeviceGraph(
        qubits=drawn,
        physical=tuple(site.values()),
        positions=everywhere[list(site.values())],
        bonds=used,
        around=everywhere[list(others)].reshape(-1, 2),
        around_names=others,
        around_lines=np.array(lines, dtype=np.float64).reshape(-1, 4),
        caption=f"couplers of {device.removeprefix('fake_')}",
    )


def graph_of(results: Results, row: Mapping[str, Any]) -> DeviceGraph:
    """The picture for one row: its device and layout, else the bonds of its circuit as far as known.

    Of circuits on more than 24 qubits only the light cone is drawn.
    """
    count = int(row["num_qubits"])
    seen = {q for part in results.budgets.get(str(row["key"]), ()) for q in part.qubits} | set(row.get("cone") or ())
    drawn = tuple(range(count)) if count <= _WHOLE or not seen else tuple(sorted(seen))
    bonds = row.get("couplings") or _bonds(results, row)
    return _cached_graph(drawn, tuple(bonds), *_placement(row))


@functools.cache
def _cached_graph(
    drawn: tuple[int, ...], bonds: tuple[Pair, ...], device: str | None, layout: tuple[int, ...]
) -> DeviceGraph:
    try:
        return device_graph(drawn, bonds, device, layout)
    except DeviceError:  # no snapshots on this machine, or a device that is none of them: its bonds remain
        return device_graph(drawn, bonds)


def _placement(row: Mapping[str, Any]) -> tuple[str | None, tuple[int, ...]]:
    layout = tuple(int(q) for q in str(row.get("layout") or "").split(",") if q)
    return (str(row["device"]), layout) if row.get("device") and layout else (None, ())


def _bonds(results: Results, row: Mapping[str, Any]) -> tuple[Pair, ...]:
    source = str(row.get("source") or "")
    if ":" in source:
        try:
            found = _built_bonds(source)
        except EquinoiseError:
            found = ()  # a builder of another version; the budget's pairs remain
        if found:
            return found
    parts = results.budgets.get(str(row["key"]), ())
    count = int(row["num_qubits"])
    pairs = {(min(p.qubits), max(p.qubits)) for p in parts if len(p.qubits) == 2}
    return tuple(sorted(p for p in pairs if p[1] < count))
