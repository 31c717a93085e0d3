"""Write docs/scale.md from its rows: ``python docs/make_scale.py``.

The rows are those of `benchmarks.scale_costs` and `benchmarks.scale`, and what the latter says of a
cluster that `benchmarks.cluster` has measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scale_figures import DAY, duration, number, seconds, size, table
from scale_sums import (
    BANDWIDTH,
    CORES,
    FILE,
    IMAGES,
    MEMORY,
    NETWORK,
    RATE,
    REPLICAS,
    SHARD,
    USED,
    Plan,
    Row,
    Rows,
    plans,
)
from scale_words import PAGE

DOCS = Path(__file__).parent
# Of scale*.jsonl.
FILES = ("", "-tail", "-latencies", "-cluster")


def page(
    costs: Sequence[Row], tail: Sequence[Row], samples: Sequence[float], real: Sequence[Row]
) -> str:
    """Return the page."""
    rows = Rows(costs)
    all_plans = plans(rows)
    machine = rows.one("machine")
    return PAGE.format(
        size=rows.one("scan_bytes")["codes"],
        machine=f"They ran on {machine['processor']}, {machine['cores']} cores, "
        f"{machine['instruction set']}; times belong to it.",
        assumed=assumed(),
        measured=measured(rows),
        bytes=bytes_table(all_plans),
        bytes_said=bytes_said(rows),
        query=query_table(all_plans),
        nodes=nodes_table(all_plans),
        first=first(all_plans),
        network=network_table(rows),
        shards=number(_shards(IMAGES[-1])),
        breaks=breaks(rows, all_plans, tail),
        rebuild=rebuild_table(rows, all_plans),
        rebuild_said=rebuild_said(rows, all_plans),
        replication=replication_table(rows),
        tail=tail_table(tail),
        tail_said=tail_said(tail),
        real=real_table(real),
        real_said=real_said(real),
        k=rows.one("answer_bytes")["k"],
        growth=growth(rows),
        table_codes=number(rows.one("query_seconds")["codes"]),
        shard_codes=number(SHARD),
        rate=RATE,
        replicas=REPLICAS,
        spread=spread(all_plans),
        samples=number(len(samples)),
        median=median(rows, tail),
        pauses=number(1 / tail[0]["pauses"]),
        pause=number(tail[0]["pause"]),
        load=f"{tail[0]['load']:.0%}",
        hedge=f"{100 * max(row['hedge'] or 0 for row in tail):.0f}",
        queries=number(tail[0]["queries"]),
        seed=tail[0]["seed"],
    )


def assumed() -> str:
    node = f"{CORES} cores, {size(MEMORY)} of memory of which {USED:.0%} hold codes"
    return table(
        ("what", "value"),
        [
            ("a node", node),
            ("its memory is read at", f"{size(BANDWIDTH)}/s by all cores together"),
            ("its network", f"{8 * NETWORK / 1e9:.0f} Gbit/s"),
            ("a photograph", size(FILE)),
            ("queries", f"{RATE} a second"),
            ("replicas", str(REPLICAS)),
        ],
    )


def measured(rows: Rows) -> str:
    cells = []
    for bits in (64, 256):
        for name, told in (
            ("scan_seconds", "scan, one query"),
            ("scan_batch_seconds", "scan, a query of a batch of 100"),
        ):
            row = rows.one(name, bits=bits)
            cells.append(
                (f"{told}, {bits} bits", row["codes"], f"{1e9 * row['value']:.3g} ns a code")
            )
        for data in ("clustered", "uniform"):
            row = rows.one("query_seconds", bits=bits, data=data)
            cells.append((f"tables, {bits} bits, {data}", row["codes"], seconds(row["value"])))
            row = rows.one("build_seconds", bits=bits, data=data)
            built = f"{1e-6 / row['value']:.3g} M codes/s"
            cells.append((f"building tables, {bits} bits, {data}", row["codes"], built))
    row = rows.one("map_seconds")
    file = f"a file of {size(row['bytes'])}"
    cells.append((f"mapping {file}", row["codes"], seconds(row["value"])))
    first_answer = seconds(rows.value("first_answer_seconds"))
    cells.append(("mapping it, until a scan has answered", row["codes"], first_answer))
    cells.append(("SHA-256 of it", row["codes"], f"{size(rows.value('digest_bytes'))}/s"))
    one = rows.one("encode_seconds")
    told = f"decoding and hashing a JPEG of {one['pixels'] / 1e6:.0f} megapixels"
    cells.append((told, "", f"{1 / one['value']:.0f} a second"))
    merge = seconds(rows.value("merge_seconds"))
    cells.append(("merging the answer of a shard", "", merge))
    shown = [(what, number(codes) if codes else "", value) for what, codes, value in cells]
    return table(("one thread, processor time", "codes", ""), shown)


def bytes_table(all_plans: Sequence[Plan]) -> str:
    kept = [plan for plan in all_plans if plan.way in ("scan", "tables, uniform")]
    return table(
        ("images", "bits", "index", "bytes an image", "one copy", f"{REPLICAS} copies"),
        [
            (
                number(plan.images),
                plan.bits,
                plan.way.split(",")[0],
                f"{plan.bytes:.1f}",
                size(plan.images * plan.bytes),
                size(REPLICAS * plan.images * plan.bytes),
            )
            for plan in kept
        ],
    )


def bytes_said(rows: Rows) -> str:
    scan, tables = rows.value("scan_bytes", bits=256), rows.value("bytes", bits=256, data="uniform")
    return (
        f"Tables of 256 bits take {tables / scan:.1f} times the codes themselves: past one machine "
        'memory decides, and `Index(256, kind="scan")` has none. What is beside the codes, paths '
        "and labels in the catalogue, is not counted. Tables of larger indexes take less a code."
    )


def query_table(all_plans: Sequence[Plan]) -> str:
    return table(
        ("images", "bits", "way", "processor time of a query", f"cores busy at {RATE} a second"),
        [
            (
                number(plan.images),
                plan.bits,
                plan.way,
                seconds(plan.core_seconds),
                number(plan.core_seconds * RATE),
            )
            for plan in all_plans
        ],
    )


def growth(rows: Rows) -> str:
    """Say what ten times the codes cost, as was measured."""
    words = []
    for bits in (64, 256):
        for data in ("clustered", "uniform"):
            about = {"bits": bits, "data": data}
            times = sorted(rows.all("query_seconds", **about), key=lambda row: row["codes"])
            words.append(f"{times[-1]['value'] / times[0]['value']:.1f} ({bits} bits, {data})")
    return (
        f"a query cost {', '.join(words)} times what it cost in a tenth of the codes. A larger "
        "shard is reckoned as several, which is too much: "
        "[a billion uniform codes](benchmarks.md#targets-at-1-000-000-000-codes) of 64 bits in one "
        "index were measured, too. Where tables do not pay, the planner scans."
    )


def nodes_table(all_plans: Sequence[Plan]) -> str:
    return table(
        ("images", "bits", "way", "for room", "for processors", "for bandwidth", "nodes"),
        [
            (
                number(plan.images),
                plan.bits,
                plan.way,
                number(plan.for_memory),
                number(plan.for_cores),
                number(plan.for_bandwidth) if plan.read else "",
                f"**{number(plan.nodes)}**",
            )
            for plan in all_plans
        ],
    )


def first(all_plans: Sequence[Plan]) -> str:
    """Say what runs short first, of each plan by one query at a time."""
    lines = []
    for images in IMAGES:
        mine = [p for p in all_plans if p.images == images and p.way != "scan, batches"]
        cheapest = min(mine, key=lambda plan: plan.nodes)
        short: dict[str, list[str]] = {}
        for plan in mine:
            short.setdefault(plan.short, []).append(f"{plan.bits} bits by {plan.way}")
        words = "; ".join(f"{what} with {', '.join(names)}" for what, names in short.items())
        lines.append(
            f"- **{number(images)} images.** What runs short first: {words}. The fewest nodes, "
            f"{number(cheapest.nodes)}, are those of {cheapest.bits} bits by {cheapest.way}."
        )
    return "\n".join(lines)


def breaks(rows: Rows, all_plans: Sequence[Plan], tail: Sequence[Row]) -> str:
    """Say at the larger number of images what is the first to be too much, down to the last."""
    images = IMAGES[-1]
    scan = _plan(all_plans, images, "scan")
    tables = _plan(all_plans, images, "tables, uniform")
    shards, codes = _shards(images), scan.bytes
    most = max(row["shards"] for row in tail)
    at = {row["policy"]: row for row in tail if row["shards"] == most}
    encode = duration(images * rows.value("encode_seconds") / (scan.nodes * CORES))
    one = {row["policy"]: row for row in tail if row["shards"] == 1}
    front = "has room" if max(_front_network(rows), _front_core(rows)) < 0.5 else "is short, too"
    told = (
        f"Comparing all codes: a query takes {seconds(scan.core_seconds)} of processor time, and "
        f"{number(scan.for_cores)} nodes for processors and {number(scan.for_bandwidth)} for the "
        f"bandwidth of memory at {RATE} queries a second, where {number(scan.for_memory)} would "
        "hold the codes. Fewer bits, or batches, help.",
        f"Tables of 256 bits: {tables.bytes / codes:.1f} times the memory of the codes, for "
        f"{tables.core_seconds / scan.core_seconds:.2f} times the processor time on uniform codes.",
        f"The tail: at {most} shards the p99 without hedging is "
        f"{at['1 replica']['p99'] / one['1 replica']['p99']:.1f} times that of one shard, with it "
        f"{at['2 replicas, hedged']['p99'] / one['1 replica']['p99']:.1f} times.",
        f"A new encoder: {encode} of all cores, if the files come as fast.",
        f"The front end, which merges {number(shards)} answers a query, {front}: it takes "
        f"{_front_network(rows):.1%} of its network and {_front_core(rows):.1%} of a core.",
    )
    return "\n".join(f"{place}. {one}" for place, one in enumerate(told, 1))


def _plan(all_plans: Sequence[Plan], images: int, way: str) -> Plan:
    """Return the plan of 256 bits."""
    (plan,) = [p for p in all_plans if (p.images, p.bits, p.way) == (images, 256, way)]
    return plan


def _shards(images: int) -> int:
    return math.ceil(images / SHARD)


def network_table(rows: Rows) -> str:
    asked, answered = rows.value("query_bytes"), rows.value("answer_bytes")
    merge = rows.value("merge_seconds")
    return table(
        ("images", "shards", "out, a query", "in, a query", f"in, {RATE} a second", "merging"),
        [
            (
                number(images),
                number(_shards(images)),
                size(_shards(images) * asked),
                size(_shards(images) * answered),
                f"{8 * RATE * _shards(images) * answered / 1e6:.3g} Mbit/s",
                seconds(_shards(images) * merge),
            )
            for images in IMAGES
        ],
    )


def _front_network(rows: Rows) -> float:
    return RATE * _shards(IMAGES[-1]) * rows.value("answer_bytes") / NETWORK


def _front_core(rows: Rows) -> float:
    return RATE * _shards(IMAGES[-1]) * rows.value("merge_seconds")


def rebuild_table(rows: Rows, all_plans: Sequence[Plan]) -> str:
    encode = rows.value("encode_seconds")
    build = rows.value("build_seconds", bits=256, data="uniform")
    cells = []
    for images in IMAGES:
        nodes = _plan(all_plans, images, "scan").nodes
        cells.append(
            (
                number(images),
                number(nodes),
                f"{number(images * encode / DAY)} days",
                duration(images * encode / (nodes * CORES)),
                duration(images * FILE / (nodes * NETWORK)),
                duration(images * build / (nodes * CORES)),
            )
        )
    heads = (
        "images",
        "nodes",
        "processor time",
        "on all cores",
        "reading, by network",
        "making tables",
    )
    return table(heads, cells)


def rebuild_said(rows: Rows, all_plans: Sequence[Plan]) -> str:
    nodes = _plan(all_plans, IMAGES[-1], "scan").nodes
    compute = rows.value("encode_seconds") / (nodes * CORES)
    read = FILE / (nodes * NETWORK)
    slower = "reading the files" if read > compute else "decoding and hashing them"
    return (
        f"Of the two, {slower} takes longer. Codes are kept by shard and content, so that a new "
        "index needs no new encoding, and a new encoder needs all of it."
    )


def replication_table(rows: Rows) -> str:
    held = MEMORY * USED
    digest = rows.value("digest_bytes")
    return table(
        ("what", "bytes", "by network", "checking, one thread", "checking, all cores"),
        [
            (
                what,
                size(total),
                duration(total / NETWORK),
                duration(total / digest),
                duration(total / digest / CORES),
            )
            for what, total in (
                (
                    f"a shard of {number(SHARD)} codes of 256 bits",
                    SHARD * rows.value("scan_bytes", bits=256),
                ),
                ("a full node", held),
            )
        ],
    )


def spread(all_plans: Sequence[Plan]) -> str:
    nodes = _plan(all_plans, IMAGES[-1], "scan").nodes
    shards = _shards(IMAGES[-1])
    pairs = nodes * (nodes - 1) // 2
    risk = 1 - (1 - 1 / pairs) ** shards if pairs > 1 else 1.0
    return (
        f"When two of {number(nodes)} nodes are gone at once, and the {number(shards)} shards of "
        f"{number(IMAGES[-1])} images lie on pairs drawn at random, some shard is lost with a "
        f"probability of {risk:.1%}."
    )


def median(rows: Rows, tail: Sequence[Row]) -> str:
    """Return the median of the seconds, and how it compares with the processor time of a query."""
    found = tail[0]["median_seconds"]
    ratio = found / rows.value("query_seconds", bits=256, data="clustered")
    told = f"{seconds(found)} in the median, {ratio:.1f} times the processor time"
    return told + busy(ratio > 1.2)


def busy(is_busy: bool) -> str:
    """Return the mark of figures that were taken beside other work."""
    return "; the machine had other work, which makes the tail heavier" if is_busy else ""


def tail_table(tail: Sequence[Row]) -> str:
    return table(
        ("replicas", "shards", "p50", "p99", "p99.9", "tries a shard"),
        [
            (
                row["policy"],
                row["shards"],
                f"{row['p50']:.2f}",
                f"{row['p99']:.2f}",
                f"{row['p999']:.2f}",
                f"{row['tries']:.3f}",
            )
            for row in tail
        ],
    )


def tail_said(tail: Sequence[Row]) -> str:
    most = max(row["shards"] for row in tail)
    at = {row["policy"]: row for row in tail if row["shards"] == most}
    alone, two, hedged = (at[name] for name in ("1 replica", "2 replicas", "2 replicas, hedged"))
    return (
        f"At {most} shards the second replica makes the p99 {two['p99'] / alone['p99']:.2f} times "
        f"as long, and hedging makes that {hedged['p99'] / two['p99']:.2f} times as long again, "
        f"for {hedged['tries'] - 1:.1%} more tries."
    )


def real_table(real: Sequence[Row]) -> str:
    return table(
        ("quantile", "simulated", "measured", "measured / simulated"),
        [
            (
                row["quantile"].replace("p999", "p99.9"),
                seconds(row["simulated"]),
                seconds(row["measured"]),
                f"{row['ratio']:.2f}",
            )
            for row in real
        ],
    )


def real_said(real: Sequence[Row]) -> str:
    one = real[0]
    return (
        f"{number(one['queries'])} queries of {one['shards']} shards with {one['replicas']} "
        f"replicas, {one['rate']:.2g} a second, on three nodes of Ray that are processes of one "
        f"machine of {one['cores']} cores ({one['instruction set']}), which they share: in the "
        f"simulation each has its own"
        f"{busy(one['load'] > 1.2 * one['cores'])}."
    )


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    text = page(*(read(DOCS / f"scale{name}.jsonl") for name in FILES))
    (DOCS / "scale.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
