"""How often the intervals and bounds hold the truth: subsets of a pool of draws of five named problems.

    python -m benchmarks.coverage [POOL.npz] [--spectrum SUBSETS]

The pool (20,000 draws a problem, some minutes of one processor) is built once and kept in the file named, or in the
temporary folder. Its means stand for the truth; the exact survival that the bounds are held against is the engine
"replica"'s. Every number of draws sees the same 1,000 subsets. ``--spectrum`` also takes the bounds from the coherence
spectrum, two linear programs a scale, on so many subsets.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import equinoise as eq
from equinoise.coherence.law import law_from_draws
from equinoise.coherence.rates import FirstOrder
from equinoise.coherence.sample import PairedDraws
from equinoise.engines.draws import sampled_draws
from equinoise.engines.select import select_engine

DRAWS, SUBSETS, SEED = 20_000, 1_000, 13
SIZES = (16, 32, 64, 128)
# share of subsets whose 95 % interval holds the truth: the worst one, and their mean
TARGETS = {32: (0.90, 0.92), 128: (0.92, 0.94)}
# share of subsets whose bounds leave the exact survival out
OUTSIDE, BOUND_SIZES = 0.03, (64, 128)
# of the problems whose bounds are proved; of the others s = 1 alone
SCALES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
PROVED = ("z", "hop")
# columns of the pool before those of the scales
FIRST = ("square", "slope", "curvature", "frozen")


def problems() -> dict[str, eq.Problem]:
    """The five, by name."""
    brickwork = eq.circuits.brickwork(6, depth=4)
    everything = "dephasing:0.05+relaxation:0.02+depolarizing:0.01"
    pair = "X2X3+Y2Y3"
    return {
        "z": eq.Problem(brickwork, readout="Z3", initial="neel", noise="dephasing:0.05"),
        "hop": eq.Problem(brickwork, readout=pair, initial="neel", noise="dephasing:0.05"),
        "relax": eq.Problem(brickwork, readout="Z3", initial="neel", noise=everything),
        "su2": eq.Problem(
            eq.circuits.exchange(6, 4), f"{pair}+Z2Z3", initial="010101", noise="dephasing:0.05", symmetry="su2"
        ),
        "torino": eq.Problem(eq.circuits.brickwork(8, depth=4), readout="Z4", initial="neel", noise="ibm:torino"),
    }


def pool(path: Path) -> Mapping[str, Any]:
    """Per problem the draws, shape (20000, 4 + scales): the columns FIRST, then sum g^2 at each scale."""
    found: dict[str, Any] = dict(np.load(path)) if path.exists() else {}
    for name, problem in problems().items():
        if name in found:
            continue
        print(f"drawing {DRAWS:,} of {name}", flush=True)
        engine = select_engine(problem, workers=1, draws=5 * DRAWS)
        scales = SCALES if name in PROVED else (1.0,)

        def one(theta: Any, rng: np.random.Generator, engine: Any = engine, scales: Any = scales) -> list[float]:
            first = engine.first_order(theta, rng)
            noisy = [float(d.gradient_square.sum()) for d in engine.noisy(theta, scales, rng)]
            return [first.square, first.slope, first.curvature, engine.frozen(theta, rng), *noisy]

        sampling = eq.Sampling(samples=DRAWS, seed=SEED)
        found[name] = np.array(list(sampled_draws(one, sampling.draw(problem), SEED, 1)))
        np.savez(path, **found)
    return found


def named(name: str, columns: Any) -> PairedDraws:
    """A problem's draws with names; V(1) is "noisy"."""
    at = len(FIRST) + (SCALES.index(1.0) if columns.shape[1] > len(FIRST) + 1 else 0)
    return PairedDraws(dict(zip(FIRST, columns.T, strict=False)) | {"noisy": columns[:, at]})


def numbers(draws: PairedDraws) -> dict[str, Any]:
    """What a diagnosis prints with an interval: kappa, w0, R(1) and the RMS gradient at s = 1 (but for a factor)."""
    return {
        "kappa": draws.ratio("slope", "square", factor=-1.0),
        "w0": draws.ratio("frozen", "square"),
        "R": draws.ratio("noisy", "square", root=True),
        "RMS": draws.ratio("noisy", root=True),
    }


def subsets(count: int, draws: int) -> Any:
    """Numbers of a pool's draws, without repetition, shape (1000, count)."""
    rng = np.random.default_rng([SEED, count])
    return np.stack([rng.choice(draws, count, replace=False) for _ in range(SUBSETS)])


