/* PDQ: a bit for each of the 256 lowest frequencies of a picture, whether it is above the median.
 *
 * Facebook: The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm, 2019. A
 * picture is made grey, blurred twice by a box along each side, sampled at 64 x 64 places, and
 * transformed. Floats are added and divided one after the other as the authors' program does, so
 * that a code is its code to the bit; side by side are only lines that do not depend on each other.
 */
#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "hashret.h"

#define SIDE 64        /* of the blurred picture */
#define FREQUENCIES 16 /* of each direction, but for the constant one */
#define LEAST_SIDE 5   /* of a picture that has a code */
#define TILE 16        /* rows that are turned at a time: floats of a cache line */

/* Some lines of floats, `lanes` each, one below the other. */
typedef struct {
  size_t lines, lanes;
} shape;

/* Two pictures of floats, and the sums of a line. */
typedef struct {
  float *now, *next, *sums;
} buffers;

/* Columns become rows. */
static void turn(const float *restrict in, shape of, float *restrict out) {
  for (size_t top = 0; top < of.lines; top += TILE) {
    size_t end = top + TILE < of.lines ? top + TILE : of.lines;
    for (size_t lane = 0; lane < of.lanes; lane++)
      for (size_t line = top; line < end; line++)
        out[lane * of.lines + line] = in[line * of.lanes + lane];
  }
}

/* ITU-R BT.601, a row for each column of the picture. */
static void turn_grey(const uint8_t *restrict rgb, size_t rows, size_t columns,
                      float *restrict out) {
  double red[256], green[256], blue[256];
  for (int level = 0; level < 256; level++) {
    red[level] = level * 0.299;
    green[level] = level * 0.587;
    blue[level] = level * 0.114;
  }
  for (size_t top = 0; top < rows; top += TILE) {
    size_t end = top + TILE < rows ? top + TILE : rows;
    for (size_t column = 0; column < columns; column++)
      for (size_t row = top; row < end; row++) {
        const uint8_t *pixel = rgb + 3 * (row * columns + column);
        out[column * rows + row] = (float)(red[pixel[0]] + green[pixel[1]] + blue[pixel[2]]);
      }
  }
}

HR_INLINE void add(float *restrict sums, const float *restrict line, size_t lanes) {
  for (size_t lane = 0; lane < lanes; lane++) sums[lane] += line[lane];
}

HR_INLINE void subtract(float *restrict sums, const float *restrict line, size_t lanes) {
  for (size_t lane = 0; lane < lanes; lane++) sums[lane] -= line[lane];
}

HR_INLINE void divide(const float *restrict sums, float by, size_t lanes, float *restrict out) {
  for (size_t lane = 0; lane < lanes; lane++) out[lane] = sums[lane] / by;
}

/* The line that the i-th of `count` lines is taken from. */
static size_t sampled(size_t i, size_t lines, size_t count) {
  return (size_t)(((double)i + 0.5) * (double)lines / (double)count);
}

/* The means of each line and those around it, of `count` lines spread evenly. */
HR_CLONED static void blur(const float *in, shape of, size_t count, float *sums, float *out) {
  size_t window = (of.lines + 2 * SIDE - 1) / (2 * SIDE), ahead = window / 2, done = 0;
  memset(sums, 0, of.lanes * sizeof *sums);
  for (size_t last = 0; done < count; last++) {
    if (last < of.lines) add(sums, in + last * of.lanes, of.lanes);
    if (last >= window) subtract(sums, in + (last - window) * of.lanes, of.lanes);
    size_t summed =
        (last < window ? last + 1 : window) - (last < of.lines ? 0 : last + 1 - of.lines);
    for (; done < count && sampled(done, of.lines, count) + ahead == last; done++)
      divide(sums, (float)summed, of.lanes, out + done * of.lanes);
  }
}

