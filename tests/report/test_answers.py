"""What the answers state beyond the numbers of the run folders, computed here in another way."""

import json
import shutil
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.datasets import load
from mnistlab.report.assignment import compare_over_seeds, find_given, largest_weight
from mnistlab.report.render import ReportRequest, write_report
from mnistlab.report.report_facts import gather
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_weights
from mnistlab.statistics import mcnemar_p, wilson_interval
from mnistlab.store.opening import of_folders
from tests.late import Late
from tests.report.helpers import as_number, copy_run, pdf_text, read_page, rewrite, squeeze, the_run

stats = Late("scipy.stats")
ROOT = Path(mnistlab.__file__).parents[1]

pytestmark = pytest.mark.usefixtures("its_data", "undrawn")


@pytest.fixture
def answers(reported):
    return reported.facts["answers"]


@pytest.fixture
def linear(reported):
    return RunFolder(the_run(reported.runs, "linear"))


@pytest.fixture
def data():
    return load("mnist-mini", validation=1000)


def test_the_answers_stand_in_the_order_of_the_assignment(reported):
    text = reported.page.text
    headings = [
        *("Question 1:", "(a) The gradient for one image", "(b) The gradient for a batch"),
        *("(c) The program", "(d) Training", "(e) The sigmoid", "Question 2:"),
        *("(a) The gradient of the cross-entropy", "(b) Softmax and loss in code"),
        *("(c) The analytical gradient in code", "(d) Analytical against numerical gradient"),
    ]
    titles = [one.text for one in reported.page.elements if one.tag in ("h2", "h3")]
    assert [title[: len(start)] for title, start in zip(titles, headings, strict=False)] == headings
    printed = pdf_text(reported.folder / "report.pdf")
    for heading in headings:
        assert squeeze(heading) in printed
        assert heading in text


def test_numbers_of_the_gradient_check_are_those_of_the_command(answers, run):
    code, out, _ = run("gradcheck", "--all", "--json")
    assert code == 0
    found = {}
    for one in json.loads(out)["checks"]:
        found.setdefault(one["what"], []).append(one)
    assert len(answers["checks"]) == 11
    for what, told in answers["checks"].items():
        checks = found[what]
        assert told["passed"] is all(one["passed"] for one in checks) is True
        assert told["points"] == len(checks)
        assert told["error"] == f"{max(one['relative_error'] for one in checks):.1e}"
        assert float(told["error"]) <= float(told["tolerance"])


def test_the_three_points_are_those_of_the_command(answers, run):
    code, out, _ = run("gradcheck", "--json")
    assert code == 0
    checks = json.loads(out)["checks"]
    assert len(checks) == len(answers["softmax"]["points"]) == 3
    for one, told in zip(checks, answers["softmax"]["points"], strict=True):
        assert told["loss"] == f"{one['loss']:.6f}"
        assert told["relative_error"] == f"{one['relative_error']:.1e}"
        assert told["absolute_error"] == f"{one['max_abs_error']:.1e}"
        assert told["verdict"] == "passed"
        analytic = [float(each["analytic"]) for each in told["coordinates"]]
        np.testing.assert_allclose(analytic, np.ravel(one["analytic"]), atol=6e-10)
        at = np.array([float(each["at"]) for each in told["coordinates"]])
        expected = np.exp(at) / np.exp(at).sum() - np.eye(len(at))[told["label"]]
        np.testing.assert_allclose(analytic, expected, atol=1e-6)
    assert all(one["passed"] for one in answers["softmax"]["properties"])


def test_the_examples_overflow_as_written_and_not_in_our_code(answers):
    for one in answers["stabilisation"]:
        logits = np.array([float(word) for word in one["logits"].split(",")])
        shifted = logits - logits.max()
        expected = np.exp(shifted) / np.exp(shifted).sum()
        ours = [float(word) for word in one["ours"].split(",")]
        np.testing.assert_allclose(ours, expected, atol=1e-4)
        loss = np.log(np.exp(shifted).sum()) - shifted[0]
        assert float(one["our_loss"]) == pytest.approx(loss, rel=1e-3)
        assert not np.isfinite(float(one["written_loss"]))


def test_intervals_are_wilsons(reported, data):
    for one in reported.facts["runs"]:
        if "test.accuracy" in one["numbers"]:
            accuracy = one["numbers"]["test.accuracy"]["value"]
            low, high = wilson_interval(accuracy, len(data.test))
            assert one["interval"] == f"{low:.2%} to {high:.2%}"


