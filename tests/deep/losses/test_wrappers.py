"""Options across losses: several labels, missing ones, rare classes, regularisers, distillation."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
pytest.importorskip("safetensors", reason="needs the extra 'torch'")

from trainings import Stop, mean_average_precision, patterns, quick, stop_after  # noqa: E402

from hashret.deep import DeepHasher, loss_names, make_loss  # noqa: E402
from hashret.deep.losses.supervised.centres import centres_of  # noqa: E402
from hashret.deep.saving.storage import read_tensors, write_tensors  # noqa: E402
from hashret.errors import DTypeError, FormatError, ParameterError, ShapeError  # noqa: E402

BITS, CLASSES, N = 6, 4, 10
SUPERVISED = ["dsh", "dpsh", "hashnet", "greedyhash", "csq", "dpn", "orthohash", "cnnh"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name, **options):
    torch.manual_seed(5)
    loss = make_loss(name, **options)
    loss.setup(BITS, CLASSES)
    return loss.double()


def table(seed=0, n=N):
    """Labels of images with one to four classes each."""
    rng = np.random.default_rng(seed)
    rows = (rng.random((n, CLASSES)) < 0.3).astype(np.float64)
    rows[np.arange(n), rng.integers(0, CLASSES, n)] = 1
    return rows


def outputs_of(seed=0, n=N):
    return np.random.default_rng(100 + seed).normal(size=(n, BITS)) * 1.3


def pairs(labels):
    return [
        (i, j, bool((labels[i] * labels[j]).any()))
        for i in range(len(labels))
        for j in range(i + 1, len(labels))
    ]


def dsh(u, y, loss):
    distances = [(((u[i] - u[j]) ** 2).sum(), s) for i, j, s in pairs(y)]
    cost = np.mean([d / 2 if s else max(2 * BITS - d, 0) / 2 for d, s in distances])
    return cost + 2 * loss.alpha * np.abs(np.abs(u) - 1).sum(1).mean()


def dpsh(u, y, loss):
    theta = [(u[i] @ u[j] / 2, s) for i, j, s in pairs(y)]
    quantizer = (u - np.where(u > 0, 1, -1)) ** 2
    return np.mean([np.log1p(np.exp(t)) - s * t for t, s in theta]) + loss.eta * quantizer.mean()


def hashnet(z, y, loss):
    h = np.tanh(z)
    theta = [(10 / BITS * (h[i] @ h[j]), s) for i, j, s in pairs(y)]
    near = [np.log1p(np.exp(t)) - t for t, s in theta if s]
    far = [np.log1p(np.exp(t)) for t, s in theta if not s]
    return np.mean(near) + np.mean(far)


def greedyhash(h, y, loss):
    logits = np.where(h > 0, 1.0, -1.0) @ loss.classifier.weight.detach().numpy().T
    p = 1 / (1 + np.exp(-logits))
    entropy = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    return entropy + loss.alpha * (np.abs(np.abs(h) - 1) ** 3).mean()


def mixed(y, loss):
    """The sign of the sum of the classes' centres; a tie goes to the first class."""
    rows = []
    for labels in y:
        own = loss.targets.numpy()[labels == 1]
        rows.append(np.where(own.sum(0) == 0, own[0], np.sign(own.sum(0))))
    return np.array(rows)


def csq(z, y, loss):
    u, ones = np.tanh(z), (mixed(y, loss) + 1) / 2
    p = (u + 1) / 2
    entropy = -(ones * np.log(p) + (1 - ones) * np.log(1 - p)).mean()
    return entropy + loss.weight * ((np.abs(u) - 1) ** 2).mean()


def dpn(u, y, loss):
    return np.maximum(1 - u * mixed(y, loss), 0).sum() / len(u)


def orthohash(v, y, loss):
    cosines = v @ loss.targets.numpy().T / np.linalg.norm(v, axis=1)[:, None] / np.sqrt(BITS)
    logits = loss.scale * (cosines - loss.margin * y)
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return np.mean([-logs[i, y[i] == 1].mean() for i in range(len(y))])