/* Of the picture in b->now, columns as rows, leaves 64 x 64 in b->next. */
static void shrink(buffers *b, size_t rows, size_t columns) {
  shape upright = {rows, columns}, turned = {columns, rows};
  if (rows == SIDE && columns == SIDE) {
    turn(b->now, turned, b->next);
    return;
  }
  blur(b->now, turned, columns, b->sums, b->next);
  turn(b->next, turned, b->now);
  blur(b->now, upright, rows, b->sums, b->next);
  turn(b->next, upright, b->now);
  blur(b->now, turned, SIDE, b->sums, b->next);
  turn(b->next, (shape){SIDE, rows}, b->now);
  blur(b->now, (shape){rows, SIDE}, SIDE, b->sums, b->next);
}

static int step(float from, float to) { return abs((int)((from - to) * 100 / 255)); }

/* How much there is to see, up to 100. */
static int quality_of(const float *picture) {
  int steps = 0;
  for (size_t i = 0; i < SIDE - 1; i++)
    for (size_t j = 0; j < SIDE; j++) {
      steps += step(picture[i * SIDE + j], picture[(i + 1) * SIDE + j]);
      steps += step(picture[j * SIDE + i], picture[j * SIDE + i + 1]);
    }
  return steps / 90 < 100 ? steps / 90 : 100;
}

static void transform(const float *picture, float out[FREQUENCIES][FREQUENCIES]) {
  float waves[SIDE][FREQUENCIES], half[FREQUENCIES][SIDE] = {{0}};
  const float scale = (float)sqrt(2.0 / SIDE);
  const double turn = 3.14159265358979323846 / 2.0 / SIDE;
  for (int k = 0; k < SIDE; k++)
    for (int i = 0; i < FREQUENCIES; i++)
      waves[k][i] = (float)(scale * cos(turn * (i + 1) * (2 * k + 1)));
  for (size_t i = 0; i < FREQUENCIES; i++)
    for (size_t k = 0; k < SIDE; k++)
      for (size_t j = 0; j < SIDE; j++) half[i][j] += waves[k][i] * picture[k * SIDE + j];
  memset(out, 0, FREQUENCIES * sizeof *out);
  for (size_t i = 0; i < FREQUENCIES; i++)
    for (size_t k = 0; k < SIDE; k++)
      for (size_t j = 0; j < FREQUENCIES; j++) out[i][j] += half[i][k] * waves[k][j];
}

static int by_value(const void *a, const void *b) {
  float x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* The last bit of the code is that of the lowest frequencies. */
static void code_of(const float *frequencies, uint8_t code[HR_PDQ_BYTES]) {
  float sorted[8 * HR_PDQ_BYTES];
  memcpy(sorted, frequencies, sizeof sorted);
  qsort(sorted, 8 * HR_PDQ_BYTES, sizeof *sorted, by_value);
  float median = sorted[4 * HR_PDQ_BYTES - 1];
  for (size_t i = 0; i < 8 * HR_PDQ_BYTES; i++)
    if (frequencies[i] > median) code[HR_PDQ_BYTES - 1 - i / 8] |= (uint8_t)(1 << i % 8);
}

hr_status hr_pdq(const uint8_t *rgb, size_t rows, size_t columns, uint8_t code[HR_PDQ_BYTES],
                 int *quality) {
  memset(code, 0, HR_PDQ_BYTES);
  *quality = 0;
  if (rows < LEAST_SIDE || columns < LEAST_SIDE) return HR_OK;
  /* A side that is less than 64 pixels long is stretched. */
  size_t lines = rows > SIDE ? rows : SIDE, lanes = columns > SIDE ? columns : SIDE;
  if (lanes > SIZE_MAX / 3 / lines) return HR_NO_MEMORY;
  float *memory = hr_alloc(2 * lines * lanes + lines + lanes, sizeof *memory);
  if (!memory) return HR_NO_MEMORY;
  buffers b = {memory, memory + lines * lanes, memory + 2 * lines * lanes};
  turn_grey(rgb, rows, columns, b.now);
  shrink(&b, rows, columns);
  float frequencies[FREQUENCIES][FREQUENCIES];
  *quality = quality_of(b.next);
  transform(b.next, frequencies);
  code_of(&frequencies[0][0], code);
  free(memory);
  return HR_OK;
}
