/* What an index file may hold, for libFuzzer: bytes -> open -> search, change, save, open again.
 *
 * An input is the bytes of a file. It is opened as `load` does, every CRC checked; if that refuses
 * it, as `load(mmap=True)` does, which looks at no more than the header. What opens is used: no
 * answer is judged, but for the one of the reader to what the writer wrote. The mutator repairs the
 * CRCs of what it changed, as a hostile writer would; else nothing would come past them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hashret.h"

#define QUERIES 3
#define NEAREST 5
#define SECTIONS 4
#define ENTRY_BYTES 32
#define FIRST_ENTRY 128
#define CRC_AT 124

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

/* --- CRCs repaired ---------------------------------------------------------------- */

static uint32_t crc32(const uint8_t *bytes, size_t size) {
  static uint32_t table[256];
  if (!table[1])
    for (uint32_t i = 0; i < 256; i++) {
      table[i] = i;
      for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
    }
  uint32_t crc = UINT32_MAX;
  for (; size; size--, bytes++) crc = crc >> 8 ^ table[(crc ^ *bytes) & 0xFF];
  return ~crc;
}

static void seal(uint8_t *data, size_t size) {
  if (size < HR_HEADER_BYTES) return;
  for (size_t i = 0; i < SECTIONS; i++) {
    uint8_t *entry = data + FIRST_ENTRY + ENTRY_BYTES * i;
    uint64_t offset, bytes;
    memcpy(&offset, entry + 8, sizeof offset);
    memcpy(&bytes, entry + 16, sizeof bytes);
    if (offset > size || bytes > size - offset) continue;
    uint32_t crc = crc32(data + offset, (size_t)bytes);
    memcpy(entry + 4, &crc, sizeof crc);
  }
  memset(data + CRC_AT, 0, sizeof(uint32_t));
  uint32_t crc = crc32(data, HR_HEADER_BYTES);
  memcpy(data + CRC_AT, &crc, sizeof crc);
}

/* --- mutation --------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

/* A number that is near another, or at the end of some range. */
static uint64_t odd_number(uint64_t *state, uint64_t now) {
  static const uint64_t ends[] = {0,          1,         2,          3,          4,
                                  7,          8,         63,         64,         65,
                                  256,        4096,      4097,       INT32_MAX,  UINT32_MAX,
                                  1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 63};
  switch (next_random(state) % 4) {
    case 0: return ends[next_random(state) % (sizeof ends / sizeof *ends)];
    case 1: return now + next_random(state) % 17 - 8;
    case 2: return now ^ 1ull << next_random(state) % 64;
    default: return now + (next_random(state) % 2 ? 64 : (uint64_t)-64);
  }
}

/* A number of the header, or one of four bytes among the postings and tables. */
static void change_number(uint8_t *data, size_t size, uint64_t *state) {
  static const struct {
    uint8_t at, bytes;
  } fields[] = {{16, 4}, {20, 4}, {24, 4}, {28, 4}, {32, 8}, {40, 8}, {48, 8}, {120, 4}};
  size_t at, bytes;
  uint64_t choice = next_random(state) % 4;
  if (choice == 0) {
    size_t field = next_random(state) % (sizeof fields / sizeof *fields);
    at = fields[field].at, bytes = fields[field].bytes;
  } else if (choice == 1) {
    static const uint8_t within[] = {0, 8, 16, 24};
    size_t field = next_random(state) % sizeof within;
    at = FIRST_ENTRY + ENTRY_BYTES * (next_random(state) % SECTIONS) + within[field];
    bytes = field ? 8 : 4;
  } else {
    at = HR_HEADER_BYTES + next_random(state) % (size - HR_HEADER_BYTES + 1) / 4 * 4, bytes = 4;
    if (at + bytes > size) return;
  }
  uint64_t value = 0;
  memcpy(&value, data + at, bytes);
  value = odd_number(state, value);
  memcpy(data + at, &value, bytes);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed) {
  uint64_t state = seed;
  if (size <= HR_HEADER_BYTES || next_random(&state) % 2) {
    size = LLVMFuzzerMutate(data, size, most);
  } else {
    for (uint64_t i = 1 + next_random(&state) % 3; i; i--) change_number(data, size, &state);
  }
  if (next_random(&state) % 16) seal(data, size); /* sometimes damaged, not hostile */
  return size;
}

/* --- what is done with an index ------------------------------------------------------ */

/* Ends the run: what is no mere wrong answer. */
static void demand(bool fact, const char *what) {
  if (fact) return;
  fprintf(stderr, "demanded: %s\n", what);
  abort();
}

static bool is_usual(hr_status status) { return status == HR_OK || status == HR_NO_MEMORY; }

static void search(hr_index *index, const uint8_t *queries, uint32_t radius) {
  int32_t distances[QUERIES * NEAREST];
  int64_t ids[QUERIES * NEAREST], lims[QUERIES + 1];
  hr_work work = {0};
  hr_request request = {.queries = queries,
                        .count = QUERIES,
                        .probes = 4,
                        .parts = 1,
                        .k = NEAREST,
                        .radius = radius,
                        .work = &work};
  hr_hits hits = {0};
  demand(is_usual(hr_make_ready(index, NULL)), "what a search needs is made");
  if (hr_read_lock(index, QUERIES)) return;
  hr_status status = hr_search(index, &request, distances, ids);
  demand(is_usual(status), "a search ends well");
  if (!status) demand(is_usual(hr_range_search(index, &request, lims, &hits)), "so does a range");
  request.scan = true;
  if (!status) demand(is_usual(hr_search(index, &request, distances, ids)), "so does a scan");
  hr_hits_free(&hits);
  hr_read_unlock(index);
}

