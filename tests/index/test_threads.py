"""Many readers, one writer."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import oracle
import pytest
import shapes

import hashret


@pytest.mark.parametrize("kind", ["scan", "mih", "auto", "lsh"])
def test_eight_readers_while_one_adds_and_removes(rng, kind):
    bits, stable = 64, 2000
    codes = oracle.random_codes(rng, stable, bits)
    index = hashret.Index(bits, kind, tables=4 if kind == "lsh" else None)
    index.add(codes)
    noise = ~codes  # as far from every stable code as can be: never among the nearest
    failures, stop = [], threading.Event()

    def read(number):
        queries = codes[number * 10 : number * 10 + 10]
        while not stop.is_set():
            distances, ids = index.search(queries, 1)
            if not ((distances == 0).all() and (ids[:, 0] == np.arange(10) + number * 10).all()):
                failures.append((number, ids))
                return

    readers = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for reader in readers:
        reader.start()
    for turn in range(30):
        ids = (rng.permutation(5000)[:300] + 10_000).astype(np.int64)
        index.add(noise[:300], ids)
        if turn % 3 == 0:
            index.update(noise[300:400], ids[:100])
        index.remove(ids)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert len(index) == stable


def a_change(rng, plain, live):
    """What to do next, to which rows, and which rows are there afterwards."""
    n = len(plain)
    count = int(rng.choice([1, 60, n // 12, n // 4]))
    kind = rng.choice(["add", "remove", "update"], p=[0.4, 0.35, 0.25])
    if kind == "add":
        rows = rng.permutation(np.setdiff1d(np.arange(n), live))[:count]
        return kind, rows, np.union1d(live, rows)
    rows = rng.permutation(live)[:count]
    return kind, rows, np.setdiff1d(live, rows) if kind == "remove" else live


class History:
    """A sequence of changes with the oracle's answers after each."""

    def __init__(self, rng, shape, n, turns):
        plain = shape(rng, n, 64)
        codes = shapes.pack(plain)
        live = np.sort(rng.permutation(n)[: n * 3 // 4])
        self.queries, self.k = shapes.queries_near(rng, plain, 64, 4), 12
        self.start = live, codes[live]
        self.changes, self.answers = [], [self.answer(codes, live)]
        for _ in range(turns):
            kind, rows, live = a_change(rng, plain, live)
            if kind == "update":
                codes[rows] = codes[rng.integers(0, n, len(rows))]
            self.changes.append((kind, rows, codes[rows]))
            self.answers.append(self.answer(codes, live))

    def answer(self, codes, live):
        return oracle.search(self.queries, codes[live], live, self.k)

    def apply(self, index, turn):
        kind, rows, codes = self.changes[turn]
        if kind == "add":
            index.add(codes, rows)
        elif kind == "update":
            index.update(codes, rows)
        else:
            index.remove(rows)

    def seen(self, found, first, last):
        """Whether an answer is that of a state from the first to the last."""
        return any(
            np.array_equal(found[0], answer[0]) and np.array_equal(found[1], answer[1])
            for answer in self.answers[first : last + 1]
        )


@pytest.mark.parametrize(
    ("kind", "shape", "n", "turns", "beside"),
    [
        ("scan", shapes.clustered, 3000, 25, False),
        ("mih", shapes.clustered, 3000, 25, False),
        ("mih", shapes.few_values, 3000, 25, False),
        ("mih", shapes.uniform, 24_000, 25, False),
        ("mih", shapes.clustered, 3000, 50, True),
        ("mih", shapes.few_values, 3000, 50, True),
        ("mih", shapes.uniform, 24_000, 25, True),
        ("auto", shapes.clustered, 3000, 25, False),
        ("auto", shapes.few_values, 30_000, 25, False),  # sorted
        ("auto", shapes.few_values, 30_000, 25, True),
        ("auto", shapes.uniform, 190_000, 6, False),  # with tables
        ("auto", shapes.uniform, 190_000, 6, True),
    ],
)
def test_readers_see_the_index_before_or_after_a_change(rng, kind, shape, n, turns, beside):
    """Tables are made by whoever searches first, or `beside`, by a thread of the index's own."""
    history = History(rng, shape, n, turns)
    index = hashret.Index(64, kind)
    if beside:
        index._native.set_soon(0)
    index.add(history.start[1], history.start[0])
    begun = ended = 0
    failures, searches, stop = [], [0] * 8, threading.Event()

    def read(number):
        while not stop.is_set():
            first = ended
            found = index.search(history.queries, history.k)
            last = begun
            searches[number] += 1
            if not history.seen(found, first, last):
                failures.append((number, first, last))
                return

    readers = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for reader in readers:
        reader.start()
    for turn in range(len(history.changes)):
        begun = turn + 1
        history.apply(index, turn)
        ended = turn + 1
        enough = sum(searches) + 16
        while sum(searches) < enough and not failures and readers[0].is_alive():
            time.sleep(0.0005)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert history.seen(index.search(history.queries, history.k), len(history.changes), 10**6)


def test_writers_take_turns(rng):
    codes = oracle.random_codes(rng, 50, 64)
    index = hashret.Index(64)
    writers = [
        threading.Thread(target=lambda: [index.add(codes) for _ in range(20)]) for _ in range(6)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    np.testing.assert_array_equal(index.ids, np.arange(6 * 20 * 50))


def test_saving_while_others_add(rng, tmp_path):
    codes = oracle.random_codes(rng, 100, 64)
    index = hashret.Index(64)
    index.add(codes)
    writer = threading.Thread(target=lambda: [index.add(codes) for _ in range(200)])
    writer.start()
    while writer.is_alive():
        index.save(tmp_path / "i.hri")
        saved = hashret.Index.load(tmp_path / "i.hri")
        assert len(saved) % 100 == 0
        np.testing.assert_array_equal(saved.get(np.arange(100)), codes)
    writer.join()


@pytest.fixture
def no_switching():
    """Threads change only where one lets the interpreter's lock go."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    yield
    sys.setswitchinterval(before)


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="has no such lock")
def test_long_searches_let_other_threads_run_and_short_ones_do_not(no_switching, rng):
    long = hashret.Index(64, "scan")
    codes = rng.integers(0, 256, (300_000, 8), np.uint8)
    long.add(codes)
    # Some milliseconds each, so that a busy machine has time to wake the other thread.
    asked = {False: [code[None] for code in codes[:20]], True: [codes[:1000]] * 50}
    short = hashret.Index(64)
    short.add(codes[:1000])
    turns, over = [], []

    def count():
        while not over:
            turns.append(1)
            time.sleep(0)

    for index, waits in ((short, False), (long, True)):
        index.search(codes[:1], 3, threads=1)
        turns.clear()
        over.clear()
        thread = threading.Thread(target=count)
        thread.start()  # waits until it runs
        before = len(turns)
        for queries in asked[waits]:
            index.search(queries, 3, threads=1)
            if len(turns) > before:
                break
        after = len(turns)
        over.append(1)
        thread.join()
        assert (after > before) == waits
