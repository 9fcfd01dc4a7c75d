/* Paint pictures of an exported model; see paint.h. No library, no allocation, as in pointillist.c. */
#include "paint.h"

typedef uint32_t u32;
typedef uint64_t u64;
typedef struct { u64 high, low; } wide;

/* ---- uniforms: PCG64 seeded by numpy's SeedSequence (docs/reference/program_format.md) ---- */

static const wide multiplier = {0x2360ed051fc65da4u, 0x4385df649fccf645u};

static u32 hash(u32 x, u32 *constant, u32 multiplier) {
  x ^= *constant;
  *constant *= multiplier;
  x *= *constant;
  return x ^ (x >> 16);
}

static wide times(wide a, wide b) { /* modulo 2^128 */
  u64 a0 = (u32)a.low, a1 = a.low >> 32, b0 = (u32)b.low, b1 = b.low >> 32;
  u64 middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (u32)middle;
  wide result = {a1 * b1 + (middle >> 32) + (other >> 32) + a.high * b.low + a.low * b.high, a.low * b.low};
  return result;
}

static wide plus(wide a, wide b) {
  wide result = {a.high + b.high, a.low + b.low};
  result.high += result.low < a.low;
  return result;
}

void pt_seed(pt_generator *generator, const uint64_t *seeds, int32_t num_seeds) {
  u32 entropy[8] = {0, 0, 0, 0}, pool[4], words[8], constant = 0x43b0d7e5u;
  int length = 0;
  for (int32_t i = 0; i < num_seeds; i++) { /* words without leading zeros; 0 is one word */
    entropy[length++] = (u32)seeds[i];
    if (seeds[i] >> 32) entropy[length++] = (u32)(seeds[i] >> 32);
  }
  for (int j = 0; j < 4; j++) pool[j] = hash(entropy[j], &constant, 0x931e8875u);
  for (int a = 0; a < 4 || a < length; a++)
    for (int b = 0; b < 4; b++) {
      if (a == b) continue;
      u32 z = 0xca01f9ddu * pool[b] - 0x4973f715u * hash(a < 4 ? pool[a] : entropy[a], &constant, 0x931e8875u);
      pool[b] = z ^ (z >> 16);
    }
  constant = 0x8b51f9ddu;
  for (int j = 0; j < 8; j++) words[j] = hash(pool[j % 4], &constant, 0x58f38dedu);
  u64 v[4];
  for (int j = 0; j < 4; j++) v[j] = words[2 * j] | (u64)words[2 * j + 1] << 32;
  wide increment = {v[2] << 1 | v[3] >> 63, v[3] << 1 | 1}, first = {v[0], v[1]};
  wide state = plus(times(plus(increment, first), multiplier), increment);
  pt_generator begun = {state.high, state.low, increment.high, increment.low};
  *generator = begun;
}

uint64_t pt_next(pt_generator *g) {
  wide state = {g->high, g->low}, increment = {g->step_high, g->step_low};
  state = plus(times(state, multiplier), increment);
  g->high = state.high, g->low = state.low;
  u64 z = state.high ^ state.low, by = state.high >> 58;
  return z >> by | z << (-by & 63);
}

void pt_uniforms(pt_generator *generator, double *numbers, int64_t count) {
  for (int64_t i = 0; i < count; i++) numbers[i] = (double)(pt_next(generator) >> 11) / 9007199254740992.0;
}

/* ---- conditions, memory, the picture ---- */

static int64_t pixels_of(const pt_model *m) { return (int64_t)m->height * m->width; }

/* Channels of a condition at each site; and its numbers for one image. */
static int64_t channels_of(const pt_model *m, int32_t kind) {
  int64_t channels = 0;
  for (int32_t i = 0; i < m->num_parts; i++) channels += m->parts[i].kind == kind ? m->parts[i].channels : 0;
  return channels;
}
static int64_t numbers_of(const pt_model *m, int32_t kind) { return channels_of(m, kind) * (kind == PT_MAP ? pixels_of(m) : 1); }

/* Join the parts of a condition: channels of one part after those of another, at every site of a map. */
void pt_conditions(const pt_model *m, int32_t kind, int32_t label, int32_t prompt, int32_t *to) {
  int64_t sites = kind == PT_MAP ? pixels_of(m) : 1, channels = channels_of(m, kind), start = 0;
  for (int32_t i = 0; i < m->num_parts; i++) {
    const pt_part *part = m->parts + i;
    if (part->kind != kind) continue;
    int32_t row = part->by == PT_LABEL ? label : part->by == PT_PROMPT ? prompt : -1;
    const int32_t *from = part->rows + (int64_t)(row < 0 || row >= part->count ? part->count - 1 : row) * part->numbers;
    for (int64_t site = 0; site < sites; site++)
      for (int32_t k = 0; k < part->channels; k++) to[site * channels + start + k] = from[site * part->channels + k];
    start += part->channels;
  }
}