def test_the_limit_follows_from_the_largest_eigenvalue(answers, data):
    rows = data.train.rows / 255
    F = np.hstack([rows, np.ones((len(rows), 1))])
    eigenvalue = np.linalg.eigvalsh(F.T @ F / len(F))[-1]
    assert float(answers["limit"]["eigenvalue"]) == pytest.approx(eigenvalue, rel=2e-3)
    assert float(answers["limit"]["full"]) == pytest.approx(1 / eigenvalue, rel=1e-2)
    v = np.linalg.eigh(F.T @ F / len(F))[1][:, -1]
    single = (np.square(F).sum(axis=1) * np.square(F @ v)).mean() / eigenvalue
    assert float(answers["limit"]["single"]) == pytest.approx(single, rel=1e-2)
    limit = 1 / (eigenvalue * 0.99 + single / 100)
    assert float(answers["limit"]["mean"]) == pytest.approx(limit, rel=1e-2)
    assert float(answers["limit"]["sum"]) == pytest.approx(limit / 100, rel=1e-2)


def test_the_growth_that_the_limit_predicts_is_that_which_was_measured(answers, reported):
    steps, losses = RunFolder(the_run(reported.runs, "linear_overflow")).read_divergence()
    lost = [step for step, loss in zip(steps, losses, strict=True) if not np.isfinite(loss)]
    told = answers["overflow"]
    assert told["step"] == str(lost[0])
    half = losses[len(losses) // 2 : -1]
    growth = (half[-1] / half[0]) ** (1 / (len(half) - 1))
    assert float(told["measured"]) == pytest.approx(growth, rel=0.05)
    assert float(told["predicted"]) == pytest.approx(growth, rel=0.2)


def test_the_optimum_is_that_of_the_normal_equations(answers, linear, data):
    rows = data.train
    F = np.hstack([rows.rows / 255, np.ones((len(rows), 1))])
    Y = np.eye(10)[rows.labels]
    P = np.linalg.lstsq(F, Y, rcond=None)[0]
    least = np.square(F @ P - Y).sum(axis=1).mean()
    told = answers["optimum"]
    assert float(told["loss"]) == pytest.approx(least, abs=2e-4)
    ended = linear.read_summary()["train"]["loss"]
    assert float(told["gap"]) == pytest.approx(ended - least, abs=2e-4)
    theirs = load_weights(linear.model)
    for name, split in (("validation", data.validation), ("test", data.test)):
        X = np.hstack([split.rows / 255, np.ones((len(split), 1))])
        right, ours = ((X @ one).argmax(axis=1) == split.labels for one in (P, theirs))
        assert told[name]["accuracy"] == f"{right.mean():.2%}"
        expected = 100 * (right.mean() - ours.mean())
        error = 100 * np.std(right.astype(int) - ours, ddof=1) / np.sqrt(len(split))
        mean, _, half = told[name]["shown"].partition(" ± ")
        assert as_number(mean)[0] == pytest.approx(expected, abs=0.006)
        assert float(half) == pytest.approx(stats.t.ppf(0.975, len(split) - 1) * error, abs=0.006)


def test_the_largest_weight_is_no_bias(answers, reported):
    parameters = load_weights(RunFolder(the_run(reported.runs, "sigmoid_sgd")).model)
    assert answers["control"] == f"{np.abs(parameters[:-1]).max():.3g}"
    assert largest_weight(SimpleNamespace(parameters=np.array([[0.5, -2.0], [9.0, 9.0]]))) == "2"


def test_the_pair_is_counted_image_by_image(answers, reported, linear, data):
    sweep, _ = reported.facts["sweeps"]
    name, _, number = sweep["best"].partition("/")
    best = np.load(reported.runs / name / "runs" / number / "predictions.npy")
    ours, theirs = best == data.test.labels, np.load(linear.predictions) == data.test.labels
    only_best, only_given = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    assert "says nothing of the two settings" in reported.page.text
    told = answers["comparison"]
    assert (told["only_best"], told["only_given"]) == (only_best, only_given)
    assert told["p"] == f"{mcnemar_p(only_best, only_given):.2g}"


# What seeds say of the best and the given setting.


def over_seeds(reported, data, **setting):
    """Return the runs of the second sweep with this setting: the seeds, and what is right."""
    sweep = SweepFolder(the_run(reported.runs, "seeds"))
    found = {}
    for run in map(sweep.run, sweep.runs()):
        config = load_config(run.config)
        if all(getattr(config, key) == value for key, value in setting.items()):
            found[config.seed] = np.load(run.predictions) == data.test.labels
    return found


def test_best_and_given_setting_are_compared_over_seeds_that_chose_neither(answers, reported, data):
    sweep, _ = reported.facts["sweeps"]
    rate, epochs, *_ = sweep["trials"][0]["values"]
    best = over_seeds(reported, data, learning_rate=float(rate), epochs=int(epochs))
    given = over_seeds(reported, data, learning_rate=0.01, epochs=1)
    told = answers["seeds"]
    assert list(best) == list(given) == list(range(1, 11))
    assert (told["count"], told["seeds"]) == (10, "1 to 10")
    ours, theirs = (np.array([one.mean() for one in runs.values()]) for runs in (best, given))
    for name, scores in (("best", ours), ("given", theirs)):
        low, high = stats.t.interval(0.95, 9, scores.mean(), stats.sem(scores))
        assert told["test"][name] == f"{scores.mean():.2%} ± {(high - low) / 2:.2%}"
    pairs = [
        mcnemar_p(int((one & ~other).sum()), int((other & ~one).sum()))
        for one, other in combinations(given.values(), 2)
    ]
    assert (told["pairs"], told["unlike"]) == (45, sum(p < 0.05 for p in pairs))


def seed_runs(best, given, chosen_by=0.9):
    """Return a sweep over seeds with these accuracies, and the runs of which it repeats two."""

    def run(name, accuracy, seed):
        splits = dict.fromkeys(("validation.accuracy", "test.accuracy"), accuracy)
        return SimpleNamespace(
            status="completed", setting=name, facts={"seed": seed, **splits},
            dataset=None, predictions=None,
        )  # fmt: skip

    runs = [run("A", accuracy, seed) for seed, accuracy in best.items()]
    runs += [run("B", accuracy, seed) for seed, accuracy in given.items()]
    return SimpleNamespace(runs=runs), run("A", chosen_by, 0), run("B", 0.8, 0)


def test_the_difference_is_paired_by_seed_with_students_interval():
    best = {1: 0.81, 2: 0.84, 3: 0.86, 4: 0.5}  # the seed 4 has no other run
    given = {3: 0.83, 2: 0.82, 1: 0.8, 9: 0.99}
    told = compare_over_seeds(*seed_runs(best, given))
    half = 4.302653 * 0.01 / np.sqrt(3)  # of differences 0.01, 0.02 and 0.03
    assert told["test"]["shown"] == f"+2.00 ± {100 * half:.2f}"
    assert (
        told["test"]["interval"] == f"\N{MINUS SIGN}{100 * half - 2:.2f} to +{2 + 100 * half:.2f}"
    )
    assert (told["test"]["sign"], told["count"], told["is_same"]) == (0, 3, False)
    assert (told["excess"], told["fell"]) == (f"{90 - 251 / 3:.2f}", True)


@pytest.mark.parametrize(("added", "sign"), [(0.01, 1), (-0.01, -1), (0.0, 0)])
def test_a_difference_beyond_its_interval_has_a_sign(added, sign):
    given = {seed: 0.8 + seed / 100 for seed in range(5)}
    best = {seed: one + added + seed / 10_000 * added for seed, one in given.items()}
    assert compare_over_seeds(*seed_runs(best, given))["test"]["sign"] == sign


def test_one_seed_or_a_run_that_has_not_ended_says_nothing_of_settings():
    assert compare_over_seeds(*seed_runs({1: 0.8, 2: 0.9}, {1: 0.8, 3: 0.9})) is None
    sweep, best, given = seed_runs({1: 0.8, 2: 0.9}, {1: 0.8, 2: 0.9})
    sweep.runs[0].status = "diverged"
    assert compare_over_seeds(sweep, best, given) is None
    sweep, best, given = seed_runs({1: 0.8, 2: 0.9}, {1: 0.8, 2: 0.9})
    del sweep.runs[3].facts["test.accuracy"]
    assert compare_over_seeds(sweep, best, given) is None


def test_seeds_of_which_a_run_is_gone_are_left_out(reported, tmp_path):
    names = ("linear", "assignment", "seeds")
    needed = {name: copy_run(the_run(reported.runs, name), tmp_path / name) for name in names}
    needed["sweep"] = needed.pop("assignment")
    shutil.rmtree(needed["seeds"].run(3).path)
    needed["seeds"].run(14).model.write_bytes(b"")
    request = ReportRequest(of_folders(needed.values()), ["html"], "T", "A", needed)
    write_report(request, tmp_path, print, print)
    text = read_page(tmp_path).text
    assert "again with 8 seeds (1 to 10)" in text
    assert "The other 2 seeds are left out" in text


def test_the_same_setting_is_not_compared_with_itself():
    sweep, best, _ = seed_runs({1: 0.8, 2: 0.9}, {})
    told = compare_over_seeds(sweep, best, best)
    assert (told["is_same"], told["test"]["sign"], told["count"]) == (True, 0, 2)


# What is said of the search.


@pytest.fixture
def told_with(reported, tmp_path):
    """Return a function that changes the sweep's document and returns the report's text."""
    from mnistlab.report import assignment  # noqa: PLC0415

    def tell(change):
        sweep = SweepFolder(copy_run(the_run(reported.runs, "assignment"), tmp_path / "s").path)
        rewrite(sweep.summary, change)
        needed = {name: RunFolder(the_run(reported.runs, name)) for name in assignment.RUNS}
        needed |= {"sweep": sweep, "seeds": SweepFolder(the_run(reported.runs, "seeds"))}
        request = ReportRequest(of_folders(needed.values()), ["html"], "T", "A", needed)
        write_report(request, tmp_path, print, print)
        return read_page(tmp_path).text

    return tell


def trial_of(document, **parameters):
    return next(one["trial"] for one in document["results"] if one["parameters"] == parameters)


GIVEN = {"learning_rate": 0.01, "epochs": 1}
NO_DIFFERENCE = "its weights do not differ significantly from those of the best combination"
CAUTION = "They do not account for the random order of the images"


def put(document, first, ties):
    """Let one trial be the best, and let these be ties."""
    numbers = [first, *(one for one in document["ranking"] if one != first)]
    best = next(one for one in document["results"] if one["trial"] == first)
    document.update(ranking=numbers, indistinguishable=ties)
    document["best"] = {**document["best"], **best}


def test_where_the_given_setting_ties_there_is_no_evidence_against_it(told_with):
    def change(document):
        given = trial_of(document, **GIVEN)
        other = next(one for one in document["ranking"] if one != given)
        put(document, other, [given])

    text = told_with(change)
    assert NO_DIFFERENCE in text
    assert CAUTION in text


def test_where_the_given_setting_does_not_tie_only_the_images_are_judged(told_with):
    def change(document):
        given = trial_of(document, **GIVEN)
        put(document, next(one for one in document["ranking"] if one != given), [])

    text = told_with(change)
    assert NO_DIFFERENCE not in text
    assert "classify significantly more images correctly" in text
    assert CAUTION in text


def test_the_given_setting_may_be_the_best(told_with):
    text = told_with(lambda document: put(document, trial_of(document, **GIVEN), []))
    assert "The given setting is itself the best one found." in text
    assert "We trained this setting again with 10 seeds (1 to 10)" in text
    assert "are the same, so there is no difference to judge" in text
    assert "seed by seed" not in text


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (0, "therefore no evidence that either setting has the higher test accuracy"),
        (1, "is therefore better in the mean over seeds than the given setting"),
        (-1, "is therefore worse in the mean over seeds than the given setting"),
    ],
)
def test_what_is_concluded_is_what_the_interval_allows(told_with, monkeypatch, sign, words):
    found = {"shown": "+0.12 ± 0.34", "interval": "its ends", "sign": sign}
    monkeypatch.setattr("mnistlab.report.assignment._difference", lambda *_: found)
    text = told_with(
        lambda document: put(document, trial_of(document, learning_rate=0.01, epochs=2), [])
    )
    assert words in text
    assert "+0.12 ± 0.34 percentage points" in text
    assert f"its ends, {'does not contain' if sign else 'contains'} zero" in text
    assert "selection bias, also called the winner" in text


