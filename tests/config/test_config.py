"""Configs: what is accepted, what is refused and in which words, and that they read back."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnistlab.config.config_files import (
    FUNCTION_NAMES,
    MAX_DEPTH,
    dump,
    read_value,
    split_values,
)
from mnistlab.config.load import load_config, parse_overrides, to_yaml, valid_keys
from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import INITIALIZERS, MODELS
from mnistlab.core.objective import REDUCTIONS
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.schedules import SCHEDULES
from mnistlab.errors import ConfigError
from mnistlab.sweeps.sweep_file import is_sweep_file
from mnistlab.sweeps.sweep_schema import FUNCTIONS

CONFIGS = [
    path
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
    if not is_sweep_file(path)
]


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_the_defaults_are_the_assignments_setting():
    config = load_config(None)
    assert (config.model, config.loss, config.optimizer) == ("linear", "squared_error", "sgd")
    assert (config.learning_rate, config.epochs, config.batch_size) == (0.01, 10, 100)
    assert (config.data.dataset, config.data.validation) == ("mnist", 10_000)


def test_precedence_is_defaults_then_file_then_command_line(write):
    path = write("learning_rate: 0.5\nepochs: 3\ndata: {validation: 7}\n", "fast.yaml")
    config = load_config(path, ["epochs=4", "data.dataset=mnist-mini"])
    assert (config.learning_rate, config.epochs, config.batch_size) == (0.5, 4, 100)
    assert (config.data.dataset, config.data.validation) == ("mnist-mini", 7)
    assert config.name == "fast"
    assert load_config(path, name="other").name == "other"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2.5E+4", -25000.0),
        (".5", 0.5),
        ("7", 7),
        ("0", 0),
        ("0.5", 0.5),
        ("-0", 0),
        ("'007'", "007"),
        ("run #2", "run #2"),
        ("#2", "#2"),
        (" a&b ", "a&b"),
        ("'a # b'", "a # b"),
        ("[a#b, 'c # d']", ["a#b", "c # d"]),
        ("true", True),
        ("no", "no"),
        ("null", None),
        ("", None),
        ("2026-11-23", "2026-11-23"),
        ("1_000", "1_000"),
        ("[deskew, 1e2]", ["deskew", 100.0]),
        ("'1e-3'", "1e-3"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    read = read_value(text, "here")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- a\n", "line 1: must be a mapping"),
        ("hello", "line 1: must be a mapping"),
        ("data:\n\tdataset: mnist\n", "line 2: is not valid YAML: .*a tab; indent with spaces"),
        ("model: linear\n".encode("utf-16"), "line 1: is not UTF-8 text; save it as UTF-8"),
        ("epochs: 1\nseed: 007\n", "line 2: 007: a number has no leading zeros; a decimal point"),
        ("learning_rate: 00.5\n", "line 1: 00.5: a number has no leading zeros"),
        ("data: {preprocess: [-01]}\n", "line 1: -01: a number has no leading zeros"),
        ("data: {validation: abc}\n", "line 1: data.validation must be a number, not abc$"),
        ("float: 1\n", "line 1: unknown key 'float'"),
        ("int: 1\n", "line 1: unknown key 'int'"),
        ("data: {dataset: 2024}\n", "data.dataset must be text, not 2024; quote it: '2024'"),
        ("epochs:\u00a01\n", "line 1 has a non-breaking space"),
        ("epochs: 1\n\u00a0seed: 1\n", "line 2 has a non-breaking space"),
        ("lr: 0.1\n", "unknown key 'lr'; did you mean 'learning_rate'"),
        ("bs: 1\n", "unknown key 'bs'; did you mean 'batch_size'"),
        ("wd: 1\n", "unknown key 'wd'; did you mean 'weight_decay'"),
        ("optim: adam\n", "unknown key 'optim'; did you mean 'optimizer'"),
        ("lr_schedule: cosine\n", "unknown key 'lr_schedule'; did you mean 'schedule'"),
        ("n_epochs: 1\n", "unknown key 'n_epochs'; did you mean 'epochs'"),
        (b"epochs: 1\nname: caf\xe9\n", "line 2: is not UTF-8"),
        (b"name: a\x00b\n", "is not valid YAML"),
        (
            "epochs: 1\nseed: 2\nepochs: 3\n",
            r"line 3: 'epochs' stands here again \(first in line 1",
        ),
        ("data: {validation: 1, validation: 2}\n", "line 1: 'validation' stands here again"),
        ("lerning_rate: 1\n", "line 1: unknown key 'lerning_rate'; did you mean 'learning_rate'"),
        ("\nvalidation: 1\n", "line 2: unknown key .*did you mean 'data.validation'"),
        ("data: {datset: mnist}\n", "unknown key 'data.datset'; did you mean 'data.dataset'"),
        ("epochs: true\n", "line 1: epochs must be a whole number, not true"),
        ("epochs: 0\n", "line 1: epochs must be at least 1, not 0"),
        ("epochs: 1.5\n", "epochs must be a whole number, not 1.5"),
        ("epochs: ten\n", "epochs must be a whole number, not ten"),
        ("batch_size: -1\n", "batch_size must be at least 1"),
        ("learning_rate: .nan\n", "learning_rate must be a finite number"),
        ("learning_rate: .inf\n", "learning_rate must be a finite number"),
        ("learning_rate: 0\n", "learning_rate must be greater than 0"),
        ("learning_rate: fast\n", "learning_rate must be a number, not fast"),
        ("seed: -1\n", "seed must be at least 0"),
        (f"seed: {2**63}\n", "seed must be less than"),
        (f"seed: {'9' * 5000}\n", "line 1: this number is too long"),
        ("seed:\n", "seed must be a whole number, not null"),
        ("model: liner\n", r"line 1: model: unknown model 'liner'; did you mean 'linear'\?"),
        ("dtype: float16\n", "dtype must be 'float32' or 'float64', not float16"),
        ("data: mnist\n", "data must be a mapping"),
        ("data: {preprocess: deskew}\n", r"data.preprocess must be a list, like \[a, b\]"),
        ("data: {dataset: ''}\n", "data.dataset must not be empty"),
        ("momentum: 0.5\n", "line 1: momentum has no effect with optimizer sgd"),
        ("epochs: 2\ninit_scale: 0.5\n", "line 2: init_scale has no effect"),
        ("data:\n  split_seed: 3\n", "line 2: data: split_seed has no effect with split tail"),
        (
            "data:\n  validation: 0\n  split: random\n",
            "line 3: data: split random has no effect: validation 0 holds out no image",
        ),
        (
            "data:\n  folds: 5\n  validation: 100\n",
            "line 3: data: validation has no effect with folds; leave it out",
        ),
        (
            "data: {folds: 5, split: tail}\n",
            r"data: unknown .*'tail' \(valid: random, stratified\)",
        ),
        ("data: {folds: 1}\n", "data.folds must be at least 2, not 1"),
        ("data: {folds: 5, fold: 5}\n", "data: fold 5 is none of 5: they count from 0"),
        ("data: {fold: 0}\n", "data: fold has no effect without folds"),
        ("optimizer: momentum\nmomentum: 1.0\n", "line 2: momentum must be less than 1"),
        ("early_stopping: 2\ndata: {validation: 0}\n", "line 1: early_stopping needs a validation"),
        ("epochs: 2\nstop_after: 3\n", "line 2: stop_after 3 must be at most epochs, 2"),
        ("stop_after: 0\n", "stop_after must be at least 1, not 0"),
        ("learning_rate: [0.1, 0.2]\n", "the values of a sweep are written without brackets"),
        ("data: {validation: 20%}\n", "data.validation must be a number, not 20%; write 0.2"),
        ("base: linear.yaml\n", "is a sweep file; use `mnistlab sweep --config"),
        ("parameters: {}\n", "is a sweep file"),
        ("method: grid\n", "is a sweep file"),
        ("name: ../x\n", "name must be letters, digits"),
        ("name: 2026\n", "name must be text, not 2026"),
        (f"name: {'x' * 65}\n", "name must be letters"),
        ('name: "a\\nb"\n', "name must be letters.*not 'a b'"),
        ("model: !!python/object/apply:os.system ['true']\n", "line 1: tags are not allowed"),
        ("model: !!str linear\n", "tags are not allowed"),
        ("a: &a [1, 1]\nb: [*a, *a]\n", r"line 1: anchors and aliases are not allowed \(&a\)"),
        ("a: 1\nb: *a\n", r"line 2: aliases are not allowed \(\*a\)"),
        ("model: ! linear\n", "line 1: tags are not allowed"),
        ("model: " + "[" * 10_000, "nested deeper"),
        ("{a: " * 10_000, "nested deeper"),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, "must be a mapping"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML"),
        ("data.dataset: mnist\n", r"in a file write `data:`, and indented below it `dataset:`"),
        (
            "epochs: 3\nseed:\u00a01\n",
            r"line 2 has a non-breaking space \(U\+00A0\), so write a plain one",
        ),
        ("data:\n\u00a0 dataset: mnist\n", r"line 2 has a non-breaking space \(U\+00A0\)"),
        ("? [a]\n: 1\n", "a key must be plain text"),
        ("<<: {epochs: 3}\n", "line 1: merge keys are not allowed"),
        ("epochs: [1\n", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_message_that_names_the_line(write, content, message):
    path = write(content)
    with pytest.raises(ConfigError, match=f"(?s)^{path}.*{message}") as caught:
        load_config(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_huge_file_is_refused_unread(write):
    with pytest.raises(ConfigError, match="larger than 64 KB"):
        load_config(write(b"#" * 50_000_000))


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Path("a\0b"))


def test_every_fault_of_a_file_is_told_at_once(write):
    with pytest.raises(ConfigError) as caught:
        load_config(write("epochs: 0\nfoo: 1\n"))
    said = str(caught.value)
    assert re.search(r"line 1: epochs must be .*; .*, line 2: unknown key 'foo'", said)
    assert said.isprintable()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("learning_rate", "an override is written key=value"),
        ("=1", "an override is written key=value"),
        ("learning_rate=0.1,0.2", "gives several values, which is for `mnistlab sweep`"),
        ("learning_rate=logspace(1,2,3)", "gives several values, which is for `mnistlab sweep`"),
        ("learning_rate=uniform(0,1)", "gives several values, which is for `mnistlab sweep`"),
        ("learning_rate=fast", "override 'learning_rate=fast': learning_rate must be a number"),
        ("data.validaton=1", "did you mean 'data.validation'"),
        ("data.preprocess=[a", "is not valid YAML"),
        ("data=mnist", "data must be a mapping"),
        ("model=!!str x", "tags are not allowed"),
        ("name=&a x", r"anchors and aliases are not allowed \(&a\); quote a text"),
        ("name=*a", r"aliases are not allowed \(\*a\)"),
        ("data.preprocess=[deskew] # x", "what follows ' #' is a comment; put it in quotes"),
        ("data.preprocess=[&a deskew]", "anchors and aliases are not allowed"),
        ("epochs=10 # ten", "epochs must be a whole number, not '10 # ten'"),
        ("name=--- x", "--- x: is a mark of YAML; put a text in quotes"),
        ("name=...", "is a mark of YAML"),
        ("learning_rate=007", "007: a number has no leading zeros"),
        ("epochs=10.5", "epochs must be a whole number, not 10.5"),
        ("epochs={a: 1}", "epochs must be a whole number, not {a: 1}"),
        ("epochs={}", "epochs must be a whole number, not {}"),
        ("data={datset: mnist}", "override 'data={datset: mnist}': unknown key 'data.datset'"),
    ],
)
def test_a_wrong_override_is_refused(word, message):
    with pytest.raises(ConfigError, match=message):
        load_config(None, [word])


@pytest.mark.parametrize("text", ["10", "10.0", "1e1", "+10."])
def test_a_whole_number_may_be_written_as_a_float(write, text):
    assert repr(load_config(None, [f"epochs={text}"]).epochs) == "10"
    assert repr(load_config(write(f"early_stopping: {text}\n")).early_stopping) == "10"


def test_text_after_a_number_sign_is_part_of_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="run #2"):
        load_config(None, ["data.dataset=run #2"])


@pytest.mark.parametrize(
    ("word", "preprocess"), [("data={preprocess: [deskew]}", ["deskew"]), ("data={}", [])]
)
def test_a_mapping_as_override_sets_the_keys_that_it_names(write, word, preprocess):
    path = write("data: {dataset: mnist-mini, validation: 200}\n")
    data = load_config(path, [word]).data
    assert (data.dataset, data.validation, data.preprocess) == ("mnist-mini", 200, preprocess)


def test_a_mapping_that_is_itself_a_value_is_replaced(write):
    path = write("data: {validation: {count: 300}}\n")
    assert load_config(path, ["data.validation={fraction: 0.5}"]).data.validation == 0.5


def test_a_byte_order_mark_is_read_over(write):
    assert load_config(write(b"\xef\xbb\xbfepochs: 3\n")).epochs == 3


def test_an_override_below_a_plain_value_is_refused(write):
    with pytest.raises(ConfigError, match="'data' has no keys below it"):
        load_config(write("data: 3\n"), ["data.validation=1"])


@pytest.mark.parametrize(
    ("value", "pieces"),
    [
        ("1, 2", ["1", " 2"]),
        ("[1,2],f(1,2)", ["[1,2]", "f(1,2)"]),
        ("[1,2]", ["[1,2]"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("1,", ["1", ""]),
        ("", [""]),
    ],
)
def test_a_text_is_split_at_its_outer_commas(value, pieces):
    assert split_values(value) == pieces


def test_every_function_of_a_sweep_is_known_to_the_overrides():
    assert set(FUNCTION_NAMES) == set(FUNCTIONS)


def test_a_run_may_stop_at_any_of_its_epochs():
    assert load_config(None, ["epochs=3", "stop_after=3"]).stop_after == 3
    assert load_config(None).stop_after is None


def test_an_override_keeps_everything_after_the_first_equals_sign():
    ((path, (value, _)),) = parse_overrides(["data.dataset=a=b"]).items()
    assert (path, value) == (("data", "dataset"), "a=b")


def test_options_are_filled_in_for_the_parts_that_read_them():
    config = load_config(None, ["optimizer=adam", "schedule=step", "init=normal"])
    assert (config.beta1, config.beta2, config.momentum) == (0.9, 0.999, None)
    assert (config.step_epochs, config.step_factor, config.init_scale) == (10, 0.1, 0.01)
    assert "momentum" not in to_yaml(config)
    kept = load_config(None, ["optimizer=nesterov", "momentum=0.5"])
    assert kept.momentum == 0.5


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_configs_read_back_from_their_own_output(path, tmp_path):
    config = load_config(path)
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(config))
    assert load_config(again) == config


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("learning_rate=1e308", "learning_rate 1e+308 is too large for float32"),
        ("learning_rate=1e-300", "is rounded to 0 in float32"),
        ("weight_decay=1e37", "too large for float32"),
        (f"epochs={'9' * 400}", "epochs must be at most 1000000000, not 9999"),
        (f"batch_size={'9' * 400}", "batch_size must be at most"),
    ],
)
def test_numbers_that_the_dtype_cannot_hold_are_refused(word, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load_config(None, [word])
    assert len(str(caught.value)) < 250


def test_a_share_that_rounds_to_one_is_refused():
    words = ["optimizer=adam", "beta1=0.99999999999"]
    with pytest.raises(ConfigError, match=r"beta1 0\.99999999999 is rounded to 1\b"):
        load_config(None, words)
    assert load_config(None, [*words, "dtype=float64"]).beta1 == 0.99999999999


def test_only_the_first_of_many_faults_are_told(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text("".join(f"k{i}: 1\n" for i in range(700)))
    with pytest.raises(ConfigError, match=r"unknown key 'k0'.*; and 69[5-9] more") as caught:
        load_config(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


def test_an_unknown_nested_override_blames_itself(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("epochs: 1\n")
    with pytest.raises(ConfigError, match=r"^override 'foo\.bar=1': unknown key 'foo'"):
        load_config(path, ["foo.bar=1"])


def test_a_key_given_twice_on_the_command_line_is_refused():
    with pytest.raises(ConfigError, match="seed is given twice"):
        load_config(None, ["seed=1", "seed=2"])


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "linear.yaml").write_text("epochs: 1\n")
    with pytest.raises(ConfigError, match=r"no such file; did you mean .*/linear\.yaml\?"):
        load_config(tmp_path / "linaer.yaml")


def test_a_key_without_a_colon_is_found_on_its_own_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("model: linear\nepochs 2\n")
    with pytest.raises(ConfigError, match="line 2: is not valid YAML: a key without"):
        load_config(path)


def test_checks_of_other_rooms_name_the_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("epochs: 1\ndata:\n  dataset: mnst\n")
    with pytest.raises(
        ConfigError, match=r"a\.yaml, line 3: data\.dataset: unknown dataset 'mnst'"
    ):
        load_config(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
    rate=st.floats(min_value=1e-30, max_value=1e30),
    seed=st.integers(0, 2**63 - 1),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
)
def test_any_config_reads_back_to_itself(tmp_path, name, rate, seed, optimizer):
    rates = {} if optimizer == "exact" else {"learning_rate": rate}
    config = Config(name=name, seed=seed, optimizer=optimizer, **rates)
    path = tmp_path / "any.yaml"
    path.write_text(to_yaml(config))
    assert load_config(path) == config


@given(st.text())
def test_any_text_survives_a_dump(text):
    assert read_value(dump({"key": text}), "here") == {"key": text}


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_config_or_a_config_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content)
    with suppress(ConfigError):
        load_config(path)


def test_the_schema_lists_the_registries():
    properties = Config.model_json_schema()["properties"]
    for key, registry in {
        "model": MODELS,
        "loss": LOSSES,
        "optimizer": OPTIMIZERS,
        "schedule": SCHEDULES,
        "reduction": REDUCTIONS,
        "init": INITIALIZERS,
    }.items():
        assert properties[key]["enum"] == list(registry)
    assert all(properties[key]["description"] for key in valid_keys() if "." not in key)


def test_plain_yaml_readers_agree_on_the_output():
    config = load_config(None, ["learning_rate=1e-3", "name=no-one"])
    assert yaml.safe_load(to_yaml(config))["learning_rate"] == 0.001


def test_folds_take_the_place_of_a_validation_split(write):
    path = write("data: {dataset: mnist-mini, folds: 5}\n")
    config = load_config(path, ["data.validation=null", "data.fold=2"])
    assert (config.data.split, config.data.folds, config.data.fold) == ("stratified", 5, 2)
    written = to_yaml(config)
    assert "validation" not in written
    assert load_config(write(written, "run.yaml")) == config
    assert not {"folds", "fold"} & load_config(None).data.model_dump().keys()
