"""The pages of results: made from rows alone, every picture there."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage")
pytest.importorskip("sklearn")
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from hashret.cli.benchmark import _as_change
from hashret.experiments.benchmark.commands import changes_since
from hashret.experiments.benchmark.harness import run_benchmark
from hashret.experiments.benchmark.orders import order, paired, separated
from hashret.experiments.benchmark.rows import is_whole, read_rows
from hashret.experiments.benchmark.runs import Run, list_runs
from hashret.experiments.benchmark.tables import Group, group_rows, group_settings
from hashret.experiments.study.results import CELLS
from hashret.methods import method

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
pytestmark = pytest.mark.skipif(
    not (DOCS / "make_results.py").exists(), reason="docs/ is not beside the tests"
)


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "docs" / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(DOCS)


@pytest.fixture
def maker():
    return load("make_results")


def test_page_from_rows(maker, tmp_path):
    out = tmp_path / "results.jsonl"
    methods = ["knn", "lsh-gaussian", "itq"]
    report = run_benchmark(
        "fashion-mnist",
        out,
        methods=methods,
        bits=[8, 16],
        seeds=3,
        protocols=["fmnist-sample"],
        cache=tmp_path / "cache",
    )
    maker.main(out)
    page = (tmp_path / "docs" / "results.md").read_text(encoding="utf-8")
    assert "## `fmnist-sample`" in page
    assert "3,000 training images" in page
    assert "features `hog`" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert {(row[0][2:], row[1], row[2]) for row in rows} == {
        ("Exact k-NN, Euclidean", "-", "1"),
        *((name, bits, "3") for name in ("LSH, Gaussian", "ITQ") for bits in ("8", "16")),
    }
    scores = [r["map_all"] for r in report.rows if (r["method"], r["bits"]) == ("itq", 16)]
    (cells,) = [row for row in rows if row[0] == "| ITQ" and row[1] == "16"]
    mean, half = re.fullmatch(r"([\d.]+) ± ([\d.]+)", cells[6]).groups()
    assert float(mean) == round(sum(scores) / 3, 3)
    assert 0 < float(half) < 0.1
    pictures = re.findall(r"!\[.+\]\((images/.+\.png)\)", page)
    assert len(pictures) == 6
    assert all((tmp_path / "docs" / name).stat().st_size for name in pictures)


def test_every_anchor_is_of_a_protocol(maker):
    from hashret.evaluation import PROTOCOLS

    assert {name for name, _, _ in maker.ANCHORS} <= set(PROTOCOLS)
    assert all(0 < score < 1 for _, _, scores in maker.ANCHORS for score in scores.values())


def test_the_studys_page_is_what_its_rows_give(tmp_path):
    maker = load("make_study")
    maker.main(DOCS / "study.jsonl")
    made = (tmp_path / "docs" / "fashion-mnist.md").read_text(encoding="utf-8")
    assert made == (DOCS / "fashion-mnist.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| (?!method)", made, re.MULTILINE)) == 2 * len(CELLS)
    assert made.count("cells of LSH and DSH lie below the plain classifier") == 6


def test_the_committed_rows_can_be_read():
    rows = read_rows(DOCS / "results.jsonl")
    assert len(rows) >= 545
    assert all(map(is_whole, rows))


def shown():
    return group_rows(read_rows(DOCS / "results.jsonl"))


def runs_of(command):
    """Return the runs that a printed command measures."""
    words = shlex.split(command)
    assert words[:2] == ["hashret", "benchmark"]
    pairs = list(zip(words[2::2], words[3::2], strict=True))
    given = dict(pairs)
    changes = dict(_as_change(value) for name, value in pairs if name == "--set")
    return list_runs(
        given["--suite"],
        given["--methods"].split(","),
        [int(bits) for bits in given["--bits"].split(",")] if "--bits" in given else None,
        int(given.get("--seeds", 1)),
        [given["--protocol"]],
        given.get("--budget", "zoo"),
        given.get("--network"),
        device=given.get("--device", "cpu"),
        changes=changes,
    )


def test_the_commands_above_the_tables_measure_every_row():
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    printed = re.findall(r"^hashret benchmark .+results\.jsonl.+$", page, re.MULTILINE)
    keys = ("protocol", "dataset", "method", "bits", "network", "features", "budget", "device")
    measured = {
        (*(run.fields()[key] for key in keys), run.seed): run.fields()
        for command in printed
        for run in runs_of(command)
    }
    rows = {(*(row[key] for key in keys), row["seed"]): row for g in shown() for row in g.rows}
    assert measured.keys() == rows.keys()
    # What they would measure otherwise now is said.
    for group in shown():
        now = measured[(*(group[key] for key in keys), group["seed"])]
        same = all(group[name] == now[name] for name in ("options", "settings"))
        assert same == (not changes_since(group))
        words = f"{method(group['method']).title}, {group['bits']} bits: measured with "
        assert same or words in page


def test_the_committed_page_is_what_its_rows_give(maker, tmp_path, monkeypatch):
    def drawn(*given, **options):
        return next(path for path in given if isinstance(path, Path))

    for name in ("scores_by_bits", "scores_by_time", "precision_recall", "distances", "code_map"):
        monkeypatch.setattr(maker.results_pictures, f"write_{name}", drawn)
    for picture in (DOCS / "images").glob("*.png"):
        (tmp_path / "docs" / "images" / picture.name).touch()
    (tmp_path / "README.md").write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    maker.main(DOCS / "results.jsonl")
    made = (tmp_path / "docs" / "results.md").read_text(encoding="utf-8")
    assert made == (DOCS / "results.md").read_text(encoding="utf-8")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert readme == README.read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(images/(.+\.png)\)", made))
    assert named == {path.name for path in (DOCS / "images").glob("results-*.png")}


def test_readmes_rows_of_learned_codes_are_those_of_the_file(maker):
    text, lines = README.read_text(encoding="utf-8"), maker.readme(shown())
    assert all(line in text.splitlines() for line in lines)
    # A figure that is no row's is put right, whichever it is.
    for line in lines:
        for figure in re.finditer(r"\d\.\d+", line):
            wrong = line[: figure.start()] + "0.123" + line[figure.end() :]
            mutated = text.replace(line, wrong)
            assert mutated != text
            assert maker.renewed(mutated, lines) == text


def beside(method, others):
    """Return all pairs of a method's rows and those of others that differ by the method alone."""
    groups = shown()
    keys = ("protocol", "dataset", "network", "features", "budget", "device", "bits")
    return [
        (group, other)
        for group in groups
        for other in groups
        if group["method"] == method
        and other["method"] in others
        and all(group[key] == other[key] for key in keys)
    ]


