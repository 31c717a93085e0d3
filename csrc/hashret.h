/* hashret: Hamming search over packed binary codes. The only public header.
 *
 * Codes come in packed: ceil(bits / 8) bytes each, bit j in byte j / 8 at
 * 0x80 >> (j % 8), unused bits zero. Callers check that; nothing here reads
 * past a code's bytes. Results are ordered by (distance, id).
 *
 * Ownership: what a *_create or *_open function returns is freed by the
 * matching *_free. Every other pointer stays the caller's and is not kept,
 * except where a comment says "borrows".
 *
 * Threads: any number of searches may run at once, between hr_read_lock and
 * hr_read_unlock. Functions that change an index take its lock themselves.
 */
#ifndef HASHRET_H
#define HASHRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  HR_OK = 0,
  HR_NO_MEMORY,
  HR_BAD_ISA,
  HR_REPEATED_ID,
  HR_UNKNOWN_ID,
  HR_TOO_MANY_ROWS,
  HR_BAD_FORMAT,
  HR_BAD_MASK,
  HR_CANCELLED,
  HR_NOT_READY,
  HR_WANTED,
  HR_NO_IDS,
  HR_STATUS_COUNT
} hr_status;

/* A sentence fragment for people, never NULL. */
const char *hr_status_text(hr_status status);

/* --- instruction sets ---------------------------------------------------- */

/* Chooses the kernels: by name, or the fastest that runs here when NULL.
 * Not safe while searches run; meant for start-up. */
hr_status hr_isa_select(const char *name);
const char *hr_isa_name(void);
/* For tests and experiments, with the same caution: whether scans may leave long codes early. */
void hr_early_stopping(bool allowed);
/* The i-th instruction set that runs here, fastest first; NULL past the last. */
const char *hr_isa_supported(size_t i);

/* --- distances without an index ------------------------------------------ */

/* All pairs of some queries and some codes, packed both. */
typedef struct {
  const uint8_t *queries, *codes;
  size_t query_count, n;
  uint32_t bits;
} hr_pairs;
/* out[q * n + i]: the distance of query q to code i. */
hr_status hr_distances(const hr_pairs *pairs, uint16_t *out);
/* out[q * (bits + 1) + d]: how many codes lie at distance d of query q. */
hr_status hr_histogram(const hr_pairs *pairs, int64_t *out);

/* --- codes of pictures ---------------------------------------------------- */

/* PDQ of pixels of three bytes, red, green and blue; its quality is from 0 to 100. A picture with
 * a side of less than five pixels has the code 0, of quality 0. */
#define HR_PDQ_BYTES 32
hr_status hr_pdq(const uint8_t *rgb, size_t rows, size_t columns, uint8_t code[HR_PDQ_BYTES],
                 int *quality);

/* A picture and a smaller one, of which no side is longer. */
typedef struct {
  size_t rows, columns, out_rows, out_columns;
} hr_sizes;
/* What counts of the pixels about a place, by how far off they are. */
typedef enum { HR_HAMMING, HR_BILINEAR } hr_window;
/* Makes a picture of three bytes a pixel smaller. */
hr_status hr_shrink(const uint8_t *rgb, const hr_sizes *sizes, hr_window window, uint8_t *out);

/* --- the index ------------------------------------------------------------ */

typedef enum {
  HR_SCAN = 0,
  HR_LSH = 1,
  HR_MIH = 2,
  HR_AUTO = 3,
  HR_APPROXIMATE = 4,
  HR_KIND_COUNT
} hr_kind;

#define HR_MAX_BITS 4096
#define HR_MAX_ROWS ((size_t)UINT32_MAX)
#define HR_MISSING_ID (-1)
#define HR_MISSING_DISTANCE INT32_MAX
#define HR_FINGERPRINT_BYTES 64

typedef struct hr_index hr_index;