def test_another_seed_is_another_setting(reported):
    from mnistlab.report.report_facts import read_records  # noqa: PLC0415

    needed = [RunFolder(the_run(reported.runs, "linear"))]
    (linear,), (sweep,) = read_records(
        of_folders([*needed, SweepFolder(the_run(reported.runs, "assignment"))])
    )
    assert find_given(sweep, sweep.best, linear) is not None
    linear.flat_config["seed"] = 7
    assert find_given(sweep, sweep.best, linear) is None


def test_values_at_the_edge_of_what_was_tried_are_named(reported):
    sweep, _ = reported.facts["sweeps"]
    best = sweep["trials"][0]["values"]
    assert sweep["edges"] == [f"learning rate {best[0]}", f"epochs {best[1]}"]  # two values of each


@pytest.mark.parametrize("missing", ["predictions.npy", "model.safetensors", "divergence.csv"])
def test_what_is_missing_in_a_folder_leaves_its_sentence_out(reported, tmp_path, missing):
    needed = {}
    for name in ("linear", "linear_overflow", "sigmoid_sgd"):
        needed[name] = copy_run(the_run(reported.runs, name), tmp_path / name)
        (needed[name].path / missing).unlink(missing_ok=True)
    facts = gather(
        of_folders(needed.values()), needed, {"title": "T", "author": "", "date": "2026-01-01"}
    )
    answers = facts.document["answers"]
    lost = {"predictions.npy": "comparison", "model.safetensors": "control",
            "divergence.csv": "overflow"}[missing]  # fmt: skip
    assert answers[lost] is None
    assert any(missing in " ".join(one["remarks"]) for one in facts.document["runs"])
