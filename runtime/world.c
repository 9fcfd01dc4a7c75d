/* Endless maps; see world.h, and "Worlds" and "Known pixels" in the format of programs. No allocation, and no library. */
#include "rules.h"

enum { PHASES = 4 };
typedef struct { int64_t x, y, used; } slot; /* a remembered chunk; used: when, or 0 */

/* What follows a world in its memory. */
typedef struct {
  uint8_t *workspace, *grid; /* of the program, and of that of known pixels */
  slot *slots;
  uint16_t *chunks;
  int64_t clock, *levels;
  int16_t *windows[PHASES]; /* known levels of the window of a chunk of each phase; -1: not known */
  double *uniforms;
  int64_t *sizes;
  int32_t *canvas, *map, *vector;
  uint8_t *fixed, *rules;
  pt_opening *opening; /* NULL without rules */
} parts;

static int64_t window_of(int32_t size, int32_t margin) { return (int64_t)(size + 2 * margin) * (size + 2 * margin); }
/* Channels of the vector of conditions. */
static int64_t width_of(const pt_model *m) {
  int64_t channels = 0;
  for (int32_t i = 0; i < m->num_parts; i++) channels += m->parts[i].kind == PT_VECTOR ? m->parts[i].channels : 0;
  return channels;
}

/* Lay out the memory of a world from `base` on, and return its end. */
static int64_t lay_out(const pt_model *m, const pt_known *k, const pt_world_rules *r, int32_t size, int32_t margin, int32_t remembered,
                       parts *p, uint8_t *base) {
  int64_t at = pt_aligned(sizeof(pt_world)) + pt_aligned(sizeof(parts)), sites = window_of(size, margin), most = 0, grids = 0;
  for (int tall = 0; tall < 3; tall++) /* windows have 0, 1 or 2 margins a side, and a smaller one may need no less */
    for (int wide = 0; wide < 3; wide++) {
      int64_t bytes = pt_workspace(m->program, 1, size + tall * margin, size + wide * margin, 0);
      int64_t more = pt_workspace(k->program, 1, size + tall * margin, size + wide * margin, 0);
      if (bytes < 0 || more < 0) return -1;
      most = bytes > most ? bytes : most, grids = more > grids ? more : grids;
    }
  PT_TAKE(p->grid, grids);
  PT_TAKE(p->workspace, most);
  PT_TAKE(p->slots, (int64_t)sizeof(slot) * remembered);
  PT_TAKE(p->chunks, 2 * (int64_t)remembered * size * size);
  PT_TAKE(p->levels, 8 * sites);
  for (int i = 0; i < PHASES; i++) PT_TAKE(p->windows[i], 2 * sites);
  PT_TAKE(p->uniforms, 8 * sites);
  PT_TAKE(p->sizes, 8 * sites);
  PT_TAKE(p->canvas, 4 * sites * (k->each + 1));
  PT_TAKE(p->map, 4 * sites * k->features);
  PT_TAKE(p->vector, 4 * width_of(m));
  PT_TAKE(p->fixed, sites);
  PT_TAKE(p->rules, r ? pt_opening_memory(r, sites, pt_aligned(most)) : 0);
  return at;
}

int64_t pt_world_memory(const pt_model *m, const pt_known *k, const pt_world_rules *r, int32_t size, int32_t margin, int32_t remembered) {
  parts p;
  if (size < 2 || margin < 1 || margin > size || size > 1024 || remembered < 9 || remembered > 1 << 20) return -1;
  if (m->channels != 1 || m->levels > 1 << 15 || pt_check(m->program, m->size) || pt_check(k->program, k->size) || (r && pt_wrong_rules(r, m->levels))) return -1;
  return lay_out(m, k, r, size, margin, remembered, &p, 0);
}

static parts *parts_of(pt_world *w) { return (parts *)((uint8_t *)w + pt_aligned(sizeof(pt_world))); }