/* tables: how many equal parts of the code have a bucket table (HR_LSH); into how many
 * substrings a code is cut, at most HR_MAX_SUBSTRINGS (HR_MIH, HR_AUTO; 0: as suits the
 * number of codes; HR_TABLES_FOR_RADIUS + r, r < bits: as suits searches within the radius r);
 * else 0. recall: to be reached, in millionths, 1 to HR_MAX_RECALL (HR_APPROXIMATE); else 0. */
#define HR_MAX_SUBSTRINGS 8
#define HR_TABLES_FOR_RADIUS 256
#define HR_MAX_RECALL 1000000
hr_status hr_index_create(uint32_t bits, hr_kind kind, uint32_t tables, uint32_t recall,
                          hr_index **out);
void hr_index_free(hr_index *index);

uint32_t hr_index_bits(const hr_index *index);
hr_kind hr_index_kind(const hr_index *index);
uint32_t hr_index_tables(const hr_index *index);
uint32_t hr_index_recall(const hr_index *index);
size_t hr_index_count(hr_index *index);
/* Codes, different codes, and bytes held for codes, ids and tables. */
typedef struct {
  size_t count, distinct, bytes;
} hr_stats;
hr_status hr_index_stats(hr_index *index, hr_stats *out);

/* Adds n codes, all or none. HR_REPEATED_ID leaves the id in *culprit. */
hr_status hr_index_add(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                       int64_t *culprit);
/* Adds n codes, all or none, and fills ids with theirs: they go on from the largest id ever added,
 * starting at 0. HR_NO_IDS leaves that largest id in *culprit. */
hr_status hr_index_append(hr_index *index, const uint8_t *codes, size_t n, int64_t *ids,
                          int64_t *culprit);
/* Removes n ids, all or none. */
hr_status hr_index_remove(hr_index *index, const int64_t *ids, size_t n, int64_t *culprit);
/* Replaces the codes of n present ids, all or none. */
hr_status hr_index_update(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                          int64_t *culprit);
/* Copies the packed codes of n ids. */
hr_status hr_index_get(hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                       int64_t *culprit);
bool hr_index_contains(hr_index *index, int64_t id);
/* Copies all ids, ascending, if there is room, and returns how many there are. */
size_t hr_index_ids(hr_index *index, int64_t *out, size_t room);

/* For tests and experiments: which parts of the planner of HR_AUTO decide. */
typedef enum {
  HR_POLICY_ALL = 0,
  HR_POLICY_SCAN,     /* always scan */
  HR_POLICY_PROBE,    /* never scan where there are tables */
  HR_POLICY_MODEL,    /* the cost model alone */
  HR_POLICY_TWO_WAYS, /* the cost model or a scan, by what they took */
} hr_policy;
/* `typical`: with costs as on some machine, so that the model does not depend on the clock. */
void hr_index_set_policy(hr_index *index, hr_policy policy, bool typical);

/* So many words of codes, or fewer, are sorted by the search that misses it, more of them beside
 * searches: at first as many as take some hundredths of a second. */
void hr_index_set_soon(hr_index *index, size_t words);

/* --- searching ------------------------------------------------------------ */

/* HR_APPROXIMATE: what was measured for the k nearest when the index was last tuned. */
typedef struct {
  bool scan;                  /* all codes are compared: the rest is 0 */
  uint32_t k;                 /* measured for so many, at least as many as asked for */
  uint32_t lists, queries;    /* lists in all; codes of the index that asked */
  uint32_t recall, low, high; /* in millionths, with a 95% interval */
  uint64_t compared;          /* codes a query */
} hr_tuning;

/* Makes what a search needs (sorting, tables), beside readers and until `cancel`, which may
 * be NULL. */
hr_status hr_make_ready(hr_index *index, const int *cancel);
/* Has it made on a thread of the index's own, while searches go on with what there is. False if
 * that is nothing for such a thread, because it takes no time or because a search for so many
 * queries is over sooner if it waits, or if there can be no thread. */
