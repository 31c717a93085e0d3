/* Writing and reading the index file: FORMAT.md, byte by byte. */
#include "base/memory.h"
#include "index/internal.h"
#include "storage/blocks.h"

#define VERSION 1
#define BYTE_ORDER_MARK 0x01020304u
#define SECTION_CODES 1
#define SECTION_IDS 2
#define SECTION_POSTINGS 3
#define SECTION_TABLES 4
#define SECTION_LISTS 5
#define MAX_SECTIONS 4 /* of these */
#define MAX_TAG 5

static const uint8_t magic[8] = {0x89, 'H', 'R', 'I', '\r', '\n', 0x1A, '\n'};

typedef struct {
  uint32_t tag, crc;
  uint64_t offset, size, count;
} section;

typedef struct {
  uint8_t magic[8];
  uint32_t version, byte_order, bits, kind, tables, sections;
  uint64_t rows;
  int64_t first_id, next_id;
  char fingerprint[HR_FINGERPRINT_BYTES];
  uint32_t recall, crc;
  section section[MAX_SECTIONS];
} header;

_Static_assert(sizeof(header) == HR_HEADER_BYTES, "the header has no padding");

/* --- CRC-32 (IEEE 802.3), eight bytes a step ----------------------------------- */

static void crc_tables(uint32_t table[8][256]) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    table[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int t = 1; t < 8; t++)
      table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xFF];
}

/* Goes on from the CRC of what came before, 0 at first. */
static uint32_t crc32(uint32_t before, const uint8_t *bytes, size_t size) {
  uint32_t table[8][256], crc = ~before;
  crc_tables(table);
  for (; size >= 8; size -= 8, bytes += 8) {
    uint32_t low = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                          (uint32_t)bytes[3] << 24);
    crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^
          table[4][low >> 24] ^ table[3][bytes[4]] ^ table[2][bytes[5]] ^ table[1][bytes[6]] ^
          table[0][bytes[7]];
  }
  for (; size; size--, bytes++) crc = crc >> 8 ^ table[0][(crc ^ *bytes) & 0xFF];
  return ~crc;
}

/* The header's CRC, over the header with its crc field zero. */
static uint32_t header_crc(const header *h) {
  header copy = *h;
  copy.crc = 0;
  return crc32(0, (const uint8_t *)&copy, sizeof copy);
}

typedef struct {
  header h;
  hr_snapshot *snapshot;
} writing;

static size_t padding(size_t size) { return (HR_ALIGNMENT - size % HR_ALIGNMENT) % HR_ALIGNMENT; }

/* Sections follow one another; all but the last fill whole multiples of 64 bytes. */
static void begin_section(writing *w, uint32_t tag, uint64_t count) {
  const section *last = w->h.sections ? &w->h.section[w->h.sections - 1] : NULL;
  uint64_t offset = last ? last->offset + last->size : HR_HEADER_BYTES;
  w->h.section[w->h.sections++] = (section){.tag = tag, .offset = offset, .count = count};
}

static const uint8_t zeros[HR_ALIGNMENT];

static void put(writing *w, const void *data, size_t size) {
  section *s = &w->h.section[w->h.sections - 1];
  if (size) w->snapshot->spans[w->snapshot->count++] = (hr_span){data, size};
  s->crc = crc32(s->crc, data, size);
  s->size += size;
}

/* Appends an array and fills up with zeros. */
static void put_padded(writing *w, const void *data, size_t size) {
  put(w, data, size);
  put(w, zeros, padding(size));
}

static void put_postings(writing *w, const hr_postings *postings) {
  begin_section(w, SECTION_POSTINGS, 0);
  put_padded(w, postings->order, postings->rows.count * sizeof *postings->order);
  if (postings->starts) put_padded(w, postings->starts, (postings->entries + 1) * sizeof(uint32_t));
}

static void put_tables(writing *w, const hr_mih *mih) {
  hr_span parts[HR_MIH_PARTS];
  size_t count = hr_mih_parts(mih, parts);
  begin_section(w, SECTION_TABLES, 0);
  for (size_t i = 0; i < count; i++) put_padded(w, parts[i].data, parts[i].size);
}

