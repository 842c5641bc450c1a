"""Device calibrations against closed forms and Qiskit's own channels, schedules and layouts."""

import itertools
import math
import re
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Delay, Parameter
from qiskit.circuit.library import CXGate, Measure, RZGate, SXGate, XXPlusYYGate
from qiskit.providers import BackendV2, Options
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Kraus, SuperOp, average_gate_fidelity
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from equinoise.device.calibration import place
from equinoise.device.snapshots import available, snapshot
from equinoise.errors import DeviceError
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Dephasing

from_backend = NoiseModel.from_backend

pytest.importorskip("qiskit_ibm_runtime")


class Bench(BackendV2):
    """A made-up line of qubits whose every number is chosen by the test."""

    def __init__(self, t1, t2, cx_error=0.01, cx_duration=300e-9, sx_error=2e-4, sx_duration=40e-9):
        super().__init__(name="bench")
        n = len(t1)
        self._target = Target(
            num_qubits=n, qubit_properties=[QubitProperties(t1=a, t2=b) for a, b in zip(t1, t2, strict=True)]
        )
        angle = Parameter("a")
        self._target.add_instruction(
            RZGate(angle), {(q,): InstructionProperties(error=0.0, duration=0.0) for q in range(n)}
        )
        one = InstructionProperties(error=sx_error, duration=sx_duration)
        self._target.add_instruction(SXGate(), {(q,): one for q in range(n)})
        pair = InstructionProperties(error=cx_error, duration=cx_duration)
        self._target.add_instruction(CXGate(), {(q, q + 1): pair for q in range(n - 1)})
        self._target.add_instruction(Measure(), {(q,): InstructionProperties(error=0.02) for q in range(n)})

    @property
    def target(self):
        return self._target

    @property
    def max_circuits(self):
        return None

    @classmethod
    def _default_options(cls):
        return Options()

    def run(self, run_input, **options):
        raise NotImplementedError


def layered(circuit):
    """Layers between barriers, with only the attributes that place() may use."""
    layers = [[]]
    for position, item in enumerate(circuit.data):
        if item.operation.name == "barrier":
            layers.append([])
            continue
        qubits = tuple(circuit.find_bit(bit).index for bit in item.qubits)
        layers[-1].append(SimpleNamespace(position=position, name=item.operation.name, qubits=qubits))
    return [SimpleNamespace(gates=tuple(gates)) for gates in layers if gates]


def placed(circuit, backend, layout=None):
    return place(from_backend(backend, layout), circuit, layered(circuit))


def brickwork(n, depth, pairs=None):
    pairs = pairs or [(q, q + 1) for q in range(n - 1)]
    circuit, count = QuantumCircuit(n), itertools.count()
    for layer in range(depth):
        busy = set()
        for a, b in pairs[layer % 2 :: 2] if pairs[0] == (0, 1) else pairs:
            if busy & {a, b}:
                continue
            busy |= {a, b}
            circuit.append(XXPlusYYGate(Parameter(f"x{next(count)}")), [a, b])
            circuit.rzz(Parameter(f"z{next(count)}"), a, b)
        for q in range(n):
            circuit.rz(Parameter(f"r{next(count)}"), q)
        circuit.barrier()
    return circuit


def amplitude_damping(strength):
    return SuperOp(Kraus([np.diag([1, math.sqrt(1 - strength)]), [[0, math.sqrt(strength)], [0, 0]]]))


def phase_damping(coherence):
    z = np.diag([1.0, -1.0])
    return SuperOp(Kraus([math.sqrt((1 + coherence) / 2) * np.eye(2), math.sqrt((1 - coherence) / 2) * z]))


def thermal(t1, t2, duration):
    """Population exp(-t/T1), coherence exp(-t/T2)."""
    return amplitude_damping(1 - math.exp(-duration / t1)) & phase_damping(
        math.exp(-duration / t2 + duration / (2 * t1))
    )


def depolarizing(rate, dimension):
    """e r + (1 - e) Tr(r) 1/d with e = exp(-rate), as a column-stacking superoperator."""
    identity = np.eye(dimension)
    replaced = np.outer(identity.ravel(), identity.ravel()) / dimension
    return SuperOp(math.exp(-rate) * np.eye(dimension**2) + (1 - math.exp(-rate)) * replaced)


def pair_channel(model):
    """The slot of a two-qubit model from its rates, in slot order."""
    total = SuperOp(np.eye(16))
    for term in model.dephasing:
        total = total.compose(phase_damping(math.exp(-2 * term.rate)), qargs=[term.qubits[0]])
    for term in model.relaxation:
        total = total.compose(amplitude_damping(1 - math.exp(-term.down)), qargs=[term.qubit])
    for term in model.depolarizing:
        total = total.compose(depolarizing(term.rate, 2 ** len(term.qubits)), qargs=list(term.qubits))
    return total


