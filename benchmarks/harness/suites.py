"""The suites of `make bench`: a run, sweeps, searches, 10,000 runs, a large set, gradients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.claims import (
    CLAIMS,
    GRADIENT_CLAIMS,
    LARGE_CLAIMS,
    MANY_CLAIMS,
    MEMORY,
    SEARCH_CLAIMS,
    SWEEP_CLAIMS,
    SWEEP_MEMORY,
    TPE_CLAIMS,
    TPE_SPEED_CLAIMS,
    Claim,
    Rounds,
)
from harness.contestants import Contestant, contestants, mnistlab_train
from harness.gradients import files_table, gradient_contestants
from harness.large import large_contestants, make_large
from harness.many import make_many, many_contestants
from harness.search import search_contestants
from harness.sweep import mnistlab_sweep, sweep_contestants
from harness.tpe import losses_table, tpe_contestants, tpe_speed_contestants


@dataclass(frozen=True)
class Suite:
    """Contestants whose rounds belong together, the claims they decide, and a part of the page.

    `watched` is the one whose memory is measured, as `memory`; `prepare` is called before the
    first round, with everyone's environment. `details` returns one more table of what was
    measured. A suite that is not `timed` gives the same each time, so it takes one round.
    """

    name: str
    title: str
    contestants: Callable[[], list[Contestant]]
    claims: Sequence[Claim]
    how: str
    memory: str = ""
    watched: Callable[[], Contestant] | None = None
    prepare: Callable[[Mapping[str, str]], None] | None = None
    details: Callable[[Rounds], str] | None = None
    timed: bool = True

    @property
    def names(self) -> list[str]:
        """The names of all that is measured."""
        names = dict.fromkeys(one.name for one in self.contestants())
        return [*names, self.memory] if self.memory else [*names]


HOW = """\
Every contestant is a whole process, started anew each time and timed from outside; a round runs
each of them once (the short ones five times) before the next begins, after one round that is not
counted. Ratios are taken within a round; the table gives their median and range. Memory
comes from runs of their own, which are not timed: for the largest process the system's own
maximum, for all processes together the sum of their proportional shares every 20 ms.

`mnistlab train` includes its plots and its run folder. The PyTorch processes read the same files
and do the same work: ten epochs of 500 steps of 100 images, and after every epoch loss and
accuracy over all 50,000 training and 10,000 validation images; that they end at the same training
loss is checked. The one with a DataLoader takes its training batches from it, but evaluates whole
tensors like the other one, which favours it. `model` is the construction of the model and its
optimizer, which imports a good part of PyTorch; `torch_by_hand` does without an optimizer.
scikit-learn's perceptron always minimises the softmax cross-entropy, and evaluates nothing: only
our steps are held against its fit. Rivals with threads run with their default and with one; each
claim takes the setting that is faster for the rival, and likewise `--help` of the typer program
with and without rich. `bare_products` multiplies one batch again and again, with BLAS on one thread
and results written into buffers.
"""

SWEEP_HOW = """\
As above: whole processes, rounds, ratios within a round, memory from runs that are not timed. The
work is `configs/linear.yaml` at 64 learning rates from 0.001 to 0.01: for each, ten epochs of 500
steps of 100 images, and after every epoch loss and accuracy over all 50,000 training and 10,000
validation images. Everyone has to have trained just the rates it was given, from weights of zero,
and to end at the training loss that belongs to each rate. `mnistlab sweep` includes its plots and
64 run folders; the others but our own trainer keep nothing.

Who trains one after another trains four of the rates, spread evenly. The column of all 64
configurations is sixteen times the part of the process that grows with their number; imports,
loading, and PyTorch's first optimizer, which imports much of it, count once.
`mnistlab_train_each` is `mnistlab train --no-plots`, a whole process for each of the four rates:
the seconds of its process are their mean, and 64 times that is scaled. `mnistlab_one_by_one` runs
our trainer, run folders included, in one process that loads the data once,
`mnistlab_two_processes` the same in two at once, with one thread and half of the rates each.
`torch_sweep` does what `torch_memory` does, and `torch_sweep_by_hand` what `torch_by_hand` does,
with a new model for each rate; the first runs with PyTorch's default threads and with one, and the
claim takes the faster setting.

