"""A state machine runs an index and an oracle side by side."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracle
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ranking.rules import WEIGHTS, make_queries, make_rule

import hashret
from hashret import codes as packing

# How a search is told which ids it may return; "kept": by a filter that was made before changes.
FILTERS = st.sampled_from(["none", "ids", "mask", "prepared", "kept"])

# Sizes at which "auto" sorts codes or makes tables are in test_planner.py.
SHAPES = {
    "scan": [(5, None), (64, None), (100, None)],
    "mih": [(5, None), (64, None), (64, 2), (100, 3), (64, {"radius": 3}), (256, {"radius": 31})],
    "auto": [(64, None), (130, 8), (256, {"radius": 31})],
    "lsh": [(24, 3), (160, 4)],
    "approximate": [(64, None), (130, None)],  # so few codes are compared one by one
}


class IndexMachine(RuleBasedStateMachine):
    """Codes come from a pool, mostly of few values, so that ties are the rule."""

    kind: str

    @initialize(
        shape=st.runner().flatmap(lambda machine: st.sampled_from(SHAPES[machine.kind])),
        values=st.sampled_from([1, 12, 12, 4000]),
        seed=st.integers(0, 2**32 - 1),
        beside=st.booleans(),
    )
    def start(self, shape, values, seed, beside):
        self.bits, self.tables = shape
        options = self.tables if isinstance(self.tables, dict) else {"tables": self.tables}
        self.rng = np.random.default_rng(seed)
        self.pool = oracle.random_codes(self.rng, values, self.bits)
        self.index = hashret.Index(self.bits, self.kind, **options)
        self.beside = beside
        self.open_index()
        self.model = {}
        self.next_id = 0

    def open_index(self):
        """Have even few codes sorted by a thread beside; what was made for another is no good."""
        if self.beside:
            self.index._native.set_soon(0)
        self.kept = None
        self.views = []

    def draw(self, n):
        return self.pool[self.rng.integers(0, len(self.pool), n)]

    def known(self, n):
        ids = np.array(sorted(self.model), np.int64)
        return self.rng.permutation(ids)[:n]

    @rule(n=st.integers(0, 40))
    def add(self, n):
        codes = self.draw(n)
        ids = self.index.add(codes)
        np.testing.assert_array_equal(ids, self.next_id + np.arange(n))
        self.remember(ids, codes)

    @rule()
    def add_more_than_stay_aside(self):
        """The next search of sorted codes sorts these in, and the next one of tables too."""
        self.add(300)

    @rule(n=st.integers(1, 40))
    def add_with_ids(self, n):
        ids = np.setdiff1d(self.rng.integers(0, 500, n), list(self.model)).astype(np.int64)
        self.rng.shuffle(ids)
        codes = self.draw(len(ids))
        self.index.add(codes, ids)
        self.remember(ids, codes)

    def remember(self, ids, codes):
        self.model.update(zip(ids.tolist(), codes, strict=True))
        if len(ids):
            self.next_id = max(self.next_id, int(ids.max()) + 1)

    @rule(n=st.integers(0, 60) | st.just(400))
    def remove(self, n):
        ids = self.known(n)
        self.index.remove(ids)
        for id in ids.tolist():
            del self.model[id]

    @rule(n=st.integers(0, 20))
    def update(self, n):
        ids = self.known(n)
        codes = self.draw(len(ids))
        self.index.update(codes, ids)
        self.remember(ids, codes)

    @rule(mmap=st.booleans())
    def save_and_load(self, mmap):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "index.hri")
            self.index.save(path)
            self.index = hashret.Index.load(path, mmap=mmap)
        self.open_index()

    @rule()
    def compact(self):
        self.index.compact()

    @rule()
    def stop_sorting(self):
        """As before a fork: what was frozen stays so."""
        assert self.index._native.rest(-1)

    @rule(share=st.sampled_from([0.0, 0.01, 0.1, 0.4, 1.0]))
    def keep_a_filter(self, share):
        ids = np.array(sorted(self.model), np.int64)
        self.kept = self.index.filter(ids[self.rng.random(len(ids)) < share])

    def filter_of(self, ids, filtered):
        """Some of the ids, and the filter that allows them."""
        if filtered == "kept" and self.kept is not None:
            return np.intersect1d(ids, self.kept.ids), self.kept
        mask = self.rng.random(len(ids)) < self.rng.choice([0.01, 0.1, 0.4])
        if filtered == "mask":
            return ids[mask], mask
        return ids[mask], self.index.filter(mask) if filtered == "prepared" else ids[mask]

    def contents(self, filtered):
        """Ids and codes that a search may return, and the filter that says so."""
        ids, allowed = np.array(sorted(self.model), np.int64), None
        if filtered != "none":
            ids, allowed = self.filter_of(ids, filtered)
        codes = np.array([self.model[id] for id in ids.tolist()], np.uint8)
        return ids, codes.reshape(len(ids), (self.bits + 7) // 8), allowed

    def expected(self, queries, codes, ids, k):
        if self.kind == "lsh":
            return oracle.lsh_search(queries, codes, ids, k, self.bits, self.tables)
        return oracle.search(queries, codes, ids, k)

    @rule(k=st.integers(1, 60), filtered=FILTERS)
    def search(self, k, filtered):
        ids, codes, allowed = self.contents(filtered)
        queries = self.draw(3)
        found = self.index.search(queries, k, filter=allowed)
        for got, want in zip(found, self.expected(queries, codes, ids, k), strict=True):
            np.testing.assert_array_equal(got, want)

    @rule(share=st.floats(0, 1), filtered=FILTERS)
    def range_search(self, share, filtered):
        if self.kind == "lsh":
            return
        ids, codes, allowed = self.contents(filtered)
        queries, radius = self.draw(3), int(share * self.bits)
        found = self.index.range_search(queries, radius, filter=allowed)
        wanted = oracle.range_search(queries, codes, ids, radius)
        for got, want in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(got, want)

    def ranked_view(self, weight, classes, floats):
        """A view that has lived through some changes, or a new one."""
        if len(self.views) < 3:
            own = int(self.rng.integers(1, self.bits))
            made, known = make_rule(
                self.rng, self.bits, own, weight, classes=classes, floats=floats
            )
            self.views.append((self.index.ranked(made), known))
        return self.views[self.rng.integers(len(self.views))]

    @rule(
        k=st.integers(1, 60),
        filtered=FILTERS,
        weight=st.sampled_from(WEIGHTS),
        classes=st.sampled_from([0, 3]),
        floats=st.booleans(),
    )
    def ranked_search(self, k, filtered, weight, classes, floats):
        if self.kind in ("lsh", "approximate"):
            return
        ids, codes, allowed = self.contents(filtered)
        view, known = self.ranked_view(weight, classes, floats)
        queries, packed, known = make_queries(self.rng, 2, view.rule, known)
        if view.rule.takes == "codes":
            queries = packed = self.draw(2)
        else:
            packed = packing.pack(packed)
        wanted = oracle.ranked_distances(packed, codes, known)
        found = view.search(queries, k, filter=allowed)
        for got, want in zip(found, oracle.ranked_search(wanted, ids, k), strict=True):
            np.testing.assert_array_equal(got, want)
        radius = float(np.median(wanted)) if len(ids) else 1.0
        within = view.range_search(queries, radius, filter=allowed)
        for got, want in zip(within, oracle.ranked_within(wanted, ids, radius), strict=True):
            np.testing.assert_array_equal(got, want)

    @rule(k=st.integers(1, 20))
    def search_from_threads(self, k):
        """The first ones to come may have to make tables while the others search."""
        ids, codes, _ = self.contents("none")
        queries = self.draw(4)
        wanted = self.expected(queries, codes, ids, k)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: self.index.search(queries, k), range(8)))
        for found in answers:
            np.testing.assert_array_equal(found[0], wanted[0])
            np.testing.assert_array_equal(found[1], wanted[1])

    @rule(k=st.integers(1, 60), filtered=FILTERS)
    def explain(self, k, filtered):
        ids, codes, allowed = self.contents(filtered)
        query = self.draw(1)
        told = self.index.explain(query, k, filter=allowed)
        found = self.expected(query, codes, ids, k)[0][0]
        found = found[found != oracle.MISSING_DISTANCE]
        assert told.distance == (found[-1] if len(found) else None)
        assert told.codes == len(self.model)
        assert told.exact == (self.kind != "lsh")
        if told.way == "mih" and len(found) == k:
            assert told.radius >= told.distance

    @invariant()
    def the_same_ids_and_codes(self):
        if not hasattr(self, "model"):
            return
        ids = sorted(self.model)
        assert len(self.index) == len(ids)
        np.testing.assert_array_equal(self.index.ids, ids)
        if ids:
            np.testing.assert_array_equal(
                self.index.get(ids), np.array([self.model[id] for id in ids])
            )


def machine(kind, examples):
    """A test case of its own for each kind: hypothesis would favour one of them."""
    case = type(f"{kind}_machine", (IndexMachine,), {"kind": kind}).TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=40, deadline=None)
    return case


TestScan = machine("scan", 10)
TestMih = machine("mih", 30)
TestAuto = machine("auto", 20)
TestLsh = machine("lsh", 10)
TestApproximate = machine("approximate", 10)