# -- gate errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [0.005, 0.01, 0.2])
def test_noise_of_one_native_gate_has_its_calibrated_average_infidelity(error):
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    model = placed(circuit, Bench([100e-6, 60e-6], [80e-6, 120e-6], cx_error=error), [0, 1])
    assert 1 - average_gate_fidelity(pair_channel(model)) == pytest.approx(error, abs=1e-12)


def test_noise_of_one_sx_gate_has_its_calibrated_average_infidelity():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    model = placed(circuit, Bench([100e-6], [50e-6], sx_error=1e-3), [0])
    (relaxation,), (dephasing,), (rest,) = model.relaxation, model.dephasing, model.depolarizing
    channel = (
        phase_damping(math.exp(-2 * dephasing.rate))
        & amplitude_damping(1 - math.exp(-relaxation.down))
        & depolarizing(rest.rate, 2)
    )
    assert 1 - average_gate_fidelity(channel) == pytest.approx(1e-3, abs=1e-12)


@pytest.mark.parametrize("pair", [(0, 1), (16, 4), (23, 16)])
def test_noise_of_a_hopping_block_multiplies_the_fidelities_that_qiskits_own_transpilation_has(pair):
    backend = snapshot("torino")
    circuit = brickwork(2, 1)
    bound = circuit.assign_parameters(np.linspace(0.31, 0.97, len(circuit.parameters)))
    bound.data = [item for item in bound.data if item.operation.name != "barrier"]
    native = min(
        (transpile(bound, backend, initial_layout=pair, optimization_level=k, seed_transpiler=1) for k in (1, 3)),
        key=lambda one: (one.count_ops()["cz"], one.size() - one.count_ops()["rz"]),
    )
    fidelity = 1.0
    for item in native.data:
        sites = tuple(native.find_bit(bit).index for bit in item.qubits)
        d = 2 ** len(sites)
        fidelity *= ((d + 1) * (1 - backend.target[item.operation.name][sites].error) - 1) / d
    model = placed(circuit, backend, pair)
    # the layer is one block, so that its slot is the whole noise of the block; tolerance: rounding
    assert 1 - average_gate_fidelity(pair_channel(model)) == pytest.approx(1 - (4 * fidelity + 1) / 5, abs=1e-9)
    duration = native.estimate_duration(backend.target, unit="s")
    assert model.relaxation[0].down == pytest.approx(duration / backend.target.qubit_properties[pair[0]].t1, rel=1e-9)


def test_swap_costs_native_gates_and_is_not_absorbed_into_the_layout():
    circuit = QuantumCircuit(2)
    circuit.swap(0, 1)
    model = placed(circuit, Bench([math.inf] * 2, [math.inf] * 2, cx_error=0.01, sx_error=0.0), [0, 1])
    assert model.depolarizing[0].rate == pytest.approx(-3 * math.log((1 - 0.01 * 5 / 4 - 1 / 16) * 16 / 15), rel=1e-2)


def test_blocks_of_different_gates_on_one_pair_are_compiled_apart():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.swap(0, 1)
    circuit.barrier()
    circuit.cx(1, 0)
    model = placed(circuit, Bench([math.inf] * 2, [math.inf] * 2, sx_error=1e-3), [0, 1])
    forward, swap, backward = (term.rate for term in model.depolarizing)
    assert forward < backward < swap  # the reversed gate needs single-qubit gates around it


def test_thermal_noise_worse_than_the_calibrated_error_leaves_no_depolarizing_and_says_so():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    model = placed(circuit, Bench([5e-6] * 2, [5e-6] * 2, cx_error=0.001), [0, 1])
    assert model.depolarizing == ()
    assert any("in 1 of 1 blocks T1 and T2 alone exceed" in note for note in model.notes)


# -- thermal noise and schedule ----------------------------------------------------------------------------------


@pytest.mark.parametrize("t2", [20e-6, 100e-6, 200e-6])
def test_coherence_decays_with_t2_and_population_with_t1_during_the_layer(t2):
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    model = placed(circuit, Bench([100e-6] * 2, [t2] * 2), [0, 1])
    dephasing = sum(term.rate for term in model.dephasing if term.qubits == (0,))
    down = sum(term.down for term in model.relaxation if term.qubit == 0)
    assert math.exp(-down) == pytest.approx(math.exp(-300e-9 / 100e-6), rel=1e-14)
    assert math.exp(-2 * dephasing - down / 2) == pytest.approx(math.exp(-300e-9 / t2), rel=1e-12)
    assert all(term.up == 0 for term in model.relaxation)