bool hr_prepare_beside(hr_index *index, size_t queries);
/* Whether that thread works. */
bool hr_index_working(const hr_index *index);
/* Has that thread stop, and waits for its end so many milliseconds, or for ever if that is below 0;
 * whether it came. What it has not finished is begun anew by the next search that misses it. */
bool hr_index_rest(hr_index *index, int milliseconds);
/* Sorts and merges all codes, drops those that were removed, and makes what a search needs; writers
 * wait, readers do not. */
hr_status hr_index_compact(hr_index *index, const int *cancel);
/* Takes the read lock for a search for so many queries, or fails with HR_NOT_READY: something is to
 * be made before. 0: no search follows. */
hr_status hr_read_lock(hr_index *index, size_t queries);
void hr_read_unlock(hr_index *index);
/* As hr_read_lock; then hr_read_codes may be called. */
hr_status hr_read_lock_codes(hr_index *index, size_t queries);
/* Whether a thread waits until all readers are gone; new ones wait behind it. Who reads for long
 * takes a copy then, and unlocks. */
bool hr_index_wanted(const hr_index *index);

/* As the one or the other, but takes no time: HR_WANTED if that would. */
hr_status hr_read_try_lock(hr_index *index, size_t queries, bool codes);

/* What the functions without "read" tell, for those who hold the read lock already. */
size_t hr_read_count(const hr_index *index);
/* A number that is another one after each change. */
uint64_t hr_read_state(const hr_index *index);
void hr_read_ids(const hr_index *index, int64_t *out);
hr_status hr_read_codes(const hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                        int64_t *culprit);
/* HR_APPROXIMATE only. */
hr_tuning hr_read_tuning(const hr_index *index, size_t k);
/* HR_APPROXIMATE: whether all codes are compared only until lists of them are made. */
bool hr_read_awaits_lists(const hr_index *index);
/* A new index with the same codes and ids, in memory of its own. */
hr_status hr_read_copy(const hr_index *index, hr_index **out);

/* Which rows a search may return. Valid as long as the index does not change. */
typedef struct hr_filter hr_filter;
typedef struct {
  const int64_t *ids;  /* n of them, in any order */
  const uint8_t *mask; /* or: n = all ids; mask[i] belongs to the i-th smallest; HR_BAD_MASK
                          where there are not so many */
  size_t n;
  bool present; /* ids that are unknown are left out: else they are HR_UNKNOWN_ID */
} hr_allowed;
/* Needs the read lock, as all of these do. */
hr_status hr_filter_open(const hr_index *index, const hr_allowed *allowed, hr_filter **out,
                         int64_t *culprit);
void hr_filter_free(hr_filter *filter);
/* How many ids are allowed; and these, ascending. */
size_t hr_filter_count(const hr_filter *filter);
void hr_filter_ids(const hr_index *index, const hr_filter *filter, int64_t *ids);

/* A copy of the codes that a filter allows, where they are few, so that no others are compared. */
typedef struct hr_few hr_few;
/* Before so many queries: a copy is made where it pays at once, or once searches by the filter have
 * taken as long as making it, by one of the threads that share the filter. `out` is the filter's
 * own, or NULL. HR_NOT_READY: needs the lock of hr_read_lock_codes. */
hr_status hr_filter_prepare(const hr_index *index, hr_filter *filter, size_t queries,
                            const hr_few **out);
/* The same if it is there already. */
const hr_few *hr_filter_few(const hr_filter *filter);
/* How many codes a search that compares all has to look at. `few` may be NULL. */
size_t hr_filter_compared(const hr_index *index, const hr_few *few);

