/* Particles; see particles.h. Part of pointillist.c.

   Doucet, de Freitas & Gordon 2001, "Sequential Monte Carlo Methods in Practice"; Carpenter, Clifford & Fearnhead 1999,
   "Improved particle filter for nonlinear problems" (systematic resampling). */
#include "particles.h"

enum { LEAST_EXPONENT = -1000 }; /* below the largest weight: less counts as 0 */

/* Rounded to float64: a product and a sum must not become one instruction. */
static double rounded_product(double a, double b) {
  volatile double both = a * b;
  return both;
}

/* Weights over the power of two of the largest; return its exponent, or 0 if all are 0. */
static i64 relative_weights(const pt_particles *s, double *to) {
  i64 most = INT64_MIN;
  for (i64 b = 0; b < s->count; b++)
    if (s->weights[b] > 0) most = larger(most, s->exponents[b]);
  for (i64 b = 0; b < s->count; b++) {
    i64 below = s->weights[b] > 0 ? s->exponents[b] - most : LEAST_EXPONENT - 1;
    union { u64 bits; double number; } power = {(u64)(1023 + larger(below, LEAST_EXPONENT)) << 52};
    to[b] = below < LEAST_EXPONENT ? 0 : s->weights[b] * power.number;
  }
  return most == INT64_MIN ? 0 : most;
}

/* Draw an ancestor for each particle in proportion to its weight, if their effective sample size is below half; then the
   weights are 1, and the marginal likelihood grows by their mean. A particle that survives stays where it is. Return 0 if nothing changes. */
static int choose_ancestors(pt_particles *s, double uniform, double *weights, i64 *offspring, i64 *ancestors) {
  i64 exponent = relative_weights(s, weights), count = s->count, number = 0, source = 0;
  double total = 0, squares = 0, reached = 0;
  for (i64 b = 0; b < count; b++) total += weights[b], squares += rounded_product(weights[b], weights[b]);
  if (rounded_product(total, total) >= rounded_product(squares, (double)count / 2)) return 0;
  if (!(uniform >= 0 && uniform < 1)) uniform = 0;
  for (i64 b = 0; b < count; b++) {
    reached += weights[b], offspring[b] = 0;
    while (number < count && (b == count - 1 || rounded_product(((double)number + uniform) / (double)count, total) < reached))
      offspring[b]++, number++;
  }
  scale_by(&s->marginal, &s->marginal_exponent, total / (double)count);
  s->marginal_exponent += exponent;
  for (i64 b = 0; b < count; b++) {
    ancestors[b] = b, s->weights[b] = 0.5, s->exponents[b] = 1;
    if (offspring[b]) continue;
    while (offspring[source] < 2) source++;
    ancestors[b] = source, offspring[source]--;
  }
  return 1;
}

/* Let each particle continue from the history of its ancestor, which stays where it is: all copies of the run, the rows
   of the levels so far, and the mask. */
static void copy_histories(pt_run *r, pt_particles *s, const i64 *ancestors, i64 row) {
  i64 channels = r->p.header[H_CHANNELS], plane = r->height * r->width;
  for (i64 b = 0; b < s->count; b++) {
    i64 a = ancestors[b];
    if (a == b) continue;
    for (i64 i = 0; i < r->num_blocks; i++) {
      const block *k = r->blocks + i;
      for (i64 slot = 0; slot < k->slots * (r->batch / s->count); slot++) {
        u8 *at = (u8 *)r + k->at + slot * s->count * k->bytes;
        for (i64 j = 0; j < k->bytes; j++) at[b * k->bytes + j] = at[a * k->bytes + j];
      }
    }
    for (i64 c = 0; c < channels; c++)
      for (i64 j = 0; j < (row + 1) * r->width; j++) s->levels[(b * channels + c) * plane + j] = s->levels[(a * channels + c) * plane + j];
    if (s->mask) copy_image(s->mask, s->first + b, s->mask, s->first + a);
  }
}

/* Give no weight to particles that break a rule or have come to a dead end. */
static void drop_dead(pt_particles *s) {
  for (i64 b = 0; s->mask && b < s->count; b++)
    if (state_of(s->mask, s->first + b)[PT_STATUS] != PT_ALIVE) s->weights[b] = 0;
}

/* Particles at work, and memory for their resampling. */
typedef struct {
  pt_particles *s;
  masked_draw masked;
  int is_plain;
  double *weights;
  i64 *numbers;
} filter;

/* Where a level of the site is drawn, let particles of more weight take the places of others. */
static void resample(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last) {
  filter *f = how;
  pt_particles *s = f->s;
  i64 plane = r->height * r->width;
  int is_open = 0;
  for (i64 c = first; c < last; c++) is_open |= s->roles[c * plane + row * r->width + column] == PT_DRAWN;
  if (!is_open) return;
  drop_dead(s);
  if (choose_ancestors(s, s->draws[row * (r->width + 1) + column], f->weights, f->numbers, f->numbers + s->count))
    copy_histories(r, s, f->numbers + s->count, row);
}