def test_idle_qubits_relax_for_the_whole_layer_and_virtual_z_takes_no_time():
    circuit = QuantumCircuit(4)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.barrier()
    circuit.rz(0.3, range(4))
    model = placed(circuit, Bench([100e-6] * 4, [50e-6] * 4), [0, 1, 2, 3])
    assert {term.qubit: term.down for term in model.relaxation} == pytest.approx(dict.fromkeys(range(4), 0.006))
    assert {term.layers for term in model.terms} == {(0,)}  # two gates after each other; nothing in layer 1


def test_delay_idles_for_its_length():
    circuit = QuantumCircuit(1)
    circuit.delay(500, 0, "ns")
    backend = Bench([100e-6], [50e-6])
    backend.target.add_instruction(Delay(Parameter("t")), {(0,): None})
    model = placed(circuit, backend, [0])
    assert model.relaxation[0].down == pytest.approx(0.005)
    assert model.depolarizing == ()


def test_t2_above_twice_t1_is_clipped_and_the_qubits_are_named():
    model = from_backend(Bench([50e-6, 50e-6, 50e-6], [60e-6, 140e-6, 100e-6]))
    assert model.calibration.t2 == (60e-6, 100e-6, 100e-6)
    assert any("T2 > 2 T1 on 1 of 3 physical qubits (1): T2 clipped" in note for note in model.notes)


def test_qubit_without_t1_has_no_thermal_noise_and_is_named():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    model = placed(circuit, Bench([50e-6, None], [60e-6, 60e-6]), [0, 1])
    assert {term.qubit for term in model.relaxation} == {0}
    assert any("T1 or T2 missing on 1 of 2 physical qubits (1)" in note for note in model.notes)


def test_missing_gate_error_and_duration_count_as_zero_and_are_noted():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    model = placed(circuit, Bench([50e-6] * 2, [60e-6] * 2, cx_error=None, cx_duration=None), [0, 1])
    assert model.terms == ()
    assert {note for note in model.notes if "missing" in note} == {
        "bench: duration of gate cx missing on 1 qubits or pairs: taken as 0",
        "bench: error of gate cx missing on 1 qubits or pairs: taken as 0",
    }


def test_layers_placed_together_have_the_noise_they_have_alone():
    backend = snapshot("torino")
    circuit = brickwork(6, 4)
    layers = layered(circuit)
    layout = range(6)
    base = from_backend(backend, list(layout))
    together = place(base, circuit, layers)
    for index, layer in enumerate(layers):
        alone = place(base, circuit, [layer])
        for kind in ("dephasing", "relaxation", "depolarizing"):
            ours = [
                (t.qubits, getattr(t, "rate", None) or t.down) for t in getattr(together, kind) if t.layers == (index,)
            ]
            assert ours == [(t.qubits, getattr(t, "rate", None) or t.down) for t in getattr(alone, kind)]


def test_placing_keeps_the_models_other_terms_and_its_own_readout_errors():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    own = NoiseModel(dephasing=0.5, readout_error={1: (0.3, 0.4)}, notes=["mine"])
    model = place(own.combined(from_backend(Bench([50e-6] * 2, [60e-6] * 2), [1, 0])), circuit, layered(circuit))
    assert model.calibration is None
    assert model.dephasing[0] == Dephasing(0.5, "each")
    assert dict(model.readout_error) == {0: (0.02, 0.02), 1: (0.3, 0.4)}
    assert model.notes[0] == "mine"


# -- readout -----------------------------------------------------------------------------------------------------


def test_readout_errors_of_a_snapshot_are_those_of_its_properties_on_the_laid_out_qubits():
    backend = snapshot("torino")
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    model = placed(circuit, backend, [8, 7])
    for qubit, site in ((0, 8), (1, 7)):
        listed = backend.properties().qubit_property(site)
        assert dict(model.readout_error)[qubit] == (listed["prob_meas1_prep0"][0], listed["prob_meas0_prep1"][0])


def test_backend_without_properties_gets_symmetric_readout_errors_with_a_note():
    backend = GenericBackendV2(2, seed=1)
    calibration = from_backend(backend).calibration
    error = backend.target["measure"][(0,)].error
    assert calibration.readout_error[0] == (error, error)
    assert any("p01 = p10 taken" in note for note in calibration.notes)


