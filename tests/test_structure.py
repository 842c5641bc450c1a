"""The house as its files state it: private names stay at home, no circles, small rooms, one meaning a name."""

from __future__ import annotations

import ast
import functools
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import equinoise

ROOT = Path(equinoise.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MOST_FILES = 14
# a command's file is called like the function that it runs
COMMANDS = "equinoise.cli.commands."
# private names of other packages, without a public way to what they hold
FOREIGN = {
    "engines/kernel_cache.py": {"_cache_file", "_impl"},  # numba: where a kernel's compiled code is kept
    "noise/importing.py": {  # Qiskit Aer: the errors that a noise model holds
        "_default_quantum_errors",
        "_default_readout_error",
        "_local_quantum_errors",
        "_local_readout_errors",
    },
    "interop/qiskit_estimator.py": {"_submit"},  # Qiskit: how a PrimitiveJob starts
    "interop/qiskit_sampler.py": {"_submit"},
}
# constructors that hand on to converters, which are loaded when they are called
DOORS = {
    "equinoise.model.qnn": {"equinoise.interop.models.pennylane_model", "equinoise.interop.models.qiskit_model"},
}
# one that shows itself in a notebook is asked for it by this name
PROTOCOL = {"_repr_html_"}


def module(path):
    parts = ("equinoise", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in FILES}


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def for_types_only(path):
    """The nodes under ``if TYPE_CHECKING``: no import at run time."""
    blocks = [n for n in ast.walk(tree(path)) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return {id(node) for block in blocks for statement in block.body for node in ast.walk(statement)}


def imports(path):
    """Modules of ours that a file imports, inside functions too; those for types alone left out."""
    skipped = for_types_only(path)
    for node in ast.walk(tree(path)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def circles(graph):
    """The strongly connected parts of more than one module."""
    reach = {start: set() for start in graph}
    for start in graph:
        left = list(graph[start])
        while left:
            one = left.pop()
            if one not in reach[start]:
                reach[start].add(one)
                left += graph.get(one, ())
    together = {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in graph}
    return sorted(sorted(part) for part in together if part)


# -- private names ---------------------------------------------------------------------------------------------------


def defined(path):
    """Names that a file gives to functions, classes, attributes and variables."""
    out = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            out.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            out.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            out.add(node.attr)
    return out


def private(name):
    return name.startswith("_") and not name.startswith("__") and name not in PROTOCOL


@pytest.mark.parametrize("path", FILES, ids=module)
def test_a_file_uses_no_private_name_of_another(path):
    taken = [
        f"line {node.lineno}: {alias.name} of {node.module}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if private(alias.name)
    ]
    own = defined(path) | FOREIGN.get(path.relative_to(ROOT).as_posix(), set())
    taken += [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and private(node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and node.attr not in own
    ]
    assert taken == []


@pytest.mark.parametrize("path", FILES, ids=module)
def test_no_private_module_of_a_dependency_is_imported(path):
    found = [
        name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        if any(private(part) for part in name.split("."))
    ]
    assert found == []


# -- circles, rooms, names -------------------------------------------------------------------------------------------


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == [["b", "c"]]


def test_no_files_import_each_other_in_a_circle():
    # the front door hands out names of every room, and loads none of them
    graph = {
        name: set(imports(path)) - {"equinoise"} - DOORS.get(name, set())
        for name, path in MODULES.items()
        if name != "equinoise"
    }
    assert circles(graph) == []


def test_no_room_holds_more_than_fourteen_files():
    count = Counter(path.parent.relative_to(ROOT).as_posix() for path in FILES if path.name != "__init__.py")
    assert {room: files for room, files in count.items() if files > MOST_FILES} == {}


def test_no_two_files_have_one_name():
    named = defaultdict(list)
    for name, path in MODULES.items():
        if path.name != "__init__.py" and not name.startswith(COMMANDS):
            named[path.name].append(name)
    assert {name: where for name, where in named.items() if len(where) > 1} == {}


def test_no_file_or_public_name_needs_a_comment_to_be_understood():
    unclear = {"bonds", "held_out", "helpers", "observed", "reduction_facts", "remedies", "statement", "utils"}
    files = {path.stem for path in FILES}
    top = {node.name for path in FILES for node in tree(path).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert (files | top) & unclear == set()


# -- sizes -----------------------------------------------------------------------------------------------------------


def functions(path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def depth(node, level=0):
    """How deep blocks stand in each other; an elif stands beside its if."""
    deepest = level
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        beside = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        opens = isinstance(child, ast.For | ast.While | ast.If | ast.With | ast.Try) and not beside
        deepest = max(deepest, depth(child, level + opens))
    return deepest


def test_no_function_is_longer_than_a_hundred_lines():
    long = {
        f"{module(path)}.{one.name}": one.end_lineno - one.lineno + 1
        for path in FILES
        for one in functions(path)
        if one.end_lineno - one.lineno + 1 > 100
    }
    assert long == {}


def test_no_function_but_a_kernel_is_deeper_than_four_levels():
    # numba inlines loops over blocks, rows and columns
    deep = {
        f"{module(path)}.{one.name}": depth(one)
        for path in FILES
        if not path.stem.endswith("kernels")
        for one in functions(path)
        if depth(one) > 4
    }
    assert deep == {}


# kernels: numba reads arrays that are handed over one by one at no cost, and each is one of the sector's tables
MANY = {
    "equinoise.engines.sector.kernels": {"backward_half", "build_blocks", "multiply_left", "multiply_left_tangent"},
    "equinoise.engines.sector.row_kernels": {"block_unitaries", "matrix_rows", "mix"},
    "equinoise.engines.vectors.vector_kernels": {"local_moments", "multiply", "multiply_tangent", "pull_back"},
}


def test_no_public_function_takes_more_than_eight_parameters():
    # the options of a command are what its users type, and a fitted model's are scikit-learn's way to say them
    many = {}
    for name, path in MODULES.items():
        for one in functions(path):
            arguments = one.args.posonlyargs + one.args.args + one.args.kwonlyargs
            count = sum(argument.arg not in ("self", "cls") for argument in arguments)
            spared = name.startswith(COMMANDS) or one.name.startswith("_") or one.name in MANY.get(name, ())
            if count > 8 and not spared:
                many[f"{name}.{one.name}"] = count
    assert many == {}


QUESTIONS = {"samples", "workers", "ensemble"}


def test_questions_take_one_sampling_in_place_of_its_parts():
    parts = defaultdict(set)
    for name, path in MODULES.items():
        for one in functions(path):
            arguments = {a.arg for a in one.args.posonlyargs + one.args.args + one.args.kwonlyargs}
            if len(arguments & QUESTIONS) > 1 and not name.startswith(COMMANDS):
                parts[name].add(one.name)
    # Sampling itself is made by a study's context
    assert parts == {"equinoise.evidence.frame.study": {"sampling"}}


# -- words are for readers -------------------------------------------------------------------------------------------


def looks_into(node):
    """Whether an expression asks what the text of an error says."""
    told = ("str(error)", "error.args", "repr(error)")
    if isinstance(node, ast.Compare):
        return any(ast.unparse(side) in told for side in node.comparators)
    asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return asks and node.func.attr in ("startswith", "endswith", "find") and ast.unparse(node.func.value) in told


@pytest.mark.parametrize("path", FILES, ids=module)
def test_nothing_is_decided_by_the_words_of_an_error(path):
    assert [ast.unparse(node) for node in ast.walk(tree(path)) if looks_into(node)] == []
