"""What docs/prism.md says beside its figures."""

QUESTION = """# Prism: what it is, then how it looks

Codes that are learned from labels answer one question, which class an image is of. Asked for a
shoe they bring shoes, a thousand at the same distance, in no order. Which of them is *this* shoe,
where is the copy of this very photograph? Codes learned without labels answer that, and bring
boots, too.

Can one code of 64 bits do both: be as right by class as the best that are learned from labels, and
order what is within the class by likeness? It can, to a good part: the tables say how much of each.
They are of the rows of [two axes](two-axis.md), where every method has its protocol and its
command; this page is made of them by `python docs/make_prism.py`.

## Why codes lose: an unsure image is not like another unsure one

A hashing method gives an image that is rather a cat than a dog a code between those of cats and
dogs, and Hamming distance puts it nearest to others of the kind. But let it be a cat in seven of
ten cases: then a sure cat is of its class in seven of ten, and another image as doubtful as itself
only in 58 of a hundred, both being cats in 49 and dogs in 9. By class results should be ordered by

    P(q, x) = sum over classes c of p_c(q) p_c(x),

the probability that query and image are of one class, as far as a classifier knows. This is an
inner product, not a distance, and no distance between codes orders by it: it is not even greatest
for the query itself. It has long been known to beat hashing (Sablayrolles and others, ICASSP 2017,
arXiv 1609.06753): in real numbers, or coarsely, with a class's number for a code.

## The code

1. *Cells.* A classifier is trained, nothing else. Its probabilities, as vectors of their square
   roots, are quantised by k-means to 1,024 cells. The number of the cell, ten bits, is the
   *prefix* of the code. A cell keeps the mean probabilities of its training images, p_i.
2. *Rest.* Of the features h under the classifier's last layer, h - (1 - gamma) P (h - mean) is
   taken, with P the projection onto the span of the class means: directions that the prefix speaks
   of are damped, by half. ITQ (Gong and Lazebnik, CVPR 2011) makes the other 54 bits of it.
3. *Rank.* The distance of a query in cell i and an image in cell j is

       d = round(-w log(sum over c of p_ic p_jc)) + Hamming distance of the rest,

   the former less that of the query's best cell. w = 32: what is e times as probable to be of the
   query's class may differ in 32 more bits of the rest. An exact search visits cells, the cheapest
   first, and in each scans the rest, until no other cell can hold anything nearer
   (`csrc/rank/cells.c`).

Fitting takes seconds beyond the classifier's training. `hashret.prism.Prism` around
`hashret.prism.ClassCells` is the encoder, `hashret.ranking.SameClass` the rule; `hashret train`
and `hashret benchmark` know it as `prism`.

## What of this is not new

Ranking by a classifier's probabilities (arXiv 1609.06753). Codes of a class part and a part for
the rest: SUBIC (arXiv 1708.02932), arXiv 1712.04480; nested codes (arXiv 2412.08922, 2205.13147);
codes by finer labels where there are some (DSRH 1501.06272, SHDH 1704.02088, HPDH 1901.11259, PHE
2410.19213). Order within classes by real vectors: Grafit (2011.12982), ANCOR (2012.03515),
class-conditional InfoNCE (2204.07596). A coarse cell with a residual code, and visiting cells in
the order of their promise, is the inverted file with product quantisation (Jegou, Douze, Schmid,
PAMI 2011). Damping class directions is linear algebra. We have not found: cells of *class
probabilities* as the coarse part; the probability of one class as the coarse part's distance, with
likeness added to it, in one exact search; codes judged on both axes, under the same rules for all.

Ours before was nested HashNet of half the bits with the same rest (`prism-nested`): at equal bits
it lost class mAP, whichever rule ranked it, and stands among the controls. """

LIMITS = """## Limits

- Heads are linear, over frozen features of one network, on images of 32 and 96 pixels. Networks
  that are trained on the images themselves are not in these tables; for them `prism` is another
  head.
- A classifier knows its classes. Of classes that it never saw cells mean nothing: there the rest
  alone is to be ranked by. gamma is the dial: at 1 the rest loses little there against ITQ of all
  bits, at .5 more, as what tells seen classes apart also tells unseen ones apart. The
  rule is an attribute of the encoder (`encoder.ranking`), and can be set for each search.
- With labels of many classes cells must be more: ten bits number 1,024. A rule takes 2,048.
- Within a class, and for copies, ITQ of all 64 bits stays better, and real vectors better still:
  ten bits and the weight of the class are what being right by class costs.
- The distance of a query from itself is not always the least: a sure image of a probable class may
  come before it. `exclude=` and copies by Hamming distance do not depend on the rule.

## What was looked at

Settings (1,024 cells, gamma, w) were chosen on held-out training images of CIFAR-100, once, and are
the same for all data; the trials were not kept, and the table of dials measures the same again.
That there are cells at all was decided after the form before, the nested prefix, had lost class mAP
on test queries of Grocery (27 rows, in the history of `docs/two-axis.jsonl`): Grocery is not
untouched; the rows of the CIFAR sets that were kept are all of later. The other methods had the
same features, head, budget and rules; the rule by probabilities is given to them by regression on
their codes' bits, which is finer than cells. Database images that were trained on stand beside in
[two axes](two-axis.md), with the other things that were looked at. """