# -- layout ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "n"), [("torino", 20), ("sherbrooke", 12), ("manila", 5)])
def test_chosen_layout_puts_every_two_qubit_gate_on_a_working_coupler(name, n):
    backend = snapshot(name)
    model = placed(brickwork(n, 2), backend)
    note = next(note for note in model.notes if "layout chosen" in note)
    layout = [int(q) for q in re.search(r"physical qubits ([\d, ]+) for", note)[1].split(", ")]
    assert len(set(layout)) == n
    coupled = {frozenset(edge) for edge in backend.target.build_coupling_map().get_edges()}
    assert all(frozenset(pair) in coupled for pair in itertools.pairwise(layout))
    assert len(model.depolarizing) > 0


def test_chosen_layout_avoids_the_qubit_that_dephases_fast():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    model = placed(circuit, Bench([100e-6] * 4, [100e-6, 1e-6, 100e-6, 100e-6]))
    assert max(term.rate for term in model.dephasing) < 0.01


def test_circuit_on_every_qubit_of_a_device_can_be_placed():
    backend = snapshot("torino")
    pairs = [pair for pair, known in backend.target["cz"].items() if known.error < 0.5 and pair[0] < pair[1]]
    model = placed(brickwork(133, 2, pairs), backend)
    assert {term.qubit for term in model.relaxation} == set(range(133))


def test_ring_that_heavy_hex_does_not_hold_is_refused():
    circuit = QuantumCircuit(5)
    for q in range(5):
        circuit.rzz(0.3, q, (q + 1) % 5)
    with pytest.raises(DeviceError, match=r"no layout .* on fake_torino .* without SWAP gates.*explicit layout="):
        placed(circuit, snapshot("torino"))


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ([0, 1, 7], r"gate 'xx_plus_yy' of circuit qubits \(1, 2\) on physical qubits \(1, 7\) .* not coupled"),
        ([0, 1], "layout lists 2 physical qubits, but the circuit has 3 qubits"),
        ([0, 1, 1], "layout names physical qubit 1 twice"),
        ([0, 1, 133], r"layout entry 133 is not a physical qubit of fake_torino; expected one of 0\.\.132"),
        ([0, 1, 2.0], r"layout entry 2\.0 is not a physical qubit"),
    ],
)
def test_layout_that_does_not_fit_is_refused_with_the_reason(layout, text):
    with pytest.raises(DeviceError, match=text):
        placed(brickwork(3, 2), snapshot("torino"), layout)


def test_coupler_calibrated_as_unusable_is_refused():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    with pytest.raises(DeviceError, match=r"bench lists error 1 for a gate on physical qubits \[1, 2\]"):
        placed(circuit, Bench([50e-6] * 3, [60e-6] * 3, cx_error=1.0), [1, 2])


def test_three_qubit_gate_and_too_wide_circuit_are_refused():
    circuit = QuantumCircuit(3)
    circuit.ccx(0, 1, 2)
    with pytest.raises(DeviceError, match=r"gate 'ccx' acts on 3 qubits.*Decompose"):
        placed(circuit, Bench([50e-6] * 3, [60e-6] * 3))
    with pytest.raises(DeviceError, match=r"the circuit has 3 qubits, bench only 2"):
        placed(brickwork(3, 1), Bench([50e-6] * 2, [60e-6] * 2))


def test_something_that_is_no_backend_is_refused():
    with pytest.raises(DeviceError, match=r"needs a qiskit BackendV2 .* got str"):
        from_backend("torino")


# -- snapshots ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["torino", "fake_torino", "ibm:torino", "ibm_torino", " Torino "])
def test_all_spellings_of_a_name_give_the_same_snapshot(name):
    assert snapshot(name).name == "fake_torino"


def test_unknown_snapshot_is_refused_with_close_names():
    with pytest.raises(
        DeviceError, match=r"no device snapshot is called 'torrino'\. Did you mean torino.*`equinoise dev"
    ):
        snapshot("torrino")


def test_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "qiskit_ibm_runtime", None)
    monkeypatch.delitem(sys.modules, "qiskit_ibm_runtime.fake_provider", raising=False)
    with pytest.raises(DeviceError, match=r'pip install "equinoise\[ibm\]"'):
        snapshot("torino")


@pytest.mark.slow
def test_every_snapshot_is_listed_with_medians_in_physical_range():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listed = available()
    assert len(listed) > 40
    for device in listed:
        for value, top in ((device.t1, 1e-2), (device.t2, 1e-2), (device.error_2q, 0.2), (device.readout_error, 0.5)):
            assert value is None or 0 < value < top
    torino = next(device for device in listed if device.name == "torino")
    target = snapshot("torino").target
    times = [(p.t1, p.t2) for p in target.qubit_properties]
    assert torino.t1 == pytest.approx(np.median([t1 for t1, _ in times]))
    assert torino.num_clipped == sum(t2 > 2 * t1 for t1, t2 in times)
    assert (torino.num_qubits, torino.two_qubit_gate) == (133, "cz")
    armonk = next(device for device in listed if device.name == "armonk")
    assert armonk.error_2q is None
    assert armonk.two_qubit_gate is None


