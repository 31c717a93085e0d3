# cython: language_level=3, boundscheck=False, freethreading_compatible=True
"""The engine: csrc/ behind checked arguments, without the GIL, raising errors.

Arrays cross this border as contiguous buffers whose length is checked here;
dtypes, shapes and defaults are the business of the modules above.
"""

import atexit
import os
import threading
import time
import weakref

from cpython.buffer cimport (PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from libc.math cimport INFINITY
from libc.stdint cimport SIZE_MAX
from libc.string cimport memcpy, memset

from . import errors

KINDS = {"auto": HR_AUTO, "scan": HR_SCAN, "mih": HR_MIH, "lsh": HR_LSH,
         "approximate": HR_APPROXIMATE}
MAX_RECALL = <int>HR_MAX_RECALL
POLICIES = {"all": HR_POLICY_ALL, "scan": HR_POLICY_SCAN, "probe": HR_POLICY_PROBE,
            "model": HR_POLICY_MODEL, "two ways": HR_POLICY_TWO_WAYS}
STATUS_COUNT = <int>HR_STATUS_COUNT


class NotReady(Exception):
    """A search needs what `NativeIndex.make_ready` makes."""


class Wanted(Exception):
    """A thread waits to change what a long call reads."""


cdef object _exception(hr_status status, str what, int64_t culprit=0):
    text = (<bytes>hr_status_text(status)).decode()
    if status == HR_NO_MEMORY:
        return MemoryError(f"{what}: {text}")
    if status == HR_REPEATED_ID or status == HR_UNKNOWN_ID:
        return errors.IdError(f"{what}: {text} {culprit}")
    if status == HR_NO_IDS:
        return errors.IdError(f"{what}: {text} {culprit}; give them yourself")
    if status == HR_BAD_FORMAT:
        return errors.FormatError(f"{what}: {text}")
    if status == HR_BAD_MASK:
        return errors.ShapeError(f"{what}: {text}")
    if status == HR_CANCELLED:
        return KeyboardInterrupt()
    if status == HR_NOT_READY:
        return NotReady(f"{what}: {text}")
    if status == HR_WANTED:
        return Wanted(f"{what}: {text}")
    return errors.ParameterError(f"{what}: {text}")


def raise_for_status(int status, str what, int64_t culprit=0):
    """Raise the exception that stands for a status of the engine, if any does."""
    if status != HR_OK:
        raise _exception(<hr_status>status, what, culprit)


cdef int _check(hr_status status, str what, int64_t culprit=0) except -1:
    if status != HR_OK:
        raise _exception(status, what, culprit)
    return 0


cdef class _Buffer:
    """A contiguous buffer of an object for the length of a call."""

    cdef Py_buffer view
    cdef bint held

    def __cinit__(self, source, size_t size, bint writable=False):
        PyObject_GetBuffer(source, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        self.held = True
        if <size_t>self.view.len < size:
            raise errors.ShapeError(f"buffer: expected {size} bytes, got {self.view.len}")

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


def select_isa(str name):
    """Choose the kernels, by name or the fastest when `name` is None."""
    cdef bytes encoded
    if name is None:
        _check(hr_isa_select(NULL), "HASHRET_ISA")
        return
    encoded = name.encode()
    if hr_isa_select(encoded) != HR_OK:
        raise errors.ParameterError(
            f"HASHRET_ISA: expected one of {', '.join(supported_isas())} on this machine, "
            f"got {name!r}"
        )


def early_stopping(bint allowed):
    """Say whether scans may leave long codes early, for tests and experiments."""
    hr_early_stopping(allowed)


def isa():
    """Name of the kernels in use."""
    return (<bytes>hr_isa_name()).decode()


def supported_isas():
    """Names of the kernels that run on this machine, fastest first."""
    names = []
    while hr_isa_supported(len(names)) != NULL:
        names.append((<bytes>hr_isa_supported(len(names))).decode())
    return names


cdef hr_pairs _pairs(_Buffer queries, size_t query_count, _Buffer codes, size_t n, uint32_t bits):
    cdef hr_pairs pairs
    pairs.queries, pairs.query_count = <const uint8_t *>queries.view.buf, query_count
    pairs.codes, pairs.n, pairs.bits = <const uint8_t *>codes.view.buf, n, bits
    return pairs


def distances(queries, size_t query_count, codes, size_t n, uint32_t bits, out):
    """Fill `out`, uint16 (query_count, n), with Hamming distances."""
    cdef size_t width = (bits + 7) // 8
    cdef _Buffer q = _Buffer(queries, query_count * width)
    cdef _Buffer c = _Buffer(codes, n * width)
    cdef _Buffer o = _Buffer(out, query_count * n * sizeof(uint16_t), True)
    cdef hr_pairs pairs = _pairs(q, query_count, c, n, bits)
    cdef hr_status status
    with nogil:
        status = hr_distances(&pairs, <uint16_t *>o.view.buf)
    _check(status, "distances")


def histogram(queries, size_t query_count, codes, size_t n, uint32_t bits, out):
    """Fill `out`, int64 (query_count, bits + 1), with counts of codes by distance."""
    cdef size_t width = (bits + 7) // 8
    cdef _Buffer q = _Buffer(queries, query_count * width)
    cdef _Buffer c = _Buffer(codes, n * width)
    cdef _Buffer o = _Buffer(out, query_count * (bits + 1) * sizeof(int64_t), True)
    cdef hr_pairs pairs = _pairs(q, query_count, c, n, bits)
    cdef hr_status status
    with nogil:
        status = hr_histogram(&pairs, <int64_t *>o.view.buf)
    _check(status, "histogram")


def pdq(picture, size_t rows, size_t columns, code):
    """Fill `code`, uint8 (32,), with that of a picture, uint8 (rows, columns, 3); its quality."""
    cdef _Buffer p = _Buffer(picture, rows * columns * 3)
    cdef _Buffer c = _Buffer(code, HR_PDQ_BYTES, True)
    cdef int quality
    cdef hr_status status
    with nogil:
        status = hr_pdq(<const uint8_t *>p.view.buf, rows, columns, <uint8_t *>c.view.buf,
                        &quality)
    _check(status, "pdq")
    return quality


def shrink(picture, size_t rows, size_t columns, out, size_t out_rows, size_t out_columns,
           bint bilinear):
    """Fill `out`, uint8 (out_rows, out_columns, 3), with a picture, uint8 (rows, columns, 3)."""
    if not (0 < out_rows <= rows and 0 < out_columns <= columns):
        raise errors.ShapeError(f"shrink: {rows}x{columns} is not larger than the result")
    cdef hr_sizes sizes = hr_sizes(rows, columns, out_rows, out_columns)
    cdef _Buffer p = _Buffer(picture, rows * columns * 3)
    cdef _Buffer o = _Buffer(out, out_rows * out_columns * 3, True)
    cdef hr_status status
    with nogil:
        status = hr_shrink(<const uint8_t *>p.view.buf, &sizes,
                           HR_BILINEAR if bilinear else HR_HAMMING, <uint8_t *>o.view.buf)
    _check(status, "shrink")


def merge(distances, ids, size_t parts, size_t count, size_t k):
    """Merge results of shape (parts, count, k) into those of part 0."""
    cdef _Buffer d = _Buffer(distances, parts * count * k * sizeof(int32_t), True)
    cdef _Buffer i = _Buffer(ids, parts * count * k * sizeof(int64_t), True)
    cdef hr_status status
    with nogil:
        status = hr_merge(<int32_t *>d.view.buf, <int64_t *>i.view.buf, parts, count, k)
    _check(status, "merge")


cdef class Cancel:
    """A flag that ends the searches that watch it."""

    cdef int flag

    def set(self):
        hr_cancel(&self.flag)


cdef class Hits:
    """What a range search found, as two buffers to copy from."""

    cdef hr_hits hits

    def __dealloc__(self):
        hr_hits_free(&self.hits)

    def __len__(self):
        return self.hits.size

    def copy_to(self, distances, ids):
        """Copy into int32 and int64 arrays of this length."""
        cdef _Buffer d = _Buffer(distances, self.hits.size * sizeof(int32_t), True)
        cdef _Buffer i = _Buffer(ids, self.hits.size * sizeof(int64_t), True)
        if self.hits.size:
            memcpy(d.view.buf, self.hits.distances, self.hits.size * sizeof(int32_t))
            memcpy(i.view.buf, self.hits.ids, self.hits.size * sizeof(int64_t))


cdef class Request:
    """Queries with their options, divided into parts for threads; setting `cancel` ends them."""

    cdef readonly object queries
    cdef readonly size_t count
    cdef readonly uint32_t probes
    cdef readonly Cancel cancel
    cdef uint32_t bits
    cdef bint scan
    cdef _Buffer packed, margins

    def __init__(self, queries, uint32_t bits, margins=None, uint32_t probes=1, bint scan=False):
        self.queries, self.count, self.bits = queries, len(queries), bits
        self.packed = _Buffer(queries, self.count * ((bits + 7) // 8))
        if margins is not None:
            self.margins = _Buffer(margins, self.count * bits * sizeof(float))
        self.probes, self.scan = probes, scan
        self.cancel = Cancel()

    cdef size_t first(self, size_t part, size_t parts) noexcept:
        """Number of the first query of a part."""
        return part * self.count // parts

    def size(self, size_t part, size_t parts):
        """Number of queries of a part."""
        return self.first(part + 1, parts) - self.first(part, parts)

    cdef hr_request of(self, size_t first, size_t end, Reader reader):
        cdef hr_request request
        memset(&request, 0, sizeof(request))
        request.queries = <const uint8_t *>self.packed.view.buf + first * ((self.bits + 7) // 8)
        request.count = end - first
        if self.margins is not None:
            request.margins = <const float *>self.margins.view.buf + first * self.bits
        request.filter, request.few = reader.filter(), reader.few
        request.probes = self.probes
        request.parts = 1
        request.scan = self.scan
        request.cancel = &self.cancel.flag
        return request


cdef class RankedHits:
    """What a search within a radius of a ranking rule found, as two buffers to copy from."""

    cdef hr_ranked_hits hits

    def __dealloc__(self):
        hr_ranked_hits_free(&self.hits)

    def __len__(self):
        return self.hits.size

    def copy_to(self, distances, ids):
        """Copy into float64 and int64 arrays of this length."""
        cdef _Buffer d = _Buffer(distances, self.hits.size * sizeof(double), True)
        cdef _Buffer i = _Buffer(ids, self.hits.size * sizeof(int64_t), True)
        if self.hits.size:
            memcpy(d.view.buf, self.hits.distances, self.hits.size * sizeof(double))
            memcpy(i.view.buf, self.hits.ids, self.hits.size * sizeof(int64_t))


cdef class RankedRequest:
    """Queries of a ranking rule, divided into parts for threads; setting `cancel` ends them.

    `least`, float64 (count or 1, bits + 2), is what so many different bits of the prefix, and of
    the rest, cost at least; `costs`, float64 (count, bits) or None, what each bit costs. `cells`,
    float64 (rows, centres) or None, are costs of the centres, and `rows`, uint32 (count,), those
    of each query.
    """

    cdef readonly size_t count
    cdef readonly Cancel cancel
    cdef uint32_t bits
    cdef size_t stride, centres
    cdef _Buffer packed, least, costs, cells, rows

    def __init__(self, queries, uint32_t bits, least, costs=None, cells=None, rows=None):
        self.count, self.bits = len(queries), bits
        self.packed = _Buffer(queries, self.count * ((bits + 7) // 8))
        self.stride = bits + 2 if len(least) > 1 else 0
        cdef size_t tables = self.count if self.stride or not self.count else 1
        self.least = _Buffer(least, tables * (<size_t>bits + 2) * sizeof(double))
        if costs is not None:
            self.costs = _Buffer(costs, self.count * bits * sizeof(double))
        if cells is not None:
            if self.count and (rows.min() < 0 or rows.max() >= len(cells)):
                raise errors.ParameterError("rows: expected numbers of rows of `cells`")
            self.centres = cells.shape[1]
            self.cells = _Buffer(cells, len(cells) * self.centres * sizeof(double))
            self.rows = _Buffer(rows, self.count * sizeof(uint32_t))
        self.cancel = Cancel()

    cdef size_t first(self, size_t part, size_t parts) noexcept:
        """Number of the first query of a part."""
        return part * self.count // parts

    def size(self, size_t part, size_t parts):
        """Number of queries of a part."""
        return self.first(part + 1, parts) - self.first(part, parts)

    cdef hr_ranked of(self, size_t part, size_t parts, Reader reader, Prefixes prefixes) except *:
        cdef size_t first = self.first(part, parts)
        cdef hr_ranked ranked
        memset(&ranked, 0, sizeof(ranked))
        ranked.prefixes = prefixes.handle
        ranked.queries = <const uint8_t *>self.packed.view.buf + first * ((self.bits + 7) // 8)
        ranked.count = self.first(part + 1, parts) - first
        ranked.least = <const double *>self.least.view.buf + first * self.stride
        ranked.least_stride = self.stride
        if self.costs is not None:
            ranked.costs = <const double *>self.costs.view.buf + first * self.bits
        if self.cells is not None:
            if self.centres != prefixes.centres:
                raise errors.ParameterError("cells: expected what each centre costs")
            ranked.cells = <const double *>self.cells.view.buf
            ranked.cell_rows = <const uint32_t *>self.rows.view.buf + first
        ranked.filter, ranked.few = reader.filter(), reader.few
        ranked.cancel = &self.cancel.flag
        return ranked


cdef class Prefixes:
    """The prefixes of the codes that a reader sees, and of the readers after it while they fit.

    `centres`, packed codes of `bits` bits, or None: what is left of the prefix's part of a
    distance is `share` of it, where both snap to the same centre.
    """

    cdef hr_prefixes *handle
    cdef NativeIndex index
    cdef size_t centres

    def __cinit__(self, Reader reader, uint32_t bits, centres=None, double share=1.0):
        cdef _Buffer buffer
        cdef hr_rule rule
        cdef hr_status status
        memset(&rule, 0, sizeof(rule))
        rule.prefix, rule.share = bits, share
        if centres is not None:
            buffer = _Buffer(centres, len(centres) * ((bits + 7) // 8))
            rule.centres, rule.centre_count = <const uint8_t *>buffer.view.buf, len(centres)
            self.centres = len(centres)
        self.index = reader.index
        with nogil:
            status = hr_prefixes_open(self.index.handle, &rule, &self.handle)
        _check(status, "search")

    def __dealloc__(self):
        hr_prefixes_free(self.handle)

    def fit(self, Reader reader):
        """Return whether they are those of the codes that a reader of the same index sees."""
        return hr_prefixes_fit(reader.index.handle, self.handle)


cdef class Allowed:
    """What a reader has prepared of a filter: good for all readers of that state of the index."""

    cdef hr_filter *handle
    cdef uint64_t state

    def __dealloc__(self):
        hr_filter_free(self.handle)


cdef class Reader:
    """The read lock of an index, with a filter, for the length of a `with` block.

    Any thread may search through it; the thread that opened it closes it. It must not use the
    index itself meanwhile: whoever waits to change it would let neither go on.

    `filter`: ids or a mask. Where it allows few codes, these are copied once that pays.
    With `present`, ids that the index has not are left out: else they are an error. `allowed` is
    what another reader has made of the filter, which is used if the index has not changed since.
    `queries`: how many are to be searched for, which may be worth waiting for what is being made.
    """

    cdef readonly NativeIndex index
    cdef readonly Allowed allowed
    # The same for all parts of a search, whatever other readers make meanwhile.
    cdef const hr_few *few
    cdef bint locked
    cdef long forks

    def __cinit__(self, NativeIndex index, filter=None, bint codes=False, bint present=False,
                  Allowed allowed=None, size_t queries=1):
        cdef hr_status status
        cdef hr_index *handle = index.alive()
        self.index = index
        self.forks = forks
        # To let the GIL go and have it back costs more than the lock, where other threads search.
        status = hr_read_try_lock(handle, queries, codes)
        if status == HR_WANTED:
            with nogil:
                status = (hr_read_lock_codes(handle, queries) if codes
                          else hr_read_lock(handle, queries))
        _check(status, "search")
        self.locked = True
        try:
            if allowed is not None and allowed.state == hr_read_state(handle):
                self.allowed = allowed
            elif filter is not None:
                self.allow(filter, present)
            if self.allowed is not None:
                self.prepare(filter, present, queries)
        except BaseException:
            self.close()
            raise

    cdef allow(self, filter, bint present):
        """Find the rows of a filter."""
        cdef hr_index *handle = self.index.handle
        cdef _Buffer buffer = _Buffer(filter, 0)
        cdef Allowed made = Allowed()
        cdef hr_allowed asked
        cdef int64_t culprit = 0
        cdef hr_status status
        memset(&asked, 0, sizeof(asked))
        asked.n, asked.present = <size_t>buffer.view.len, present
        if filter.dtype.kind == "b":
            asked.mask = <const uint8_t *>buffer.view.buf
        else:
            asked.ids = <const int64_t *>buffer.view.buf
            asked.n //= sizeof(int64_t)
        with nogil:
            status = hr_filter_open(handle, &asked, &made.handle, &culprit)
        _check(status, "filter", culprit)
        made.state = hr_read_state(handle)
        self.allowed = made

    cdef prepare(self, filter, bint present, size_t queries):
        """Copy the codes of a filter if that pays; where they are found by row, lock them so."""
        cdef hr_index *handle = self.index.handle
        cdef hr_filter *made = self.allowed.handle
        cdef hr_status status
        self.few = hr_filter_few(made)
        if self.few != NULL:
            return
        while True:
            made = self.allowed.handle
            with nogil:
                status = hr_filter_prepare(handle, made, queries, &self.few)
            if status != HR_NOT_READY:
                break
            with nogil:
                hr_read_unlock(handle)
                status = hr_read_lock_codes(handle, queries)
            self.locked = status == HR_OK
            _check(status, "search")
            if self.allowed.state != hr_read_state(handle):  # changed while it was not locked
                self.allow(filter, present)
        _check(status, "filter")

    cdef hr_filter *filter(self):
        return NULL if self.allowed is None else self.allowed.handle

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    cdef void _close(self) noexcept:
        if self.locked:
            self.locked = False
            if self.forks == forks:
                hr_read_unlock(self.index.handle)

    def close(self):
        self._close()

    def __dealloc__(self):
        # Only an error between lock and `with` gets here with the lock held.
        self._close()

    @property
    def wanted(self):
        """Whether a thread waits to change the index, and others behind it to search."""
        return hr_index_wanted(self.index.handle)

    def __len__(self):
        return hr_read_count(self.index.handle)

    @property
    def compared(self):
        """How many codes a search that compares all has to look at."""
        if self.allowed is None:
            return hr_read_count(self.index.handle)
        return hr_filter_compared(self.index.handle, self.few)

    def tuning(self, size_t k):
        """What kind "approximate" measured for the k nearest.

        None if all codes are compared; else k, recall, low and high in millionths, queries, lists
        and codes compared.
        """
        cdef hr_tuning told = hr_read_tuning(self.index.handle, k)
        if told.scan:
            return None
        return (told.k, told.recall, told.low, told.high, told.queries, told.lists,
                told.compared)

    @property
    def awaits_lists(self):
        """Of kind "approximate": whether all codes are compared only until lists are made."""
        return hr_read_awaits_lists(self.index.handle)

    def ids(self, out):
        """Fill `out`, int64 of this length."""
        cdef _Buffer o = _Buffer(out, len(self) * sizeof(int64_t), True)
        with nogil:
            hr_read_ids(self.index.handle, <int64_t *>o.view.buf)

    @property
    def allowed_ids(self):
        """How many ids the filter allows."""
        return hr_filter_count(self.allowed.handle)

    def fill_allowed(self, out):
        """Fill `out`, int64 of so many, with these, ascending."""
        cdef _Buffer o = _Buffer(out, self.allowed_ids * sizeof(int64_t), True)
        with nogil:
            hr_filter_ids(self.index.handle, self.allowed.handle, <int64_t *>o.view.buf)

    def codes(self, ids, size_t n, codes):
        """Fill packed `codes` of `ids`, if this was opened with `codes`."""
        cdef _Buffer i = _Buffer(ids, n * sizeof(int64_t))
        cdef _Buffer c = _Buffer(codes, n * ((self.index.bits + 7) // 8), True)
        cdef int64_t culprit = 0
        cdef hr_status status
        with nogil:
            status = hr_read_codes(self.index.handle, <const int64_t *>i.view.buf, n,
                                   <uint8_t *>c.view.buf, &culprit)
        _check(status, "ids", culprit)

    def copy(self):
        """Return a NativeIndex of the same codes and ids."""
        cdef hr_index *copy = NULL
        cdef hr_status status
        with nogil:
            status = hr_read_copy(self.index.handle, &copy)
        _check(status, "copy")
        return _adopt(copy)

    def search(self, Request request, size_t k, distances, ids, size_t part=0, size_t parts=1,
               bint by_rows=False, deferred=None):
        """Fill int32 and int64 (count, k) for a part of the queries; return what was done.

        With `by_rows` the parts are of the index's rows, and fill (parts, count, k).
        `deferred`, uint8 (count,), is set to 1 for queries that ask for a scan or take long.
        Done are codes checked, buckets probed, queries scanned, and the radius seen in buckets.
        """
        cdef size_t first = 0 if by_rows else request.first(part, parts)
        cdef size_t end = request.count if by_rows else request.first(part + 1, parts)
        cdef size_t at = k * (part * request.count if by_rows else first)
        cdef size_t room = k * request.count * (parts if by_rows else 1)
        cdef _Buffer d = _Buffer(distances, room * sizeof(int32_t), True)
        cdef _Buffer i = _Buffer(ids, room * sizeof(int64_t), True)
        cdef _Buffer left
        cdef hr_request asked = request.of(first, end, self)
        cdef hr_work work
        cdef hr_status status
        if by_rows:
            asked.part, asked.parts = part, parts
        if deferred is not None:
            left = _Buffer(deferred, request.count, True)
            asked.deferred = <uint8_t *>left.view.buf + first
        memset(&work, 0, sizeof(work))
        asked.k, asked.work = k, &work
        cdef int32_t *nearest = <int32_t *>d.view.buf + at
        cdef int64_t *named = <int64_t *>i.view.buf + at
        if hr_search_is_short(self.index.handle, &asked):
            status = hr_search(self.index.handle, &asked, nearest, named)
        else:
            with nogil:
                status = hr_search(self.index.handle, &asked, nearest, named)
        _check(status, "search")
        return work.checked, work.probed, work.scanned, work.radius

    def range_search(self, Request request, uint32_t radius, lims, size_t part=0, size_t parts=1,
                     deferred=None):
        """Fill `lims`, int64, with one entry more than a part has queries; return its hits."""
        cdef size_t first = request.first(part, parts), end = request.first(part + 1, parts)
        cdef _Buffer limits = _Buffer(lims, (end - first + 1) * sizeof(int64_t), True)
        cdef _Buffer left
        cdef hr_request asked = request.of(first, end, self)
        cdef Hits hits = Hits()
        cdef hr_work work
        cdef hr_status status
        if deferred is not None:
            left = _Buffer(deferred, request.count, True)
            asked.deferred = <uint8_t *>left.view.buf + first
        memset(&work, 0, sizeof(work))
        asked.radius, asked.work = radius, &work
        with nogil:
            status = hr_range_search(self.index.handle, &asked, <int64_t *>limits.view.buf,
                                     &hits.hits)
        _check(status, "range_search")
        return hits


    def ranked_search(self, RankedRequest request, Prefixes prefixes, size_t k, distances, ids,
                      size_t part=0, size_t parts=1):
        """Fill float64 and int64 (count, k) for a part of the queries.

        Return how many codes were compared, and of how many prefixes.
        """
        cdef size_t at = k * request.first(part, parts), room = k * request.count
        cdef _Buffer d = _Buffer(distances, room * sizeof(double), True)
        cdef _Buffer i = _Buffer(ids, room * sizeof(int64_t), True)
        cdef hr_ranked asked = request.of(part, parts, self, prefixes)
        cdef hr_work work
        cdef hr_status status
        memset(&work, 0, sizeof(work))
        asked.k, asked.radius, asked.work = k, INFINITY, &work
        with nogil:
            status = hr_rank_search(self.index.handle, &asked, <double *>d.view.buf + at,
                                    <int64_t *>i.view.buf + at)
        _check(status, "search")
        return work.checked, work.probed

    def ranked_within(self, RankedRequest request, Prefixes prefixes, double radius, lims,
                      size_t part=0, size_t parts=1):
        """Fill `lims`, int64, with one entry more than a part has queries; return its hits."""
        cdef _Buffer limits = _Buffer(
            lims, (request.size(part, parts) + 1) * sizeof(int64_t), True)
        cdef hr_ranked asked = request.of(part, parts, self, prefixes)
        cdef RankedHits hits = RankedHits()
        cdef hr_work work
        cdef hr_status status
        memset(&work, 0, sizeof(work))
        asked.k, asked.radius, asked.work = SIZE_MAX, radius, &work
        with nogil:
            status = hr_rank_within(self.index.handle, &asked, <int64_t *>limits.view.buf,
                                    &hits.hits)
        _check(status, "range_search")
        return hits


cdef class Join:
    """A search for all pairs within a radius of what a reader sees.

    With `copy`, or if it does not borrow the index's own codes, the reader may be closed.
    """

    cdef NativeIndex index
    cdef hr_join *handle

    def __cinit__(self, Reader reader, bint copy=False):
        cdef hr_status status
        self.index = reader.index
        with nogil:
            status = hr_join_open(self.index.handle, copy, &self.handle)
        _check(status, "duplicates")

    def __dealloc__(self):
        if self.handle != NULL:
            hr_join_close(self.handle)

    @property
    def borrows(self):
        return hr_join_borrows(self.handle)

    def build(self, Cancel cancel):
        """Sort what was copied: comes before all that follows."""
        cdef hr_status status
        with nogil:
            status = hr_join_build(self.handle, &cancel.flag)
        _check(status, "duplicates")

    @property
    def nodes(self):
        return hr_join_nodes(self.handle)

    def __len__(self):
        return hr_join_rows(self.handle)

    def run(self, uint32_t radius, parents, size_t part, size_t parts, Cancel cancel):
        """Fill `parents`, uint32 (nodes,), for one part."""
        cdef _Buffer p = _Buffer(parents, self.nodes * sizeof(uint32_t), True)
        cdef hr_join_part part_of
        cdef hr_status status
        part_of.radius, part_of.part, part_of.parts = radius, part, parts
        part_of.cancel = &cancel.flag
        with nogil:
            status = hr_join_run(self.handle, &part_of, <uint32_t *>p.view.buf)
        _check(status, "duplicates")

    def groups(self, parents, size_t parts, ids, groups):
        """Fill int64 arrays of this length from `parents`, uint32 (parts, nodes)."""
        cdef _Buffer p = _Buffer(parents, parts * self.nodes * sizeof(uint32_t), True)
        cdef _Buffer i = _Buffer(ids, len(self) * sizeof(int64_t), True)
        cdef _Buffer g = _Buffer(groups, len(self) * sizeof(int64_t), True)
        cdef hr_status status
        with nogil:
            status = hr_join_groups(self.handle, <uint32_t *>p.view.buf, parts,
                                    <int64_t *>i.view.buf, <int64_t *>g.view.buf)
        _check(status, "duplicates")


cdef class NativeIndex:
    """Owner of one hr_index."""

    cdef hr_index *handle  # NULL: lost in a fork
    cdef object backing  # what a mapped index borrows
    # Read at every search.
    cdef readonly uint32_t bits, tables, recall
    cdef readonly str kind
    cdef object __weakref__

    def __cinit__(self, uint32_t bits=1, int kind=HR_SCAN, uint32_t tables=0, uint32_t recall=0):
        cdef hr_index *handle = NULL
        _check(hr_index_create(bits, <hr_kind>kind, tables, recall, &handle), "Index")
        self.own(handle)
        _indexes[id(self)] = self

    cdef void own(self, hr_index *handle):
        hr_index_free(self.handle)
        self.handle = handle
        self.bits, self.tables = hr_index_bits(handle), hr_index_tables(handle)
        self.recall = hr_index_recall(handle)
        self.kind = next(name for name, kind in KINDS.items() if kind == hr_index_kind(handle))

    def __dealloc__(self):
        hr_index_free(self.handle)

    cdef hr_index *alive(self) except NULL:
        if self.handle == NULL:
            raise errors.ForkError(
                "index: it was being changed while the process was forked, and is lost in the "
                "child; load or fill another there")
        return self.handle

    cdef bint wait_for_fork(self, int milliseconds):
        return self.handle != NULL and hr_index_before_fork(self.handle, milliseconds)

    cdef void go_on(self):
        hr_read_unlock(self.handle)

    cdef void wake_in_child(self, bint whole):
        if self.handle != NULL and (not whole or hr_index_in_child(self.handle) != HR_OK):
            self.handle = NULL  # what may be half changed is not even freed

    @staticmethod
    def open(bytes_like, bint verify):
        """Read an index from the bytes of a file, which it keeps; with its fingerprint."""
        cdef NativeIndex self
        cdef _Buffer source = _Buffer(bytes_like, 0)
        cdef const char *reason = NULL
        cdef char fingerprint[HR_FINGERPRINT_BYTES]
        cdef hr_index *opened = NULL
        cdef hr_status status
        with nogil:
            status = hr_index_open(<const uint8_t *>source.view.buf, <size_t>source.view.len,
                                   verify, &opened, fingerprint, &reason)
        if status == HR_BAD_FORMAT:
            raise errors.FormatError((<bytes>reason).decode())
        _check(status, "load")
        self = _adopt(opened)
        self.backing = source
        return self, (<bytes>fingerprint[:HR_FINGERPRINT_BYTES]).rstrip(b"\0")

    def __len__(self):
        cdef hr_index *handle = self.alive()
        cdef size_t count
        with nogil:
            count = hr_index_count(handle)
        return count

    def __contains__(self, int64_t id):
        cdef hr_index *handle = self.alive()
        cdef bint found
        with nogil:
            found = hr_index_contains(handle, id)
        return found

    def stats(self):
        """Return how many codes and different codes there are, and the bytes held."""
        cdef hr_index *handle = self.alive()
        cdef hr_stats stats
        cdef hr_status status
        with nogil:
            status = hr_index_stats(handle, &stats)
        _check(status, "stats")
        return stats.count, stats.distinct, stats.bytes

    def make_ready(self, Cancel cancel):
        """Make what searches need: sort, build tables."""
        cdef hr_index *handle = self.alive()
        cdef hr_status status
        with nogil:
            status = hr_make_ready(handle, &cancel.flag)
        _check(status, "search")

    def prepare_beside(self, size_t queries):
        """Have it made on a thread of the index's own; whether that works on it."""
        cdef hr_index *handle = self.alive()
        cdef bint works
        with nogil:
            works = hr_prepare_beside(handle, queries)
        return works

    def rest(self, int milliseconds):
        """Stop that thread, and wait for it so long; below 0: until it is over."""
        cdef hr_index *handle = self.alive()
        cdef bint over
        with nogil:
            over = hr_index_rest(handle, milliseconds)
        return over

    @property
    def working(self):
        """Whether that thread works."""
        return hr_index_working(self.alive())

    def compact(self, Cancel cancel):
        """Sort and merge all codes, drop removed ones, and make what searches need."""
        cdef hr_index *handle = self.alive()
        cdef hr_status status
        with nogil:
            status = hr_index_compact(handle, &cancel.flag)
        _check(status, "compact")

    def set_policy(self, str policy, bint typical=False):
        """Fix what decides between tables and scan in an "auto" index, for tests and experiments.

        One of `POLICIES`; `typical` costs in place of measured ones leave the clock out of it.
        """
        cdef hr_index *handle = self.alive()
        cdef hr_policy number = POLICIES[policy]
        with nogil:
            hr_index_set_policy(handle, number, typical)

    def set_soon(self, size_t words):
        """Have so many words of codes sorted by the search that misses it, more of them beside."""
        cdef hr_index *handle = self.alive()
        with nogil:
            hr_index_set_soon(handle, words)

    def add(self, codes, ids, size_t n):
        cdef hr_index *handle = self.alive()
        cdef _Buffer c = _Buffer(codes, n * ((self.bits + 7) // 8))
        cdef _Buffer i = _Buffer(ids, n * sizeof(int64_t))
        cdef int64_t culprit = 0
        cdef hr_status status
        with nogil:
            status = hr_index_add(handle, <const uint8_t *>c.view.buf,
                                  <const int64_t *>i.view.buf, n, &culprit)
        _check(status, "ids", culprit)

    def append(self, codes, ids, size_t n):
        """Add codes with the next ids, and fill `ids`, int64 (n,), with these."""
        cdef hr_index *handle = self.alive()
        cdef _Buffer c = _Buffer(codes, n * ((self.bits + 7) // 8))
        cdef _Buffer i = _Buffer(ids, n * sizeof(int64_t), True)
        cdef int64_t culprit = 0
        cdef hr_status status
        with nogil:
            status = hr_index_append(handle, <const uint8_t *>c.view.buf, n,
                                     <int64_t *>i.view.buf, &culprit)
        _check(status, "ids", culprit)

    def update(self, codes, ids, size_t n):
        cdef hr_index *handle = self.alive()
        cdef _Buffer c = _Buffer(codes, n * ((self.bits + 7) // 8))
        cdef _Buffer i = _Buffer(ids, n * sizeof(int64_t))
        cdef int64_t culprit = 0
        cdef hr_status status
        with nogil:
            status = hr_index_update(handle, <const uint8_t *>c.view.buf,
                                     <const int64_t *>i.view.buf, n, &culprit)
        _check(status, "ids", culprit)

    def remove(self, ids, size_t n):
        cdef hr_index *handle = self.alive()
        cdef _Buffer i = _Buffer(ids, n * sizeof(int64_t))
        cdef int64_t culprit = 0
        cdef hr_status status
        with nogil:
            status = hr_index_remove(handle, <const int64_t *>i.view.buf, n, &culprit)
        _check(status, "ids", culprit)

    def get(self, ids, size_t n, codes):
        cdef hr_index *handle = self.alive()
        cdef _Buffer i = _Buffer(ids, n * sizeof(int64_t))
        cdef _Buffer c = _Buffer(codes, n * ((self.bits + 7) // 8), True)
        cdef int64_t culprit = 0
        cdef hr_status status
        with nogil:
            status = hr_index_get(handle, <const int64_t *>i.view.buf, n,
                                  <uint8_t *>c.view.buf, &culprit)
        _check(status, "ids", culprit)

    def ids(self, out):
        """Fill `out` if it has room; return how many ids there are."""
        cdef hr_index *handle = self.alive()
        cdef _Buffer o = _Buffer(out, 0, True)
        cdef size_t count
        with nogil:
            count = hr_index_ids(handle, <int64_t *>o.view.buf,
                                 <size_t>o.view.len // sizeof(int64_t))
        return count

    def write(self, bytes fingerprint, write, Cancel cancel):
        """Call `write` with each piece of the index file, under the read lock, until `cancel`."""
        cdef hr_index *handle = self.alive()
        cdef char padded[HR_FINGERPRINT_BYTES]
        cdef hr_snapshot snapshot
        cdef hr_status status
        cdef size_t i
        cdef long before = forks
        if len(fingerprint) > HR_FINGERPRINT_BYTES:
            raise errors.ParameterError(
                f"fingerprint: expected at most {HR_FINGERPRINT_BYTES} bytes, "
                f"got {len(fingerprint)}")
        memset(padded, 0, HR_FINGERPRINT_BYTES)
        memcpy(padded, <const char *>fingerprint, len(fingerprint))
        with nogil:
            status = hr_snapshot_open(handle, padded, &cancel.flag, &snapshot)
        _check(status, "save")
        try:
            for i in range(snapshot.count):
                if cancel.flag:
                    raise KeyboardInterrupt
                if snapshot.spans[i].size:
                    write(memoryview(
                        <const uint8_t[:snapshot.spans[i].size]>snapshot.spans[i].data))
        finally:
            if before == forks:
                hr_read_unlock(handle)


cdef NativeIndex _adopt(hr_index *handle):
    cdef NativeIndex index = NativeIndex()
    index.own(handle)
    return index


# A forked process has the memory of all threads and none but the one that forked: locks that
# the others held would stay shut, and what they were changing would stay half changed. So who
# forks first holds every index still, if that takes little time; the child makes new locks for
# those, and gives up the others. Nothing of it costs a search anything.

_indexes = weakref.WeakValueDictionary()
# By thread: indexes that are held still by it.
_still = {}
cdef long forks = 0  # of this process's ancestors; a lock taken before the last is held no more
_FORK_MILLISECONDS = 50


def _before_fork():
    # The GIL is kept, so that threads which change indexes one change after the other stop.
    cdef NativeIndex index
    end = time.monotonic() + _FORK_MILLISECONDS / 1000
    still = _still[threading.get_ident()] = []
    for reference in _indexes.valuerefs():
        index = reference()
        if index is not None and index.wait_for_fork(
                max(0, round((end - time.monotonic()) * 1000))):
            still.append(index)


def _after_fork_in_parent():
    cdef NativeIndex index
    for index in _still.pop(threading.get_ident(), ()):
        index.go_on()


def _after_fork_in_child():
    global forks
    cdef NativeIndex index
    still = {id(index) for index in _still.get(threading.get_ident(), ())}
    _still.clear()
    forks += 1
    for reference in _indexes.valuerefs():
        index = reference()
        if index is not None:
            index.wake_in_child(id(index) in still)


def _at_exit():
    # What a thread of an index still makes, nobody will use.
    cdef NativeIndex index
    for reference in _indexes.valuerefs():
        index = reference()
        if index is not None and index.handle != NULL:
            index.rest(-1)


atexit.register(_at_exit)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent,
                        after_in_child=_after_fork_in_child)
