"""Slow and obvious answers to compare with. Imports nothing of hashret."""

from __future__ import annotations

import math

import numpy as np

MISSING_DISTANCE = 2147483647


def random_codes(rng, n, bits):
    """Uniform packed codes with zero trailing bits."""
    return np.packbits(rng.integers(0, 2, (n, bits), dtype=np.uint8), axis=1)


def skewed_codes(rng, n, bits, distinct):
    """Codes that repeat: n draws from few values."""
    values = random_codes(rng, distinct, bits)
    return values[rng.integers(0, distinct, n)]


def distances(queries, codes):
    """All Hamming distances, int (n_queries, n_codes), one query at a time."""
    table = np.array([bin(value).count("1") for value in range(256)], dtype=np.int64)
    out = np.zeros((len(queries), len(codes)), np.int64)
    for i, query in enumerate(queries):
        out[i] = table[codes ^ query].sum(axis=1) if len(codes) else 0
    return out


def search(queries, codes, ids, k):
    """The k nearest by (distance, id), filled up with the missing values."""
    found = np.full((len(queries), k), MISSING_DISTANCE, np.int32)
    named = np.full((len(queries), k), -1, np.int64)
    for i, row in enumerate(distances(queries, codes)):
        order = np.lexsort((ids, row))[:k]
        found[i, : len(order)] = row[order]
        named[i, : len(order)] = ids[order]
    return found, named


def range_search(queries, codes, ids, radius):
    """Everything within `radius`, by (distance, id), in CSR form."""
    lims, found, named = [0], [], []
    for row in distances(queries, codes):
        inside = np.flatnonzero(row <= radius)
        order = inside[np.lexsort((ids[inside], row[inside]))]
        found.append(row[order])
        named.append(ids[order])
        lims.append(lims[-1] + len(order))
    empty = np.zeros(0, np.int64)
    return (
        np.array(lims, np.int64),
        np.concatenate([empty, *found]).astype(np.int32),
        np.concatenate([empty, *named]).astype(np.int64),
    )


def table_keys(codes, bits, tables):
    """The substring of each table as a tuple of bits, by code."""
    width = bits // tables
    plain = np.unpackbits(codes, axis=1, count=bits)
    return [[tuple(row[t * width : (t + 1) * width]) for t in range(tables)] for row in plain]


def probed_keys(key, margins, probes):
    """The `probes` keys nearest to `key` by the squared margins of flipped bits.

    Ties go to fewer flips, then to the flips that come first in the order of
    rising margin; all 2^width keys are enumerated.
    """
    if probes == 1:
        return {key}
    width = len(key)
    order = sorted(range(width), key=lambda j: (float(margins[j]) ** 2, j))
    ranked = []
    for flips in range(2**width):
        flipped = [order[r] for r in range(width) if flips >> r & 1]
        cost = sum(float(margins[j]) ** 2 for j in flipped)
        ranked.append((cost, len(flipped), flips, flipped))
    ranked.sort(key=lambda item: item[:3])
    keys = set()
    for _, _, _, flipped in ranked[:probes]:
        changed = list(key)
        for j in flipped:
            changed[j] = 1 - changed[j]
        keys.add(tuple(changed))
    return keys


def lsh_search(queries, codes, ids, k, bits, tables, probes=1, margins=None):
    """Search among the codes that share a probed bucket with the query."""
    width = bits // tables
    margins = np.ones((len(queries), bits)) if margins is None else margins
    code_keys = table_keys(codes, bits, tables)
    found, named = [], []
    for i, keys in enumerate(table_keys(queries, bits, tables)):
        probed = [
            probed_keys(key, margins[i][t * width : (t + 1) * width], probes)
            for t, key in enumerate(keys)
        ]
        member = np.array(
            [any(row[t] in probed[t] for t in range(tables)) for row in code_keys], dtype=bool
        )
        one = search(queries[i : i + 1], codes[member], ids[member], k)
        found.append(one[0])
        named.append(one[1])
    return np.concatenate(found), np.concatenate(named)


def shares(query_labels, labels):
    """Which items are relevant, bool (n_queries, n): where sets of classes meet."""
    found = [[bool(wanted & present) for present in labels] for wanted in query_labels]
    return np.array(found, bool).reshape(len(query_labels), len(labels))