JAX trains all 64 at once, compiled, an epoch in one call, in float32, with the images in memory.
`vmap` is the step of one configuration, by `jax.grad`, mapped over the learning rates; `fused`
lays the weights of all side by side and writes the gradient out, so that a step is two matrix
products: what our trainer does, written once more for one model and one loss. The bound is for
`vmap`, which is what one would write; how we fare against `fused` is told without one. Compilation
is part of the process.

`peak_products` is the best of twenty products of 2048 x 2048 float32 matrices by NumPy with all
threads, in the same round. Everyone's GFLOP/s count the operations of the matrix products: two of
785 x 10 weights for each image of a step, one for each image evaluated, and two operations for each
multiplication and its addition. `mnistlab sweep` leaves out the 67 pixels that are dark in every
training image, whose weights stay zero; only what it does multiply, 718 x 10 weights, counts for
it, and in the share of the peak. Seconds of
`mnistlab sweep` in steps, evaluation and run folders are those of its threads divided by their
number.
"""

SEARCH_HOW = """\
As above. What is timed is the call of `fit` alone, on the 60,000 training images as float32 rows in
[0, 1], with three folds. `fused_search` is `FusedSearchCV` over 64 settings of `SoftmaxClassifier`
(momentum, a cosine schedule, five epochs; 16 learning rates, 4 weight decays), its winner trained
once more on all rows included. `grid_search_of_ours` is scikit-learn's `GridSearchCV` over eight of
the same, spread evenly; the other two search `LogisticRegression` (as it is by default, at four
values of C from 0.001 to 1) and `SGDClassifier` with the logistic loss (two values of alpha from
0.00001 to 0.001). They use two processes with BLAS on one thread each, and train no winner. The
column of all 64 is what their search took, times 64 over the candidates they had. The error is the
share of wrong predictions of the best candidate, over the held-out folds.
"""

MANY_HOW = """\
As above. In the runs folder there are 10,000 runs of `configs/linear.yaml` without plots: four are
trained, and the others are the same files under names of their own. `mnistlab runs list --json`
tells all of them; the round that is not counted leaves the index that the later ones find. The
reports are pages, written anew each time, on 100 and on 1,000 of the runs. The second one's page is
opened in headless Chromium: the seconds are those from asking for it until its scripts are ready,
without those of the browser's start.
"""

LARGE_HOW = """\
As above, except that seconds of training are those that mnistlab reports, its own evaluation
included, for one epoch. The set has 8 million rows of 784 bytes, 6.3 GB: MNIST's training images
again and again, each time in another order and shifted by up to two pixels; `benchmarks/harness/
large.py` makes it and knows its SHA-256. The one of 500,000 rows begins in the same way and is read
into memory. `train` is `configs/linear.yaml`, `sweep` the 64 learning rates of
`configs/sweeps/learning_rate_64.yaml`. Private memory is what the process has for itself (RssAnon,
looked at every 20 ms); pages of the mapped file, which the system may drop at any time, do not
count. The round that is not counted hashes the files; later ones find their hash in the cache.
"""

GRADIENTS_HOW = """\
There are 48 files in `benchmarks/gradients/`, each with a loss and its gradient in NumPy, as
students write them; `files.csv` has the truth of each, and tests work it out anew by differences of
their own. A gradient is right if it is the derivative of its loss wherever both are finite. 24 are
right, in plain and in awkward forms. Of the 24 wrong ones 15 are wrong everywhere, and nine only at
special points: ties, a true class that is the largest, class 0, labels that occur twice,
pre-activations of ±30 or of very different sizes. `mnistlab` tries most of these points on purpose,
so the nine show what random points miss, not how common such mistakes are. All files were written,
with their truth, before any checker had seen them, and none was dropped. Left out is what one may
call right or wrong: a number against log(0) in the loss alone, and functions that write into their
arguments.