/* What a call did, summed over its queries. */
typedef struct {
  uint64_t checked;  /* codes compared */
  uint64_t probed;   /* buckets looked into */
  uint64_t scanned;  /* queries that were compared with all codes */
  uint64_t verified; /* candidates of buckets that were looked up among the codes */
  uint64_t streamed; /* codes compared that lie so far back in a bucket that they are read as in a
                        scan */
  uint32_t radius;   /* HR_AUTO, HR_MIH: buckets showed all codes within it, for each query
                        that was not scanned */
} hr_work;

typedef struct {
  const uint8_t *queries; /* packed */
  size_t count;
  hr_filter *filter;    /* or NULL */
  const hr_few *few;    /* of the filter, or NULL */
  const float *margins; /* (count, bits) for the order of LSH probes, or NULL */
  uint32_t probes;      /* LSH: buckets looked at in each table */
  size_t part, parts;   /* this call searches part of parts of the rows */
  size_t k;             /* hr_search: how many of the nearest */
  uint32_t radius;      /* hr_range_search */
  const int *cancel;    /* polled: a non-zero value ends the search; or NULL */
  hr_work *work;        /* what is done is added to this */
  bool scan;            /* HR_AUTO: compare all codes, whatever it costs */
  uint8_t *deferred;    /* (count,) or NULL. HR_AUTO, HR_MIH: set to 1 for queries that ask
                           for a scan or take long, which then have no results yet */
} hr_request;

/* Ends, soon, the searches that poll this flag. Any thread may call it. */
void hr_cancel(int *flag);

/* The k nearest of each query: distances and ids of shape (count, k), filled
 * up with HR_MISSING_*. Needs the read lock. */
hr_status hr_search(hr_index *index, const hr_request *request, int32_t *distances, int64_t *ids);
/* Whether it takes less than letting a lock go and having it back, where others want that. */
bool hr_search_is_short(const hr_index *index, const hr_request *request);

/* All codes within a radius; lims has count + 1 entries. */
typedef struct {
  int32_t *distances;
  int64_t *ids;
  size_t size, capacity;
} hr_hits;
hr_status hr_range_search(hr_index *index, const hr_request *request, int64_t *lims, hr_hits *hits);
void hr_hits_free(hr_hits *hits);

/* Merges the results of `parts` calls, arrays of shape (parts, count, k), into
 * the first of them. */
hr_status hr_merge(int32_t *distances, int64_t *ids, size_t parts, size_t count, size_t k);

/* --- ranking rules ----------------------------------------------------------- */

/* A distance in two parts: what differs in the first bits of a code, the prefix, and in the rest.
 * A prefix snaps to the nearest of the centres, of several to the first. Where query and code snap
 * to the same one a share of the prefix's part is left; or, in place of that, each query has costs
 * of its own of the centres, which are added. */
typedef struct {
  uint32_t prefix;        /* its bits: 1 to all */
  const uint8_t *centres; /* packed, of so many bits; or NULL */
  size_t centre_count;    /* at least 1, and less than 2^32 */
  double share;           /* 0 to 1; 1 if centres have costs */
} hr_rule;

/* The different prefixes of an index's codes. Opened and used under the read lock, as long as they
 * fit: codes may be added and removed, until all are sorted anew. */
typedef struct hr_prefixes hr_prefixes;
hr_status hr_prefixes_open(const hr_index *index, const hr_rule *rule, hr_prefixes **out);
void hr_prefixes_free(hr_prefixes *prefixes);
bool hr_prefixes_fit(const hr_index *index, const hr_prefixes *prefixes);

/* Queries by a ranking rule, of an index that is exact. */
typedef struct {
  const hr_prefixes *prefixes;
  const uint8_t *queries; /* packed */
  size_t count;
  /* Of each query, `least_stride` apart: what h different bits of the prefix cost at least, h from
   * 0 to all, then the same of the rest. Ascending; exact where there are no `costs`. */
  const double *least;
  size_t least_stride;
  const double *costs; /* (count, bits): what each bit costs, so that sums are exact; or NULL */
  /* NULL; or rows of what codes at each centre cost, not negative, and the row of each query. */
  const double *cells;
  const uint32_t *cell_rows;
  hr_filter *filter;
  const hr_few *few;
  size_t k;      /* hr_rank_search: how many of the nearest; else SIZE_MAX */
  double radius; /* hr_rank_within; else infinite */
  const int *cancel;
  hr_work *work; /* `checked`, and the prefixes whose codes were compared as `probed` */
} hr_ranked;