/* Draw a channel of a particle, or multiply its weight by the frequency of its known level. */
static void draw_or_weigh(pt_run *r, filter *f, i64 b, i64 row, i64 column, i64 c) {
  pt_particles *s = f->s;
  const i32 *h = r->p.header;
  i64 plane = r->height * r->width, place = row * r->width + column, interval[2];
  i64 *pixel = s->levels + b * h[H_CHANNELS] * plane + place, *level = pixel + c * plane;
  double uniform = s->uniforms[level - s->levels];
  if (s->roles[c * plane + place] == PT_WEIGHED) {
    find_level(r, params_at(r, b, column), pixel, c, *level, 0, interval);
    scale_by(s->weights + b, s->exponents + b, (double)interval[1]);
    s->exponents[b] -= h[H_PRECISION];
    return;
  }
  if (f->is_plain && !s->mask) {
    *level = find_level(r, params_at(r, b, column), pixel, c, -1, target_of(uniform, h[H_PRECISION]), interval);
    return;
  }
  weigh_levels(r, b, s->count, column, pixel, c, f->masked.transform);
  if (s->mask) {
    pt_mask *m = s->mask;
    i64 site = m->origin + row * m->row_step + column * m->column_step, *exponent = state_of(m, s->first + b) + PT_EXPONENT;
    *level = draw_in_domain(r, m, s->first + b, c, site, uniform, &f->masked);
    scale_by(s->weights + b, s->exponents + b, m->mass[s->first + b]);
    s->exponents[b] += *exponent;
    m->mass[s->first + b] = 0.5, *exponent = 1;
  } else {
    r->level->transform(&r->p, f->masked.transform, r->weights, r->reference, r->drawn);
    *level = find(r->drawn, h[H_LEVELS], -1, target_of(uniform, 30), interval);
  }
}

/* Draw or weigh channels of a site, and multiply the weights by the factors of its levels. */
static void draw_particles(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last) {
  filter *f = how;
  pt_particles *s = f->s;
  i64 plane = r->height * r->width, place = row * r->width + column;
  for (i64 c = first; c < last; c++)
    for (i64 b = 0; b < s->count && s->roles[c * plane + place] != PT_CERTAIN; b++) draw_or_weigh(r, f, b, row, column, c);
  for (i64 b = 0; s->factors && b < s->count; b++)
    scale_by(s->weights + b, s->exponents + b, s->factors[place * r->p.header[H_LEVELS] + s->levels[b * plane + place]]);
}

/* A particle that breaks a rule of the whole image is rejected: weights would not correct for rows that are drawn again. */
static void check_particles(pt_particles *s) {
  for (i64 b = s->first; s->mask && b < s->first + s->count; b++) {
    i64 *state = state_of(s->mask, b), broken = state[PT_STATUS] == PT_ALIVE ? pt_mask_broken(s->mask, b) : -1;
    if (broken >= 0) state[PT_BROKEN] = broken, state[PT_STATUS] = PT_REJECTED;
  }
}

/* True if roles and known levels are in range, and factors and the mask fit. */
static int check_batch(const pt_run *r, const pt_particles *s, const pt_transform *t) {
  const i32 *h = r->p.header;
  i64 plane = h[H_CHANNELS] * r->height * r->width;
  pt_search search;
  if ((s->factors && h[H_CHANNELS] != 1) || s->count < 1 || s->count != (t && t->is_guided ? r->batch / 2 : r->batch)) return 0;
  for (i64 i = 0; i < plane; i++)
    if (s->roles[i] < PT_DRAWN || s->roles[i] > PT_CERTAIN) return 0;
  for (i64 i = 0; i < s->count * plane; i++)
    if (s->levels[i] < 0 || s->levels[i] >= h[H_LEVELS]) return 0;
  if (!s->mask) return 1;
  if (s->mask->rules->channels != h[H_CHANNELS] || s->mask->rules->levels != h[H_LEVELS]) return 0;
  return pt_search_begin(&search, s->mask, s->first, s->count, r->height, r->width);
}

static i64 lay_out_particles(const pt_run *r, const pt_particles *s, u8 *base, filter *f) {
  arena a = {base, 0, 0};
  f->masked.conditional = take(&a, r->p.header[H_LEVELS] + 1, 8);
  f->masked.reference = take(&a, r->p.header[H_LEVELS] + 1, 8);
  f->weights = take(&a, s->count, 8);
  f->numbers = take(&a, s->count, 16);
  return a.used;
}

int64_t pt_particles_memory(const pt_run *r, const pt_particles *s) {
  filter f;
  return lay_out_particles(r, s, 0, &f);
}

int32_t pt_draw_particles(pt_run *r, pt_particles *s, const pt_transform *t, int64_t row, int64_t end, void *memory, volatile int64_t *signal) {
  filter f = {.s = s, .is_plain = !t};
  if (row < 0 || row > end || end > r->height || !check_batch(r, s, t)) return 0;
  lay_out_particles(r, s, memory, &f);
  begin_masked(r, t, &f.masked);
  for (; row < end; row++) {
    if (!visit_row(r, row, s->count, s->levels, resample, draw_particles, &f, signal)) return 1;
    check_particles(s);
    signal[1] = row + 1;
  }
  drop_dead(s);
  return 1;
}
