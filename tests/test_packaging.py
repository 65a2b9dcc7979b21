"""The files by which others install, cite, check and report on mnistlab agree with each other."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml

import mnistlab

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def read_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (ROOT / "CITATION.cff", "vendor.citation-file-format"),
        (WORKFLOW, "vendor.github-workflows"),
    ],
    ids=["citation", "workflow"],
)
def test_a_file_for_others_is_valid(path, schema, tmp_path):
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_citation_says_what_the_package_says():
    cited = read_yaml(ROOT / "CITATION.cff")
    assert cited["version"] == mnistlab.__version__
    assert cited["title"] == PROJECT["name"]
    assert cited["license"] == PROJECT["license"]
    assert cited["authors"] == PROJECT["authors"] == [{"name": "mnistlab developers"}]
    assert cited["abstract"].strip() == PROJECT["description"]
    assert cited["keywords"] == PROJECT["keywords"]


def test_ci_runs_what_everybody_runs_and_nothing_else():
    (job,) = read_yaml(WORKFLOW)["jobs"].values()
    checkout, run = job["steps"]
    assert checkout["uses"].startswith("actions/checkout@")
    assert set(run) == {"run"}
    assert run["run"] == ".ci/run"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    minimum = PROJECT["requires-python"].removeprefix(">=")
    versions = job["strategy"]["matrix"]["python"]
    assert versions[0] == minimum
    claimed = [
        one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)
    ]
    assert minimum in claimed
    assert set(claimed) <= set(versions)


def test_a_commit_is_checked_by_the_ruff_of_the_environment():
    (repository,) = read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"  # so that no version stands in a second place
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].split()[0] == ".venv/bin/ruff"


def test_the_security_policy_names_no_address_that_nobody_reads():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "@" not in text
    assert "http" not in text
    assert "SECURITY.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_types_are_shipped():
    assert (ROOT / "mnistlab" / "py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_no_two_files_or_classes_share_a_name():
    package = ROOT / "mnistlab"
    files = [path for path in package.rglob("*.py") if not path.name.startswith("__")]
    classes = [
        node.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    for names in ([path.name for path in files], classes):
        assert [name for name, count in Counter(names).items() if count > 1] == []
