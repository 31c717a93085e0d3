/* What a search lacks, and whether it should wait for that. */
#include "index/internal.h"

/* Rows aside of the tables are compared with every query, up to so many or this share. */
#define ASIDE_ROWS ((size_t)256)
#define ASIDE_SHARE 8
/* HR_APPROXIMATE: its searches compare fewer than that already. */
#define ASIDE_SHARE_OF_LISTS 16
/* HR_AUTO: sorting pays from so many codes on; tables pay from so many different ones on: where
 * they do not, a query finds out at the cost of a bucket (history.h). */
#define SCANNED_ROWS ((size_t)16384)
#define SCANNED_ENTRIES ((size_t)1024)
/* Removed rows stay until they are so many and this share. */
#define TOMBSTONE_ROWS ((size_t)4096)
#define TOMBSTONE_SHARE 4
/* To sort a code takes as long as comparing it with so many queries. */
#define QUERIES_A_CODE 512
/* HR_APPROXIMATE: to make lists and tune them takes as long as sorting about so many times. */
#define SORTS_A_LIST 32

bool hr_index_sorts(const hr_index *index) {
  return index->kind == HR_AUTO || index->kind == HR_MIH || index->kind == HR_APPROXIMATE;
}

size_t hr_index_aside(const hr_index *index) {
  size_t rows = 0;
  for (int segment = HR_SORTED + 1; segment < HR_SEGMENTS; segment++)
    rows += hr_index_segment(index, segment)->count;
  return rows;
}

static bool is_frozen(const hr_index *index) {
  return index->frozen[0].count || index->frozen[1].count;
}

/* Whether the codes are too few to be sorted. */
static bool stays_unsorted(const hr_index *index) {
  return index->kind != HR_MIH && !index->postings && !is_frozen(index) &&
         hr_index_aside(index) <= SCANNED_ROWS;
}

static bool is_one_segment(const hr_index *index) {
  return !index->delta.count && !index->main.tombstones;
}

bool hr_index_too_many_removed(size_t removed, size_t rows) {
  return removed > TOMBSTONE_ROWS && removed > rows / TOMBSTONE_SHARE;
}

/* Whether few enough codes lie beside the sorted ones. */
static bool sorted_enough(const hr_index *index, bool all) {
  size_t sorted = index->postings ? index->postings->rows.count : 0;
  size_t removed = index->postings ? index->postings->rows.tombstones : 0;
  size_t unsorted = hr_index_aside(index);
  if (all) return !unsorted && !removed;
  if (hr_index_too_many_removed(removed, sorted)) return false;
  if (index->kind == HR_AUTO && unsorted <= SCANNED_ROWS) return true;
  size_t share = index->kind == HR_APPROXIMATE ? ASIDE_SHARE_OF_LISTS : ASIDE_SHARE;
  return unsorted <= sorted / share || (unsorted <= ASIDE_ROWS && sorted);
}

static bool has_tables(const hr_index *index) {
  if (!index->postings || index->mih || index->kind == HR_APPROXIMATE) return true;
  return index->kind == HR_AUTO && index->postings->entries <= SCANNED_ENTRIES;
}

static bool is_calibrated(const hr_index *index) {
  return index->kind != HR_AUTO || !index->mih || index->planner.costs.block > 0;
}

static bool has_lists(const hr_index *index) {
  size_t listed = index->lsh ? hr_lsh_count(index->lsh) : 0, rest = index->main.count - listed;
  return index->kind != HR_LSH || rest <= ASIDE_ROWS || rest <= listed / ASIDE_SHARE;
}

hr_missing hr_index_missing(const hr_index *index, bool all) {
  if (!hr_index_sorts(index) || stays_unsorted(index)) {
    if (all && !is_one_segment(index)) return HR_ONE_SEGMENT;
    return all || has_lists(index) ? HR_NOTHING : HR_LISTS;
  }
  if (!sorted_enough(index, all)) return HR_ORDER;
  if (!has_tables(index)) return HR_TABLES;
  return all || is_calibrated(index) ? HR_NOTHING : HR_COSTS;
}

/* Rows among which something is to be found without what is missing. */
static double left_to_scan(const hr_index *index, hr_missing missing) {
  size_t sorted = missing == HR_TABLES ? index->postings->rows.count : 0;
  return (double)(sorted + hr_index_aside(index));
}

/* How often the codes could be sorted in the time in which they are made ready. */
static size_t sorts_of(const hr_index *index) {
  return index->kind == HR_APPROXIMATE ? SORTS_A_LIST : 1;
}

bool hr_index_takes_long(const hr_index *index, hr_missing missing) {
  size_t rows = hr_index_aside(index) + (index->postings ? index->postings->rows.count : 0);
  size_t soon = index->soon / index->main.words / sorts_of(index);
  return (missing == HR_ORDER || missing == HR_TABLES) && rows > soon;
}

bool hr_index_worth_waiting(const hr_index *index, hr_missing missing, size_t queries) {
  double rows = (double)hr_index_aside(index);
  if (index->postings) rows += (double)index->postings->rows.count;
  rows *= (double)(QUERIES_A_CODE * sorts_of(index));
  return (double)queries * left_to_scan(index, missing) > rows;
}