@pytest.mark.parametrize(
    "formula", [dsh, dpsh, hashnet, greedyhash, csq, dpn, orthohash], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_losses_of_several_labels_are_their_formulas(formula, seed):
    loss, labels, outputs = make(formula.__name__), table(seed), outputs_of(seed)
    assert {s for *_, s in pairs(labels)} == {False, True}
    for dtype in (torch.float32, torch.float64):
        targets = loss.prepare(torch.tensor(labels, dtype=dtype))
        value = loss(torch.tensor(outputs), targets)
        assert value.item() == pytest.approx(formula(outputs, labels, loss), rel=1e-10)


@pytest.mark.parametrize("name", ["dsh", "dpsh", "hashnet", "csq", "dpn", "orthohash", "cnnh"])
def test_gradients_with_several_labels_equal_finite_differences(name):
    loss = make(name)
    targets = loss.prepare(torch.tensor(table(4)))
    outputs = torch.tensor(outputs_of(4), requires_grad=True)
    assert torch.autograd.gradcheck(lambda u: loss(u, targets), (outputs,))


@pytest.mark.parametrize("name", ["dsh", "dpsh", "hashnet", "csq", "dpn", "orthohash"])
def test_a_table_of_single_labels_is_the_same_as_numbers(name):
    loss, numbers = make(name), torch.arange(N) % CLASSES
    outputs = torch.tensor(outputs_of(5))
    single = loss(outputs, numbers)
    several = loss(outputs, torch.nn.functional.one_hot(numbers, CLASSES).double())
    assert several.item() == pytest.approx(single.item(), rel=1e-12)


def test_a_tie_of_centres_goes_to_the_first_class():
    centres = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    rows = torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1]])
    assert centres_of(rows, centres).tolist() == [[1, 1], [-1, 1], [1, 1], [1, -1]]


def several_patterns(n=192, seed=0):
    """The three patterns, the third of which also bears the label of the second."""
    images, labels = patterns(n=n, seed=seed)
    rows = np.eye(3, dtype=np.uint8)[labels]
    rows[labels == 2, 1] = 1
    return images, rows


@pytest.mark.parametrize("name", SUPERVISED)
def test_images_with_several_labels_train_and_bring_back_what_shares_one(name, tmp_path):
    images, rows = several_patterns()
    trained = quick(loss=name, epochs=6).fit(images, rows)
    assert trained.classes_.tolist() == [0, 1, 2]
    codes = np.unpackbits(trained.transform(images), axis=1)[:, :8].astype(int)
    distance = (codes[:, None] != codes).sum(2)
    similar = rows.astype(int) @ rows.T.astype(int) > 0
    assert distance[similar].mean() + 1 < distance[~similar].mean()
    trained.save(tmp_path / "encoder")
    loaded = DeepHasher.load(tmp_path / "encoder")
    np.testing.assert_array_equal(loaded.transform(images), trained.transform(images))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (make_loss("classifier"), "labels: a classifier .* needs one class an image"),
        (make_loss("dsh", pairs="siamese"), "labels: siamese DSH needs one class an image"),
    ],
)
def test_losses_that_need_one_label_say_so(loss, message):
    images, rows = several_patterns(24)
    with pytest.raises(ParameterError, match=message):
        quick(loss=loss).fit(images, rows)


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.eye(5, 3), ShapeError, r"labels: expected \(6,\) or \(6, classes\)"),
        (np.zeros((6, 3, 1)), ShapeError, r"labels: expected \(6,\)"),
        (np.full((6, 3), "a"), DTypeError, "labels: expected a table of 0 and 1"),
        (np.full((6, 3), 2), ParameterError, "labels: expected 0 and 1 in a table, or -1"),
        (np.full((6, 3), 0.5), ParameterError, "labels: expected 0 and 1 in a table, or -1"),
        ([[1, -1, 0]] * 6, ParameterError, "labels: expected 0 and 1 in a table, or -1"),
        (np.eye(6, 3), ParameterError, "labels: row 3 names no class"),
        ([[1, 0]] * 6, ParameterError, "labels: expected at least two classes"),
        (np.eye(6), ParameterError, "no two images share a class"),
        ([[-1, -1]] * 6, ParameterError, "labels: expected at least two classes"),
        ([-1] * 6, ParameterError, "labels: expected at least two classes, got 0"),
        ([-1, -1, 2, 2, 2, 2], ParameterError, "two classes, got 1 beside missing labels"),
        ([-1, -1, 2, 3, 4, 5], ParameterError, "no two images share a class"),
        (np.array(["a", None, 3] * 2, dtype=object), DTypeError, "strings and None"),
        (np.array([0.5, np.nan] * 3), DTypeError, "labels: expected integers or strings"),
    ],
)
def test_fit_refuses_bad_labels(labels, error, message):
    with pytest.raises(error, match=message):
        quick().fit(IMAGES, labels)