pt_world *pt_world_begin(const pt_model *m, const pt_known *k, const pt_world_rules *r, uint64_t seed, int32_t label, int32_t size,
                         int32_t margin, int32_t remembered, void *memory) {
  pt_world *w = memory, begun = {m, k, r, seed, size, margin, remembered, label};
  *w = begun;
  parts *p = parts_of(w);
  lay_out(m, k, r, size, margin, remembered, p, memory);
  p->clock = 0, p->opening = 0;
  if (r) p->opening = pt_opening_begin(r, seed, window_of(size, margin), (uint8_t *)p->slots - p->workspace, p->rules);
  for (int32_t i = 0; i < remembered; i++) p->slots[i].used = 0;
  return w;
}

/* Encode the known levels of a window as the map of the program; where nothing is known, an image has a stored map. */
static void encode(const parts *p, const pt_model *m, const pt_known *k, pt_window b, const int16_t *known) {
  int64_t sites = b.height * b.width, n = k->each + 1, any = b.height != m->height || b.width != m->width;
  for (int64_t i = 0; i < sites; i++) {
    any |= known[i] >= 0;
    for (int64_t j = 0; j < n; j++) p->canvas[i * n + j] = known[i] < 0 ? 0 : j < k->each ? k->levels[known[i] * k->each + j] : PT_MASK;
  }
  if (any) pt_grid(pt_begin(k->program, 1, b.height, b.width, 0, 0, 0, p->grid, PT_BEST), p->canvas, p->map);
  else pt_conditions(m, PT_MAP, -1, -1, p->map);
}

/* ---- chunks ---- */

static int phase(int64_t x, int64_t y) { return (int)((x & 1) + 2 * (y & 1)); }
static uint64_t natural(int64_t n) { return n >= 0 ? 2 * (uint64_t)n : 2 * (uint64_t)-(n + 1) + 1; }

/* The place of a chunk among those remembered: its own, or that of the one that was used least recently. */
static slot *find(pt_world *w, int64_t x, int64_t y) {
  parts *p = parts_of(w);
  slot *oldest = p->slots;
  for (int32_t i = 0; i < w->remembered; i++) {
    slot *each = p->slots + i;
    if (each->used && each->x == x && each->y == y) return each;
    if (each->used < oldest->used) oldest = each;
  }
  return oldest;
}

/* Copy the tiles that a window shares with a chunk: to the known levels, or from what was drawn. */
static void share(const pt_world *w, pt_window b, int64_t x, int64_t y, uint16_t *chunk, int16_t *known, const int64_t *drawn) {
  int64_t size = w->size, top = y * size, left = x * size;
  for (int64_t row = 0; row < size; row++)
    for (int64_t column = 0; column < size; column++) {
      int64_t r = top + row - b.top, c = left + column - b.left;
      if (r < 0 || c < 0 || r >= b.height || c >= b.width) continue;
      if (known) known[r * b.width + c] = (int16_t)chunk[row * size + column];
      else chunk[row * size + column] = (uint16_t)drawn[r * b.width + c];
    }
}

void pt_seed_chunk(pt_generator *generator, uint64_t seed, int64_t x, int64_t y, int64_t purpose) {
  const uint64_t numbers[4] = {seed, natural(x), natural(y), natural(purpose)};
  pt_seed(generator, numbers, 4);
}

/* Encode the known tiles of a window, and set them as levels. */
static void prepare(pt_world *w, pt_window b, const int16_t *known) {
  parts *p = parts_of(w);
  encode(p, w->model, w->known, b, known);
  pt_conditions(w->model, PT_VECTOR, w->label, -1, p->vector);
  for (int64_t i = 0; i < b.height * b.width; i++) p->fixed[i] = known[i] >= 0, p->levels[i] = known[i] >= 0 ? known[i] : 0;
}

static pt_run *begin(pt_world *w, pt_window b) {
  parts *p = parts_of(w);
  const pt_model *m = w->model;
  const int32_t *inputs[2] = {0, 0};
  for (int32_t i = 0; i < m->num_inputs; i++) inputs[i] = m->inputs[i] == PT_MAP ? p->map : p->vector;
  return pt_begin(m->program, 1, b.height, b.width, 0, 0, inputs, p->workspace, PT_BEST);
}

