"""The page's table of all runs: which columns it has, and what is told of all at once."""

from mnistlab.report.collect import collect
from mnistlab.report.page_table import build_table
from tests.store.folders import make_run


def test_what_is_the_same_in_all_runs_is_told_once_and_has_no_column(tmp_path):
    runs, _ = collect([make_run(tmp_path / name, learning_rate=0.25) for name in ("one", "other")])
    table = build_table(runs, [])
    assert ("learning rate", "0.25") in table.same
    assert ("model", "linear, squared error") in table.same
    keys = [column.key for column in table.columns]
    assert "learning_rate" not in keys
    assert "test.accuracy" not in keys  # no run has one
    assert "validation.accuracy" in keys  # results stay, even if they are alike
    assert all(len(row.values) == len(keys) for row in table.rows)
    (alone,) = build_table(runs[:1], []).rows
    assert "0.25" in [value.shown for value in alone.values]
