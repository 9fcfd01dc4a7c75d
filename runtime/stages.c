/* Maps of stages; see stages.h, and "Version 4" in the format of programs. A number stands for the integer 2^13 times as large. */
#include "stages.h"

enum { ONE = 1 << 13, LIMIT = 1 << 21, LAST = 1 << 14, READS = 9 };
static const double FAR = 1 << 24; /* beyond it, a number is cut off whatever is added */

/* The memory of an upsampler: for a row of sites, and for the coarse grid. */
typedef struct {
  int32_t *canvas, *x, *more, *map, *vector, *states, *keys, *values, *queries, *mean, *sums, *row;
  int64_t *wide, *scores;
  uint8_t *bytes;
  const int32_t **reads;
} buffers;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static int32_t cut(int64_t x) { return (int32_t)(x < -LIMIT ? -LIMIT : x > LIMIT ? LIMIT : x); }

static int64_t floored(double x) {
  double within = x < -FAR ? -FAR : x > FAR ? FAR : x;
  int64_t whole = (int64_t)within;
  return whole - (within < (double)whole);
}
/* Twice rounded, as everywhere: a product and a sum must not become one instruction. */
static int64_t product(double a, double b) {
  volatile double both = a * b;
  return floored(both + 0.5);
}
/* A feature of a condition in steps of 2^-13. */
static int32_t fixed(int32_t x, double unit) {
  volatile double feature = x * unit;
  return cut(product(feature, ONE));
}

/* Scale the sums of a site, and add the bias. */
static void finish(const pt_filter *f, const int64_t *sums, int32_t *to) {
  for (int64_t o = 0; o < f->outputs; o++) to[o] = (int32_t)product((double)sums[o], f->scale[o]) + f->bias[o];
}

/* Apply a layer of 16 bits to `sites` sites: `reads` has the inputs at the `taps` taps of each; NULL is zeros. */
static void apply(const pt_filter *f, int64_t sites, int32_t taps, const buffers *s, int32_t *to) {
  int64_t n = f->inputs, m = f->outputs;
  for (int64_t site = 0; site < sites; site++) {
    for (int64_t o = 0; o < m; o++) s->wide[o] = 0;
    for (int32_t tap = 0; tap < taps; tap++) {
      const int32_t *x = s->reads[site * taps + tap];
      const int16_t *weights = f->weights + tap * n * m;
      for (int64_t i = 0; x && i < n; i++)
        for (int64_t o = 0; o < m; o++) s->wide[o] += (int64_t)x[i] * weights[i * m + o];
    }
    finish(f, s->wide, to + site * m);
  }
}