static void put_lists(writing *w, const hr_ivf *ivf) {
  hr_span parts[HR_IVF_PARTS];
  hr_ivf_parts(ivf, parts);
  begin_section(w, SECTION_LISTS, 0);
  for (size_t i = 0; i < HR_IVF_PARTS; i++) put_padded(w, parts[i].data, parts[i].size);
}

/* Ids come last: they need not fill a multiple of 64 bytes. */
static void put_sections(writing *w, const hr_index *index) {
  const hr_postings *sorted = index->postings;
  const hr_segment *rows = sorted ? &sorted->rows : &index->main;
  begin_section(w, SECTION_CODES, sorted ? sorted->entries : 0);
  put(w, sorted ? sorted->blocks : rows->blocks,
      hr_block_bytes(sorted ? sorted->entries : rows->count, rows->words));
  if (sorted) put_postings(w, sorted);
  if (index->mih) put_tables(w, index->mih);
  if (index->ivf) put_lists(w, index->ivf);
  if (!rows->ids) return;
  begin_section(w, SECTION_IDS, 0);
  put(w, rows->ids, rows->count * sizeof *rows->ids);
}

static void fill_snapshot(const hr_index *index, const char *fingerprint, hr_snapshot *snapshot) {
  const hr_segment *rows = index->postings ? &index->postings->rows : &index->main;
  writing w = {.h = {.version = VERSION,
                     .byte_order = BYTE_ORDER_MARK,
                     .bits = index->bits,
                     .kind = index->kind,
                     .tables = index->tables,
                     .rows = rows->count,
                     .first_id = rows->first_id,
                     .next_id = index->next_id,
                     .recall = index->recall},
               .snapshot = snapshot};
  memcpy(w.h.magic, magic, sizeof magic);
  memcpy(w.h.fingerprint, fingerprint, sizeof w.h.fingerprint);
  snapshot->count = 0;
  snapshot->spans[snapshot->count++] = (hr_span){snapshot->header, HR_HEADER_BYTES};
  put_sections(&w, index);
  w.h.crc = header_crc(&w.h);
  memcpy(snapshot->header, &w.h, sizeof w.h);
}

hr_status hr_snapshot_open(hr_index *index, const char fingerprint[HR_FINGERPRINT_BYTES],
                           const int *cancel, hr_snapshot *snapshot) {
  hr_status status = hr_index_prepare_all(index, cancel);
  if (!status) fill_snapshot(index, fingerprint, snapshot);
  return status;
}

/* --- reading --------------------------------------------------------------------
 *
 * What reads or checks returns the reason why it cannot, NULL if there is none. */

static const char out_of_memory[] = "out of memory";
static const char wrong_size[] = "a section has the wrong size";
static const char damaged_postings[] = "postings are damaged";

static const char *check_shape(const header *h) {
  if (h->bits < 1 || h->bits > HR_MAX_BITS) return "bits out of range";
  if (h->kind >= HR_KIND_COUNT) return "unknown kind";
  if (h->rows > HR_MAX_ROWS) return "too many rows";
  if (h->kind == HR_SCAN && h->tables) return "tables in an index without";
  if ((h->kind == HR_MIH || h->kind == HR_AUTO) &&
      !(h->tables <= HR_MAX_SUBSTRINGS && h->tables <= h->bits) &&
      !(h->tables >= HR_TABLES_FOR_RADIUS && h->tables - HR_TABLES_FOR_RADIUS < h->bits))
    return "impossible number of tables";
  if (h->kind == HR_LSH &&
      (!h->tables || h->tables > h->bits || h->bits % h->tables || h->bits / h->tables > 64))
    return "impossible number of tables";
  if (h->kind == HR_APPROXIMATE && (h->tables || !h->recall || h->recall > HR_MAX_RECALL))
    return "impossible recall";
  int64_t beyond_first = h->rows ? (int64_t)h->rows - 1 : 0;
  if (h->first_id > INT64_MAX - beyond_first || h->next_id < 0) return "ids out of range";
  return NULL;
}

