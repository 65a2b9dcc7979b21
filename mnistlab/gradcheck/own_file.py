"""Judges what a user's own file offers, in whichever form it is written.

Shapes: B batch, C classes.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path

import numpy as np

from mnistlab.gradcheck.check import Options, Verdict
from mnistlab.gradcheck.diagnosis import MEAN_OVER_CLASSES
from mnistlab.gradcheck.differences import Floats, unit_of
from mnistlab.gradcheck.forms import (
    BINARY,
    FROM_ONE,
    NUMBERS,
    ONE_HOT,
    PACKED,
    SOFTMAX_OUTSIDE,
    Form,
    Reading,
    random_sample,
    sample_at,
)
from mnistlab.gradcheck.judgement import fits, judge_form, spots
from mnistlab.gradcheck.mistakes import OF_SIGMOID, Known, recognise
from mnistlab.gradcheck.user_file import (
    FaultError,
    Names,
    Offer,
    UserFunction,
    read_user_file,
    unclear,
)
from mnistlab.gradcheck.verdicts import (
    Report,
    note_on_loss,
    probe_softmax,
    probe_stability,
)


def judge(path: Path, options: Options, names: Names = Names()) -> Report:  # noqa: B008 - frozen
    """Return the report on a user's file, whose functions the names say, or their own names.

    Raises InputError where the file cannot be run or its functions cannot be told.
    """
    offers = read_user_file(path, names)
    reports = [_judge(offer, options) for offer in offers]
    sure = [
        report
        for offer, report in zip(offers, reports, strict=True)
        # what returns both may be a loss alone
        if not offer.returns_both or any(one.judged for one in report.verdicts)
    ]
    if not sure and len(offers) > 1:  # each was tried as one that returns both
        raise unclear(path, [offer.loss.name.removeprefix("the loss of ") for offer in offers])
    reports = sure or reports
    titles = "; ".join(report.title for report in reports)
    return Report(
        f"{path.name}: {titles}",
        [verdict for report in reports for verdict in report.verdicts],
        [probe for report in reports for probe in report.probes],
        list(dict.fromkeys(note for report in reports for note in report.notes)),
    )


@dataclass(frozen=True)
class FormFault:
    """How far the functions came in a form, and what stopped them.

    Attributes:
        judged: whether the functions are wrong; if not, they were perhaps called wrongly.
        known: the loss of a course that was found before the gradient failed.
        doubt: why they may be right all the same.
    """

    progress: int
    what: str
    judged: bool = False
    known: Known | None = None
    doubt: str = ""


def choose(offer: Offer, options: Options, *, batch: bool) -> tuple[Reading | None, FormFault]:
    """Return the form in which the functions work, and else how far they came and what failed.

    Many a formula runs in forms that it was not made for. That in which the loss is one that
    courses have is meant; of several the one whose gradient fits.
    """
    farthest, best = FormFault(-1, ""), (-1, False)
    likeliest: Reading | None = None
    for stage in stages(offer.told, batch=batch):
        working = []
        for form in stage:
            reading, fault = _try(Reading(offer, form), options)
            if fault is not None:
                farthest = max(farthest, fault, key=lambda one: one.progress)
            elif form.softmax in ("", "both") or reading.known is not None:
                working.append(reading)
        known = [reading for reading in working if reading.known is not None]
        for reading in known or sorted(working, key=lambda one: one.form.softmax):
            sense = _sense(reading, options)
            if sense > best:
                best, likeliest = sense, reading
        if best[0] > _STRANGE:
            break
    meant = farthest.known
    is_binary = likeliest is not None and likeliest.form.is_binary
    if meant is None or (is_binary and _names_vector(offer)):
        return likeliest, farthest
    if best[0] <= 0:
        return None, farthest
    if is_binary and meant.name != OF_SIGMOID:
        return None, replace(farthest, doubt="; with a single output, y as 0 or 1, it works")
    return likeliest, farthest


def stages(told: tuple[str, ...], *, batch: bool) -> Iterator[list[Form]]:
    """Yield the forms that are tried together, the likelier ones first.

    `told` are the roles of the arguments in their order; without them the label may come last or
    first. Later forms are for functions that make no sense in those before.
    """
    order = told or ("a", "y")
    first, switches, several = Form(order, batch), (False, True), (ONE_HOT, NUMBERS, FROM_ONE)
    if not first.by_weights:
        for each in (order,) if told else (order, order[::-1]):
            yield [
                replace(first, order=each, columns=columns, labels=labels, softmax=softmax)
                for columns, softmax, labels in product(
                    switches, SOFTMAX_OUTSIDE, (NUMBERS, ONE_HOT, FROM_ONE)
                )
            ]
        return
    for kinds in (several, (BINARY,)):
        yield [
            replace(first, columns=columns, labels=labels, by_class=by_class, matrices=matrices)
            for labels, columns, by_class, matrices in product(kinds, switches, switches, switches)
            if "b" in order or labels == BINARY or not matrices
        ]
    if "b" not in order:
        yield [
            replace(first, columns=columns, labels=labels, by_class=by_class, packed=packed)
            for labels, columns, by_class, packed in product(several, switches, switches, PACKED)
        ]


_STRANGE, _USUAL, _FITS = 1, 2, 3  # how much sense a form makes


def _sense(reading: Reading, options: Options) -> tuple[int, bool]:
    """Return how much sense a form makes, and whether the gradient alone is a known one."""
    generator = np.random.default_rng([options.seed, 5])
    try:
        spot = spots(reading, random_sample(reading.form, options, generator))[0]
        is_known, is_right = spot.claimed is not None, fits(spot, generator)
    except FaultError:
        is_known = is_right = False
    if is_right:
        return _FITS, is_known
    if reading.known is None:
        return _USUAL if is_known else 0, is_known
    return _USUAL if reading.is_usual else _STRANGE, is_known


def _try(reading: Reading, options: Options) -> tuple[Reading, FormFault | None]:
    """Call both functions; return what is known of the loss, and what is wrong if anything."""
    generator = np.random.default_rng([options.seed, 3])
    form = reading.form
    samples = [random_sample(form, options, generator) for _ in range(4)]
    if form.labels == FROM_ONE:  # a gradient that counts from 0 fails at the last one
        for sample in samples:
            sample.labels[:] %= max(1, options.classes - 1)
    progress = 0
    try:
        values = [reading.value(sample) for sample in samples]
        progress = 1
        unit = unit_of(np.asarray(reading.loss(form.arguments(samples[0]))))
        points = [(sample.A, form.targets(sample)) for sample in samples]
        if known := recognise(values, points, unit):
            is_usual = known.is_usual(reading.share(samples[0]), samples[0].A.shape[1])
            reading, progress = replace(reading, known=known, is_usual=is_usual), 2
        arguments = form.arguments(samples[0])
        for coordinates in reading.coordinates(arguments):
            reading.gradient(arguments, coordinates)
    except FaultError as error:
        return reading, FormFault(progress, str(error), error.judged, reading.known)
    return reading, None


def _judge(offer: Offer, options: Options) -> Report:
    """Return the report on a loss and its gradient, also where they fail now and then."""
    title = f"{offer.gradient_name} against {offer.loss.name}"
    try:
        return _judge_forms(offer, options, title)
    except FaultError as error:
        return Report(title, [Verdict(title, str(error), judged=False)])


def _judge_forms(offer: Offer, options: Options, title: str) -> Report:
    """Return the report on a loss and its gradient, for one vector and for a batch."""
    single, fault = choose(offer, options, batch=False)
    batch, batch_fault = choose(offer, options, batch=True)
    if single and batch:
        single, batch = _meant(single, batch)
    if (first := single or batch) is None:
        return Report(title, [_unjudged(title, fault, batch_fault)])
    verdicts = judge_form(first, options)
    if single and batch and not _all_passed(verdicts) and batch.is_usual:
        of_batch = judge_form(batch, options)
        if _all_passed(of_batch):  # one vector was not thought of
            first, single, verdicts = batch, None, of_batch
    # what lacks nothing but the division of a mean over the classes may have a single output
    is_mean = any(MEAN_OVER_CLASSES in one.diagnosis for one in verdicts if not one.passed)
    if is_mean and (of_one := _single_output(first, options)):
        if _names_vector(offer):
            first, verdicts = of_one, judge_form(of_one, options)
            single, batch = (None, first) if first.form.batch else (first, None)
        elif not (offer.argument("W")[:1].isupper() and offer.argument("y")[:1].isupper()):
            why = "for a single output it is right: call the weights w, or W and the labels Y"
            verdicts = _unsure(verdicts, why)
    notes = [
        f"takes {reading.form}{f' ({reading.known.name})' if reading.known else ''}"
        for reading in (single, batch)
        if reading is not None
    ]
    if single is not None and batch is not None:
        more = _judge_batch(single, batch, options)
        verdicts += more
        if not more:
            notes[1:] = ["seems not to be made for a batch of rows, which was not held against it"]
    elif not first.form.by_weights:
        missing, failed = ("one vector", fault) if single is None else ("a batch", batch_fault)
        reason = f" ({failed.what})" if failed.what else ""
        notes.append(f"does not take {missing}{reason}, which was not held against it")
    if not offer.told and first.known is None:
        why = (
            f"what ({', '.join(offer.loss.parameters)}) are was guessed, and no loss of a course "
            'was found: say it, such as --signature "y, a"'
        )
        verdicts = _unsure(verdicts, why)
    notes += _notes_on_loss(first, options)
    return Report(title, verdicts, list(_probe(first, options)), notes)


def _meant(single: Reading, batch: Reading) -> tuple[Reading | None, Reading | None]:
    """Return the two forms, without one in which the functions run by chance only."""
    if single.form.is_binary != batch.form.is_binary:
        return (None, batch) if single.form.is_binary else (single, None)
    is_turned = single.form.columns and not batch.form.columns
    is_other = batch.is_usual and not single.is_usual
    return None if is_turned or is_other else single, batch


def _all_passed(verdicts: Sequence[Verdict]) -> bool:
    return all(verdict.passed for verdict in verdicts)


def _unsure(verdicts: Sequence[Verdict], why: str) -> list[Verdict]:
    """Return verdicts, none of them "wrong", but perhaps "cannot be judged"."""
    return [
        one if one.passed else replace(one, judged=False, diagnosis=f"{one.diagnosis}; {why}")
        for one in verdicts
    ]


def _single_output(wrong: Reading, options: Options) -> Reading | None:
    """Return the form of a single output in which functions by weights are right, if there is one.

    A mean over a batch of one output each is also a mean over B x C numbers.
    """
    offer = wrong.offer
    if not wrong.form.by_weights or wrong.form.is_binary:
        return None
    for form in chain.from_iterable(stages(offer.told, batch=wrong.form.batch)):
        if form.is_binary:
            reading, fault = _try(Reading(offer, form), options)
            if fault is None and _all_passed(judge_form(reading, options)):
                return reading
    return None


def _names_vector(offer: Offer) -> bool:
    """Whether the weights are called as a vector is, w or theta."""
    return offer.argument("W") in ("w", "theta", "beta", "coef", "weights_vector")


def _unjudged(what: str, single: FormFault, batch: FormFault) -> Verdict:
    """Return the verdict where functions fail in every form: that of the form that was meant."""
    first, second = sorted((single, batch), key=lambda one: (one.progress, one.judged))
    why = second.what + second.doubt
    is_tie = (first.progress, first.judged) == (second.progress, second.judged)
    if is_tie and first.what != second.what:
        why = f"for one vector: {single.what}; for a batch of rows: {batch.what}"
    judged = second.judged and not second.doubt
    return Verdict(what, why, judged=judged)


def _judge_batch(single: Reading, batch: Reading, options: Options) -> list[Verdict]:
    """Return the verdicts on a batch for functions that also take one vector; none if they do not.

    A formula for one vector often runs with a batch too and gives something without meaning: then
    neither is its loss that of the samples, nor its gradient that of its loss.
    """
    verdicts = judge_form(batch, options)
    sample = random_sample(batch.form, options, np.random.default_rng([options.seed, 4]))
    each = [single.value(sample.rows([i])) for i in range(len(sample.labels))]
    whole = batch.value(sample)
    is_sum_or_mean = np.isclose(whole, [np.sum(each), np.mean(each)], rtol=1e-6, atol=1e-9).any()
    if is_sum_or_mean or batch.is_usual:
        return verdicts
    if not _all_passed(verdicts):
        return []
    diagnosis = (
        f"it is {whole:.6g} for a batch whose samples have the losses "
        f"{', '.join(f'{one:.6g}' for one in each)}: neither their sum nor their mean. Does the "
        "softmax run over each row by itself (axis=1, keepdims=True)?"
    )
    return [*verdicts, Verdict(f"{batch.offer.loss.name} of a batch", diagnosis)]


def _notes_on_loss(reading: Reading, options: Options) -> list[str]:
    """Return what to know of the loss, which is not held against it."""
    offer, form = reading.offer, reading.form
    notes = []
    if form.softmax == "both":
        notes.append(
            f"{offer.gradient_name} is the derivative by the probabilities that it takes; that by "
            "the pre-activations is softmax(a) - y"
        )
    if not reading.is_usual:
        notes.append(f"{offer.loss.name} is not the softmax cross-entropy, nor a squared error")
    if not form.softmax and not form.by_weights:
        C = options.classes
        with contextlib.suppress(FaultError):  # what takes a batch may not take one of one sample
            notes.append(note_on_loss(lambda a, y: reading.value(sample_at(form, a, y)), C))
    return [note for note in notes if note]


def _probe(reading: Reading, options: Options) -> Iterator[Verdict]:
    """Yield the properties of the file's softmax, and of its gradient far out."""
    form, C, probes = reading.form, options.classes, list[Verdict]()
    if form.softmax or form.is_binary:
        return

    def scalar(a: Floats, label: int) -> float:
        return reading.value(sample_at(form, a, label))

    def gradient(a: Floats, label: int) -> Floats:
        arguments = form.arguments(sample_at(form, a, label))
        return reading.gradient(arguments, "W" if form.by_weights else "a")

    user_softmax = reading.offer.softmax
    with contextlib.suppress(FaultError):  # a softmax of something else
        if user_softmax is not None:
            probes = probe_softmax(_softmax_of(user_softmax, form), C, options.seed)
    yield from probes
    with contextlib.suppress(FaultError):  # the same
        gradient(np.zeros(C), 0)
        blame = user_softmax is None or not _all_passed(probes)
        try:
            yield from probe_stability(scalar, gradient, C, blame_softmax=blame)
        except FaultError as error:
            yield Verdict("gradient at ±1000", str(error))


def _softmax_of(softmax: UserFunction, form: Form) -> Callable[[Floats], Floats]:
    """Return a user's softmax as one of rows (B, C), one by one where it takes no more."""

    def outputs(A: Floats) -> Floats:
        if form.batch:
            by_row, by_column = softmax.numbers(softmax(A)), softmax.numbers(softmax(A.T)).T
            is_by_column = np.allclose(by_column.sum(axis=1), 1, atol=1e-6)
            result = by_column if is_by_column else by_row
        else:
            try:
                result = np.stack([softmax.numbers(softmax(a)) for a in A])
            except FaultError:
                result = softmax.numbers(softmax(A))  # one that wants rows
        if result.size != A.size:
            raise FaultError(f"softmax returns shape {result.shape} for {A.shape}")
        return result.reshape(A.shape)

    return outputs