def test_hashnet_lies_above_what_weighs_all_pairs_alike():
    pairs = beside("hashnet", ("dpsh", "dhn"))
    assert len(pairs) >= 12
    assert all(a.average("map_all") > b.average("map_all") for a, b in pairs)


def test_what_the_manual_says_of_methods_is_so():
    text = " ".join((DOCS / "methods.md").read_text(encoding="utf-8").split())
    groups = shown()
    assert (
        "mean average precision lies above those of PCA hashing, spectral hashing and random "
        "projections on every set"
    ) in text
    others = ("pca", "spectral", "lsh-gaussian", "lsh-orthogonal")
    assert all(a.average("map_all") > b.average("map_all") for a, b in beside("itq", others))
    assert "on classes that were not there" in text
    pairs = [pair for pair in beside("itq", ("pca",)) if pair[0]["protocol"] == "unseen"]
    assert pairs
    assert not any(separated(*pair, "map_all") for pair in pairs)
    assert (
        "GreedyHash has the highest mean at 16 bits, from which OrthoHash is not separated" in text
    )
    (pair,) = [
        pair
        for pair in beside("greedyhash", ("orthohash",))
        if (pair[0]["network"], pair[0]["device"], pair[0]["bits"]) == ("resnet-9", "cuda", 16)
    ]
    assert not separated(*pair, "map_all")
    assert "at 48 bits GreedyHash, OrthoHash and HashNet are about equal" in text
    assert best(groups, 16)[0] == "greedyhash"
    assert set(best(groups, 48)[:3]) == {"orthohash", "greedyhash", "hashnet"}
    assert "HashNet alone lies above the classifier's codes, from 32 bits on and by mAP@all" in text
    heads = [
        group
        for group in groups
        if (group["protocol"], group["features"]) == ("cifar10-full", "lite0")
        and not group["method"].startswith("classifier-")
    ]
    (control,) = [group for group in heads if group["method"] == "classifier"]
    above = {
        (group["method"], group["bits"])
        for group in heads
        if group.average("map_all") > control.average("map_all")
    }
    assert above == {("hashnet", 32), ("hashnet", 48), ("hashnet", 64)}
    assert "ranked by its softmax the classifier is above all of them" in text
    (softmax,) = [
        group
        for group in groups
        if (group["protocol"], group["features"]) == ("cifar10-full", "lite0")
        and group["method"] == "classifier-softmax"
    ]
    assert all(group.average("map_all") < softmax.average("map_all") for group in heads)


def best(groups, bits):
    """Return the methods of the zoo trained from scratch on Fashion-MNIST, the best first."""
    zoo = [
        group
        for group in groups
        if (group["protocol"], group["network"]) == ("fmnist-full", "small-cnn")
        and (group["device"], group["bits"]) == ("cuda", bits)
    ]
    return [group["method"] for group in sorted(zoo, key=lambda group: -group.average("map_all"))]


