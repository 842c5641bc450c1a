#!/usr/bin/env bash
# Builds the wheel, installs it without extras in an empty environment, and runs it from an empty folder:
# finds files missing from the wheel and dependencies missing from its list.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
python=$root/.venv/bin/python
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/dist" "$work/empty"

"$python" -m build --wheel --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
wheels=("$work"/dist/equinoise-*.whl)
echo "built $(basename "${wheels[0]}")"

"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check install --quiet -c constraints.txt "${wheels[0]}"
"$work/venv/bin/python" -m pip --disable-pip-version-check check

cd "$work/empty"
"$work/venv/bin/python" - <<'PY'
import importlib.metadata
import importlib.util
import pathlib
import sys

import equinoise

home = pathlib.Path(equinoise.__file__).parent
if pathlib.Path(sys.prefix).resolve() not in home.resolve().parents:
    sys.exit(f"equinoise was imported from {home}, not from the wheel")
for name in ("qiskit_ibm_runtime", "qiskit_aer", "pytest"):
    if importlib.util.find_spec(name):
        sys.exit(f"{name} was installed although no extra was asked for")
if not (home / "py.typed").is_file():
    sys.exit("py.typed is not in the wheel: type checkers would ignore the annotations")
if not importlib.metadata.files("equinoise"):
    sys.exit("the wheel lists no files")
PY

"$work/venv/bin/equinoise" diagnose brickwork:n=6,depth=3 --readout Z3 --noise dephasing:0.01 --samples 8 --seed 0 \
    --json diagnosis.json
"$work/venv/bin/python" - <<'PY'
import json
import pathlib
import sys

data = json.loads(pathlib.Path("diagnosis.json").read_text(encoding="utf-8"))
if not isinstance(data, dict) or not data:
    sys.exit("diagnosis.json holds no diagnosis")
PY
echo "the wheel works alone"
