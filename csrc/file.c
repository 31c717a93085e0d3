/* The index file: FORMAT.md, byte by byte. */
#include "index.h"
#include "memory.h"

#define VERSION 1
#define BYTE_ORDER_MARK 0x01020304u
#define SECTIONS 2
#define SECTION_CODES 1
#define SECTION_IDS 2

static const uint8_t magic[8] = {0x89, 'H', 'R', 'I', '\r', '\n', 0x1A, '\n'};

typedef struct {
  uint32_t tag, crc;
  uint64_t offset, size, reserved;
} section;

typedef struct {
  uint8_t magic[8];
  uint32_t version, byte_order, bits, kind, tables, sections;
  uint64_t rows;
  int64_t first_id, next_id;
  char fingerprint[HR_FINGERPRINT_BYTES];
  uint32_t reserved, crc;
  section section[4];
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

static uint32_t crc32_of(const uint8_t *bytes, size_t size) {
  uint32_t table[8][256], crc = 0xFFFFFFFFu;
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
  return crc32_of((const uint8_t *)&copy, sizeof copy);
}

/* --- writing -------------------------------------------------------------------- */

static size_t codes_size(const hr_rows *rows) {
  return hr_rows_blocks(rows) * rows->words * HR_LANES * sizeof(uint64_t);
}

static void add_section(header *h, hr_image *image, uint32_t tag, const void *data, size_t size) {
  section *last = h->sections ? &h->section[h->sections - 1] : NULL;
  /* Codes come first and fill whole 64-byte blocks, so every section is aligned. */
  uint64_t offset = last ? last->offset + last->size : HR_HEADER_BYTES;
  h->section[h->sections++] =
      (section){.tag = tag, .crc = crc32_of(data, size), .offset = offset, .size = size};
  image->chunks[image->count++] = (hr_chunk){data, size};
}

static void fill_image(const hr_index *index, const char *fingerprint, hr_image *image) {
  const hr_rows *rows = &index->base;
  header h = {.version = VERSION,
              .byte_order = BYTE_ORDER_MARK,
              .bits = index->bits,
              .kind = index->kind,
              .tables = index->tables,
              .rows = rows->count,
              .first_id = rows->first_id,
              .next_id = index->next_id};
  memcpy(h.magic, magic, sizeof magic);
  memcpy(h.fingerprint, fingerprint, sizeof h.fingerprint);
  image->chunks[0] = (hr_chunk){image->header, HR_HEADER_BYTES};
  image->count = 1;
  add_section(&h, image, SECTION_CODES, rows->blocks, codes_size(rows));
  if (rows->ids) add_section(&h, image, SECTION_IDS, rows->ids, rows->count * sizeof *rows->ids);
  h.crc = header_crc(&h);
  memcpy(image->header, &h, sizeof h);
}

hr_status hr_image_open(hr_index *index, const char fingerprint[HR_FINGERPRINT_BYTES],
                        hr_image *image) {
  for (;;) {
    hr_lock_shared(&index->lock);
    if (!index->tail.count && !index->base.dead) break;
    hr_unlock_shared(&index->lock);
    hr_lock_exclusive(&index->lock);
    hr_status status = hr_index_flush(index);
    hr_unlock_exclusive(&index->lock);
    if (status) return status;
  }
  fill_image(index, fingerprint, image);
  return HR_OK;
}

void hr_image_close(hr_index *index) { hr_unlock_shared(&index->lock); }

/* --- reading -------------------------------------------------------------------- */

static const char *check_shape(const header *h) {
  if (h->bits < 1 || h->bits > HR_MAX_BITS) return "bits out of range";
  if (h->kind >= HR_KIND_COUNT) return "unknown kind";
  if (h->rows > HR_MAX_ROWS) return "too many rows";
  if (h->kind != HR_LSH && h->tables) return "tables in an index without";
  if (h->kind == HR_LSH &&
      (!h->tables || h->tables > h->bits || h->bits % h->tables || h->bits / h->tables > 64))
    return "impossible number of tables";
  if (h->first_id > INT64_MAX - (int64_t)h->rows) return "ids out of range";
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

/* Finds a section of the expected size; NULL if it is absent or does not fit. */
static const uint8_t *find_section(const uint8_t *bytes, size_t size, const header *h, uint32_t tag,
                                   uint64_t expected, bool verify, const char **reason) {
  for (uint32_t i = 0; i < h->sections && i < SECTIONS; i++) {
    const section *s = &h->section[i];
    if (s->tag != tag) continue;
    if (s->size != expected || s->offset % HR_ALIGNMENT)
      *reason = "a section has the wrong size";
    else if (s->offset > size || s->size > size - s->offset)
      *reason = "the file is truncated";
    else if (verify && s->crc != crc32_of(bytes + s->offset, (size_t)s->size))
      *reason = "a section is damaged";
    return *reason ? NULL : bytes + s->offset;
  }
  return NULL;
}

static const char *check_ids(const hr_rows *rows, int64_t next_id) {
  for (size_t row = 0; row < rows->count; row++) {
    int64_t id = hr_rows_id(rows, row);
    if (id == HR_MISSING_ID || (row && hr_rows_id(rows, row - 1) >= id))
      return "ids are not ascending";
    if (id >= next_id && id != INT64_MAX) return "ids are out of range";
  }
  return NULL;
}

static const char *check_unused_bits(const hr_rows *rows) {
  uint8_t mask[8];
  uint64_t used;
  memset(mask, 0xFF, sizeof mask);
  if (rows->bits % 64) {
    memset(mask, 0, sizeof mask);
    for (uint32_t j = 0; j < rows->bits % 64; j++) mask[j / 8] |= (uint8_t)(0x80u >> j % 8);
  }
  memcpy(&used, mask, sizeof used);
  for (size_t row = 0; row < rows->count; row++)
    if (hr_rows_word(rows, row, rows->words - 1) & ~used) return "codes have bits past the last";
  return NULL;
}

static const char *attach(const uint8_t *bytes, size_t size, const header *h, bool verify,
                          hr_index *index) {
  const char *reason = NULL;
  hr_rows *rows = &index->base;
  rows->count = rows->capacity = (size_t)h->rows;
  rows->first_id = h->first_id;
  rows->borrowed = true;
  index->next_id = h->next_id;
  rows->blocks =
      (uint64_t *)find_section(bytes, size, h, SECTION_CODES, codes_size(rows), verify, &reason);
  if (!rows->blocks) return reason ? reason : "the codes are missing";
  rows->ids = (int64_t *)find_section(bytes, size, h, SECTION_IDS, h->rows * sizeof(int64_t),
                                      verify, &reason);
  if (!reason && verify) reason = check_ids(rows, h->next_id);
  if (!reason && verify) reason = check_unused_bits(rows);
  return reason;
}

hr_status hr_index_open(const uint8_t *bytes, size_t size, bool verify, hr_index **out,
                        char fingerprint[HR_FINGERPRINT_BYTES], const char **reason) {
  header h;
  *reason = check_header(bytes, size, &h);
  if (*reason) return HR_BAD_FORMAT;
  hr_status status = hr_index_create(h.bits, (hr_kind)h.kind, h.tables, out);
  if (status) return status;
  *reason = attach(bytes, size, &h, verify, *out);
  if (*reason) {
    hr_index_free(*out);
    return HR_BAD_FORMAT;
  }
  memcpy(fingerprint, h.fingerprint, HR_FINGERPRINT_BYTES);
  return HR_OK;
}
