"""The page as a file: one document that needs nothing else and lets nothing else run."""

import base64
import hashlib
import io
import re
import zlib
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from mnistlab.core.metrics import pre_activations
from mnistlab.report.attachments import MOST_IMAGES, _choose_images, embed
from mnistlab.report.render import PAGE, SCRIPTS, complete_page
from mnistlab.report.report_facts import read_records
from mnistlab.run_folders import RunFolder
from mnistlab.store.opening import of_folders
from tests.report.helpers import the_run
from tests.store.folders import train

pytestmark = pytest.mark.usefixtures("its_data")


def sha256(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def unpack(text, dtype):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def test_it_has_its_landmarks_and_one_title(reported):
    page = reported.page
    for tag in ("title", "h1", "header", "nav", "main", "footer"):
        assert len(page.all(tag)) == 1
    assert page.all("html")[0].attributes["lang"] == "en"
    assert page.all("h1")[0].text == page.all("title")[0].text
    levels = [int(one.tag[1]) for one in page.elements if re.fullmatch("h[1-6]", one.tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert "A. Student" in page.text


def test_every_link_leads_to_an_id_and_ids_are_unique(reported):
    ids = [one.attributes["id"] for one in reported.page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    links = [one.attributes["href"] for one in reported.page.all("a")]
    assert len(links) > 12
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for label in reported.page.all("label"):
        assert label.attributes["for"] in ids


def test_the_policy_names_script_and_styles_by_hash_and_lets_nothing_else_run(reported):
    page = reported.page
    (policy,) = (
        one.attributes["content"]
        for one in page.all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    (script,) = (one for one in page.all("script") if "type" not in one.attributes)
    styles = [one.text for one in page.all("style")]
    assert len(styles) == 2
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{sha256(styles[0])}' 'sha256-{sha256(styles[1])}'",
        f"script-src 'sha256-{sha256(script.text)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "unsafe" not in policy
    first = next(
        at for at, one in enumerate(page.elements) if one.attributes.get("content") == policy
    )
    assert not any(one.tag in ("script", "style", "link") for one in page.elements[:first])


def test_nothing_is_loaded_from_elsewhere_and_no_attribute_is_code_or_style(reported):
    for one in reported.page.elements:
        for name, value in one.attributes.items():
            assert not name.startswith("on")
            assert name not in ("style", "srcset", "action")
            if name in ("src", "href"):
                assert value.startswith(("#", "data:")), one
    css = (PAGE / "page.css").read_text()
    assert "url(" not in css
    assert "@import" not in css


def test_scripts_are_those_of_the_folder_and_end_no_tag(reported):
    (script,) = (one.text for one in reported.page.all("script") if "type" not in one.attributes)
    assert sorted(f"{name}.js" for name in SCRIPTS) == sorted(one.name for one in PAGE.glob("*.js"))
    for name in SCRIPTS:
        source = (PAGE / f"{name}.js").read_text()
        assert source in script
        assert "</" not in source
        assert "innerHTML" not in source


def test_styles_that_typst_sets_inline_become_classes():
    html = (
        '<meta charset="utf-8"><style>m</style></head><body>'
        '<img alt="a > b" src="data:x" style="display: block">'
        '<span style="white-space: pre-wrap"> </span>said: style="display: block"'
        "<pre>code</pre><mo>\N{COMBINING CIRCUMFLEX ACCENT}</mo></body>"
    )
    page = complete_page(html, {"word": "</script><!--&"})
    assert '<img alt="a > b" src="data:x">' in page
    assert '<span class="spaced"> </span>said: style="display: block"' in page
    assert '<pre tabindex="0">code</pre><mo>^</mo>' in page
    assert r"\u003c/script\u003e\u003c!--\u0026" in page


def test_formulas_are_mathml(reported):
    assert len(reported.page.all("math")) > 60
    assert "$" not in reported.page.text


def test_every_picture_is_one_and_says_what_it_shows(reported):
    pictures = reported.page.all("img")
    assert len(pictures) > 20
    for one in pictures:
        assert len(one.attributes["alt"]) > 10
        kind, _, data = one.attributes["src"].partition(";base64,")
        content = base64.b64decode(data)
        if kind == "data:image/svg+xml":
            assert b"<svg" in content
            assert not re.search(rb"<script|<foreignObject|<text|href=\"(?!#|data:)", content)
        else:
            with Image.open(io.BytesIO(content)) as picture:
                assert picture.width > 500


def test_the_page_is_small(reported):
    assert (reported.folder / "index.html").stat().st_size < 2_500_000


# What the scripts work with.


@pytest.fixture
def records(reported):
    names = ("linear", "sigmoid", "softmax", "best")
    return read_records(of_folders([RunFolder(the_run(reported.runs, name)) for name in names]))[0]


def test_packed_weights_give_the_runs_own_outputs(records, tmp_path):
    scaled = read_records(of_folders([train(tmp_path, "data.preprocess=[standardize]")]))[0]
    for run, model in zip([*records, *scaled], embed([*records, *scaled])["models"], strict=True):
        weights = unpack(model["weights"], "<f4").reshape(785, 10)
        images = run.dataset.test.rows[:200]
        ours = images.astype(np.float64) @ weights[:-1] + weights[-1]
        theirs = pre_activations(run.parameters, images, run.dataset.features)
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_images_in_the_page_are_the_raw_ones_that_it_names(records):
    data = embed(records)
    (embedded,) = data["sets"]
    raw = records[0].dataset.test
    images = unpack(embedded["images"], np.uint8).reshape(-1, 28, 28)
    np.testing.assert_array_equal(images, raw.images[embedded["chosen"]])
    np.testing.assert_array_equal(unpack(embedded["labels"], np.uint8), raw.labels)
    for run, model in zip(records, data["models"], strict=True):
        predictions = unpack(model["predictions"], np.uint8)
        np.testing.assert_array_equal(predictions, run.predictions)
    assert set(raw.labels[embedded["chosen"]]) == set(range(10))
    for first in records:
        for second in records:
            alone = (first.predictions == raw.labels) & (second.predictions != raw.labels)
            wanted = np.flatnonzero(alone)[:8].tolist()
            assert set(wanted) <= set(embedded["chosen"])


def test_of_many_runs_no_more_images_are_taken_than_there_is_room_for():
    generator = np.random.default_rng(0)
    labels = generator.integers(10, size=5000).astype(np.uint8)
    predictions = [generator.integers(10, size=5000).astype(np.uint8) for _ in range(30)]
    assert len(_choose_images(labels, predictions)) <= MOST_IMAGES


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda folder: folder.model.unlink(), "weights are missing"),
        (lambda folder: folder.environment.write_text("{}"), "data is missing or has changed"),
    ],
)
def test_a_run_that_cannot_be_tried_says_why(reported, tmp_path, harm, why):
    from tests.report.helpers import copy_run  # noqa: PLC0415

    folder = copy_run(the_run(reported.runs, "softmax"), tmp_path / "run")
    harm(folder)
    (model,) = embed(read_records(of_folders([folder]))[0])["models"]
    assert why in model["why"]
    assert "weights" not in model