`mnistlab gradcheck --target` runs as it is, with its three random points. For
`torch.autograd.gradcheck` the functions are a `torch.autograd.Function`, for
`jax.test_util.check_grads` a `custom_vjp` with `pure_callback`, both in float64 and with the
checkers' own settings (JAX's of first order in reverse mode). They get three random points, too:
normal pre-activations, or weights and features, and random labels. A file is accepted if it passes
at all three. All of this is done with five seeds, 0 to 4, and counts are means over them. A file
that a checker cannot judge counts as refused. This takes one round, as verdicts do not change.

A mistake counts as named where the diagnosis has the words that `files.csv` lists for it; of
mistakes at special points these say where. The words were settled after the diagnoses had been
read. The other two print both gradients and no reason. `mnistlab` also refuses what overflows at
pre-activations of ±1000, as the right files do that it refuses. One file led to a change before
this was measured: `packed` was called wrong, because weights in one vector were not known.
"""

TPE_HOW = """\
Three problems on mnist-mini, five epochs each, 1,000 images held out. `mnistlab sweep` searches
each of them 20 times with 48 trials, by `--method tpe` as it is by default, and by
`--method random`. Both draw from the same ranges: learning rates over three decades, weight decays
over four or five, momentum from 0 to 0.99, beta1 from 0.5 to 0.99, batch sizes of 25, 50, 100 or
200. What counts is the lowest validation loss of a search. The table has the means over the 20
searches with their 95 % intervals. Both methods begin with the same random trials, so the
difference is paired by search, and better is what has its interval below zero. This takes one
round, as it is the same each time.

The problems and ranges were settled before they were searched, and none was changed. The default of
16 trials at a time was chosen on these searches. With 4, 8 and 32 at a time Optuna's trials were
better in all three, too: the differences were -0.0020, -0.0018 and -0.0013 for the softmax,
-0.0033, -0.0030 and -0.0018 for the sigmoid, and -0.0006 each for the linear model.
"""

TPE_SPEED_HOW = """\
As above: whole processes, rounds, ratios within a round. `mnistlab sweep` trains 256 trials of a
softmax with momentum on mnist-mini, five epochs each, without plots. With `--method tpe` Optuna's
import, its sampler and the study that is written after each batch are part of it.
"""

SUITES = (
    Suite("train", "One configuration", contestants, CLAIMS, HOW, MEMORY, mnistlab_train),
    Suite(
        "sweep",
        "A sweep of 64 learning rates",
        sweep_contestants,
        SWEEP_CLAIMS,
        SWEEP_HOW,
        SWEEP_MEMORY,
        mnistlab_sweep,
    ),
    Suite(
        "search",
        "A search over 64 candidates in three folds",
        search_contestants,
        SEARCH_CLAIMS,
        SEARCH_HOW,
    ),
    Suite("many", "Ten thousand runs", many_contestants, MANY_CLAIMS, MANY_HOW, prepare=make_many),
    Suite(
        "large",
        "A set larger than memory",
        large_contestants,
        LARGE_CLAIMS,
        LARGE_HOW,
        prepare=make_large,
    ),
    Suite(
        "gradients",
        "Gradients, right and wrong",
        gradient_contestants,
        GRADIENT_CLAIMS,
        LARGE_CLAIMS,
        GRADIENTS_HOW,
        details=files_table,
        timed=False,
    ),
    Suite(
        "tpe",
        "Trials by Optuna and at random",
        tpe_contestants,
        TPE_CLAIMS,
        TPE_HOW,
        details=losses_table,
        timed=False,
    ),
    Suite(
        "tpe-speed",
        "The time of 256 trials by Optuna",
        tpe_speed_contestants,
        TPE_SPEED_CLAIMS,
        TPE_SPEED_HOW,
    ),
)