def histograms(queries, codes, bits, relevant, exclude=None):
    """Items and relevant ones at each distance from each query, but for the rows in `exclude`."""
    counts = np.zeros((2, len(queries), bits + 1), np.int64)
    for i, row in enumerate(distances(queries, codes)):
        for j, distance in enumerate(row):
            if exclude is None or exclude[i] != j:
                counts[0, i, distance] += 1
                counts[1, i, distance] += relevant[i][j]
    return counts


def ranked_distances(queries, codes, rule):
    """All distances by a ranking rule, float (n_queries, n_codes), one query at a time.

    `rule`: a dictionary with bits, prefix_bits, weight; with centres and share, or without; with
    `posteriors` of the centres and `of_cells`, their weight, in place of the share; with
    `margins`, (n_queries, bits), where bits cost what the query's margins are, over `scale`.
    """
    bits, own = rule["bits"], rule["prefix_bits"]
    plain = np.unpackbits(codes, axis=1, count=bits)
    out = np.zeros((len(queries), len(codes)))
    for i, query in enumerate(np.unpackbits(queries, axis=1, count=bits)):
        differ = (plain != query).astype(np.int64)
        if "margins" in rule:
            costs, unit = whole_costs(rule["margins"][i], rule)
            prefix, rest = (
                differ[:, :own] @ costs[:own] * unit,
                differ[:, own:] @ costs[own:] * unit,
            )
        else:
            prefix, rest = rule["weight"] * differ[:, :own].sum(axis=1), differ[:, own:].sum(axis=1)
        if "posteriors" in rule:
            table = cells_cost(snap(query[:own], rule), rule)
            prefix = np.array([table[snap(code[:own], rule)] for code in plain], float) + prefix
        elif "centres" in rule:
            same = [snap(code[:own], rule) == snap(query[:own], rule) for code in plain]
            prefix = np.where(np.array(same, bool), rule["share"] * prefix, prefix)
        out[i] = prefix + rest
    return out


def whole_costs(margins, rule):
    """What each bit costs in whole units, of which none costs 2 ** 40; and the unit."""
    own = rule["prefix_bits"]
    prices = [rule["weight"]] * own + [1.0] * (rule["bits"] - own)
    scale = rule.get("scale", np.ones(rule["bits"]))
    costs = [
        abs(float(np.float32(m))) / float(s) * p
        for m, s, p in zip(margins, scale, prices, strict=True)
    ]
    unit = 2.0 ** (math.frexp(max(costs))[1] - 40)
    return np.array([round(cost / unit) for cost in costs], np.int64), unit


def cells_cost(own, rule):
    """What codes of each cell cost a query of one, in whole numbers."""
    units = [[round(p * 2**15) for p in row] for row in rule["posteriors"].tolist()]
    products = [max(sum(a * b for a, b in zip(units[own], row, strict=True)), 1) for row in units]
    return [round(rule["of_cells"] * math.log(max(products) / p)) for p in products]


def snap(prefix, rule):
    """The number of the nearest centre, of several the first."""
    centres = np.unpackbits(rule["centres"], axis=1, count=rule["prefix_bits"])
    return int((centres != prefix).sum(axis=1).argmin())


def ranked_search(distances, ids, k):
    """The k nearest by (distance, id) of rows of distances, filled up with infinity and -1."""
    found = np.full((len(distances), k), np.inf)
    named = np.full((len(distances), k), -1, np.int64)
    for i, row in enumerate(distances):
        order = np.lexsort((ids, row))[:k]
        found[i, : len(order)] = row[order]
        named[i, : len(order)] = ids[order]
    return found, named


def ranked_within(distances, ids, radius):
    """Everything within `radius` of whole rows of distances, by (distance, id), in CSR form."""
    lims, found, named = [0], [np.zeros(0)], [np.zeros(0, np.int64)]
    for row in distances:
        inside = np.flatnonzero(row <= radius)
        order = inside[np.lexsort((ids[inside], row[inside]))]
        found.append(row[order])
        named.append(ids[order])
        lims.append(lims[-1] + len(order))
    return np.array(lims, np.int64), np.concatenate(found), np.concatenate(named)
