"""Noise as stated by the user: every spelling, every error's text, and what really acts in each slot."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

import equinoise as eq
from equinoise.circuit.layers import split_layers
from equinoise.errors import DeviceError, EquinoiseError, NoiseError
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing, Depolarizing, PauliJump, Relaxation

CIRCUIT = eq.circuits.brickwork(4, depth=3)


def slots(model, circuit=CIRCUIT):
    return model.slots(split_layers(circuit, find_preparation=False), circuit.num_qubits)


def lines(model, circuit=CIRCUIT):
    """describe() as {slot: [term, ...]}."""
    found = {}
    for line in model.describe(circuit).splitlines():
        if line.startswith("slot"):
            current = found.setdefault(int(line.split()[1]), [])
        elif line.startswith("  "):
            current.append(line.strip())
    return found


# -- constructors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", NoiseModel()),
        ("dephasing:0.01", NoiseModel(dephasing=0.01)),
        ("collective:0.02", NoiseModel(dephasing=[{"rate": 0.02, "weights": "all"}])),
        ("relaxation:down=0.01", NoiseModel(relaxation=0.01)),
        ("relaxation:0.01", NoiseModel(relaxation=0.01)),
        ("relaxation:down=0.01,up=1e-3", NoiseModel(relaxation=[{"qubit": "each", "down": 0.01, "up": 1e-3}])),
        ("relaxation:up=0.003", NoiseModel(relaxation=[{"qubit": "each", "up": 0.003}])),
        ("depolarizing:0.003", NoiseModel(depolarizing=0.003)),
        (" dephasing:0.01 + depolarizing:0.003 ", NoiseModel(dephasing=0.01, depolarizing=0.003)),
        ("dephasing:0.01+collective:0.1", NoiseModel(dephasing=[{"rate": 0.01}, {"rate": 0.1, "weights": "all"}])),
    ],
)
def test_short_specification_is_the_written_out_model(text, expected):
    model = NoiseModel.from_string(text)
    assert model.terms == expected.terms
    assert model.name == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "dephasing",
        "dephasing:",
        "dephasing:much",
        "damping:0.1",
        "relaxation:left=0.1",
        "none:0.1",
        "",
        "dephasing:0.1+",
        "0.01",
    ],
)
def test_unreadable_specification_is_refused_with_what_is_expected(text):
    with pytest.raises(NoiseError, match=r"cannot read the noise specification.*Expected dephasing:RATE") as error:
        NoiseModel.from_string(text)
    assert "ibm:DEVICE" in str(error.value)


@pytest.mark.parametrize("rate", ["-0.1", "nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "kind", ["dephasing:", "collective:", "relaxation:down=", "relaxation:down=0.1,up=", "depolarizing:"]
)
def test_negative_and_infinite_rates_are_refused_in_every_short_specification(kind, rate):
    with pytest.raises(NoiseError, match=r"must not be negative|must be finite"):
        NoiseModel.from_string(kind + rate)


def test_unknown_device_is_an_error_of_the_device():
    with pytest.raises(DeviceError):
        NoiseModel.from_string("ibm:nowhere")


TABLE = {
    "dephasing": [{"rate": 0.02, "weights": {"0": 1.0, "3": -0.5}}, {"rate": 0.01}],
    "relaxation": [{"qubit": 2, "down": 0.01, "up": 0.001, "layers": [0, 1]}],
    "depolarizing": [{"qubits": [1, 0], "rate": 0.004, "gate": "rzz", "on": [0, 1]}],
    "pauli": [{"pauli": "X0Z3", "rate": 0.002}],
    "readout_error": {"2": [0.01, 0.03]},
}
TOML = """
name = "lab"
dephasing    = [{rate = 0.02, weights = {0 = 1.0, 3 = -0.5}}, {rate = 0.01}]
relaxation   = [{qubit = 2, down = 0.01, up = 0.001, layers = [0, 1]}]
depolarizing = [{qubits = [1, 0], rate = 0.004, gate = "rzz", on = [0, 1]}]
pauli        = [{pauli = "X0Z3", rate = 0.002}]
[readout_error]
2 = [0.01, 0.03]
"""


def same(left, right):
    return left.terms == right.terms and left.readout_error == right.readout_error


def test_toml_json_and_python_say_the_same(tmp_path):
    (tmp_path / "lab.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "lab.json").write_text(json.dumps(TABLE), encoding="utf-8")
    expected = NoiseModel(
        dephasing=[Dephasing(0.02, {0: 1.0, 3: -0.5}), Dephasing(0.01)],
        relaxation=[Relaxation(2, 0.01, 0.001, layers=(0, 1))],
        depolarizing=[Depolarizing((0, 1), 0.004, gate="rzz", on=(0, 1))],
        pauli=[PauliJump("X0Z3", 0.002)],
        readout_error={2: (0.01, 0.03)},
    )
    toml = NoiseModel.from_file(tmp_path / "lab.toml")
    for model in (toml, NoiseModel.from_file(tmp_path / "lab.json"), NoiseModel.from_dict(TABLE)):
        assert same(model, expected)
    assert toml.name == "lab"
    assert same(NoiseModel.from_string(str(tmp_path / "lab.toml")), expected)
    assert (
        eq.Problem(CIRCUIT, readout="Z1", noise=str(tmp_path / "lab.json"), allow_broken=True).noise.terms
        == expected.terms
    )


def test_plain_data_reads_back():
    model = NoiseModel.from_dict(TABLE)
    assert same(NoiseModel.from_dict(json.loads(json.dumps(model.to_dict()))), model)
    for wild in ("dephasing:0.1", "collective:0.1", "relaxation:0.1", "depolarizing:0.1", "none"):
        model = NoiseModel.from_string(wild)
        assert same(NoiseModel.from_dict(model.to_dict()), model)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("bad.toml", "dephasing = [", "is not valid TOML"),
        ("bad.json", "{", "is not valid JSON"),
        ("bad.toml", "dephasing = [{rate = -1}]", r"bad.toml: dephasing\[0\]: dephasing rate must not be negative"),
        ("bad.json", "[1, 2]", "noise data must be a table, got list"),
        ("bad.json", '{"dephasing": [{"rate": NaN}]}', "must be finite"),
    ],
)
def test_malformed_files_are_refused_with_their_name(name, content, text, tmp_path):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(NoiseError, match=text) as error:
        NoiseModel.from_file(tmp_path / name)
    assert name in str(error.value)


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(NoiseError, match=r"cannot read the noise file.*nothing\.toml.*Check the path"):
        NoiseModel.from_string(str(tmp_path / "nothing.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(NoiseError, match="cannot read the noise file"):
        NoiseModel.from_file(tmp_path / "binary.toml")


# -- malformed terms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"dephasin": 0.1}, "unknown key 'dephasin'; known keys: dephasing, relaxation, depolarizing, pauli"),
        ({"dephasing": [{"rate": 0.1, "wieghts": {}}]}, r"dephasing\[0\] has unknown key 'wieghts'; known keys:"),
        (
            {"dephasing": [{"rate": 0.1}, {"rate": -0.1}]},
            r"dephasing\[1\]: dephasing rate must not be negative, got -0.1",
        ),
        ({"dephasing": -0.1}, "dephasing rate must not be negative"),
        ({"dephasing": math.nan}, "dephasing rate must be finite, got nan"),
        ({"dephasing": [{"rate": math.inf}]}, r"dephasing\[0\]: dephasing rate must be finite"),
        ({"dephasing": [{"rate": "0.1"}]}, r"dephasing rate must be a number, got '0.1'"),
        ({"dephasing": [{"rate": True}]}, "must be a number, got True"),
        ({"dephasing": True}, "must be a rate or a list of tables, got True"),
        ({"dephasing": "0.1"}, "must be a rate"),
        ({"dephasing": [0.1]}, r"dephasing\[0\] must be a table such as"),
        ({"dephasing": [{}]}, r"dephasing\[0\] is malformed .*rate"),
        ({"dephasing": [{"rate": 0.1, "weights": {}}]}, "needs at least one weight"),
        ({"dephasing": [{"rate": 0.1, "weights": {"0": math.nan}}]}, "weight of qubit '0' must be finite, got nan"),
        ({"dephasing": [{"rate": 0.1, "weights": {"-1": 1.0}}]}, "must be a qubit index 0, 1, 2"),
        ({"dephasing": [{"rate": 0.1, "weights": "both"}]}, "be 'each' or 'all', got 'both'"),
        ({"relaxation": [{"qubit": 0, "down": -1}]}, r"relaxation\[0\]: relaxation rate 'down' must not be negative"),
        ({"relaxation": [{"qubit": 0, "up": math.nan}]}, "relaxation rate 'up' must be finite"),
        ({"relaxation": [{"qubit": 1.5, "down": 1}]}, "relaxation qubit must be a qubit index .* got 1.5"),
        ({"relaxation": [{"down": 1}]}, r"relaxation\[0\] is malformed .*qubit"),
        ({"depolarizing": [{"qubits": [0, 1, 2], "rate": 0.1}]}, r"one or two different qubits, got \[0, 1, 2\]"),
        ({"depolarizing": [{"qubits": [1, 1], "rate": 0.1}]}, "one or two different qubits"),
        ({"depolarizing": [{"qubits": [], "rate": 0.1}]}, "one or two different qubits"),
        ({"depolarizing": [{"qubits": 0, "rate": 0.1}]}, "'qubits' must list one or two qubits, got 0"),
        ({"depolarizing": [{"qubits": [0], "rate": -0.1}]}, "depolarizing rate must not be negative"),
        ({"pauli": 0.1}, "pauli needs a list of tables"),
        ({"pauli": [{"pauli": "W0", "rate": 0.1}]}, "must look like 'X0' or 'Z0Z1', got 'W0'"),
        ({"pauli": [{"pauli": "X0X0", "rate": 0.1}]}, "on different qubits"),
        ({"pauli": [{"pauli": "X0", "rate": -0.1}]}, "pauli rate must not be negative"),
        ({"dephasing": [{"rate": 0.1, "layers": 2}]}, "'layers' must be a list of layer indices counted from 0, got 2"),
        ({"dephasing": [{"rate": 0.1, "layers": [-1]}]}, "'layers' must be a list"),
        ({"dephasing": [{"rate": 0.1, "gate": ""}]}, "'gate' must be the name of a gate"),
        ({"dephasing": [{"rate": 0.1, "on": [0, 1]}]}, "give 'gate' with it"),
        ({"readout_error": {"0": [0.1]}}, r"readout error of qubit 0 must be two probabilities \(p01, p10\)"),
        ({"readout_error": {"0": [0.1, 1.2]}}, "must be two probabilities"),
        ({"readout_error": {"0": [-0.1, 0.1]}}, "must not be negative"),
        ({"readout_error": {"q": [0.1, 0.1]}}, "readout_error qubit must be a qubit index"),
    ],
)
def test_malformed_terms_are_refused_by_place_and_reason(data, text):
    with pytest.raises(NoiseError, match=text):
        NoiseModel.from_dict(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"dephasing": [{"rate": 0.1, "weights": {"4": 1.0}}]}, r"acts on qubit 4, but the circuit has qubits 0\.\.3"),
        ({"relaxation": [{"qubit": 9, "down": 0.1}]}, "acts on qubit 9"),
        ({"depolarizing": [{"qubits": [3, 4], "rate": 0.1}]}, "acts on qubit 4"),
        ({"pauli": [{"pauli": "Z7", "rate": 0.1}]}, "acts on qubit 7"),
        ({"dephasing": [{"rate": 0.1, "layers": [0, 3]}]}, r"names layer 3, but the circuit has layers 0\.\.2"),
    ],
)
def test_terms_off_the_circuit_are_refused(data, text):
    with pytest.raises(NoiseError, match=text):
        eq.Problem(CIRCUIT, readout="Z1", noise=data)


def test_what_is_no_noise_is_refused():
    with pytest.raises(NoiseError, match="noise must be a NoiseModel, a specification string or a mapping, got float"):
        eq.Problem(CIRCUIT, readout="Z1", noise=0.01)
    with pytest.raises(NoiseError, match="noise data must be a table, got list"):
        NoiseModel.from_dict([0.1])
    assert issubclass(NoiseError, EquinoiseError)


# -- what acts where -----------------------------------------------------------------------------------------------


def test_wildcards_expand_to_one_term_a_qubit_or_one_collective_jump():
    (first, *_) = found = slots(NoiseModel.from_string("dephasing:0.1+collective:0.2+relaxation:0.3+depolarizing:0.4"))
    assert len(found) == 3
    assert len(set(found)) == 1
    assert first.dephasing == (
        *(Dephasing(0.1, {q: 1.0}) for q in range(4)),
        Dephasing(0.2, dict.fromkeys(range(4), 1.0)),
    )
    assert first.relaxation == tuple(Relaxation(q, 0.3) for q in range(4))
    assert first.depolarizing == tuple(Depolarizing((q,), 0.4) for q in range(4))


def test_layers_choose_the_slots():
    model = NoiseModel(dephasing=[{"rate": 0.1, "weights": {1: 1.0}, "layers": [2, 0, 2]}])
    assert [len(slot.terms) for slot in slots(model)] == [1, 0, 1]


def test_gate_terms_act_in_the_slot_of_their_gate_once_for_each():
    model = NoiseModel(
        depolarizing=[{"qubits": [0, 1], "rate": 0.1, "gate": "xx_plus_yy"}],
        relaxation=[{"qubit": "each", "down": 0.2, "gate": "rzz"}],
    )
    even, odd, last = slots(model)
    assert even.depolarizing == last.depolarizing
    assert [t.qubits for t in even.depolarizing] == [(0, 1)]
    assert odd.depolarizing == ()
    # the odd bond is 1-2: only its qubits have an RZZ
    assert [t.qubit for t in even.relaxation] == [0, 1, 2, 3]
    assert [t.qubit for t in odd.relaxation] == [1, 2]


def test_two_equal_gates_in_a_layer_cost_twice():
    circuit = QuantumCircuit(3)
    a, b, c = ParameterVector("t", 3)
    circuit.append(XXPlusYYGate(a), [0, 1])
    circuit.rzz(b, 0, 1)
    circuit.append(XXPlusYYGate(c), [1, 0])
    circuit.barrier()
    circuit.rz(0.1, 2)
    model = NoiseModel(dephasing=[{"rate": 0.1, "weights": {0: 1.0}, "gate": "xx_plus_yy"}])
    assert [len(slot.dephasing) for slot in slots(model, circuit)] == [2, 0]
    twice = NoiseModel(dephasing=[{"rate": 0.2, "weights": {0: 1.0}, "layers": [0]}])
    theta = [0.4, 1.0, 0.8]
    found, expected = (
        eq.gradient(eq.Problem(circuit, readout="X0X1+Y0Y1", initial="neel", noise=m), theta) for m in (model, twice)
    )
    np.testing.assert_allclose(found.gradient, expected.gradient, atol=1e-14)


def test_on_means_gates_on_exactly_these_qubits_in_any_order():
    entry = {"rate": 0.1, "weights": {1: 1.0}, "gate": "rzz"}
    assert [len(s.terms) for s in slots(NoiseModel(dephasing=[entry]))] == [1, 1, 1]
    assert [len(s.terms) for s in slots(NoiseModel(dephasing=[{**entry, "on": [2, 1]}]))] == [0, 1, 0]
    assert [len(s.terms) for s in slots(NoiseModel(dephasing=[{**entry, "on": [1]}]))] == [0, 0, 0]


def test_gate_term_on_all_qubits_of_a_pair_needs_a_gate_that_touches_them_all():
    model = NoiseModel(depolarizing=[{"qubits": [0, 1], "rate": 0.1, "gate": "rz"}])
    assert [slot.terms for slot in slots(model)] == [(), (), ()]


def test_combined_models_act_together_and_the_second_readout_error_counts():
    left = NoiseModel(dephasing=0.1, readout_error={0: (0.1, 0.1)}, name="a", notes=["one"])
    right = NoiseModel(
        dephasing=[{"rate": 0.2, "weights": "all"}], readout_error={0: (0.2, 0.1)}, name="b", notes=["two"]
    )
    both = left.combined(right)
    assert both.dephasing == left.dephasing + right.dephasing
    assert both.readout_error == ((0, (0.2, 0.1)),)
    assert (both.name, both.notes) == ("a+b", ("one", "two"))


def test_pauli_string_is_sorted_by_qubit_and_reads_back():
    jump = PauliJump("Z3X0Y12", 0.1)
    assert jump.pauli == ((0, "X"), (3, "Z"), (12, "Y"))
    assert PauliJump(jump.label, 0.1) == jump


# -- what is said --------------------------------------------------------------------------------------------------


def test_description_lists_every_slot_and_term_that_acts():
    model = NoiseModel.from_dict(
        {
            "dephasing": [{"rate": 0.02, "weights": {"0": 1.0, "3": -0.5}, "layers": [1]}],
            "relaxation": [{"qubit": 2, "down": 0.01, "up": 0.001}],
            "depolarizing": [{"qubits": [1, 2], "rate": 0.004, "gate": "rzz"}],
            "pauli": [{"pauli": "X0Z3", "rate": 0.002, "layers": [0]}],
            "readout_error": {"2": [0.01, 0.03]},
        }
    )
    relaxation = "relaxation of qubit 2: down 0.01, up 0.001"
    found = lines(model)
    assert list(found) == [0, 1, 2]
    assert found[0] == [relaxation, "pauli 0.002 D[X0Z3], layers 0"]
    assert found[1][0] == "dephasing 0.02 D[Z0 - 0.5 Z3], layers 1"
    assert found[1][1:] == [relaxation, "depolarizing 0.004 on qubits 1, 2, per gate rzz"]
    assert found[2] == [relaxation]
    assert "readout of qubit 2: p01 = 0.01, p10 = 0.03" in model.describe(CIRCUIT)


def test_description_of_a_problem_is_that_of_its_slots():
    model = NoiseModel(dephasing=0.1)
    assert model.describe(eq.Problem(CIRCUIT, readout="Z1", noise=model)) == model.describe(CIRCUIT)


def test_description_without_circuit_keeps_wildcards_and_notes():
    model = NoiseModel(dephasing=[{"rate": 0.1, "weights": "all"}, {"rate": 0.2}], depolarizing=0.3, notes=["clipped"])
    assert model.describe().splitlines() == [
        "dephasing 0.1 D[sum Z]",
        "dephasing 0.2 D[Z] on each qubit",
        "depolarizing 0.3 on each qubit",
        "note: clipped",
    ]


def test_no_noise_is_said():
    assert NoiseModel().describe() == "no noise"
    assert lines(NoiseModel()) == {0: ["nothing"], 1: ["nothing"], 2: ["nothing"]}


def test_gate_that_the_circuit_does_not_have_adds_nothing_and_the_description_shows_it():
    assert lines(NoiseModel(dephasing=[{"rate": 0.1, "gate": "cz"}])) == {
        0: ["nothing"],
        1: ["nothing"],
        2: ["nothing"],
    }


def test_phase_damping_lambda_is_minus_half_the_logarithm():
    """exp(-2 rate) = sqrt(1 - lambda): coherence of (|01> + |10>)/sqrt 2 under phase damping of both qubits."""
    damping = 0.1
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(ParameterVector("t", 1)[0], math.pi / 2), [0, 1])
    problem = eq.Problem(
        circuit, readout="X0X1+Y0Y1", initial="01", noise=NoiseModel(dephasing=-math.log(math.sqrt(1 - damping)) / 2)
    )
    quiet, noisy = (eq.expectation(problem, [math.pi / 2], scale=s).value for s in (0.0, 1.0))
    assert abs(quiet) == pytest.approx(2, abs=1e-12)
    assert noisy / quiet == pytest.approx(1 - damping, abs=1e-12)  # sqrt(1 - lambda) from each qubit


# -- sizes that no number can hold -----------------------------------------------------------------------------------

EXPONENTS = (-300, -160, -120, 4, 20, 160, 300, 400)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("kind", ["dephasing", "static", "collective", "relaxation", "depolarizing"])
def test_rates_beyond_double_precision_are_refused_with_the_limit(kind, exponent):
    with pytest.raises(NoiseError, match=r"at most 1000, got|0 or at least 1e-100, got|must be finite, got inf"):
        NoiseModel.from_string(f"{kind}:1e{exponent}" if exponent < 400 else f"{kind}:inf")
    if exponent > 0:
        with pytest.raises(NoiseError, match=r"at most 1000, got|must be finite, got 1000"):
            NoiseModel.from_dict({kind: 10**exponent} if kind in TABLE else {"dephasing": 10**exponent})


@pytest.mark.parametrize("kind", ["dephasing", "collective", "relaxation", "depolarizing"])
@pytest.mark.parametrize("rate", [1e-100, 1e-30, 1e3])
def test_least_and_greatest_rates_give_finite_laws(kind, rate):
    import equinoise as eq

    problem = eq.Problem(eq.circuits.brickwork(3, depth=3), "Z1", initial="neel", noise=f"{kind}:{rate}")
    law = eq.law(problem, sampling=eq.Sampling(samples=2))
    assert 0 <= law.survival(1.0) <= 1
    assert law.kappa == pytest.approx(rate * law.kappa / rate)
    assert math.isfinite(law.kappa)
    unit = eq.law(problem.with_noise(f"{kind}:0.01"), sampling=eq.Sampling(samples=2)).kappa / 0.01
    assert law.kappa == pytest.approx(rate * unit, rel=1e-9, abs=1e-300)


HUGE = 10**400


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"dephasing": HUGE}, "dephasing rate must be finite"),
        ({"dephasing": [{"rate": HUGE}]}, "must be finite"),
        ({"dephasing": [{"rate": 0.1, "weights": {"0": HUGE}}]}, "dephasing weight of qubit '0' must be finite"),
        ({"dephasing": [{"rate": 0.1, "weights": {"0": 1e200}}]}, "must be at most 1000, got 1e.200"),
        (
            {"dephasing": [{"rate": 0.1, "weights": {"9" * 5000: 1.0}}]},
            "must be a qubit index 0, 1, 2",
        ),
        ({"pauli": [{"pauli": "X" + "9" * 5000, "rate": 0.1}]}, "must look like 'X0'"),
        ({"readout_error": {"9" * 5000: [0.1, 0.1]}}, "must be a qubit index"),
        ({"phases": [{"qubits": [0], "modes": [[[1e300]]]}]}, "at most 1000"),
        ({"phases": [{"qubits": [0], "modes": [[[HUGE]]]}]}, "must be numbers of shape"),
        ({1: 0.1, "dephasing": 0.1}, "unknown key 1"),
        ({"name": ["x"]}, "'name' must be a text"),
    ],
)
def test_numbers_and_names_of_any_length_are_refused_in_one_short_line(data, text):
    with pytest.raises(NoiseError, match=text) as error:
        NoiseModel.from_dict(data)
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)


def nested(depth):
    out = 1.0
    for _ in range(depth):
        out = [out]
    return out


@pytest.mark.parametrize("where", ["dephasing", "relaxation", "pauli", "phases", "readout_error", "name"])
def test_data_nested_to_any_depth_are_refused_in_one_short_line(where):
    for value in (nested(100_000), [{"rate": nested(100_000)}], {"0": nested(100_000)}):
        with pytest.raises(NoiseError) as error:
            NoiseModel.from_dict({where: value})
        assert len(str(error.value)) < 400


@pytest.mark.parametrize("name", ["deep.json", "deep.toml"])
def test_files_nested_to_any_depth_are_refused_by_name(name, tmp_path):
    inside = "[" * 100_000 + "]" * 100_000
    (tmp_path / name).write_text(f'{{"dephasing": {inside}}}' if "json" in name else f"dephasing = {inside}")
    with pytest.raises(NoiseError, match=f"{name}' is nested too deeply"):
        NoiseModel.from_file(tmp_path / name)


def test_key_that_a_json_file_states_twice_is_refused(tmp_path):
    (tmp_path / "twice.json").write_text('{"dephasing": 0.1, "dephasing": 0.2}')
    with pytest.raises(NoiseError, match=r"twice\.json' is not valid JSON: key 'dephasing' is stated twice"):
        NoiseModel.from_file(tmp_path / "twice.json")


def test_names_of_files_that_no_system_has_are_refused():
    for name in ("a\0b.toml", "x" * 5000 + ".toml"):
        with pytest.raises(NoiseError, match="cannot read the noise file"):
            NoiseModel.from_string(name)
