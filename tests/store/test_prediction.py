"""A run says what it takes a picture for, the same as it says of the test image it shows."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistlab import plugins
from mnistlab.console.printed_runs import print_predictions
from mnistlab.core.losses import LOSSES
from mnistlab.datasets import load
from mnistlab.errors import InputError
from mnistlab.run_folders.weights import load_weights, save_weights
from mnistlab.store.predict import Prediction, Predictions, predict
from tests.store.folders import train


@pytest.fixture
def folder(tmp_path):
    return train(tmp_path / "runs")


def picture_of(tmp_path: Path, index: int) -> str:
    return pictures_of(tmp_path, [index])[0]


def pictures_of(tmp_path: Path, indices: list[int]) -> list[str]:
    images = load("mnist-mini", validation=0).test.images
    paths = [tmp_path / f"image{index}.png" for index in indices]
    for index, path in zip(indices, paths, strict=True):
        Image.fromarray(images[index]).save(path)
    return list(map(str, paths))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("data.preprocess=[deskew]", "loss=softmax_cross_entropy"),
        ("data.preprocess=[deskew, standardize]", "learning_rate=0.0005"),
        ("model=sigmoid", "optimizer=adam", "dtype=float64"),
    ],
)
def test_a_picture_of_a_test_image_gets_the_prediction_of_its_index(tmp_path, words):
    """And both get what was written down when the run was evaluated."""
    folder = train(tmp_path / "runs", *words)
    chosen = list(range(0, 1000, 16))
    by_index = predict(folder, [str(at) for at in chosen])
    by_picture = predict(folder, pictures_of(tmp_path, chosen))
    predicted = [one.predicted for one in by_index.images]
    assert predicted == np.load(folder.predictions)[chosen].tolist()
    agree = np.mean(
        [one.predicted == c for one, c in zip(by_picture.images, predicted, strict=True)]
    )
    assert agree >= 0.99
    labels = load("mnist-mini", validation=0).test.labels[chosen]
    assert [one.label for one in by_index.images] == labels.tolist()
    assert by_picture.images[0].label is None


def test_outputs_are_what_the_model_computes(folder, tmp_path):
    image = load("mnist-mini", validation=0).test.images[5].reshape(-1) / 255
    parameters = load_weights(folder.model)
    (one,) = predict(folder, ["5"]).images
    np.testing.assert_allclose(one.outputs, image @ parameters[:-1] + parameters[-1], rtol=1e-4)
    softmax = train(tmp_path / "runs", "loss=softmax_cross_entropy")
    parameters = load_weights(softmax.model)
    logits = np.exp(image @ parameters[:-1] + parameters[-1])
    found = predict(softmax, ["5"])
    np.testing.assert_allclose(found.images[0].outputs, logits / logits.sum(), rtol=1e-4)
    assert (found.outputs, predict(folder, ["5"]).outputs) == (
        "softmax probability",
        "model output",
    )


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("1000", "the test split has 1,000 images"),
        ("9" * 5000, "the test split has 1,000 images"),
        ("missing.png", "cannot be read"),
        ("blank.png", "shows no digit"),
        ("text.png", "is no PNG or JPEG"),
    ],
)
def test_what_cannot_be_judged_stops_all_before_anything_is_printed(
    run, folder, tmp_path, monkeypatch, word, told
):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (50, 50), 200).save("blank.png")
    Path("text.png").write_text("hello")
    code, out, err = run("runs", "predict", folder.name, "0", word, "--save", "seen.png")
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert len(err) < 400
    assert not Path("seen.png").exists()


def test_runs_without_weights_are_refused(run, folder, tmp_path):
    lost = train(tmp_path / "runs", "learning_rate=0.2")
    code, _, err = run("runs", "predict", lost.name, "0")
    assert code == 2
    assert "has diverged" in err
    base = tmp_path / "base.yaml"
    base.write_text("epochs: 1\ndata: {dataset: mnist-mini, validation: 1000}\n")
    run("sweep", "-c", base, "learning_rate=0.001,0.005", "-q", "--no-plots")
    code, _, err = run("runs", "predict", "latest", "0")
    assert code == 2
    assert "is a sweep; name one of its runs" in err
    assert run("runs", "predict", "latest/1", "0")[0] == 0
    folder.model.unlink()
    code, _, err = run("runs", "predict", folder.name, "0")
    assert code == 2
    assert "has no weights" in err


def test_damaged_weights_are_never_used(folder):
    content = bytearray(folder.model.read_bytes())
    content[-100] ^= 1
    folder.model.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        predict(folder, ["0"])


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (np.zeros((785, 9), np.float32), "do not fit"),
        (np.zeros((785, 10), np.int64), "does not hold W"),
        (np.full((785, 10), np.nan, np.float32), "not finite"),
    ],
)
def test_weights_of_another_form_are_refused(folder, parameters, told):
    save_weights(folder.model, parameters)
    folder.write_status("completed")  # which vouches for no file
    with pytest.raises(InputError, match=told):
        predict(folder, ["0"])


def test_data_that_have_changed_are_refused(folder):
    environment = folder.read_environment() | {"data_sha256": "0" * 64}
    folder.environment.write_text(json.dumps(environment))
    folder.write_status("completed")
    with pytest.raises(InputError, match="has changed since"):
        predict(folder, ["0"])


def test_the_command_tells_class_outputs_and_truth(run, folder, tmp_path):
    path = picture_of(tmp_path, 3)
    save = tmp_path / "seen.png"
    code, out, err = run("runs", "predict", folder.name, "3", path, "--save", save)
    assert (code, err) == (0, "")
    predicted, label = int(np.load(folder.predictions)[3]), 7
    assert out.splitlines()[0].endswith("the number of each class is its model output")
    assert f"\n3: {predicted}, which is right\n" in out
    assert predicted == label
    assert f"\n{path}: {predicted}\n" in out
    assert out.count(f"\n> {predicted}  ") == 2
    assert out.endswith(f"plot: {save}\n")
    with Image.open(save) as picture:
        assert picture.width == 1200


def test_json_is_one_document(run, folder):
    code, out, _ = run("runs", "predict", folder.name, "3", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["outputs"] == "model output"
    (one,) = found["images"]
    assert one.keys() == {
        *("image", "predicted", "class", "outputs", "label", "label_class", "right"),
    }
    assert len(one["outputs"]) == 10
    assert one["right"] is True


def test_a_plugins_loss_needs_the_plugin(run, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from mnistlab.core.losses import LOSSES, SquaredError\n"
        "LOSSES.add('mine', SquaredError())\n"
    )
    base = tmp_path / "base.yaml"
    base.write_text("loss: mine\nepochs: 1\ndata: {dataset: mnist-mini, validation: 1000}\n")
    try:
        run("train", "-c", base, "--plugin", plugin, "-q", "--no-plots")
        LOSSES.pop("mine")
        plugins._loaded.clear()  # as in another process
        code, _, err = run("runs", "predict", "latest", "0")
        assert code == 2
        assert "unknown loss 'mine'" in err
        assert run("runs", "predict", "latest", "0", "--plugin", plugin)[0] == 0
    finally:
        LOSSES.pop("mine", None)


def bars(outputs, capsys, *, are_probabilities=False):
    classes = tuple(f"c{at}" for at in range(len(outputs)))
    largest = int(np.nanargmax(outputs))
    one = Prediction("x", largest, outputs, None, np.zeros((1, 1), np.uint8))
    print_predictions(Predictions("run", are_probabilities, classes, [one]))
    return capsys.readouterr().out.splitlines()[3:]


def test_bars_by_hand(capsys):
    first, second, third = bars([1.0, 0.5, -1.0], capsys)
    assert first == f"> c0   1.0000  {' ' * 20}{'█' * 20}"
    assert second == f"  c1   0.5000  {' ' * 20}{'█' * 10}"
    assert third == f"  c2  -1.0000  {'█' * 20}"
    half, _ = bars([0.5, 0.5], capsys, are_probabilities=True)
    assert half == f"> c0  0.5000  {'█' * 20}"  # all of the width is 1


@pytest.mark.parametrize("outputs", [[0.0, 0.0], [1e300, -1e300], [np.nan, 1.0], [np.inf, -1.0]])
def test_any_outputs_can_be_told(outputs, capsys):
    assert len(bars(outputs, capsys)) == 2