QASM = """OPENQASM 2.0;
include "qelib1.inc";
gate hop(t) a,b { h a; h b; cx a,b; rz(t) b; cx a,b; h a; h b; }
gate other(t) a,b { h a; h b; cx a,b; rz(t) b; cx a,b; h a; h b; cz a,b; }
qreg q[4];
hop(0.3) q[0],q[1];
hop(0.7) q[2],q[3];
other(0.7) q[1],q[2];
"""


def test_gates_that_a_file_defines_are_compiled_once_for_each_definition():
    from equinoise.circuit.layers import split_layers
    from equinoise.device.native import Compiler, blocks_of

    circuit = QuantumCircuit.from_qasm_str(QASM)
    calibration = from_backend(GenericBackendV2(4, coupling_map=[[0, 1], [1, 2], [2, 3]], seed=3)).calibration
    compiler, seen = Compiler(circuit, calibration), set()
    blocks = [block for layer in split_layers(circuit) for block in blocks_of(layer, seen)]
    told = [compiler.structure(block) for block in blocks]
    assert None not in told
    # another angle is another structure, since special angles compile to fewer gates; another body likewise
    assert len(set(told)) == 3
    for block in blocks:
        # what was kept for its structure is what it compiles to by itself
        assert compiler.native(block, block.qubits) == compiler._compile(block, block.qubits)


# -- devices without a calibration -------------------------------------------------------------------------------


class Profiled(Bench):
    """Carries its calibration where Qiskit's target does not have it, as IQM's fake backends do."""

    error_profile = {"t1s": {"QB1": 27000.0}}  # noqa: RUF012 - the attribute of the real class

    def __init__(self):
        super().__init__([None] * 3, [None] * 3, cx_error=None, sx_error=None, cx_duration=None, sx_duration=None)
        for site in range(3):
            self._target.update_instruction_properties("measure", (site,), None)


def aer_simulator(**options):
    return pytest.importorskip("qiskit_aer").AerSimulator(**options)


def aer_noise():
    noise = pytest.importorskip("qiskit_aer.noise")
    model = noise.NoiseModel()
    model.add_quantum_error(noise.depolarizing_error(0.01, 2), "cx", [0, 1])
    return model


LOOKED = r"states no noise.*target's instruction properties, T1 and T2 in its qubit properties.*backend\.properties\(\)"


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: GenericBackendV2(4, noise_info=False), r'Give the noise itself, e\.g\. noise="depolarizing:0\.003"'),
        (Profiled, "error_profile .* is not read yet"),
        (aer_simulator, "a noise file or NoiseModel"),
        (lambda: aer_simulator(noise_model=aer_noise()), r"from_aer\(backend\.options\.noise_model\)"),
    ],
)
def test_device_that_states_no_noise_is_refused_with_where_it_was_looked_for(build, text):
    with pytest.raises(DeviceError, match=f"{LOOKED}.*{text}"):
        from_backend(build())


def test_option_noise_model_that_is_a_text_is_no_aer_model():
    backend = Profiled()
    backend.error_profile = None
    backend.options.update_options(noise_model="ideal")  # as IonQ's simulator has it
    with pytest.raises(DeviceError, match=LOOKED) as error:
        from_backend(backend)
    assert "backend.options" not in str(error.value)


def test_simulator_of_a_calibrated_device_has_that_devices_noise():
    noise = from_backend(aer_simulator().from_backend(snapshot("manila")), [0, 1, 2])
    circuit = brickwork(3, 2)
    ours, device = (place(m, circuit, layered(circuit)) for m in (noise, from_backend(snapshot("manila"), [0, 1, 2])))
    assert len(ours.terms) == len(device.terms) > 0


def test_calibration_without_durations_and_errors_is_refused_when_it_is_placed():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    backend = Bench([50e-6] * 2, [60e-6] * 2, cx_error=None, cx_duration=None)
    for site in range(2):
        backend.target.update_instruction_properties("measure", (site,), None)
    with pytest.raises(
        DeviceError, match=r"gives this circuit no noise on physical qubits 0, 1: bench: duration of ga"
    ):
        placed(circuit, backend, [0, 1])
    circuit = QuantumCircuit(2)
    circuit.rz(0.3, 0)
    assert placed(circuit, backend, [0, 1]).terms == ()  # frame changes are free, calibrated or not
