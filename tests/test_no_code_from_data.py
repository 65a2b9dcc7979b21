"""No file that mnistlab reads can hold code: the package has nothing that would run any."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mnistlab"
MODULES = sorted(PACKAGE.rglob("*.py"))

UNPICKLERS = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
IMPORTS_BY_NAME = {"importlib", "runpy", "imp", "pkgutil", "zipimport", "code", "codeop"}
YAML_LOADERS = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}
YAML_CLASSES = {"Loader", "UnsafeLoader", "FullLoader", "CLoader", "CUnsafeLoader", "CFullLoader"}
SHELLS = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput")}
SHELLS |= {("subprocess", "getstatusoutput"), ("asyncio", "create_subprocess_shell")}

MAY_IMPORT_BY_NAME = {
    "__init__.py": "imports mnistlab.api, for the names in a list of its own",
    "cli/__init__.py": "imports its own modules, by the names in tables of its own",
    "plots/__init__.py": "imports its own modules, by the names in a table of its own",
    "plugins.py": "runs the Python files that the user typed after --plugin, and nothing else",
}
HARMLESS = {"importlib.metadata": "tells versions, and runs nothing"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_in_the_package_can_run_what_it_reads(module):
    place = str(module.relative_to(PACKAGE))
    found = list(dangers(ast.parse(module.read_bytes())))
    if place in MAY_IMPORT_BY_NAME:
        assert found, f"{place} needs no exception any more"
        found = [danger for danger in found if not danger.endswith("imports by name")]
    assert not found


DANGEROUS = [
    "import pickle",
    "import marshal as m",
    "from pickle import loads",
    "from shelve import open as o",
    "import joblib.numpy_pickle",
    "import numpy, dill",
    "def f():\n    from cloudpickle import load",
    "eval('1')",
    "exec(text)",
    "compile(text, '', 'exec')",
    "__import__(name)",
    "builtins.eval(text)",
    "run = eval",
    "getattr(__builtins__, name)",
    "import builtins",
    "import importlib",
    "from importlib import import_module",
    "import importlib.util",
    "from importlib.util import spec_from_file_location",
    "import runpy",
    "spec.loader.exec_module(module)",
    "yaml.load(text)",
    "yaml.load(text, Loader=yaml.SafeLoader)",
    "yaml.unsafe_load(text)",
    "yaml.full_load_all(text)",
    "from yaml import load",
    "yaml.UnsafeLoader(text)",
    "class Mine(yaml.Loader): pass",
    "class Mine(yaml.loader.FullLoader): pass",
    "from yaml import Loader",
    "np.load(path, allow_pickle=True)",
    "np.load(path)",
    "np.load(path, allow_pickle=wish)",
    "np.load(path, **options)",
    "numpy.load(path, mmap_mode='r')",
    "np.lib.format.read_array(file)",
    "from numpy import load",
    "np.save(path, array)",
    "np.save(path, array, allow_pickle=True)",
    "f(allow_pickle=True)",
    "subprocess.run(line, shell=True)",
    "subprocess.run(line, shell=wish)",
    "os.system(line)",
    "os.popen(line)",
    "from os import system",
    "from subprocess import getoutput",
]


@pytest.mark.parametrize("source", DANGEROUS)
def test_the_check_sees(source):
    assert list(dangers(ast.parse(source)))


HARMLESS_SOURCES = [
    "import re\nre.compile('x')",
    "import json\njson.load(file)",
    "np.load(path, allow_pickle=False)",
    "np.save(path, array, allow_pickle=False)",
    "from importlib.metadata import version",
    "class Mine(yaml.SafeLoader): pass",
    "subprocess.run([program], check=True)",
    "loader.construct_object(node)",
    "dataset.load(name)",
    "evaluate(x); execute(x)",
]


@pytest.mark.parametrize("source", HARMLESS_SOURCES)
def test_the_check_lets_pass(source):
    assert not list(dangers(ast.parse(source)))


def dangers(tree: ast.AST) -> Iterator[str]:
    """Yield each place of a module that could run what was read, as "line N: what"."""
    for node in ast.walk(tree):
        for danger in (*_imported(node), *_named(node), *_called(node)):
            yield f"line {node.lineno}: {danger}"


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for name in node.names:
            yield from _of_module(name.name)
    if isinstance(node, ast.ImportFrom) and not node.level:
        yield from _of_module(node.module)
        yield from (
            f"{node.module}.{name.name}"
            for name in node.names
            if (node.module, name.name) in SHELLS
            or (node.module == "yaml" and name.name in YAML_LOADERS | YAML_CLASSES)
            or (node.module == "numpy" and name.name == "load")
        )


def _of_module(name: str) -> Iterator[str]:
    root = name.partition(".")[0]
    if root in UNPICKLERS | {"builtins"}:
        yield f"imports {name}"
    if root in IMPORTS_BY_NAME and name not in HARMLESS:
        yield f"{name} imports by name"


def _named(node: ast.AST) -> Iterator[str]:
    """Yield what is dangerous by its name alone, called or handed on."""
    if isinstance(node, ast.Name) and node.id in RUNS_TEXT | {"__builtins__"}:
        yield node.id
    if isinstance(node, ast.Attribute):
        owner = _root(node.value)
        if node.attr in RUNS_TEXT - {"compile"}:
            yield f".{node.attr}"
        if node.attr in ("exec_module", "load_module"):
            yield f".{node.attr} imports by name"
        if owner == "yaml" and node.attr in YAML_LOADERS | YAML_CLASSES:
            yield f"yaml.{node.attr}"
        if (owner, node.attr) in SHELLS:
            yield f"{owner}.{node.attr}"


def _called(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    pickles = given.get("allow_pickle")
    of_numpy = isinstance(node.func, ast.Attribute) and _root(node.func.value) in ("np", "numpy")
    reads_arrays = of_numpy and node.func.attr in ("load", "save", "read_array", "write_array")
    if (reads_arrays or pickles is not None) and not _is_false(pickles):
        yield "allow_pickle is not False"
    if "shell" in given and not _is_false(given["shell"]):
        yield "shell is not False"


def _is_false(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _root(node: ast.AST) -> str:
    """Return the first name of `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
