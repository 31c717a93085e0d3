"""Every figure of README and of docs/ is one of a row, and every row's command is on its page.

Of pages that are made of rows as a whole, those of results have tests beside their benchmarks.
"""

from __future__ import annotations

import importlib
import re

import pytest

MADE = ["commands", "duplicates", "encoders", "planner", "serve"]
REPORTS = ["benchmarks", "benchmarks-zen4", "benchmarks-avx2"]
# Of these every figure is put in by scripts.
WHOLE = {*REPORTS, "ann", "fashion-mnist", "prism", "results", "scale", "two-axis"}


@pytest.fixture
def maker(docs, monkeypatch):
    monkeypatch.syspath_prepend(docs)
    return importlib.import_module("make_measured")


@pytest.fixture
def pages():
    pytest.importorskip("matplotlib")
    return importlib.import_module("benchmarks.pages")


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_of_targets_is_that_of_its_reports(docs, pages, name):
    path = docs / f"{name}.md"
    assert path.read_text("utf-8") == pages.page(pages.read(docs / f"{name}.jsonl"), path)


def test_the_page_of_prism_is_that_of_its_rows(docs, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(docs)
    maker, tables = (
        importlib.import_module(name)
        for name in ("make_prism", "hashret.experiments.benchmark.axes_tables")
    )
    groups = tables.by_rule(maker.read_rows(docs / "two-axis.jsonl"))
    rows = maker.read_rows(docs / "dials.jsonl")
    drawn = maker.page(groups, rows, lambda rows: "images/prism-dials.png")
    assert (docs / "prism.md").read_text("utf-8") == drawn
    # Settings are chosen where no test image is looked at.
    assert {row["protocol"] for row in rows} == {"cifar100-coarse-held-out"}
    assert all("dirty" not in row["commit"] for row in rows)


@pytest.mark.parametrize("name", MADE)
def test_tables_are_those_of_their_rows(docs, maker, name):
    assert (docs / f"{name}.md").read_text("utf-8") == maker.page(name, maker.read(name))


@pytest.mark.parametrize("name", [*MADE, *REPORTS, "cluster"])
def test_every_rows_command_is_printed(docs, maker, name):
    text = re.sub(r"\s*\\\n\s+", " ", (docs / f"{name}.md").read_text("utf-8"))
    rows = maker.read(name)
    assert rows
    for row in rows:
        assert row["command"] in text
        assert "machine" in row


def in_words(value):
    words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return words[round(value)] if round(value) < len(words) else str(value)


class Told:
    """The rows of all pages, to be asked for a figure."""

    def __init__(self, maker):
        self.rows = {name: maker.Rows(maker.read(name)) for name in [*MADE, "cluster"]}
        reports = [report for name in REPORTS for report in maker.read(name)]
        self.targets = [row for report in reports for row in report["targets"]]

    def of(self, page, name, **about):
        """Return the one figure of a page that is called so."""
        (row,) = self.rows[page].all(name, **about)
        return row["value"]

    def every(self, page, name, **about):
        return [row["value"] for row in self.rows[page].all(name, **about)]

    def target(self, number, case, figure="measured"):
        """Return a figure of the first page that has the case."""
        return next(r for r in self.targets if r["target"] == number and r["case"] == case)[figure]


def said(told):
    """Yield what is said between tables: a page, and the words in which figures stand there."""
    flat = "faiss flat"
    uniform, clustered = (
        told.target(7, f"100,000,000 {kind} codes, {flat}") for kind in ("uniform", "clustered")
    )
    yield (
        "README",
        f"{uniform:.0f} times as fast among 100 million uniform codes, "
        f"{clustered:.0f} times among clustered ones",
    )
    pieces, scan, query, size = (
        told.target(13, case)
        for case in (
            "10-NN of one query, faiss flat in pieces",
            "10-NN of one query, linear scan",
            "10-NN of one query",
            "bytes an item",
        )
    )
    yield (
        "README",
        f"in {size:.0f} GB | {pieces:.0f} times as fast: {query:.0f} ms, against {scan:.0f} times "
        "that for comparing all",
    )
    yield "docs/faq", f"codes of 64 bits takes {size:.0f} GB"
    collapsed = told.target(10, f"10,000,000 items on 3,000 values, {flat}")
    yield "README", f"10 million images share 3,000 codes | {collapsed:,.0f} times as fast"
    merge = "20,000,000 codes, 100,000 added 200 times, one query, memory of a merge / index"
    assert told.target(25, merge) <= told.target(25, merge, "goal")
    yield "csrc/README", f"up to {told.target(25, merge, 'goal')} times what the index holds"

    yield from said_of_folders(told)
    yield from said_of_duplicates(told)
    yield from said_of_encoders(told)
    yield from said_of_the_planner(told)
    yield from said_of_warmth(told)


def said_of_folders(told):
    small = {"folder": "60,000 of 32 x 32", "encoder": "hog"}
    rate = told.of("commands", "images a second", **small)
    again = told.of("commands", "seconds, nothing new", **small)
    yield (
        "docs/commands",
        f"60,000 photographs of 32 x 32 pixels took {told.of('commands', 'MiB', **small)} MiB with "
        f"`hog`, at {rate:,} a second, and {again} s when nothing was new",
    )
    yield (
        "README",
        f"indexed with `hog` at {round(rate, -2):,} a second, looked at again with nothing new in "
        f"{again} s",
    )
    assert again < 1
    yield "docs/how-to/regular", "a folder of 60,000 pictures takes under a second"
    yield "docs/commands", f"gives ({told.of('commands', 'codes of photographs'):,})"
    updates = 10**6 // 16 // told.of("commands", "new photographs")
    yield "docs/commands", f"here once in {updates} such updates"
    quarters = round(told.of("commands", "seconds of an update") / 15)
    assert quarters == 1
    minutes = in_words(told.of("commands", "seconds of dedup") / 60)
    yield "docs/faq", f"a quarter of a minute, `dedup` {minutes} minutes"
    # On two cores.
    large = {"folder": "500 of 24 megapixels", "encoder": "perceptual"}
    read = 2000 / told.of("commands", "ms of processor", **large)
    hours = in_words(10**6 / read / 3600)
    yield (
        "docs/faq",
        f"some {read // 10 * 10:.0f} a second of 24 megapixels, so that a million of those take "
        f"{hours} hours",
    )
    yield "docs/serve", f"1,000 folders ({told.of('serve', 'codes of photographs')} PDQ"
    yield "docs/serve", f"changed), {told.of('serve', 'groups'):,} groups"
    yield (
        "docs/serve",
        f"takes {told.of('serve', 'thumbnail, ms'):.0f} ms of processor time, beside other work on "
        f"AVX2 and with the start of its process, and {told.of('serve', 'thumbnail, kB'):.0f} kB "
        f"({told.of('serve', 'thumbnails')} photographs",
    )
    ray, one = (
        ", ".join(f"{value:.2f}" for value in values[:-1]) + f" and {values[-1]:.2f}"
        for values in (
            told.every("cluster", f"tasks / {other}") for other in ("Ray Data", "one process")
        )
    )
    yield (
        "docs/cluster",
        f"took by tasks {ray} times as long as by Ray Data, and {one} times as long as by one "
        "process",
    )
    *turns, last = told.every("cluster", "60,000: tasks / one process")
    turns = ", ".join(f"{value:.2f}" for value in turns)
    yield (
        "docs/cluster",
        f"60,000 pictures took by tasks {turns} and {last:.2f} times as long as by one process",
    )
    yield (
        "docs/cluster",
        f"a query that compares all took {told.of('cluster', 'query, ms'):.1f} ms, and one in "
        "turns with it that is sent and merged as well and compares next to nothing "
        f"{told.of('cluster', 'fan-out, ms'):.1f} ms, where a bare call of two actors by Ray is "
        f"{told.of('cluster', 'bare call, ms'):.1f} ms; a new process opened a cached shard of "
        f"{told.of('cluster', 'cached shard, GB'):.2f} GB in "
        f"{told.of('cluster', 'opening, ms'):.1f} ms.",
    )


def said_of_warmth(told):
    missed = [
        sum(told.every("planner", "missed", when=when, isa=isa, policy="three ways"))
        for when in ("unwarmed", "warmed")
        for isa in ("AVX-512", "AVX2")
    ]
    yield (
        "docs/planner",
        "Of the planner before, an hour earlier, {} of 356 cells missed on AVX-512 and {} on "
        "AVX2, of this one {} and {}:".format(*missed),
    )
    before, now, avx2, again, again2 = [
        sum(told.every("planner", "missed", when=when, isa=isa, policy=policy))
        for when, isa, policy in (
            ("unspared", "AVX-512", "three ways"),
            ("spared", "AVX-512", "three ways"),
            ("spared", "AVX2", "three ways"),
            ("spared", "AVX-512", "again"),
            ("spared", "AVX2", "again"),
        )
    ]
    yield (
        "docs/planner",
        f"earlier, {before} of 356 cells missed on AVX-512, of this one {now} on AVX-512 and "
        f"{avx2} on AVX2; of *again* {again} and {again2}:",
    )


def said_of_duplicates(told):
    def of(name, **about):
        return told.of("duplicates", name, **about)

    easy = {"copies": "re-encoded, resized, re-toned"}
    half, other = ({"half": f"{name} half", **easy} for name in ("first", "second"))
    assert of("enough", **half) <= 31 < of("first wrong", **half)
    yield (
        "docs/duplicates",
        f"On the first half {of('enough', **half)} bits find 0.99 of the copies that were "
        "re-encoded, resized or re-toned, and the first wrong pair comes at "
        f"{of('first wrong', **half)}.",
    )
    found = of("recall", blanks=True, at=31, **easy)
    assert of("precision", blanks=True, at=31, **easy) == 1
    yield (
        "docs/duplicates",
        f"On the second half it finds {found:.3f} of these copies, and nothing wrong: there the "
        f"first wrong pair comes at {of('first wrong', **other)}.",
    )
    yield "docs/duplicates", f"Of its {of('photographs')} photographs"
    yield "docs/duplicates", f"{of('files'):,} files in all"
    rates = [
        of("images a CPU second", contender=who)
        for who in ("hashret", "pdqhash", "imagededup pHash")
    ]
    yield "docs/duplicates", f"{rates[0]} for hashret with both encoders"
    yield "docs/duplicates", f"{rates[1]} for bare `pdqhash`, {rates[2]} for imagededup's pHash"
    framed = {"copies": "framed, captioned, on a screen", "blanks": True, "at": 31}
    assert round(5 * of("recall", **framed)) == 4
    assert of("precision", **framed) == 1
    for kind in ("border", "caption bar", "screenshot"):
        for who in ("pdqhash", "imagededup pHash"):
            assert of("recall", blanks=False, contender=who, copies=kind) == 0
    yield (
        "docs/duplicates",
        "hashret finds four fifths within the default radius, bare PDQ and pHash nothing at such "
        "precision",
    )
    yield (
        "docs/faq",
        f"[{of('files'):,} files](duplicates.md#measured): the first wrong one came at "
        f"{of('first wrong', **other)},",
    )
    cropped = {"copies": "cropped by 5 %"}
    default = of("recall", blanks=True, at=31, **cropped)
    most = of("recall", blanks=False, contender="hashret", **cropped)
    yield (
        "docs/faq",
        f"of those cut by 5 %, {100 * default:.0f} of 100 are found by default, "
        f"{100 * most:.0f} at the largest radius at which 99 of 100 that are found are right, and "
        "hardly any of those cut by 10 %",
    )


def said_of_encoders(told):
    def of(name, **about):
        return told.of("encoders", name, **about)

    at160 = {"network": "lite0", "size": 160}
    rates = {
        runtime: of("images a second", runtime=runtime, **at160)
        for runtime in ("torch", "onnxruntime", "int8")
    }
    yield (
        "docs/encoders",
        f"Torch describes {rates['torch']} images a second with lite0 at 160, where onnxruntime "
        f"describes {rates['onnxruntime']}.",
    )
    assert round(1 / (rates["int8"] / rates["onnxruntime"] - 1)) in (6, 7)
    yield "docs/encoders", f"{of('photographs'):,} of {of('classes')} classes"
    yield "docs/encoders", f"chance is {of('chance'):.3f}".replace("0.", ".")
    yield "docs/encoders", f"of {of('photographs'):,} images (400 queries"


def said_of_the_planner(told):
    def of(name, **about):
        return told.every("planner", name, **about)

    kept = {"policy": "three ways"}
    now, before = {"when": "now", **kept}, {"when": "before", **kept}
    cold = {"state": "cold", "form": "one query"}
    batch = {"state": "cold", "form": "batch"}
    cells = sum(of("cells", when="now", **cold))
    yield (
        "docs/planner",
        f"Cold, {sum(of('missed', **now, **cold))} of {cells} cells of single queries miss the "
        f"goal (the worst is {max(of('worst', **now, **cold)):.2f}), of "
        f"{sum(of('missed', **before, **cold))} before, and {sum(of('missed', **now, **batch))} of "
        f"{cells} of first batches, of {sum(of('missed', **before, **batch))}:",
    )
    warm = {"state": "warm"}
    (another,) = of("missed", when="another run", **warm)
    yield (
        "docs/planner",
        f"Warm, {sum(of('missed', **now, **warm))} of {sum(of('cells', when='now', **warm))} miss, "
        f"of {sum(of('missed', **before, **warm))} before, and other ones in each run: another run "
        f"of nearly the same planner had {another}. Of two ways alone, "
        f"{sum(of('missed', when='now', policy='two ways', **warm))} would miss.",
    )
    guessed = {"when": "guessed"}
    first, later = (
        " and ".join(map(str, of("missed", state=state, **guessed))) for state in ("cold", "warm")
    )
    yield (
        "docs/planner",
        f"cold {first} of {cells // 2} single queries missed, and warm {later})",
    )
    quiet = {"when": "quiet"}
    (single,), (worst,), (firsts,) = (
        of("missed", **quiet, **cold),
        of("worst", **quiet, **cold),
        of("missed", **quiet, **batch),
    )
    (fast, slow), (most,) = (of(name, **quiet, **warm, **kept) for name in ("missed", "worst"))
    two, model = (
        " and ".join(map(str, of("missed", policy=policy, **quiet, **warm)))
        for policy in ("two ways", "model")
    )
    yield (
        "docs/planner",
        f"cold, {single} of {cells} single queries above 1.25 ({worst:.2f}, AVX-512) and {firsts} "
        f"of {cells} first batches; warm, {fast} (AVX-512) and {slow} (AVX2) of {cells} above 1.1, "
        f"the worst {most:.2f}. Of two ways alone {two}, of the model alone {model}.",
    )
    (each,) = of("cells", when="later")
    yield "docs/planner", f"the median of three runs of each of {each} cells:"
    busy = {"when": "later", **kept, "state": "cold"}
    missed = [v for form in ("one query", "batch") for v in of("missed", form=form, **busy)]
    yield "docs/planner", f"{in_words(sum(missed)).capitalize()} cold cells missed"
    yield (
        "docs/planner",
        "ten neighbours among uniform codes ({} to {}) and 100 among clustered ones ({} to {}), "
        "one query at a time, and a batch within 12 of clustered ones ({} to {}).".format(
            *(
                f"{figure:.2f}"
                for pair in zip(of("least", **busy), of("most", **busy), strict=True)
                for figure in pair
            )
        ),
    )
    (each,) = of("cells", when="doubted")
    yield "docs/planner", f"The median of three runs of each of {each} cells, two cores:"
    doubted = {"when": "doubted", **kept}
    three = [f"{figure:.2f}" for figure in of("regret", **doubted)]
    assert of("missed", **doubted, **cold) == [0]
    ((missed,), (worst,)) = (of(name, **doubted, **batch) for name in ("missed", "worst"))
    single, first = (
        in_words(of("missed", when="doubted", policy="two ways", **form)[0])
        for form in (cold, batch)
    )
    yield (
        "docs/planner",
        f"Those three cells are at {three[0]}, {three[1]} and {three[2]} now. Cold, no single "
        f"query misses any more, and {in_words(missed)} first batches do, the worst by "
        f"{worst:.2f}: {single} and {first} would with two ways alone.",
    )


@pytest.fixture
def told(docs, maker):
    return Told(maker)


@pytest.fixture
def root(docs):
    return docs.parent


def text_of(root, page):
    return (root / f"{page}.md").read_text("utf-8")


def test_figures_in_prose_are_those_of_rows(root, told):
    for page, words in said(told):
        assert words in " ".join(text_of(root, page).split()), page


@pytest.mark.parametrize("name", [*MADE, "cluster"])
def test_every_row_is_told(maker, told, name):
    """A row that is another changes a table or what is said: none is kept that nobody reads."""
    rows = told.rows[name].rows

    def tables():
        return maker.PAGES[name](told.rows[name]) if name in maker.PAGES else []

    def words():
        try:
            return list(said(told))
        except AssertionError:
            return "not so"

    before = tables(), words()
    for row in rows:
        was, row["value"] = row["value"], 2 * row["value"] + 1
        assert tables() != before[0] or words() != before[1], row
        row["value"] = was


# Numbers with a unit, and fractions.
_UNIT = (
    r"(?:%|times|µs|ms|s|seconds?|minutes?|hours|h|days|a second|bytes|B|kB|MB|GB|[MG]iB"
    r"|of 100|images/s|M codes/s)"
)
_FIGURE = re.compile(rf"(?<![\w.#/-])(?:\d*\.\d+|\d[\d,]*(?= ?{_UNIT}(?![\w-])))")
# What is set or defined, not measured: a page, and the words around it.
SET = {
    "README": ["Python 3.11"],
    "docs/start": ["Python 3.11"],
    "docs/cluster": ["3 GiB", "at most 60 s", "than 95 %", "for 10 s", "(30 s)", "after 60 s"],
    "docs/commands": ["`--rescan` minutes"],
    "docs/duplicates": ["quality 30-90", "at least 0.99", "crops by 5 %", "find 0.99"],
    "docs/encoders": ["(10 MiB)"],
    "docs/how-to/ranking": ["within 0.01 of the best"],
    "docs/how-to/bridges": ["pgvector 0.8", "pymilvus 3.0", "12 bits has 2 bytes"],
    "docs/planner": ["1.25 cold, 1.1 warm"],
    "docs/serve": ["within 30 s", "within 15 s", "for 60 s", "25 MB"],
}
# Rows of README that are made with docs/results.md.
RESULTS = ("| Fashion-MNIST, a ResNet-9", "| CIFAR-10, the same")


def prose(text):
    """Return a page without blocks of code and remarks."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def unheld(root, maker, told, page):
    """Return the figures of a page that are neither made of rows, nor held to them, nor set."""
    text = text_of(root, page)
    name = page.removeprefix("docs/")
    if name in MADE:
        for table in maker.PAGES[name](told.rows[name]):
            for line in table.lines:
                text = text.replace(line, "")
    lines = [line for line in prose(text).splitlines() if not line.startswith(RESULTS)]
    text = " ".join(" ".join(lines).split())
    for words in [*(words for where, words in said(told) if where == page), *SET.get(page, [])]:
        text = text.replace(words, " ")
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", text)
    return _FIGURE.findall(text)


def test_no_figure_is_without_a_row(root, docs, maker, told):
    names = [path.relative_to(root).with_suffix("").as_posix() for path in docs.rglob("*.md")]
    pages = [name for name in names if name.removeprefix("docs/") not in WHOLE]
    assert len(pages) > 40
    left = {page: unheld(root, maker, told, page) for page in ["README", "csrc/README", *pages]}
    assert {page: found for page, found in left.items() if found} == {}