pt_request pt_request_of(const pt_model *m, uint64_t seed) {
  return (pt_request){seed, 0, -1, -1, m->guidance, m->temperature, m->top_p};
}

int32_t pt_number_of(const char *const *names, const char *name) {
  for (int32_t i = 0; names[i]; i++) {
    int32_t k = 0;
    while (names[i][k] && names[i][k] == name[k]) k++;
    if (names[i][k] == name[k]) return i;
  }
  return -1;
}

/* What a painting needs. Under guidance a condition is there twice. */
typedef struct {
  uint8_t *workspace, *known;
  int32_t *conditions[PT_KINDS];
  double *uniforms;
  int64_t *sizes;
} buffers;

/* Lay out the memory of a painting from `base` on, and return its end; -1 if the program does not take such pictures. */
static int64_t lay_out(const pt_model *m, buffers *b, uint8_t *base) {
  int64_t at = 0, count = m->channels * pixels_of(m), run = pt_workspace(m->program, 2, m->height, m->width, 0);
  if (run < 0) return -1;
  PT_TAKE(b->workspace, run);
  for (int32_t kind = 0; kind < PT_KINDS; kind++) PT_TAKE(b->conditions[kind], 8 * numbers_of(m, kind));
  PT_TAKE(b->uniforms, 8 * count);
  PT_TAKE(b->sizes, 8 * count);
  PT_TAKE(b->known, count);
  return at;
}

int64_t pt_memory(const pt_model *m) {
  buffers b;
  return pt_check(m->program, m->size) ? -1 : lay_out(m, &b, 0);
}

void pt_paint(const pt_model *m, const pt_request *q, void *memory, int64_t *levels) { pt_paint_with(m, q, 0, memory, levels); }

void pt_paint_with(const pt_model *m, const pt_request *q, const pt_sampler *sampler, void *memory, int64_t *levels) {
  int64_t count = m->channels * pixels_of(m), signal[2] = {0, 0};
  const int32_t *inputs[PT_KINDS] = {0};
  int is_guided = q->guidance != 1 && (q->label >= 0 || q->prompt >= 0);
  buffers b;
  lay_out(m, &b, memory);
  for (int32_t kind = 0; kind < PT_KINDS; kind++) {
    pt_conditions(m, kind, q->label, q->prompt, b.conditions[kind]);
    pt_conditions(m, kind, q->prompt < 0 ? -1 : q->label, -1, b.conditions[kind] + numbers_of(m, kind)); /* the reference of guidance */
  }
  pt_generator generator;
  pt_seed(&generator, (const u64[]){q->seed, q->index}, 2);
  pt_uniforms(&generator, b.uniforms, count);
  for (int64_t i = 0; i < count; i++) levels[i] = 0, b.known[i] = 0;
  pt_transform transform = {is_guided, (int64_t)(q->guidance * 65536 + 0.5), 0, (int64_t)(q->top_p * 1073741824 + 0.5)};
  if (q->temperature >= 1.0 / 1024) transform.inverse_temperature = q->temperature < 131072 ? (int64_t)(65536 / q->temperature + 0.5) : 1;
  if (transform.top_p < 1) transform.top_p = 1;
  int is_plain = !is_guided && q->temperature == 1 && q->top_p == 1;
  for (int32_t i = 0; i < m->num_inputs; i++) inputs[i] = b.conditions[m->inputs[i]];
  pt_run *run = pt_begin(m->program, 1 + is_guided, m->height, m->width, 0, 0, inputs, b.workspace, PT_BEST);
  if (sampler) sampler->sample(sampler, run, levels, b.known, b.uniforms, b.sizes, is_plain ? 0 : &transform);
  else pt_sample(run, levels, b.known, b.uniforms, b.sizes, 0, is_plain ? 0 : &transform, signal);
}

void pt_colours(const pt_model *m, const int64_t *levels, uint8_t *rgb) {
  int64_t size = pixels_of(m);
  for (int64_t pixel = 0; pixel < size; pixel++)
    for (int k = 0; k < 3; k++) {
      int64_t level = levels[(m->channels < 3 ? 0 : k) * size + pixel];
      rgb[3 * pixel + k] = m->colours ? m->colours[3 * level + k] : m->values[level];
    }
}