@pytest.mark.parametrize("kind", ["numbers", "strings", "table"])
def test_images_without_labels_are_left_out(kind):
    images, labels = patterns(n=96)
    gone = np.random.default_rng(1).random(96) < 0.4
    if kind == "numbers":
        given = np.where(gone, -1, labels)
    elif kind == "strings":
        given = np.array(["abc"[c] for c in labels], dtype=object)
        given[gone] = None
    else:
        given = np.where(gone[:, None], -1, np.eye(3)[labels])
    known = given[~gone].tolist()
    whole = quick(epochs=1).fit(images, given)
    part = quick(epochs=1).fit(images[~gone], known)
    assert whole.classes_.tolist() == {"strings": ["a", "b", "c"]}.get(kind, [0, 1, 2])
    assert whole.fingerprint == part.fingerprint


def test_wrapping_losses_are_known_but_do_not_stand_alone():
    wrapping = {"balanced", "pruned", "regularised", "self-distilled", "semi-supervised"}
    assert not wrapping & set(loss_names())
    for name in wrapping:
        loss = make_loss(name, loss={"name": "dpn", "options": {"margin": 0.3}})
        assert loss.loss.margin == 0.3
        assert make_loss(name, **loss.options()).options() == loss.options()
    twice = make_loss("balanced", loss=make_loss("regularised", loss="csq", balance=2.0))
    assert make_loss("balanced", **twice.options()).loss.balance == 2.0


@pytest.mark.parametrize(
    "within",
    [
        3,
        {"name": "dhs", "options": {}},
        {"name": ["dsh"], "options": {}},
        {"name": "dsh", "options": 3},
        {"name": "dsh", "options": {"beta": 1}},
        {"name": "self-distilled", "options": {"loss": "cibhash"}},
    ],
    ids=str,
)
def test_a_file_with_a_bad_loss_within_is_refused(within, tmp_path):
    images, labels = patterns(n=48)
    path = tmp_path / "encoder"
    quick(loss=make_loss("balanced", loss="dsh"), epochs=1).fit(images, labels).save(path)
    tensors, header = read_tensors(path, "deep encoder")
    write_tensors(path, tensors, header | {"loss_options": {"loss": within}})
    with pytest.raises(FormatError, match="a damaged deep encoder: "):
        DeepHasher.load(path)


