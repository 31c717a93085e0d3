# cython: language_level=3
# Mirror of csrc/hashret.h.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "hashret.h" nogil:
    ctypedef enum hr_status:
        HR_OK
        HR_NO_MEMORY
        HR_BAD_ISA
        HR_REPEATED_ID
        HR_UNKNOWN_ID
        HR_TOO_MANY_ROWS
        HR_BAD_FORMAT
        HR_BAD_MASK
        HR_CANCELLED
        HR_NOT_READY
        HR_WANTED
        HR_NO_IDS
        HR_STATUS_COUNT

    const char *hr_status_text(hr_status status)

    hr_status hr_isa_select(const char *name)
    const char *hr_isa_name()
    void hr_early_stopping(bint allowed)
    const char *hr_isa_supported(size_t i)

    ctypedef struct hr_pairs:
        const uint8_t *queries
        const uint8_t *codes
        size_t query_count
        size_t n
        uint32_t bits

    hr_status hr_distances(const hr_pairs *pairs, uint16_t *out)
    hr_status hr_histogram(const hr_pairs *pairs, int64_t *out)

    enum: HR_PDQ_BYTES
    hr_status hr_pdq(const uint8_t *rgb, size_t rows, size_t columns, uint8_t *code, int *quality)

    ctypedef struct hr_sizes:
        size_t rows
        size_t columns
        size_t out_rows
        size_t out_columns

    ctypedef enum hr_window:
        HR_HAMMING
        HR_BILINEAR
    hr_status hr_shrink(const uint8_t *rgb, const hr_sizes *sizes, hr_window window, uint8_t *out)

    ctypedef enum hr_kind:
        HR_SCAN
        HR_LSH
        HR_MIH
        HR_AUTO
        HR_APPROXIMATE

    enum:
        HR_FINGERPRINT_BYTES
        HR_MAX_RECALL

    ctypedef struct hr_index:
        pass

    hr_status hr_index_create(uint32_t bits, hr_kind kind, uint32_t tables, uint32_t recall,
                              hr_index **out)
    void hr_index_free(hr_index *index)

    ctypedef enum hr_policy:
        HR_POLICY_ALL
        HR_POLICY_SCAN
        HR_POLICY_PROBE
        HR_POLICY_MODEL
        HR_POLICY_TWO_WAYS

    void hr_index_set_policy(hr_index *index, hr_policy policy, bint typical)
    void hr_index_set_soon(hr_index *index, size_t words)
    uint32_t hr_index_bits(const hr_index *index)
    hr_kind hr_index_kind(const hr_index *index)
    uint32_t hr_index_tables(const hr_index *index)
    uint32_t hr_index_recall(const hr_index *index)
    size_t hr_index_count(hr_index *index)

    ctypedef struct hr_stats:
        size_t count, distinct, bytes

    hr_status hr_index_stats(hr_index *index, hr_stats *out)
    hr_status hr_index_add(hr_index *index, const uint8_t *codes, const int64_t *ids, size_t n,
                           int64_t *culprit)
    hr_status hr_index_append(hr_index *index, const uint8_t *codes, size_t n, int64_t *ids,
                              int64_t *culprit)
    hr_status hr_index_remove(hr_index *index, const int64_t *ids, size_t n, int64_t *culprit)
    hr_status hr_index_update(hr_index *index, const uint8_t *codes, const int64_t *ids,
                              size_t n, int64_t *culprit)
    hr_status hr_index_get(hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                           int64_t *culprit)
    bint hr_index_contains(hr_index *index, int64_t id)
    size_t hr_index_ids(hr_index *index, int64_t *out, size_t room)

    hr_status hr_make_ready(hr_index *index, const int *cancel)
    bint hr_prepare_beside(hr_index *index, size_t queries)
    bint hr_index_rest(hr_index *index, int milliseconds)
    bint hr_index_working(const hr_index *index)
    hr_status hr_index_compact(hr_index *index, const int *cancel)
    hr_status hr_read_lock(hr_index *index, size_t queries)
    void hr_read_unlock(hr_index *index)
    hr_status hr_read_lock_codes(hr_index *index, size_t queries)
    hr_status hr_read_try_lock(hr_index *index, size_t queries, bint codes)
    bint hr_index_wanted(const hr_index *index)
    size_t hr_read_count(const hr_index *index)
    uint64_t hr_read_state(const hr_index *index)
    void hr_read_ids(const hr_index *index, int64_t *out)
    hr_status hr_read_codes(const hr_index *index, const int64_t *ids, size_t n, uint8_t *codes,
                            int64_t *culprit)
    ctypedef struct hr_tuning:
        bint scan
        uint32_t k, lists, queries, recall, low, high
        uint64_t compared

    hr_tuning hr_read_tuning(const hr_index *index, size_t k)
    bint hr_read_awaits_lists(const hr_index *index)
    hr_status hr_read_copy(const hr_index *index, hr_index **out)

    bint hr_index_before_fork(hr_index *index, int milliseconds)
    hr_status hr_index_in_child(hr_index *index)

    ctypedef struct hr_filter:
        pass

    ctypedef struct hr_allowed:
        const int64_t *ids
        const uint8_t *mask
        size_t n
        bint present

    hr_status hr_filter_open(const hr_index *index, const hr_allowed *allowed, hr_filter **out,
                             int64_t *culprit)
    void hr_filter_free(hr_filter *filter)
    size_t hr_filter_count(const hr_filter *filter)
    void hr_filter_ids(const hr_index *index, const hr_filter *filter, int64_t *ids)

    ctypedef struct hr_few:
        pass

    hr_status hr_filter_prepare(const hr_index *index, hr_filter *filter, size_t queries,
                                const hr_few **out)
    const hr_few *hr_filter_few(const hr_filter *filter)
    size_t hr_filter_compared(const hr_index *index, const hr_few *few)

    ctypedef struct hr_work:
        uint64_t checked
        uint64_t probed
        uint64_t scanned
        uint32_t radius

    ctypedef struct hr_request:
        const uint8_t *queries
        size_t count
        hr_filter *filter
        const hr_few *few
        const float *margins
        uint32_t probes
        size_t part
        size_t parts
        size_t k
        uint32_t radius
        const int *cancel
        hr_work *work
        bint scan
        uint8_t *deferred

    void hr_cancel(int *flag)

    bint hr_search_is_short(const hr_index *index, const hr_request *request)
    hr_status hr_search(hr_index *index, const hr_request *request, int32_t *distances,
                        int64_t *ids)

    ctypedef struct hr_hits:
        int32_t *distances
        int64_t *ids
        size_t size
        size_t capacity

    hr_status hr_range_search(hr_index *index, const hr_request *request, int64_t *lims,
                              hr_hits *hits)
    void hr_hits_free(hr_hits *hits)
    hr_status hr_merge(int32_t *distances, int64_t *ids, size_t parts, size_t count, size_t k)

    ctypedef struct hr_rule:
        uint32_t prefix
        const uint8_t *centres
        size_t centre_count
        double share

    ctypedef struct hr_prefixes:
        pass

    hr_status hr_prefixes_open(const hr_index *index, const hr_rule *rule, hr_prefixes **out)
    void hr_prefixes_free(hr_prefixes *prefixes)
    bint hr_prefixes_fit(const hr_index *index, const hr_prefixes *prefixes)

    ctypedef struct hr_ranked:
        const hr_prefixes *prefixes
        const uint8_t *queries
        size_t count
        const double *least
        size_t least_stride
        const double *costs
        const double *cells
        const uint32_t *cell_rows
        hr_filter *filter
        const hr_few *few
        size_t k
        double radius
        const int *cancel
        hr_work *work

    ctypedef struct hr_ranked_hits:
        double *distances
        int64_t *ids
        size_t size
        size_t capacity

    hr_status hr_rank_search(const hr_index *index, const hr_ranked *ranked, double *distances,
                             int64_t *ids)
    hr_status hr_rank_within(const hr_index *index, const hr_ranked *ranked, int64_t *lims,
                             hr_ranked_hits *hits)
    void hr_ranked_hits_free(hr_ranked_hits *hits)

    ctypedef struct hr_join:
        pass

    hr_status hr_join_open(const hr_index *index, bint copy, hr_join **out)
    void hr_join_close(hr_join *join)
    bint hr_join_borrows(const hr_join *join)
    hr_status hr_join_build(hr_join *join, const int *cancel)
    size_t hr_join_nodes(const hr_join *join)
    size_t hr_join_rows(const hr_join *join)
    ctypedef struct hr_join_part:
        uint32_t radius
        size_t part
        size_t parts
        const int *cancel

    hr_status hr_join_run(hr_join *join, const hr_join_part *part, uint32_t *parents)
    hr_status hr_join_groups(const hr_join *join, uint32_t *parents, size_t parts, int64_t *ids,
                             int64_t *groups)

    ctypedef struct hr_span:
        const void *data
        size_t size

    enum:
        HR_MAX_SPANS

    ctypedef struct hr_snapshot:
        hr_span spans[HR_MAX_SPANS]
        size_t count

    hr_status hr_snapshot_open(hr_index *index, const char *fingerprint, const int *cancel,
                               hr_snapshot *snapshot)
    hr_status hr_index_open(const uint8_t *bytes, size_t size, bint verify, hr_index **out,
                            char *fingerprint, const char **reason)
