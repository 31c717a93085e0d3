/* A picture made smaller: each pixel is a mean of those that lie about its place, by a window:
 * along rows and then along columns, or, if it loses more of its height, the other way round.
 * Weights, order and rounding are those of Pillow's Image.resize from version 13 on, which takes
 * pixel after pixel; here a line is weighed at a time. */
#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "hashret.h"

#define COLOURS 3
#define PRECISION 22 /* bits of a weight after the point */
#define TILE 16      /* rows that are turned at a time */
#define LANES 256    /* that are summed at a time */

/* Of each line of the result: where the lines it is made of start, how many, and their weights. */
typedef struct {
  size_t *first, *count, most;
  double *exact;
  uint32_t *weights;
} recipe;

static double hamming(double x) {
  x = fabs(x);
  if (x == 0) return 1;
  if (x >= 1) return 0;
  x *= 3.14159265358979323846;
  return sin(x) / x * (0.54f + 0.46f * cos(x));
}

static double bilinear(double x) { return fmax(1 - fabs(x), 0); }

static void weigh(recipe *r, size_t line, size_t from, double scale, hr_window window) {
  double centre = ((double)line + 0.5) * scale, sum = 0;
  double low = centre - scale + 0.5, high = centre + scale + 0.5;
  size_t first = low > 0 ? (size_t)low : 0, end = high < (double)from ? (size_t)high : from;
  for (size_t i = first; i < end; i++)
    sum += r->exact[i - first] =
        (window == HR_HAMMING ? hamming : bilinear)(((double)i - centre + 0.5) * (1 / scale));
  for (size_t i = 0; i < end - first; i++)
    r->weights[line * r->most + i] = (uint32_t)(0.5 + r->exact[i] / sum * (1 << PRECISION));
  r->first[line] = first;
  r->count[line] = end - first;
}

static void forget(recipe *r) {
  free(r->first);
  free(r->count);
  free(r->exact);
  free(r->weights);
}

static bool plan(recipe *r, size_t from, size_t to, hr_window window) {
  double scale = (double)from / (double)to;
  *r = (recipe){.most = (size_t)ceil(scale) * 2 + 1};
  r->first = hr_alloc(to, sizeof *r->first);
  r->count = hr_alloc(to, sizeof *r->count);
  r->exact = hr_alloc(r->most, sizeof *r->exact);
  r->weights = hr_alloc(to * r->most, sizeof *r->weights);
  if (!r->first || !r->count || !r->exact || !r->weights) return false;
  for (size_t line = 0; line < to; line++) weigh(r, line, from, scale, window);
  return true;
}

HR_INLINE void add(uint32_t *restrict sums, const uint8_t *restrict line, uint32_t weight,
                   size_t lanes) {
  for (size_t lane = 0; lane < lanes; lane++) sums[lane] += line[lane] * weight;
}

/* Lines become fewer. */
HR_CLONED static void mix(const uint8_t *in, size_t lanes, const recipe *r, size_t to,
                          uint8_t *out) {
  for (size_t line = 0; line < to; line++, out += lanes)
    for (size_t at = 0; at < lanes; at += LANES) {
      uint32_t sums[LANES];
      size_t width = lanes - at < LANES ? lanes - at : LANES;
      for (size_t lane = 0; lane < width; lane++) sums[lane] = 1 << (PRECISION - 1);
      for (size_t i = 0; i < r->count[line]; i++)
        add(sums, in + (r->first[line] + i) * lanes + at, r->weights[line * r->most + i], width);
      for (size_t lane = 0; lane < width; lane++)
        /* Weights of very many pixels, each rounded, may come to more than one. */
        out[at + lane] = (uint8_t)(sums[lane] >> PRECISION < 255 ? sums[lane] >> PRECISION : 255);
    }
}

/* Columns become rows. */
static void turn(const uint8_t *restrict in, size_t rows, size_t columns, uint8_t *restrict out) {
  for (size_t top = 0; top < rows; top += TILE) {
    size_t end = top + TILE < rows ? top + TILE : rows;
    for (size_t column = 0; column < columns; column++)
      for (size_t row = top; row < end; row++)
        memcpy(out + COLOURS * (column * rows + row), in + COLOURS * (row * columns + column),
               COLOURS);
  }
}

/* Memory for a picture between two steps, and the recipes for both directions. */
typedef struct {
  uint8_t *one, *other;
  recipe across, down;
} workshop;

static void across_first(const uint8_t *rgb, const hr_sizes *s, workshop *w, uint8_t *out) {
  turn(rgb, s->rows, s->columns, w->one);
  mix(w->one, COLOURS * s->rows, &w->across, s->out_columns, w->other);
  turn(w->other, s->out_columns, s->rows, w->one);
  mix(w->one, COLOURS * s->out_columns, &w->down, s->out_rows, out);
}

static void down_first(const uint8_t *rgb, const hr_sizes *s, workshop *w, uint8_t *out) {
  mix(rgb, COLOURS * s->columns, &w->down, s->out_rows, w->one);
  turn(w->one, s->out_rows, s->columns, w->other);
  mix(w->other, COLOURS * s->out_rows, &w->across, s->out_columns, w->one);
  turn(w->one, s->out_columns, s->out_rows, out);
}

hr_status hr_shrink(const uint8_t *rgb, const hr_sizes *s, hr_window window, uint8_t *out) {
  size_t most = s->rows * s->columns;
  workshop w = {hr_alloc(most, COLOURS), hr_alloc(most, COLOURS), {0}, {0}};
  bool fits = w.one && w.other && plan(&w.across, s->columns, s->out_columns, window) &&
              plan(&w.down, s->rows, s->out_rows, window);
  bool tall = s->rows - s->out_rows > 2 * (s->columns - s->out_columns);
  if (fits) (tall ? down_first : across_first)(rgb, s, &w, out);
  forget(&w.across);
  forget(&w.down);
  free(w.one);
  free(w.other);
  return fits ? HR_OK : HR_NO_MEMORY;
}