@pytest.mark.parametrize("binarize", ["none", "tanh", "sign"])
@pytest.mark.parametrize("weights", [(0, 0, 0), (0.5, 0, 0), (0, 0.7, 0), (0, 0, 3), (1, 2, 3)])
def test_regularised_is_its_formula(binarize, weights):
    quantization, balance, decorrelation = weights
    loss = make(
        "regularised",
        loss="dpsh",
        quantization=quantization,
        balance=balance,
        decorrelation=decorrelation,
        binarize=binarize,
    )
    loss.start_step(437)
    u, y = outputs_of(6), np.arange(N) % CLASSES
    slope = np.sqrt(1 + 0.005 * 400)
    h = {"none": u, "tanh": np.tanh(slope * u), "sign": np.where(u > 0, 1.0, -1.0)}[binarize]
    expected = dpsh(h, np.eye(CLASSES)[y], loss.loss)
    expected += quantization * ((np.abs(u) - 1) ** 2).mean()
    expected += balance * (h.mean(0) ** 2).mean()
    products = [
        (h[:, k] @ h[:, other] / N) ** 2 for k in range(BITS) for other in range(BITS) if k != other
    ]
    expected += decorrelation * np.mean(products)
    given = torch.tensor(u, requires_grad=True)
    assert loss(given, torch.tensor(y)).item() == pytest.approx(expected, rel=1e-12)
    if binarize != "sign":
        assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor(y)), (given,))


def test_the_straight_through_gradient_is_that_at_the_code():
    loss = make("regularised", loss="dpsh", binarize="sign", balance=1.0, decorrelation=1.0)
    plain = make("regularised", loss="dpsh", balance=1.0, decorrelation=1.0)
    y, u = torch.arange(N) % CLASSES, torch.tensor(outputs_of(7), requires_grad=True)
    code = torch.where(u > 0, 1.0, -1.0).double().detach().requires_grad_()
    loss(u, y).backward()
    plain(code, y).backward()
    torch.testing.assert_close(u.grad, code.grad)


def test_regularised_leaves_outputs_that_are_no_bits_alone():
    with pytest.raises(ParameterError, match="outputs of 'classifier' are no bits"):
        make("regularised", loss="classifier")
    one = make_loss("regularised", loss="dpn", decorrelation=1.0)
    one.setup(1, 2)
    assert one(torch.zeros(4, 1), torch.tensor([0, 1, 0, 1])).isfinite()


def test_self_distillation_draws_the_strong_view_to_the_weak_one_only():
    loss = make("self-distilled", loss="dpn", weight=0.3)
    u, y = outputs_of(8, 2 * N), np.arange(N) % CLASSES
    cosines = [u[i] @ u[N + i] / np.linalg.norm(u[i]) / np.linalg.norm(u[N + i]) for i in range(N)]
    expected = dpn(u[:N], np.eye(CLASSES)[y], loss.loss) + 0.3 * (1 - np.mean(cosines))
    given = torch.tensor(u, requires_grad=True)
    value = loss(given, torch.tensor(y).repeat(2))
    assert value.item() == pytest.approx(expected, rel=1e-12)
    value.backward()
    alone = torch.tensor(u[:N], requires_grad=True)
    loss.loss(alone, torch.tensor(y)).backward()
    torch.testing.assert_close(given.grad[:N], alone.grad)
    assert given.grad[N:].abs().sum() > 0
    with pytest.raises(ParameterError, match="expected one of a single view, got 'cibhash'"):
        make_loss("self-distilled", loss="cibhash")


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_balanced_draws_classes_in_proportion(strength):
    sizes = np.array([640, 160, 10])
    loss = make("balanced", loss="dsh", strength=strength)
    labels = loss.prepare(torch.from_numpy(np.repeat(np.arange(3), sizes)))
    torch.manual_seed(0)
    rows = loss.epoch_order(labels)
    share = sizes ** (1 - strength) / (sizes ** (1 - strength)).sum()
    drawn = np.bincount(labels[rows].numpy(), minlength=3)
    np.testing.assert_allclose(drawn, share * 810, atol=1.5)
    # Each image as often as expected, rounded up or down; in an order that mixes classes.
    often = np.bincount(rows.numpy(), minlength=810)
    expected = (810 * share / sizes)[labels.numpy()]
    assert (np.abs(often - expected) < 1).all()
    assert len(np.unique(labels[rows[:40]])) >= 2
    assert not torch.equal(rows, loss.epoch_order(labels))