static const char *check_header(const uint8_t *bytes, size_t size, header *h) {
  if (size < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
    return "not a hashret index (its first bytes differ)";
  if (size < sizeof *h) return "the file is truncated";
  memcpy(h, bytes, sizeof *h);
  if (h->byte_order != BYTE_ORDER_MARK) return "written for machines of the other byte order";
  if (h->version != VERSION) return "of a format version this build does not know";
  if (h->crc != header_crc(h)) return "the header is damaged";
  return check_shape(h);
}

typedef struct {
  const uint8_t *bytes;
  const header *h;
  bool verify;
  const section *found[MAX_TAG + 1]; /* by tag; NULL: absent */
} reading;

static const void *data_of(const reading *r, uint32_t tag) {
  return r->found[tag] ? r->bytes + r->found[tag]->offset : NULL;
}

static const char *find_sections(reading *r, size_t size) {
  for (uint32_t i = 0; i < r->h->sections && i < MAX_SECTIONS; i++) {
    const section *s = &r->h->section[i];
    if (s->tag > MAX_TAG || r->found[s->tag]) continue;
    if (s->offset % HR_ALIGNMENT) return "a section has the wrong place";
    if (s->offset > size || s->size > size - s->offset) return "the file is truncated";
    if (r->verify && s->crc != crc32(0, r->bytes + s->offset, (size_t)s->size))
      return "a section is damaged";
    r->found[s->tag] = s;
  }
  return r->found[SECTION_CODES] ? NULL : "the codes are missing";
}

/* Takes as long as the section is: the rows without one are only a number in the header. */
static const char *check_ids(const hr_segment *rows) {
  static const char reason[] = "ids are not ascending";
  if (!rows->ids)
    return rows->first_id <= HR_MISSING_ID && HR_MISSING_ID - rows->first_id < (int64_t)rows->count
               ? reason
               : NULL;
  for (size_t row = 0; row < rows->count; row++)
    if (rows->ids[row] == HR_MISSING_ID || (row && rows->ids[row - 1] >= rows->ids[row]))
      return reason;
  return NULL;
}

/* The largest id, which is looked at even in a file that is mapped unchecked: ids to come
 * go on from there. */
static const char *check_last_id(const hr_segment *rows, int64_t next_id) {
  if (!rows->count) return NULL;
  int64_t last = hr_segment_id(rows, rows->count - 1);
  return last >= next_id && last != INT64_MAX ? "ids are out of range" : NULL;
}

static const char *check_unused_bits(const uint64_t *blocks, size_t count, uint32_t bits) {
  uint8_t mask[8] = {0};
  uint64_t used;
  for (uint32_t j = 0; j < (bits - 1) % 64 + 1; j++) mask[j / 8] |= (uint8_t)(0x80u >> j % 8);
  memcpy(&used, mask, sizeof used);
  size_t words = (bits + 63) / 64;
  for (size_t row = 0; row < count; row++)
    if (hr_code_at(blocks, words, row)[(words - 1) * HR_LANES] & ~used)
      return "codes have bits past the last";
  return NULL;
}

static const char *attach_codes(const reading *r, size_t count, uint64_t **blocks) {
  uint32_t bits = r->h->bits;
  if (r->found[SECTION_CODES]->size != hr_block_bytes(count, (bits + 63) / 64)) return wrong_size;
  *blocks = (uint64_t *)data_of(r, SECTION_CODES);
  return r->verify ? check_unused_bits(*blocks, count, bits) : NULL;
}

static const char *attach_ids(const reading *r, hr_segment *rows) {
  const section *ids = r->found[SECTION_IDS];
  rows->count = rows->capacity = (size_t)r->h->rows;
  rows->first_id = r->h->first_id;
  rows->borrowed = true;
  if (ids && ids->size != rows->count * sizeof *rows->ids) return wrong_size;
  rows->ids = (int64_t *)data_of(r, SECTION_IDS);
  const char *reason = check_last_id(rows, r->h->next_id);
  return !reason && r->verify ? check_ids(rows) : reason;
}

static const char *attach_rows(const reading *r, hr_segment *rows) {
  rows->borrowed = true;
  if (r->found[SECTION_CODES]->count) return "the postings are missing";
  const char *reason = attach_codes(r, (size_t)r->h->rows, &rows->blocks);
  return reason ? reason : attach_ids(r, rows);
}

static const char *check_starts(const hr_postings *postings) {
  const uint32_t *starts = postings->starts;
  if (starts[0] || starts[postings->entries] != postings->rows.count) return damaged_postings;
  for (size_t e = 0; e < postings->entries; e++)
    if (starts[e] >= starts[e + 1]) return damaged_postings;
  return NULL;
}

/* Every row is listed once. */
static const char *check_order(const hr_postings *postings) {
  const char *reason = NULL;
  size_t count = postings->rows.count;
  uint8_t *listed = hr_alloc_zero(count / 8 + 1, 1);
  if (!listed) return out_of_memory;
  for (size_t i = 0; i < count && !reason; i++) {
    uint32_t row = postings->order[i];
    if (row >= count || hr_bit(listed, row))
      reason = damaged_postings;
    else
      hr_set_bit(listed, row);
  }
  free(listed);
  return reason;
}

static const char *attach_postings(const reading *r, hr_postings *postings) {
  size_t size = (size_t)r->found[SECTION_POSTINGS]->size;
  size_t order = postings->rows.count * sizeof *postings->order;
  size_t starts = (postings->entries + 1) * sizeof *postings->starts;
  order += padding(order);
  postings->order = (uint32_t *)data_of(r, SECTION_POSTINGS);
  if (size == order + starts + padding(starts))
    postings->starts = postings->order + order / sizeof *postings->order;
  else if (size != order || postings->entries != postings->rows.count)
    return wrong_size;
  if (!r->verify) return NULL;
  const char *reason = postings->starts ? check_starts(postings) : NULL;
  return reason ? reason : check_order(postings);
}

static const char *attach_tables(const reading *r, hr_index *index) {
  const section *tables = r->found[SECTION_TABLES];
  if (!tables) return NULL;
  hr_status status =
      hr_mih_open(index->postings, data_of(r, SECTION_TABLES), (size_t)tables->size, &index->mih);
  if (status == HR_NO_MEMORY) return out_of_memory;
  return status ? "the tables are damaged" : NULL;
}

static const char *attach_lists(const reading *r, hr_index *index) {
  const section *lists = r->found[SECTION_LISTS];
  if (!lists || index->kind != HR_APPROXIMATE) return NULL;
  hr_status status =
      hr_ivf_open(index->postings, data_of(r, SECTION_LISTS), (size_t)lists->size, &index->ivf);
  if (status == HR_NO_MEMORY) return out_of_memory;
  return status ? "the lists are damaged" : NULL;
}

static const char *attach_sorted(const reading *r, hr_index *index) {
  uint64_t entries = r->found[SECTION_CODES]->count;
  if (!entries || entries > r->h->rows) return "an impossible number of codes";
  hr_postings *postings = index->postings = hr_alloc_zero(1, sizeof *postings);
  if (!postings) return out_of_memory;
  hr_segment_init(&postings->rows, r->h->bits);
  postings->words = postings->rows.words;
  postings->entries = (size_t)entries;
  postings->borrowed = true;
  const char *reason = attach_codes(r, postings->entries, &postings->blocks);
  if (!reason) reason = attach_ids(r, &postings->rows);
  if (!reason) reason = attach_postings(r, postings);
  if (!reason) reason = attach_lists(r, index);
  return reason || index->kind == HR_APPROXIMATE ? reason : attach_tables(r, index);
}

static const char *attach(reading *r, size_t size, hr_index *index) {
  index->next_id = r->h->next_id;
  const char *reason = find_sections(r, size);
  if (reason) return reason;
  bool sorts = index->kind != HR_SCAN && index->kind != HR_LSH;
  return sorts && r->found[SECTION_POSTINGS] ? attach_sorted(r, index)
                                             : attach_rows(r, &index->main);
}

hr_status hr_index_open(const uint8_t *bytes, size_t size, bool verify, hr_index **out,
                        char fingerprint[HR_FINGERPRINT_BYTES], const char **reason) {
  header h;
  *reason = check_header(bytes, size, &h);
  if (*reason) return HR_BAD_FORMAT;
  uint32_t recall = h.kind == HR_APPROXIMATE ? h.recall : 0;
  hr_status status = hr_index_create(h.bits, (hr_kind)h.kind, h.tables, recall, out);
  if (status) return status;
  reading r = {.bytes = bytes, .h = &h, .verify = verify};
  *reason = attach(&r, size, *out);
  if (*reason) {
    hr_index_free(*out);
    return *reason == out_of_memory ? HR_NO_MEMORY : HR_BAD_FORMAT;
  }
  memcpy(fingerprint, h.fingerprint, HR_FINGERPRINT_BYTES);
  return HR_OK;
}