def intervals(found: Mapping[str, Any]) -> bool:
    """Prints the coverage of the 95 % intervals; whether all targets are met."""
    print(f"\nShare of {SUBSETS:,} subsets whose 95 % interval holds the value of all {DRAWS:,} draws, in %")
    print(f"{'problem':>8} {'number':>7}" + "".join(f"{count:>8}" for count in SIZES))
    shares: dict[int, list[float]] = {count: [] for count in SIZES}
    for name, columns in found.items():
        truth = {key: one.value for key, one in numbers(named(name, columns)).items()}
        held = {count: dict.fromkeys(truth, 0) for count in SIZES}
        for count in SIZES:
            for chosen in subsets(count, len(columns)):
                for key, one in numbers(named(name, columns[chosen])).items():
                    held[count][key] += one.low <= truth[key] <= one.high
        for key, value in truth.items():
            row = [held[count][key] / SUBSETS for count in SIZES]
            known = key != "w0" or value > 1e-12
            for count, share in zip(SIZES, row, strict=True) if known else ():
                shares[count].append(share)
            note = "" if known else "   (exactly 0: not counted)"
            print(f"{name:>8} {key:>7}" + "".join(f"{100 * share:8.1f}" for share in row) + note)
    met = True
    print(f"{'worst':>16}" + "".join(f"{100 * min(shares[count]):8.1f}" for count in SIZES))
    print(f"{'mean':>16}" + "".join(f"{100 * np.mean(shares[count]):8.1f}" for count in SIZES))
    for count, (worst, mean) in TARGETS.items():
        good = min(shares[count]) >= worst and np.mean(shares[count]) >= mean
        met &= bool(good)
        print(f"target at {count}: each {100 * worst:g}, mean {100 * mean:g}: {'met' if good else 'MISSED'}")
    return met


def bounds(found: Mapping[str, Any], spectrum_subsets: int) -> bool:
    """Prints how often the bounds leave out the exact survival; whether that is rare enough."""
    met = True
    print("\nShare of subsets whose bounds on R(s) leave out the exact survival (engine replica), in %; target <= 3")
    print(f"{'problem':>8} {'draws':>6} {'from':>12}" + "".join(f"   s = {s:<4g}" for s in SCALES) + "    any")
    for name in PROVED:
        problem = problems()[name]
        engine = select_engine(problem, "exact", workers=1)
        exact = eq.gradient_variance(problem, SCALES, sampling=eq.Sampling(engine="replica")).survival
        sampling = eq.Sampling(samples=DRAWS, seed=SEED)
        thetas = sampling.draw(problem)
        terms = len(engine.program.budget_terms)
        for count in BOUND_SIZES:
            outside = {"certificate": np.zeros((0, len(SCALES)), bool), "spectrum": np.zeros((0, len(SCALES)), bool)}
            for number, chosen in enumerate(subsets(count, len(found[name]))):
                part = found[name][chosen]
                first = FirstOrder(*part[:, :3].T, np.zeros((2, 1)), np.zeros((count, terms)))
                # V(16) is left to be foretold
                known = list(zip(SCALES[:-1], part[:, 4:-1].T, strict=True)) if number < spectrum_subsets else []
                law = law_from_draws(engine, sampling, thetas[chosen], first, part[:, 3], known)
                sides = {"certificate": law.bounds(SCALES)}
                if known:
                    sides["spectrum"] = law.spectrum.bounds(SCALES)
                for key, (low, high) in sides.items():
                    missed = (exact < low - 1e-9) | (exact > high + 1e-9)
                    outside[key] = np.vstack([outside[key], missed])
            for key, missed in outside.items():
                if len(missed):
                    share, any_scale = missed.mean(axis=0), missed.any(axis=1).mean()
                    met &= bool(share.max() <= OUTSIDE)
                    told = "".join(f"{100 * each:10.1f}" for each in share)
                    print(f"{name:>8} {count:>6} {key:>12}{told}{100 * any_scale:7.1f}   ({len(missed):,} subsets)")
    print("bounds:", "met" if met else "MISSED")
    return met


def main() -> int:
    """Builds or reads the pool and prints both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("pool", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "equinoise-coverage.npz")
    parser.add_argument("--spectrum", type=int, default=0, metavar="SUBSETS", help="subsets for the spectrum's bounds")
    asked = parser.parse_args()
    found = pool(asked.pool)
    good = intervals(found)
    return 0 if bounds(found, asked.spectrum) and good else 1


if __name__ == "__main__":
    raise SystemExit(main())