def test_balanced_goes_by_the_rarest_label_and_keeps_the_order_within():
    rows = torch.zeros(100, 2)
    rows[:, 0], rows[:4, 1] = 1, 1
    loss = make("balanced", loss="dpn")
    drawn = rows[loss.epoch_order(loss.prepare(rows))]
    # 4 images of weight 1/4 beside 96 of weight 1/100.
    assert drawn[:, 1].sum().item() == pytest.approx(100 / 1.96, abs=1.5)

    labels = torch.from_numpy(np.repeat([0, 1], [900, 100]))
    siamese = make("balanced", loss=make_loss("dsh", pairs="siamese"))
    order = siamese.epoch_order(siamese.prepare(labels))
    pairs_alike = (labels[order[0::2]] == labels[order[1::2]]).float().mean()
    assert pairs_alike.item() == pytest.approx(0.5, abs=0.08)


def test_semi_supervised_adds_all_images_to_those_with_labels():
    loss = make("semi-supervised", loss="dpsh", weight=0.4)
    u = torch.tensor(outputs_of(9, 2 * N))
    labels = torch.tensor([0, -1, 1, -1, 0, 1, -1, -1, 2, -1])
    for targets in (
        labels,
        torch.where(labels[:, None] < 0, -1.0, torch.nn.functional.one_hot(labels.clamp(min=0), 4)),
    ):
        prepared = loss.prepare(targets)
        known = (labels >= 0).repeat(2)
        value = loss(u, prepared.repeat(2, *[1] * (targets.ndim - 1)))
        both = 0.4 * make("cibhash")(u, u.new_empty(2 * N, 0)) + make("dpsh")(
            u[known], labels.repeat(2)[known]
        )
        assert value.item() == pytest.approx(both.item(), rel=1e-12)
        nothing = loss(u, prepared[[1]].expand(2 * N, *prepared.shape[1:]))
        assert nothing.item() == pytest.approx(
            0.4 * make("cibhash")(u, u.new_empty(2 * N, 0)).item(), rel=1e-12
        )


@pytest.mark.parametrize("name", ["dpsh", "cnnh", "orthohash"])
@pytest.mark.parametrize("several", [False, True])
def test_semi_supervised_parts_labels_from_features(name, several):
    rng = np.random.default_rng(11)
    gone = np.arange(N) % 3 == 1
    rows = table(11) if several else np.eye(CLASSES)[np.arange(N) % CLASSES]
    features = rng.normal(size=(N, 7)) + 3
    given = np.concatenate([np.where(gone[:, None], -1, rows), features], 1)
    loss = make("semi-supervised", loss=name, unsupervised="bihalf", weight=0.4)
    torch.manual_seed(1)
    prepared = loss.prepare(torch.tensor(given))
    alone, bihalf = make(name), make("bihalf")
    known = torch.tensor(rows[~gone]) if several else torch.tensor(rows[~gone].argmax(1))
    torch.manual_seed(1)
    u = torch.tensor(outputs_of(11))
    expected = 0.4 * bihalf(u, bihalf.prepare(torch.tensor(features)))
    expected = expected + alone(u[torch.tensor(~gone)], alone.prepare(known))
    assert loss(u, prepared).item() == pytest.approx(expected.item(), rel=1e-6)
    assert len(loss.epoch_order(prepared)) == N


@pytest.mark.parametrize("kind", ["numbers", "table"])
def test_few_labels_train_with_the_features_of_all_images(kind, tmp_path):
    images, labels = patterns()
    features = images.reshape(len(images), -1).astype(np.float32)
    few = np.where(np.arange(len(labels)) < 12, labels, -1)
    if kind == "table":
        few = np.where(few[:, None] < 0, -1, np.eye(3)[labels])
        few[2:12:3, 1] = 1
    loss = make_loss("semi-supervised", loss="csq", unsupervised="greedyhash-unsupervised")
    trained = quick(loss=loss, epochs=6).fit(images, few, features=features)
    assert mean_average_precision(
        trained.transform(images[:60]), labels[:60], trained.transform(images), labels
    ) > (0.8 if kind == "numbers" else 0.6)
    trained.save(tmp_path / "encoder")
    assert DeepHasher.load(tmp_path / "encoder").fingerprint == trained.fingerprint
    with pytest.raises(ParameterError, match="features: the loss learns from a vector"):
        quick(loss=loss).fit(images, few)