static void group(hr_index *index) {
  hr_join *join = NULL;
  if (hr_read_lock(index, SIZE_MAX)) return;
  hr_status status = hr_join_open(index, false, &join);
  if (!status) status = hr_join_build(join, NULL);
  if (!status) {
    size_t nodes = hr_join_nodes(join), rows = hr_join_rows(join);
    uint32_t *parents = calloc(nodes + 1, sizeof *parents);
    int64_t *ids = calloc(2 * rows + 1, sizeof *ids);
    hr_join_part part = {.radius = 2, .parts = 1};
    status = hr_join_run(join, &part, parents);
    if (!status) hr_join_groups(join, parents, 1, ids, ids + rows);
    free(parents);
    free(ids);
  }
  if (join) hr_join_close(join);
  hr_read_unlock(index);
}

/* Rows are added, replaced and removed beside those of the file. */
static void change(hr_index *index, const uint8_t *codes, bool sound) {
  int64_t ids[QUERIES], culprit;
  if (hr_index_append(index, codes, QUERIES, ids, &culprit)) return;
  bool there = hr_index_contains(index, ids[0]);
  demand(!sound || there, "what was added is there");
  hr_index_update(index, codes, ids + 1, 1, &culprit);
  hr_index_remove(index, ids, 1, &culprit);
  size_t count = hr_index_count(index);
  int64_t *all = calloc(count + 1, sizeof *all);
  if (hr_index_ids(index, all, count) == count && count) {
    size_t bytes = (hr_index_bits(index) + 7) / 8;
    uint8_t *code = calloc(1, bytes);
    hr_index_get(index, all + count / 2, 1, code, &culprit);
    hr_index_remove(index, all + count / 2, 1, &culprit);
    free(code);
  }
  free(all);
}

/* As much as that and no byte more, so that a look past the end is seen. */
static uint8_t *room_for(size_t size) {
  void *room = NULL;
  demand(!posix_memalign(&room, 64, size ? size : 1), "memory for the bytes of a file");
  return room;
}

/* The bytes of a file that is written now; NULL where memory did not suffice. */
static uint8_t *saved(hr_index *index, size_t *size) {
  hr_snapshot snapshot;
  char fingerprint[HR_FINGERPRINT_BYTES] = "again";
  hr_status status = hr_snapshot_open(index, fingerprint, NULL, &snapshot);
  demand(is_usual(status), "an index is saved");
  if (status) return NULL;
  *size = 0;
  for (size_t i = 0; i < snapshot.count; i++) *size += snapshot.spans[i].size;
  uint8_t *bytes = room_for(*size), *at = bytes;
  for (size_t i = 0; i < snapshot.count; i++) {
    if (snapshot.spans[i].size) memcpy(at, snapshot.spans[i].data, snapshot.spans[i].size);
    at += snapshot.spans[i].size;
  }
  hr_read_unlock(index);
  return bytes;
}

static hr_status opened(const uint8_t *bytes, size_t size, bool verify, hr_index **index) {
  char fingerprint[HR_FINGERPRINT_BYTES];
  const char *reason = NULL;
  hr_status status = hr_index_open(bytes, size, verify, index, fingerprint, &reason);
  demand(is_usual(status) || (status == HR_BAD_FORMAT && reason), "a reason is told");
  return status;
}

static void save(hr_index *index, bool sound) {
  size_t size;
  hr_index *again;
  uint8_t *bytes = saved(index, &size);
  if (!bytes) return;
  hr_status status = opened(bytes, size, true, &again);
  demand(!sound || is_usual(status), "what was saved opens");
  if (!status) hr_index_free(again);
  free(bytes);
}

static void use(hr_index *index, const uint8_t *bytes, size_t size, bool sound) {
  size_t code = (hr_index_bits(index) + 7) / 8;
  uint32_t unused = (8 - hr_index_bits(index) % 8) % 8;
  hr_stats stats;
  uint8_t *queries = calloc(QUERIES, code);
  /* Nothing; what lies at the end of the file; its complement. */
  size_t known = code < size ? code : size;
  memcpy(queries + code, bytes + size - known, known);
  for (size_t i = 0; i < code; i++) queries[2 * code + i] = (uint8_t)~queries[code + i];
  for (size_t q = 1; q <= QUERIES; q++) queries[q * code - 1] &= (uint8_t)(0xFF << unused);
  hr_index_stats(index, &stats);
  hr_index_set_policy(index, size % 2 ? HR_POLICY_PROBE : HR_POLICY_ALL, true);
  search(index, queries, hr_index_bits(index) / 8);
  if (bytes[CRC_AT] % 8 == 0) group(index); /* takes as long as all the rest */
  save(index, sound);
  change(index, queries, sound);
  search(index, queries, hr_index_bits(index));
  save(index, false);
  free(queries);
}

static bool try(const uint8_t *data, size_t size, bool verify) {
  hr_index *index;
  uint8_t *bytes = room_for(size);
  if (size) memcpy(bytes, data, size);
  bool opens = !opened(bytes, size, verify, &index);
  if (opens) {
    use(index, bytes, size, verify);
    hr_index_free(index);
  }
  free(bytes);
  return opens;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool chosen;
  if (!chosen) chosen = !hr_isa_select(getenv("HASHRET_ISA"));
  if (!try(data, size, true)) try(data, size, false);
  return 0;
}
