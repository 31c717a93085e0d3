"""What docs/two-axis.md says beside its figures."""

HEADER = """# Two axes: what it is, and how it looks

Codes that are learned from labels collapse: the images of a class get nearly one code. By mean
average precision over classes that is perfect, and it is what benchmarks of hashing measure. But
then results tie by the thousand, a copy of an image is one among all of its class, and a class
that was not in training has no code of its own. This page measures both: whether results are of
the right class, and whether they are alike *within* it. It is made of the rows in
`docs/two-axis.jsonl` by `python docs/make_two_axis.py docs/two-axis.jsonl`; the command above
each table measures the rows that the file lacks. A first look at the machinery, on drawn shapes,
in seconds and without data:

<!-- not run: leaves a folder of results -->
```sh
hashret benchmark --suite two-axis --quick
```

## How it is judged

- **Class axis.** mAP@all and mAP@10 by the labels that training saw, expected over a random order
  of ties, and in the worst and the best order ([which measures](methods.md)).
- **Within the class.** Average precision of the query's class alone, where an item is relevant if
  it has the query's *finer* label, which nothing but the score ever sees. *Chance* is what a
  random order has, the *ceiling* what exact neighbours by cosine of frozen features have; the
  *share* is how far between them codes are. Classes with one finer label have nothing to tell
  apart and are left out.
- **Copies.** 500 queries are put into the database of training images, and asked for by edited
  copies: a crop to four fifths, blur, JPEG at quality 15, grey, a text bar over a fifth, a turn
  by 10 degrees. No training here has such views. How often is the original in the first 1, 10,
  100? Ties count as often as a random order puts them there.
- **Unseen classes** (`...-unseen`): a quarter of the classes, drawn by the seed, is kept from
  training, and is all that is searched. Unsupervised codes and real vectors stand beside.
- **Cost.** Distinct codes, the mean size of a bucket of equal codes, codes compared and time of
  the exact ten nearest. Times were taken beside other work: they tell no more than the order of
  magnitude.
- **Two databases.** The training images, which methods have learned by heart, and test images
  that are neither queries nor trained on. Both are reported; what is said rests on the second.
- **Ranking rules**, the same for all methods: the Hamming distance; a bit of the prefix counting
  4; the same with half the prefix's distance where both prefixes are nearest to one class's
  majority code (*class-aware*: it uses labels, also for methods that do not); the query's
  margins, in units of each bit's mean margin, in place of its bits (*float query*); and -32 log P
  beside the distance of the rest, P the probability that query and item are of one class (*same
  class*). For a method without prefix the whole code is the prefix; there *weighted* counts the
  first half more, and for *same class* P is by softmax regression on the bits of the training
  codes, finer than cells, and the Hamming distance of the whole code orders what ties.
- The number of a cell is no code: what `prism` has by the first four rules says what its rest is
  worth, in the noise of ten bits. The rest alone stands last.

## The closed form

`prism` is ten bits that number a cell of a classifier's probabilities, and a closed form for the
rest (`hashret.prism`; [what it is, and what of it is not new](prism.md)). With h the features under
the classifier's last layer and P the projection onto the span of their class means, the rest is
ITQ of h - (1 - gamma) P (h - mean). `prism` has gamma .5, `prism-0` and `prism-100` have 0 and 1;
`prism-unlabelled` has 1, and clusters of the features for classes.
Its controls: nested HashNet of half the bits in place of cells (`prism-nested`); HashNet or
OrthoHash with ITQ of the features (C1: gamma 1) and without class directions (C3: gamma 0); a
plain classifier's class number with ITQ.

## Data

`--data` or `$HASHRET_DATA` names a folder that holds

| folder | layout |
|---|---|
| `cifar10` | `train`, `test`: `<class>/*.jpg`; `nouns.csv`, or `../cifar10-nouns.csv` |
| `cifar100` | `train` and `test`, in each `<coarse>/<fine>/*.jpg` |
| `grocery` | as published: `train.txt`, `val.txt`, `test.txt`, and what they list |
| `two-levels` | any other pictures: `train` and `test`, in each `<class>/<finer>/*` |

The table of nouns has the columns `file` and `noun`. The nouns of CIFAR-10 are those under which
its images were collected. Synonyms among them are one label, and nouns that name the class itself
or cut across it (`cat`, `domestic_cat`; `stag`;
`flightless_bird`) are none, by the table `hashret/data/cifar10-synonyms.csv`, which comes with
the package. Finer labels of fewer than 20 images are left out.
"""

REMARKS: dict[str, str] = {}

LIMITS = """## What was looked at, and what not

- *Settings chosen on queries.* No row here chose one: all gammas are shown, and every rule. The ten
  bits of cells, gamma .5 and w = 32 were chosen once, on held-out training images of CIFAR-100
  (`cifar100-coarse-held-out`), and are the same for all data. That there is a trade at all, and w =
  4, come from earlier trials on Fashion-MNIST and CIFAR-100 that looked at queries.
- *The evaluator in training.* Frozen features feed the heads, so that no score here asks for
  neighbours by them: finer labels and copies judge. They are the ceiling's scale, where finer
  labels judge them as they judge codes.
- *Database images that were trained on.* Both databases are in every table.
- *Synonyms among nouns.* Merged by a table that is published.
- *Rules given to one method alone.* All have all five; by that of cells others are ranked in a form
  that suits them better than cells of their codes would.
- *One seed.* Differences are paired by seed, over three or more where a sentence has an interval;
  else it says that there is no claim. The tables say how many seeds each method has.
- *Copies of images that were trained on.* The originals are queries, which no training saw; the
  rest of the database is trained on.
- *Moved images.* Trainings of networks on images mirror and move them by two pixels, which is a
  little like a crop.
"""