@pytest.mark.parametrize(
    ("known", "share", "expected"), [(5, 0.5, 100), (5, 0.2, 40), (160, 0.5, 160)]
)
def test_semi_supervised_repeats_labelled_images_to_their_share(known, share, expected):
    labels = torch.full((200,), -1)
    labels[:known] = torch.arange(known) % 3
    loss = make("semi-supervised", loss="dsh", share=share)
    prepared = loss.prepare(labels)
    rows = loss.epoch_order(prepared)
    assert len(rows) == 200
    often = torch.bincount(rows, minlength=200)
    assert often[:known].sum() == expected
    assert often[:known].max() - often[:known].min() <= 1
    assert often[known:].max() <= 1


@pytest.mark.parametrize("name", ["dsh", "cnnh", "orthohash"])
def test_a_few_labels_train_with_all_images(name, tmp_path):
    images, labels = patterns()
    few = np.where(np.arange(len(labels)) < 12, labels, -1)
    new, new_labels = patterns(n=60, seed=1)
    options = {"loss": make_loss("semi-supervised", loss=name, weight=0.2), "epochs": 6}
    trained = quick(**options).fit(images, few)
    assert trained.classes_.tolist() == [0, 1, 2]
    codes, queries = trained.transform(images), trained.transform(new)
    assert mean_average_precision(queries, new_labels, codes, labels) > 0.8
    trained.save(tmp_path / "encoder")
    assert DeepHasher.load(tmp_path / "encoder").fingerprint == trained.fingerprint


@pytest.mark.parametrize(
    "loss",
    [
        make_loss("balanced", loss=make_loss("self-distilled", loss="csq")),
        make_loss("regularised", loss="orthohash", binarize="tanh", growth=1.0, period=1),
        make_loss("semi-supervised", loss="dpn"),
    ],
    ids=lambda loss: loss.name,
)
def test_a_resumed_training_ends_with_the_same_weights(loss, tmp_path):
    images, labels = patterns(n=96)
    whole = quick(loss=loss).fit(images, labels)
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        quick(loss=loss, progress=stop_after(2)).fit(images, labels, checkpoint=path)
    assert quick(loss=loss).fit(images, labels, checkpoint=path).fingerprint == whole.fingerprint


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("regularised", {"balance": -1}, ParameterError),
        ("regularised", {"quantization": "much"}, DTypeError),
        ("regularised", {"decorrelation": float("nan")}, ParameterError),
        ("regularised", {"binarize": "step"}, ParameterError),
        ("regularised", {"period": 0}, ParameterError),
        ("regularised", {"loss": 3}, DTypeError),
        ("regularised", {"loss": {"name": "dsh"}}, DTypeError),
        ("regularised", {"loss": {"name": "dsh", "options": 3}}, DTypeError),
        ("regularised", {"loss": "dhs"}, ParameterError),
        ("self-distilled", {"weight": float("inf")}, ParameterError),
        ("balanced", {"strength": 1.5}, ParameterError),
        ("balanced", {"loss": "bihalf"}, ParameterError),
        ("semi-supervised", {"share": 0}, ParameterError),
        ("semi-supervised", {"unsupervised": "dsh"}, ParameterError),
        ("semi-supervised", {"loss": "cibhash"}, ParameterError),
    ],
)
def test_bad_options_are_refused(name, options, error):
    with pytest.raises(error, match=f"^{next(iter(options))}: expected"):
        make_loss(name, **{"loss": "dsh", **options})
