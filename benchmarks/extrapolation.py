"""How often a verdict extrapolated in depth holds the truth: brickworks whose V is known without sampling.

    python -m benchmarks.extrapolation [--measure FILE.json]

Judges the stored table (tests/diagnosis/depths_without_sampling.json): from at most five depths up to 6..10, V(0) and
V(s) at each greater depth known (to 40). ``--measure`` works the table's depths up to 12 out afresh with the engine
"replica" (some minutes), into a file. "open" lines are n = 2 L + 4 wide, so that the cone has its full width 2 L,
"narrow" ones have a fixed width; "free" are free fermions, "quarter" starts at quarter filling, "wall" from a wall in
the middle. The truths have a truncation error of at most 10 % (V(0), L = 40). Of narrow lines with a hopping readout
even depths alone are kept, since the last layer must act on the same pair.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import equinoise as eq
from equinoise.diagnosis.beyond.depth_models import DepthPoint, Size, extrapolated_variance, obstacle
from equinoise.engines.replica.average import average

TABLE = Path(__file__).parent.parent / "tests" / "diagnosis" / "depths_without_sampling.json"
# V per parameter that 10,000 shots resolve of a Z readout with two-term shift rules
LINE = 5e-5
FROM = (6, 7, 8, 9, 10)
_POINTS = 5


@dataclass(frozen=True)
class Judged:
    """One interval against the truth.

    Attributes:
        case: Family, qubits, readout and noise.
        curve: "noiseless" or "noisy".
        done: Greatest depth done.
        depth: Depth asked.
        low: Lower end of V.
        high: Upper end of V.
        truth: V.
        word: "above" or "below" the line, or "undecided".
        wrong: Whether the word is.
    """

    case: str
    curve: str
    done: int
    depth: int
    low: float
    high: float
    truth: float
    word: str
    wrong: bool

    @property
    def inside(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def _size(row: dict[str, Any], index: int) -> Size:
    depth = row["depths"][index]
    return Size(depth, min(2 * depth, row["qubits"] or 2 * depth), row["parameters"][index], 1.0)


def judged(table: Sequence[dict[str, Any]]) -> list[Judged]:
    """Every interval that the table allows."""
    out: list[Judged] = []
    for row, done in itertools.product(table, FROM):
        depths = row["depths"]
        window = [i for i, depth in enumerate(depths) if done // 2 <= depth <= done]
        if len(window) < _POINTS - 1 and row["readout"] == "hop" and row["qubits"]:  # every second depth
            window = [i for i, depth in enumerate(depths) if depth <= done][-_POINTS + 1 :]
        if len(window) > _POINTS:
            window = [window[round(i)] for i in np.linspace(0, len(window) - 1, _POINTS)]
        if not window or depths[window[-1]] != done:
            continue
        points = [DepthPoint(_size(row, i), row["noiseless"][i], row["noisy"][i]) for i in window]
        for i in range(window[-1] + 1, len(depths)):
            asked = _size(row, i)
            if obstacle(points, asked) is None:
                found = extrapolated_variance(points, asked)
                case = f"{row['family']} {row['qubits'] or ''} {row['readout']} {row['noise']}"
                for curve, (low, high) in zip(("noiseless", "noisy"), found, strict=True):
                    truth, line = row[curve][i], LINE * asked.parameters
                    word = "above" if low > line else "below" if high < line else "undecided"
                    wrong = word != "undecided" and (word == "above") != (truth > line)
                    out.append(Judged(case, curve, done, depths[i], low, high, truth, word, wrong))
    return out


def coverage(found: Sequence[Judged], curve: str, least: float = 0.0) -> float:
    """Share of a curve's intervals that hold the truth, at depths of at least so many times those done."""
    some = [one.inside for one in found if one.curve == curve and one.depth >= least * one.done]
    return float(np.mean(some))


def report(found: Sequence[Judged]) -> list[str]:
    """Coverage, widths and verdicts as lines of a table."""
    lines = ["| asked / done | curve | intervals | hold the truth | median high/low in V | undecided | wrong |"]
    lines.append("|---|---|---|---|---|---|---|")
    for (low, high), curve in itertools.product(((1, 2), (2, 3), (3, 4.01)), ("noiseless", "noisy")):
        some = [x for x in found if x.curve == curve and low <= x.depth / x.done < high]
        words = Counter(x.word for x in some)
        width = float(np.median([x.high / x.low for x in some]))
        inside, wrong = np.mean([x.inside for x in some]), sum(x.wrong for x in some)
        undecided = words["undecided"] / len(some)
        lines.append(
            f"| {low} to {high:.0f} | {curve} | {len(some)} | {100 * inside:.1f} % | {width:.2g} | "
            f"{100 * undecided:.0f} % | {wrong} |"
        )
    return lines


def measured(table: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The table's Z rows of open and narrow lines up to depth 12, worked out afresh."""
    out = []
    for row in table:
        if row["family"] not in ("open", "narrow") or row["readout"] != "Z":
            continue
        again = {**row, "depths": [depth for depth in row["depths"] if depth <= 12]}
        values = []
        for depth in again["depths"]:
            n = row["qubits"] or 2 * depth + 4
            circuit = eq.circuits.brickwork(n, depth)
            problem = eq.Problem(circuit, readout=f"Z{n // 2}", initial="neel", noise=row["noise"])
            values.append(average(problem, (0.0, 1.0), 0.02, workers=1).variance)
        again["noiseless"], again["noisy"] = (np.array(values)[:, i].tolist() for i in (0, 1))
        again["parameters"] = row["parameters"][: len(values)]
        out.append(again)
    return out


def main() -> None:
    """Prints the table of coverage, or measures afresh."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", type=Path)
    target: Path | None = parser.parse_args().measure
    table = json.loads(TABLE.read_text())
    if target is not None:
        table = measured(table)
        target.write_text(json.dumps(table, indent=1) + "\n")
    print("\n".join(report(judged(table))))


if __name__ == "__main__":
    main()