/* Draw the tiles of a window within rules; where the passages of a chunk are not joined soon, around straight paths. */
static int draw_by_rules(pt_world *w, pt_window b, int16_t *known) {
  parts *p = parts_of(w);
  pt_opening *o = p->opening;
  for (int is_joined = !w->rules->num_connected;; is_joined = 1) {
    if (!pt_open_window(o, &b, known)) return 0;
    int64_t tries = w->rules->tries, signal[2] = {0, 0};
    if (!is_joined && tries > PT_FREE_TRIES) tries = PT_FREE_TRIES;
    for (int64_t attempt = 0; attempt < tries; attempt++) {
      pt_mask *mask = pt_begin_attempt(o, attempt, known);
      pt_run *run = begin(w, b);
      if (pt_search_memory(run, mask) > o->space_bytes) return 0;
      if (!pt_sample_in_mask(run, mask, 0, p->levels, p->fixed, p->uniforms, p->sizes, 0, 0, o->space, signal)) return 0;
      if (pt_end_attempt(o, mask)) return 1;
    }
    pt_give_up(o, &b, tries);
    if (is_joined) return 0;
    pt_know_paths(o, &b, known);
    prepare(w, b, known);
  }
}

/* Choose the window of a chunk: a side has a margin if an earlier chunk or a fixed tile lies there. */
static pt_window window_around(const pt_world *w, int64_t x, int64_t y) {
  int64_t size = w->size, margin = w->margin, top = y * size, left = x * size, above = 0, below = 0, before = 0, after = 0;
  for (int side = 0; side < 9; side++) {
    int64_t dx = side % 3 - 1, dy = side / 3 - 1;
    if (phase(x + dx, y + dy) >= phase(x, y)) continue;
    above |= dy < 0, below |= dy > 0, before |= dx < 0, after |= dx > 0;
  }
  for (int64_t i = 0; w->rules && i < w->rules->num_fixed; i++) {
    int64_t row = w->rules->fixed[i].row - top, column = w->rules->fixed[i].column - left;
    if (row < -margin || row >= size + margin || column < -margin || column >= size + margin) continue;
    above |= row < 0, below |= row >= size, before |= column < 0, after |= column >= size;
  }
  pt_window b = {x, y, size, top - above * margin, left - before * margin, size + (above + below) * margin, size + (before + after) * margin};
  return b;
}

static uint16_t *draw(pt_world *w, int64_t x, int64_t y) {
  parts *p = parts_of(w);
  slot *place = find(w, x, y);
  if (place->used && place->x == x && place->y == y) {
    place->used = ++p->clock;
    return p->chunks + (place - p->slots) * w->size * w->size;
  }
  pt_window b = window_around(w, x, y);
  int16_t *known = p->windows[phase(x, y)];
  int64_t sites = b.height * b.width, signal[2] = {0, 0};
  for (int64_t i = 0; i < sites; i++) known[i] = -1;
  if (p->opening) pt_know_fixed(p->opening, &b, known);
  for (int side = 0; side < 9; side++) {
    int64_t dx = side % 3 - 1, dy = side / 3 - 1;
    if (phase(x + dx, y + dy) >= phase(x, y)) continue;
    uint16_t *other = draw(w, x + dx, y + dy);
    if (!other) return 0;
    share(w, b, x + dx, y + dy, other, known, 0);
  }
  pt_generator generator;
  pt_seed_chunk(&generator, w->seed, x, y, 0);
  pt_uniforms(&generator, p->uniforms, sites);
  if (p->opening) pt_know_passages(p->opening, &b, known);
  prepare(w, b, known);
  if (pt_binds(w->rules) && !draw_by_rules(w, b, known)) return 0;
  if (!pt_binds(w->rules)) pt_sample(begin(w, b), p->levels, p->fixed, p->uniforms, p->sizes, 0, 0, signal);
  place = find(w, x, y); /* neighbours have moved into memory since */
  slot drawn = {x, y, ++p->clock};
  *place = drawn;
  uint16_t *chunk = p->chunks + (place - p->slots) * w->size * w->size;
  share(w, b, x, y, chunk, 0, p->levels);
  return chunk;
}

const uint16_t *pt_chunk(pt_world *w, int32_t x, int32_t y) { return draw(w, x, y); }

const char *pt_world_error(pt_world *w) { return parts_of(w)->opening ? parts_of(w)->opening->sentence : ""; }