/* As hr_search and hr_range_search; a distance that is missing is infinite. */
hr_status hr_rank_search(const hr_index *index, const hr_ranked *ranked, double *distances,
                         int64_t *ids);
typedef struct {
  double *distances;
  int64_t *ids;
  size_t size, capacity;
} hr_ranked_hits;
hr_status hr_rank_within(const hr_index *index, const hr_ranked *ranked, int64_t *lims,
                         hr_ranked_hits *hits);
void hr_ranked_hits_free(hr_ranked_hits *hits);

/* --- forks ------------------------------------------------------------------- */

/* Keeps an index from changing until hr_read_unlock, if it can within some time. */
bool hr_index_before_fork(hr_index *index, int milliseconds);
/* In the child instead, before anything else. An index that could not be kept from changing must
 * not be touched there, not even to free it. */
hr_status hr_index_in_child(hr_index *index);

/* --- groups ------------------------------------------------------------------ */

/* A search for all pairs of codes within a radius. Nodes are different codes. Opened
 * under the read lock; it borrows the index's sorted codes, and needs the lock until it is closed,
 * or takes a copy: if `copy`, or if some codes lie beside the sorted ones. */
typedef struct hr_join hr_join;
hr_status hr_join_open(const hr_index *index, bool copy, hr_join **out);
void hr_join_close(hr_join *join);
bool hr_join_borrows(const hr_join *join);
/* Comes next: sorts what was copied. The rest needs it. */
hr_status hr_join_build(hr_join *join, const int *cancel);
size_t hr_join_nodes(const hr_join *join);
/* Live codes. */
size_t hr_join_rows(const hr_join *join);
/* Links each node of part `part` of `parts` with all within the radius; parents has an entry
 * a node. Parts may run at once. HR_WANTED: a thread waits to change what is borrowed. */
typedef struct {
  uint32_t radius;
  size_t part, parts;
  const int *cancel;
} hr_join_part;
hr_status hr_join_run(hr_join *join, const hr_join_part *part, uint32_t *parents);
/* Joins what the parts found, an array of shape (parts, nodes). ids: all ids, ascending;
 * groups: for each the smallest id that a chain of such pairs leads to. */
hr_status hr_join_groups(const hr_join *join, uint32_t *parents, size_t parts, int64_t *ids,
                         int64_t *groups);

/* --- files ----------------------------------------------------------------- */

typedef struct {
  const void *data;
  size_t size;
} hr_span;

#define HR_MAX_SPANS 64
#define HR_HEADER_BYTES 256

/* The index as a list of byte ranges to be written one after the other. The
 * ranges point into the index, which stays read-locked until hr_read_unlock. */
typedef struct {
  uint8_t header[HR_HEADER_BYTES];
  hr_span spans[HR_MAX_SPANS];
  size_t count;
} hr_snapshot;
hr_status hr_snapshot_open(hr_index *index, const char fingerprint[HR_FINGERPRINT_BYTES],
                           const int *cancel, hr_snapshot *snapshot);

/* Reads an index from the bytes of a file. `verify` checks every section's
 * CRC; without it only the header is read. The index borrows the bytes: they
 * must live, unchanged and 64-byte aligned, as long as it does. `reason`
 * receives a static text on HR_BAD_FORMAT. */
hr_status hr_index_open(const uint8_t *bytes, size_t size, bool verify, hr_index **out,
                        char fingerprint[HR_FINGERPRINT_BYTES], const char **reason);

#endif