/* Apply a layer of bytes; `packed[phase]` has the weights of the taps that are read. */
static void apply_bytes(const pt_filter *f, int64_t sites, int32_t taps, int32_t phase, const buffers *s, int32_t *to) {
  int64_t n = f->inputs, m = f->outputs, width = (taps * n + 3) / 4 * 4;
  for (int64_t k = 0; k < sites * width; k++) s->bytes[k] = 0;
  for (int64_t k = 0; k < sites * taps; k++) {
    const int32_t *x = s->reads[k];
    uint8_t *bytes = s->bytes + k / taps * width + k % taps * n;
    for (int64_t i = 0; x && i < n; i++) {
      int32_t value = (x[i] + (1 << f->cut[i] >> 1)) >> f->cut[i];
      bytes[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
  pt_product(s->bytes, f->packed[phase], sites, width / 4, m, s->sums, PT_BEST);
  for (int64_t site = 0; site < sites; site++) {
    for (int64_t o = 0; o < m; o++) s->wide[o] = s->sums[site * m + o];
    finish(f, s->wide, to + site * m);
  }
}

/* Apply a layer to each site alone. */
static void apply_alone(const pt_filter *f, int64_t sites, const int32_t *x, const buffers *s, int32_t *to) {
  for (int64_t site = 0; site < sites; site++) {
    s->reads[0] = x + site * f->inputs;
    apply(f, 1, 1, s, to + site * f->outputs);
  }
}

static void cut_all(int32_t *x, int64_t count) {
  for (int64_t k = 0; k < count; k++) x[k] = cut(x[k]);
}

/* Convolve a map, with zeros beyond the border. */
static void convolve(const pt_filter *f, int64_t height, int64_t width, int64_t dilation, const int32_t *x, const buffers *s, int32_t *to) {
  int32_t taps = f->side * f->side;
  for (int64_t row = 0; row < height; row++) {
    for (int64_t k = 0; k < width * taps; k++) {
      int64_t tap = k % taps, reach = f->side / 2;
      int64_t y = row + (tap / f->side - reach) * dilation, z = k / taps + (tap % f->side - reach) * dilation;
      s->reads[k] = y < 0 || z < 0 || y >= height || z >= width ? 0 : x + (y * width + z) * f->inputs;
    }
    int32_t *line = to + row * width * f->outputs;
    if (f->packed) apply_bytes(f, width, taps, 0, s, line);
    else apply(f, width, taps, s, line);
  }
}

/* The site in the picture of a site of the coarse grid. */
static int64_t site_of(const pt_picture *p, int64_t width, int64_t site) {
  return site / width * p->down * p->width + site % width * p->right;
}

/* Attend from each of `sites` sites to the tokens of the picture. */
static void attend(const pt_upsampler *u, const int32_t *tokens, int64_t sites, const buffers *s) {
  const pt_attention *a = u->attention;
  const double *units = u->units[PT_TOKENS];
  int64_t count = a->num_tokens, inner = a->keys.outputs, each = inner / a->heads;
  for (int64_t k = 0; k < count * a->keys.inputs; k++) s->states[k] = fixed(tokens[count + k], units[count + k]);
  apply_alone(&a->keys, count, s->states, s, s->keys);
  apply_alone(&a->values, count, s->states, s, s->values);
  apply_alone(&a->query, sites, s->x, s, s->queries);
  cut_all(s->keys, count * inner), cut_all(s->values, count * inner), cut_all(s->queries, sites * inner);
  for (int64_t k = 0; k < sites * a->heads; k++) {
    int64_t start = k / a->heads * inner + k % a->heads * each, head = k % a->heads * each, best = INT64_MIN, total = 0;
    for (int64_t t = 0; t < count; t++) {
      if (tokens[t] <= 0) continue;
      s->scores[t] = 0;
      for (int64_t i = 0; i < each; i++) s->scores[t] += (int64_t)s->queries[start + i] * s->keys[t * inner + head + i];
      best = larger(best, s->scores[t]);
    }
    for (int64_t i = 0; i < each; i++) s->wide[i] = 0;
    for (int64_t t = 0; t < count; t++) {
      if (tokens[t] <= 0) continue;
      int64_t below = product((double)(best - s->scores[t]), a->step), weight = a->exponentials[below < LAST ? below : LAST];
      total += weight;
      for (int64_t i = 0; i < each; i++) s->wide[i] += weight * s->values[t * inner + head + i];
    }
    for (int64_t i = 0; i < each; i++) s->mean[start + i] = (int32_t)floored((double)s->wide[i] / (double)larger(total, 1) + 0.5);
  }
  apply_alone(&a->out, sites, s->mean, s, s->more);
}

/* Spread the features of the coarse grid over the finer one: a pixel of it reads one or two on each axis. */
static void spread(const pt_upsampler *u, const pt_picture *p, int64_t height, int64_t width, const buffers *s) {
  int64_t rows = (p->height + p->down / u->down - 1) / (p->down / u->down), columns = (p->width + p->right / u->right - 1) / (p->right / u->right);
  int64_t m = u->spread.outputs, n = u->spread.inputs;
  for (int64_t row = 0; row < rows; row++)
    for (int32_t a = (int32_t)(row % u->down), b = 0; b < u->right; b++) {
      int32_t across = 1 + (b > 0), taps = (1 + (a > 0)) * across;
      for (int64_t k = 0; k < width * taps; k++) {
        int64_t y = row / u->down + k % taps / across, x = k / taps + k % taps % across;
        s->reads[k] = y < height && x < width ? s->x + (y * width + x) * n : 0;
      }
      apply_bytes(&u->spread, width, taps, a * u->right + b, s, s->row);
      for (int64_t k = 0; k < width * m; k++) {
        int64_t column = k / m * u->right + b, c = k % m;
        if (column >= columns) continue;
        int64_t whole = floored((double)cut(s->row[k]) / ONE / u->map_units[c] + 0.5);
        p->map[(row * columns + column) * p->map_channels + p->map_channels - m + c] = (int32_t)(whole < -128 ? -128 : whole > 127 ? 127 : whole);
      }
    }
}

/* Lay out the memory of an upsampler from `base` on, and return its end. */
static int64_t lay_out(const pt_upsampler *u, int64_t height, int64_t width, buffers *s, uint8_t *base) {
  const pt_attention *a = u->attention;
  int64_t at = 0, sites = height * width, m = u->first.outputs, widest = larger(m, u->spread.outputs);
  int64_t inner = a ? a->keys.outputs : 0, tokens = a ? a->num_tokens : 0;
  PT_TAKE(s->canvas, 4 * sites * u->channels * u->each);
  PT_TAKE(s->x, 4 * sites * m);
  PT_TAKE(s->more, 4 * sites * m);
  PT_TAKE(s->map, u->map ? 4 * sites * u->map->inputs : 0);
  PT_TAKE(s->vector, u->vector ? 4 * u->vector->inputs : 0);
  PT_TAKE(s->states, a ? 4 * tokens * a->keys.inputs : 0);
  PT_TAKE(s->keys, 4 * tokens * inner);
  PT_TAKE(s->values, 4 * tokens * inner);
  PT_TAKE(s->queries, 4 * sites * inner);
  PT_TAKE(s->mean, 4 * sites * inner);
  PT_TAKE(s->sums, 4 * width * widest);
  PT_TAKE(s->row, 4 * width * u->spread.outputs);
  PT_TAKE(s->wide, 8 * larger(widest, inner));
  PT_TAKE(s->scores, 8 * tokens);
  PT_TAKE(s->bytes, width * (READS * m + 3));
  PT_TAKE(s->reads, (int64_t)sizeof(int32_t *) * width * READS);
  return at;
}

/* Add numbers to the features of the coarse sites: the same `period` of them again and again. */
static void add(const buffers *s, int64_t count, int64_t period) {
  for (int64_t k = 0; k < count; k++) s->x[k] = cut(s->x[k] + s->more[k % period]);
}

/* Add the conditions. */
static void condition(const pt_upsampler *u, const pt_picture *p, int64_t height, int64_t width, const buffers *s) {
  int64_t sites = height * width, m = u->first.outputs, n = u->map ? u->map->inputs : 0;
  const int32_t *vector = p->conditions[PT_VECTOR], *map = p->conditions[PT_MAP];
  if (u->vector) {
    for (int32_t i = 0; i < u->vector->inputs; i++) s->vector[i] = fixed(vector[i], u->units[PT_VECTOR][i]);
    apply_alone(u->vector, 1, s->vector, s, s->more);
    add(s, sites * m, m);
  }
  if (u->map) {
    for (int64_t k = 0; k < sites * n; k++) s->map[k] = fixed(map[site_of(p, width, k / n) * n + k % n], u->units[PT_MAP][k % n]);
    convolve(u->map, height, width, 1, s->map, s, s->more);
    add(s, sites * m, sites * m);
  }
  if (u->attention) {
    attend(u, p->conditions[PT_TOKENS], sites, s);
    add(s, sites * m, sites * m);
  }
}

int64_t pt_upsample(const pt_upsampler *u, const pt_picture *p, void *memory) {
  int64_t height = (p->height + p->down - 1) / p->down, width = (p->width + p->right - 1) / p->right, sites = height * width;
  int64_t m = u->first.outputs, inside = (int64_t)u->channels * u->each, pixels = (int64_t)p->height * p->width;
  buffers s;
  int64_t bytes = lay_out(u, height, width, &s, memory);
  if (!memory) return bytes;
  for (int64_t k = 0; k < sites * inside; k++) {
    int64_t level = p->levels[k % inside / u->each * pixels + site_of(p, width, k / inside)];
    s.canvas[k] = u->levels[level * u->each + k % u->each];
  }
  convolve(&u->first, height, width, 1, s.canvas, &s, s.x);
  cut_all(s.x, sites * m);
  condition(u, p, height, width, &s);
  for (int32_t block = 0; block < u->num_blocks; block++) {
    convolve(u->blocks + block, height, width, u->dilations[block], s.x, &s, s.more);
    add(&s, sites * m, sites * m);
  }
  spread(u, p, height, width, &s);
  return bytes;
}