def test_words_beside_the_tables_have_no_figures_of_their_own(maker):
    import results_words as said

    words = [
        said.HEADER,
        said.CHOSEN,
        said.DECIDED,
        said.SEEN,
        maker.LEARNED,
        *said.REMARKS.values(),
    ]
    for text in words:
        assert not re.search(r"\d?\.\d{2}|\b\d+ of \d+\b", text), text


def test_every_trial_has_its_command_and_no_query_in_it():
    rows = read_rows(DOCS / "trials.jsonl")
    assert {row["protocol"] for row in rows} <= {"held-out"}
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    printed = re.findall(r"^hashret benchmark .+trials\.jsonl.+$", page, re.MULTILINE)
    runs = [run.fields() for command in printed for run in runs_of(command)]
    wanted = [{key: row[key] for key in Run.__dataclass_fields__} for row in rows]
    assert all(row in runs for row in wanted)
    assert all(run in wanted for run in runs)


def test_what_was_decided_is_what_the_trials_say():
    groups = [
        group for group in group_settings(read_rows(DOCS / "trials.jsonl")) if group["network"]
    ]

    def gain(method, measure, used="", **changed):
        (found,) = (g for g in groups if differs(g) == changed and names(g) == (method, 32))
        (base,) = (g for g in groups if not differs(g) and names(g) == (used or method, 32))
        return found[measure] - base[measure]

    def names(group):
        return group["method"], group["bits"] if group["method"] != "classifier" else 32

    def differs(group):
        return {name: old for name, (old, _) in changes_since(group).items() if name != "images"}

    assert gain("orthohash", "map_all", margin=0.3) > 0
    assert gain("dhn-bounded", "map_all", used="dhn") > 0
    assert gain("hashnet", "map_all", growth=0.128, period=8) < 0
    assert gain("hashnet", "map_all", head_rate=10) < 0
    assert gain("bihalf", "map_all", gamma=1) < 0 < gain("bihalf", "map10_mink", gamma=1)
    assert gain("bihalf", "map_all", gamma=0.1) < 0
    assert gain("cibhash", "map_all", code="sampled") > 0
    assert gain("cibhash", "map10_mink", code="sampled") < 0
    for name in ("orthohash", "hashnet", "classifier"):
        assert gain(name, "map_all", learning_rate=0.003) > 0


def test_orthogonal_directions_score_higher_on_held_out_images():
    groups = group_settings(read_rows(DOCS / "trials.jsonl"))
    lsh = [group for group in groups if group["method"].startswith("lsh")]
    scores = {(group["method"], group["bits"]): group.average("map_all") for group in lsh}
    assert len(scores) == 4
    for bits in (8, 16):
        assert scores["lsh-orthogonal", bits] > scores["lsh-gaussian", bits]


def test_superseded_rows_stand_apart(maker):
    rows = read_rows(DOCS / "results.jsonl")
    old = [row for row in rows if "superseded" in row]
    assert len(old) >= 2
    assert not any(row in old for group in group_rows(rows) for row in group.rows)
    assert len(maker.superseded(rows)) == 2 + 3 + len(old)


def seeds(method, *scores):
    row = {"method": method, "bits": 16, "map_all": None, "map10_mink": None}
    return Group(tuple(row | {"seed": n, "map_all": score} for n, score in enumerate(scores)))


def test_orders_are_of_paired_differences(maker):
    scipy = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    drift = rng.normal(0, 0.1, 5)
    low, high = (
        seeds(name, *(base + drift + rng.normal(0, 0.001, 5)))
        for name, base in (("itq", 0.5), ("pca", 0.51))
    )
    found = paired(high, low, "map_all")
    differences = [a["map_all"] - b["map_all"] for a, b in zip(high.rows, low.rows, strict=True)]
    test = scipy.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.mean - found.half == pytest.approx(test.low, rel=1e-3)
    noise = seeds("spectral", *(0.5 + rng.normal(0, 0.1, 5)))
    assert separated(high, low, "map_all")
    assert not separated(high, noise, "map_all")
    assert separated(high, seeds("knn", 0.1, 0.2), "map_all") is None
    ranked = order([low, noise, high, seeds("knn", 0.1)], "map_all")
    assert [sign for _, sign in ranked] == [
        " > " if separated(a, b, "map_all") else " ~ "
        for (a, _), (b, _) in itertools.pairwise(ranked)
    ] + [""]
    assert len(ranked) == 3
    # Two more seeds pull the mean of one below that of another which it is above in each.
    fewer, more = seeds("itq", 0.6, 0.61, 0.62), seeds("pca", 0.65, 0.66, 0.67, 0.5, 0.5)
    assert [(g["method"], sign) for g, sign in order([fewer, more], "map_all")] == [
        ("itq", " < "),
        ("pca", ""),
    ]
    control = seeds("classifier", *(0.4 + drift))
    lines = maker.orders([low, high, control], "map_all")
    assert lines[2] == "- 16 bits, mAP@all: PCA hashing > ITQ > Plain classifier"
    assert lines[3] == "  2 of 2 above the plain classifier."
