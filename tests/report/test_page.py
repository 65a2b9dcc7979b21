import base64
import hashlib
import io
import json
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from mnistlab.core.metrics import pre_activations
from mnistlab.datasets import load as load_data
from mnistlab.report import page_data
from mnistlab.report.collect import collect
from mnistlab.report.document import Report, Section
from mnistlab.report.featured import FEATURED, choose_featured
from mnistlab.report.page import SCRIPTS, TEMPLATES, clean, render_page, safe_json
from mnistlab.report.page_data import _choose_images, embed, find_test_sets, title_of
from mnistlab.report.page_pictures import FeaturedRun, digit_url, template_url
from mnistlab.store.facts import read_facts
from tests.report.hostile import HOSTILE
from tests.report.pages import Parsed, Stub, page_of, report_of, train_all, unpack
from tests.store.folders import make_run, make_sweep


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return train_all(tmp_path_factory.mktemp("page") / "runs")


@pytest.fixture(scope="module")
def html(folders, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNISTLAB_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        return page_of(folders)


@pytest.fixture(scope="module")
def parsed(html):
    return Parsed(html)


def test_the_page_has_its_landmarks_and_one_title(parsed):
    for tag in ("main", "h1", "footer", "title"):
        assert len(parsed.all(tag)) == 1, tag
    assert parsed.all("html") == [{"lang": "en"}]
    assert parsed.all("nav")[0]["aria-label"]


def test_every_link_leads_to_an_id_of_the_page_and_ids_are_unique(parsed):
    ids = [one.attributes["id"] for one in parsed.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    links = [link["href"] for link in parsed.all("a")]
    assert len(links) > 6
    assert all(link.removeprefix("#") in ids for link in links)
    named = [
        name
        for one in parsed.elements
        for key in ("aria-labelledby", "aria-describedby", "for")
        for name in one.attributes.get(key, "").split()
    ]
    assert set(named) <= set(ids)


def test_the_policy_names_the_inline_script_and_style_by_hash_and_lets_nothing_else_run(parsed):
    policy = next(
        meta["content"]
        for meta in parsed.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind in ("script", "style"):
        digest = hashlib.sha256(parsed.inline[kind].encode()).digest()
        assert rules[f"{kind}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy


def test_nothing_is_loaded_from_elsewhere_and_no_attribute_is_code_or_style(parsed):
    for element in parsed.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name not in ("style", "srcset", "action")
            if name in ("src", "href"):
                assert value.startswith(("data:", "#")), element


def test_every_number_is_that_of_the_run_it_names(parsed, folders):
    facts = {folder.name: read_facts(folder) for folder in folders}
    numbers = [data for data in parsed.all("data") if "data-run" in data]
    assert len(numbers) >= 8 * len(folders)
    for number in numbers:
        assert float(number["value"]) == facts[number["data-run"]][number["data-key"]]


def test_the_gap_is_the_last_of_the_runs_gaps(html, folders):
    runs, _ = collect(folders)
    derived = [one for one in Parsed(html).all("data") if "data-run" not in one]
    expected = [run.gap for run in runs if run.gap is not None]
    assert expected
    assert [float(one["value"]) for one in derived] == expected


def test_a_filter_is_given_all_facts_of_all_runs(parsed, folders):
    told = parsed.data["facts"]
    for at, folder in enumerate(folders):
        varied = {key: values[at] for key, values in told["varied"].items()}
        facts = {key: value for key, value in varied.items() if value is not None} | told["same"]
        for page_only in ("gap", "remarks"):
            facts.pop(page_only, None)
        assert facts == read_facts(folder)
    assert set(told["keys"]) >= {"test.accuracy", "momentum", "data.dataset", "gap"}


def test_the_contents_call_a_section_by_its_label_unless_two_have_the_same():
    sections = [Section(f"long {at}", [], 1, label) for at, label in enumerate(["a", "b", "b", ""])]
    report = Report("Title", "", "2026-11-23", sections)
    page = Parsed(render_page(report, [], [], Stub()))
    text = "".join(page.text)
    contents = text[text.index("Contents") : text.index("All runs")].split("\n")
    assert [line for line in contents[1:] if line][:4] == ["a", "long 1", "long 2", "long 3"]


def test_hostile_text_adds_no_element_and_no_attribute(tmp_path):
    def page(kind, word_of):
        folders = []
        for at, text in enumerate(HOSTILE):
            word = word_of(text)
            made = make_run(tmp_path / kind / f"run-{at}", status="failed", name=word, model=word)
            status = {"status": "failed", "error": word, "started": "", "ended": ""}
            made.status.write_text(json.dumps(status))
            folders.append(made)
        folders.append(make_sweep(tmp_path / kind / "sweep"))
        return page_of(folders, " ".join(map(word_of, HOSTILE)))

    def same(text):
        return "word" if text else ""  # without a model, it is that of the default

    def itself(text):
        return text

    assert Parsed(page("hostile", itself)).shape == Parsed(page("plain", same)).shape


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text_in_the_data_of_the_script(text):
    safe = safe_json({"name": text, text: [text]})
    assert not set(safe) & set("<>&\u2028\u2029")
    safe.encode("ascii")
    assert json.loads(safe)["name"] == clean(text)


def test_hostile_titles_of_featured_runs_add_no_element(folders):
    def page(word):
        runs, _ = collect(folders)
        for run in runs:
            assert run.checked_config is not None  # read before another name is given
            run.__dict__["facts"] = {**run.facts, "name": word}
            run.__dict__["config"] = {**run.config, "name": word}
        return Parsed(render_page(report_of(runs), runs, [], Stub()))

    for word in ("</script><b>", '"><img src=x>', "\u2028\x00\ud800"):
        hostile, plain = page(word), page("word")
        assert hostile.shape == plain.shape
        assert hostile.data["models"][0]["title"] == clean(word)


def test_text_is_cleaned_of_what_html_lacks_or_what_turns_text_around():
    assert clean("a\x00b\x1b[1m\u202ec\ud800") == "a\\x00b\\x1b[1m\\u202ec\\ud800"
    assert clean("tab\tline\nä→ŷ") == "tab\tline\nä→ŷ"
    assert clean(3) == 3


def test_the_scripts_are_those_of_the_folder_and_end_no_tag():
    assert {f"{name}.js" for name in SCRIPTS} == {path.name for path in TEMPLATES.glob("*.js")}
    for path in TEMPLATES.glob("*.js"):
        assert "</" not in path.read_text()
        assert "innerHTML" not in path.read_text()


def test_packed_weights_give_the_runs_own_outputs(folders):
    runs, _ = collect(folders)
    models = embed(runs, find_test_sets(runs))["models"]
    for run, model in zip(runs, models, strict=True):
        rows = run.dataset.test.rows[:200]
        weights = unpack(model["weights"], "<f4").reshape(-1, 10).astype(np.float64)
        outputs = rows @ weights[:-1] + weights[-1]
        expected = pre_activations(run.parameters, rows, run.dataset.pixels)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
        assert (unpack(model["predictions"], np.uint8) == run.predictions).all()
    assert [model["moves"] for model in models] == [[], ["deskew"], [], []]
    assert [model["probabilities"] for model in models] == [False, True, True, False]


def test_the_images_in_the_page_are_the_raw_ones_it_names(folders):
    runs, _ = collect(folders[1:2])  # of a run whose preprocessing moves pixels
    (one,) = embed(runs, find_test_sets(runs))["sets"]
    raw = load_data("mnist-mini", validation=0).test
    images = unpack(one["images"], np.uint8).reshape(-1, 28, 28)
    assert (images == raw.images[one["chosen"]]).all()
    assert set(raw.labels[one["chosen"]].tolist()) == set(range(10))


def test_of_many_flips_no_more_images_are_taken_than_there_is_room_for(monkeypatch):
    labels = np.arange(5000) % 10
    predictions = [np.where(labels == c, (labels + 1) % 10, labels) for c in range(8)]
    chosen = _choose_images(labels, predictions)
    for first, second in combinations(predictions, 2):
        assert sum(second[chosen] != labels[chosen]) >= 8
        assert sum(first[chosen] != labels[chosen]) >= 8
    assert len(chosen) == len(set(chosen)) <= 10 + 8 * len(predictions)
    monkeypatch.setattr(page_data, "MOST_IMAGES", 30)
    assert len(_choose_images(labels, predictions)) == 30


def test_all_completed_runs_are_featured_or_else_the_best(tmp_path):
    runs, sweeps = collect(
        [
            *(make_run(tmp_path / f"r{at}", accuracy=at / 100) for at in range(FEATURED)),
            make_run(tmp_path / "other", status="diverged", accuracy=0.99),
        ]
    )
    assert choose_featured(runs, sweeps).runs == runs[:FEATURED]
    more, sweeps = collect(
        [*(run.folder for run in runs), make_run(tmp_path / "best", accuracy=0.95)]
    )
    featured = choose_featured(more, sweeps)
    assert featured.completed == FEATURED + 1
    assert [run.name for run in featured.runs] == ["best", *(f"r{at}" for at in range(11, 0, -1))]


def test_a_run_of_a_sweep_says_which_it_is(tmp_path):
    _, (sweep,) = collect([make_sweep(tmp_path / "sweep")])
    summary = {"trials": 2, "seeds": 1, "best": {"runs": [1]}}
    sweep.folder.summary.write_text(json.dumps(summary))
    _, (sweep,) = collect([sweep.folder])
    assert title_of(sweep.best) == "try, run 1"
    assert choose_featured([], [sweep]).runs == [sweep.best]


def test_mistakes_are_those_whose_wrong_class_leads_by_most(folders):
    runs, _ = collect(folders)
    for number, run in enumerate(runs):
        sets = find_test_sets([run])
        one = FeaturedRun(run, sets[run.dataset.sha256], number)
        images, labels = run.dataset.test.rows, run.dataset.test.labels
        A = pre_activations(run.parameters, images, run.dataset.pixels).astype(np.float64)
        outputs = A if run.facts["model"] == "linear" else 1 / (1 + np.exp(-A))
        lead = outputs.max(axis=1) - outputs[np.arange(len(labels)), labels]
        worst = np.sort(lead)[::-1][: len(one.mistakes)]
        np.testing.assert_allclose([lead[m.index] for m in one.mistakes], worst, atol=1e-5)
        first = one.mistakes[0]
        assert first.true == str(labels[first.index])
        assert first.predicted == str(run.predictions[first.index])
        assert one.mistaken == int((run.predictions != labels).sum())


def test_a_confusion_matrix_shades_what_is_not_zero(folders):
    runs, _ = collect(folders[:1])
    cells = [cell for row in FeaturedRun(runs[0], None, 0).confusion for cell in row]
    assert sum(cell.count for cell in cells) == len(runs[0].predictions)
    assert all((cell.shade > 0) == (cell.count > 0) for cell in cells)
    assert max(cell.shade for cell in cells) <= 8


def _pixels(url):
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_a_digit_is_drawn_dark_on_light_and_weights_by_sign_and_strength():
    image = np.array([[0, 255], [100, 3]], np.uint8)
    assert (np.asarray(_pixels(digit_url(image))) == 255 - image).all()
    weights = np.asarray(_pixels(template_url(np.array([[1.0, -1.0, 0.0, 0.5]]))).convert("RGBA"))
    red, blue, none, half = weights[0].astype(int)
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert red[3] == blue[3] == 255
    assert none[3] == 0
    assert 120 <= half[3] <= 140
    assert (half[:3] == red[:3]).all()


def test_a_page_without_runs_and_one_with_damaged_ones_are_pages(tmp_path):
    empty = Parsed(page_of([]))
    assert "There is no run." in "".join(empty.text)
    broken = make_run(tmp_path / "broken")
    broken.config.write_text("[")
    (tmp_path / "bare").mkdir()
    bare = type(broken)(tmp_path / "bare")
    lost = make_run(tmp_path / "lost", status="completed")
    page = Parsed(page_of([broken, bare, lost]))
    text = "".join(page.text)
    assert "config.yaml is missing or damaged" in text
    assert "model.safetensors is missing or damaged" in text
    assert page.data["models"][0]["why"] == "its weights are missing or damaged"


def test_a_figure_that_cannot_be_drawn_is_told_in_words(folders):
    page = Parsed(page_of(folders[:1], "what it shows", pictures=Stub(works=False)))
    assert "This figure could not be drawn. It would show: what it shows" in "".join(page.text)


def test_the_page_is_small(html):
    assert len(html.encode()) < 1_000_000
