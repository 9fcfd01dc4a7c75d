/* Rules of endless maps; see rules.h, and `src/pointillist/sampling/worlds`. No library, no allocation. */
#include "rules.h"

enum { WORD = 64, CORNER = 4, TILES = 4, MOST_RULES = 2048, RIGHT = 0, DOWN = 1, PASSAGE = 1 };
static const int64_t MOST = (int64_t)1 << 42; /* of a number of tiles, or of a row or column */

static int64_t words_of(int64_t levels) { return (levels + WORD - 1) / WORD; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int has_level(const uint64_t *set, int64_t level) { return set[level / WORD] >> level % WORD & 1; }

/* ---- the rules as they are given ---- */

static int are_sets(const uint64_t *sets, int64_t count, int64_t levels) {
  uint64_t beyond = levels % WORD ? ~0ull << levels % WORD : 0;
  for (int64_t i = 0; sets && i < count; i++)
    if (sets[(i + 1) * words_of(levels) - 1] & beyond) return 0;
  return sets != 0;
}

const char *pt_wrong_rules(const pt_world_rules *r, int64_t levels) {
  if (r->levels != levels) return "The rules have another number of levels than the model: export both together.";
  if (r->num_counts < 0 || r->num_connected < 0 || r->num_counts > MOST_RULES || r->num_connected > MOST_RULES)
    return "There are at most 2,048 `counts` and 2,048 `connected`: leave some out.";
  if (r->num_fixed < 0 || r->num_fixed > MOST || (r->num_fixed && !r->fixed)) return "The number of `fixed` tiles is wrong: correct it.";
  if (r->tries < 1 || r->tries > 1000000) return "`tries` must lie in 1 to 1,000,000: change it.";
  if (r->adjacency && !are_sets(r->adjacency, 4 * levels, levels)) return "`adjacency` has levels that the model lacks: correct the table.";
  for (int64_t i = 0; i < r->num_counts; i++) {
    if (!r->counts || !r->counts[i].words || !are_sets(r->counts[i].levels, 1, levels)) return "A set of `counts` has levels that the model lacks: correct it.";
    if (r->counts[i].at_least < 0 || r->counts[i].at_least > MOST || r->counts[i].at_most < -1 || r->counts[i].at_most > MOST)
      return "A number of `counts` is out of range: correct it.";
  }
  for (int64_t i = 0; i < r->num_connected; i++) {
    if (!r->connected || !r->connected[i].words || !are_sets(r->connected[i].levels, 1, levels)) return "A set of `connected` has levels that the model lacks: correct it.";
    if (r->connected[i].passage < 0 || r->connected[i].passage >= levels) return "The passages of `connected` have a level that the model lacks: correct it.";
  }
  for (int64_t i = 0; i < r->num_fixed; i++) {
    if (r->fixed[i].level < 0 || r->fixed[i].level >= levels) return "A `fixed` tile has a level that the model lacks: correct it.";
    if (r->fixed[i].row < -MOST || r->fixed[i].row > MOST || r->fixed[i].column < -MOST || r->fixed[i].column > MOST)
      return "A `fixed` tile lies beyond all chunks: move it.";
  }
  return 0;
}

int pt_binds(const pt_world_rules *r) { return r && (r->adjacency || r->num_counts || r->num_connected); }

/* ---- memory ---- */

/* An upper bound on what `pt_mask_memory` returns for an image of so many sites. */
static int64_t bound_of_mask(const pt_world_rules *r, int64_t sites) {
  int64_t words = words_of(r->levels);
  return pt_aligned(sizeof(pt_mask)) + sites * (24 * words + 18) + 32 * r->num_counts + 8 * PT_STATE + 8 + 56 * words + 16 * 64;
}

/* Lay out an opening from `base` on, and return its bytes. */
static int64_t lay_out(const pt_world_rules *r, int64_t sites, int64_t workspace, pt_opening *o, uint8_t *base) {
  int64_t at = pt_aligned(sizeof(pt_opening)), words = words_of(r->levels), checks = r->num_counts + r->num_connected;
  o->mask_bytes = bound_of_mask(r, sites);
  o->space_bytes = PT_SLOTS * pt_aligned(workspace) + 16 * (r->levels + 1) + 8 * 64;
  PT_TAKE(o->checks, (int64_t)sizeof(pt_rule) * checks);
  PT_TAKE(o->names, 8 * checks);
  PT_TAKE(o->failures.failed, 8 * (checks + 1));
  PT_TAKE(o->failures.order, 8 * (checks + 1));
  PT_TAKE(o->allowed, 8 * words * sites);
  PT_TAKE(o->sets, 8 * words * r->num_counts);
  PT_TAKE(o->limits, 8 * r->num_counts);
  PT_TAKE(o->passages, 8 * TILES * TILES * r->num_connected);
  PT_TAKE(o->sites, 8 * sites);
  PT_TAKE(o->levels, 8 * sites);
  PT_TAKE(o->first, o->mask_bytes);
  PT_TAKE(o->attempt, o->mask_bytes);
  PT_TAKE(o->space, o->space_bytes);
  PT_TAKE(o->sentence, PT_SENTENCE);
  return at;
}

int64_t pt_opening_memory(const pt_world_rules *r, int64_t sites, int64_t workspace) {
  pt_opening o;
  return lay_out(r, sites, workspace, &o, 0);
}

pt_opening *pt_opening_begin(const pt_world_rules *r, uint64_t seed, int64_t sites, int64_t workspace, void *memory) {
  pt_opening *o = memory;
  lay_out(r, sites, workspace, o, memory);
  o->of = r, o->seed = seed, o->sentence[0] = 0;
  return o;
}

/* ---- sentences, in the words of Python ---- */

static void begin_sentence(const pt_opening *o, const pt_window *w, char **at, const char **end) {
  *at = o->sentence, *end = o->sentence + PT_SENTENCE - 1;
  pt_add_text(at, *end, "Chunk ");
  pt_add_number(at, *end, w->x);
  pt_add_text(at, *end, ",");
  pt_add_number(at, *end, w->y);
  pt_add_text(at, *end, ": ");
}

static void add_count(char **at, const char *end, const pt_count *count, const char *bound, int64_t number) {
  pt_add_text(at, end, "`counts` ");
  pt_add_text(at, end, count->words);
  pt_add_text(at, end, bound);
  pt_add_number(at, end, number);
}

/* Name a check. */
static void add_name(const pt_opening *o, char **at, const char *end, int64_t check) {
  int64_t rule = o->names[check], counts = o->of->num_counts;
  if (rule < counts) {
    add_count(at, end, o->of->counts + rule, " at least ", o->of->counts[rule].at_least);
    return;
  }
  pt_add_text(at, end, "`connected` ");
  pt_add_text(at, end, o->of->connected[rule - counts].words);
}

/* Name the rules between tiles. */
static void add_names(const pt_opening *o, char **at, const char *end) {
  const char *between = "";
  if (o->of->adjacency) pt_add_text(at, end, "`adjacency`"), between = " or ";
  for (int64_t i = 0; i < o->of->num_counts; i++) {
    if (o->of->counts[i].at_most < 0) continue;
    pt_add_text(at, end, between), between = " or ";
    add_count(at, end, o->of->counts + i, " at most ", o->of->counts[i].at_most);
  }
}

static const char *const SURROUNDINGS = " cannot be met with the fixed tiles and the chunks around it: ";

static void word_site(pt_opening *o, const pt_window *w, int64_t site) {
  char *at;
  const char *end;
  begin_sentence(o, w, &at, &end);
  pt_add_text(&at, end, "the rule ");
  add_names(o, &at, end);
  pt_add_text(&at, end, SURROUNDINGS);
  pt_add_text(&at, end, "no level is left at row ");
  pt_add_number(&at, end, w->top + site / w->width);
  pt_add_text(&at, end, ", column ");
  pt_add_number(&at, end, w->left + site % w->width);
  pt_add_text(&at, end, " of the world: change one of them.");
}

static void word_check(pt_opening *o, const pt_window *w, int64_t check) {
  char *at;
  const char *end;
  begin_sentence(o, w, &at, &end);
  pt_add_text(&at, end, "the rule ");
  add_name(o, &at, end, check);
  pt_add_text(&at, end, SURROUNDINGS);
  pt_add_text(&at, end, "change one of them.");
}

void pt_give_up(pt_opening *o, const pt_window *w, int64_t tries) {
  int64_t most = pt_failures_most(&o->failures);
  char *at;
  const char *end;
  begin_sentence(o, w, &at, &end);
  pt_add_text(&at, end, "1 of 1 maps did not obey the rules in ");
  pt_add_number(&at, end, tries);
  pt_add_text(&at, end, " tries (most often ");
  if (most < o->failures.count) add_name(o, &at, end, most);
  else pt_add_text(&at, end, "a dead end of the rules between neighbours");
  pt_add_text(&at, end, "): loosen the rule, or raise `tries`.");
}

/* ---- known tiles: fixed ones, passages, paths ---- */

/* A number in low .. high - 1, as numpy draws it (Lemire 2019, "Fast random integer generation in an interval"); of 64 bits
   it takes the lower half first. `half`: the upper half that is left, or -1. */
static int64_t draw_between(pt_generator *g, int64_t *half, int64_t low, int64_t high) {
  uint64_t count = (uint64_t)(high - low), product = 0;
  if (count == 1) return low;
  do {
    uint64_t bits = *half < 0 ? pt_next(g) : (uint64_t)*half;
    *half = *half < 0 ? (int64_t)(bits >> 32) : -1;
    product = (bits & 0xFFFFFFFFu) * count;
  } while ((product & 0xFFFFFFFFu) < (0x100000000u - count) % count);
  return low + (int64_t)(product >> 32);
}

/* Choose where a passage leads through a side of a chunk: a row of the right side, a column of the lower one. */
static int64_t passage_of(uint64_t seed, int64_t x, int64_t y, int64_t size, int64_t side, int64_t rule) {
  pt_generator g;
  int64_t half = -1, away = smaller(CORNER, (size - 1) / 2);
  pt_seed_chunk(&g, seed, x, y, PASSAGE + 2 * rule + side);
  return draw_between(&g, &half, away, size - away);
}

/* The tiles on both sides of the right and of the lower seam of a chunk: rows and columns in the window. */
static void tiles_at_seams(const pt_opening *o, const pt_window *w, int64_t x, int64_t y, int64_t rule, int64_t tiles[TILES][2]) {
  int64_t top = y * w->size - w->top, left = x * w->size - w->left;
  int64_t row = passage_of(o->seed, x, y, w->size, RIGHT, rule), column = passage_of(o->seed, x, y, w->size, DOWN, rule);
  for (int i = 0; i < 2; i++) {
    tiles[i][0] = top + row, tiles[i][1] = left + w->size - 1 + i;
    tiles[2 + i][0] = top + w->size - 1 + i, tiles[2 + i][1] = left + column;
  }
}

/* The tiles of the chunk at which its passages begin, as sites of the window; return how many. */
static int64_t passages_of(const pt_opening *o, const pt_window *w, int64_t rule, int64_t *sites) {
  int64_t tiles[TILES][2], count = 0, top = w->y * w->size - w->top, left = w->x * w->size - w->left;
  for (int64_t y = w->y - 1; y <= w->y; y++)
    for (int64_t x = w->x - 1; x <= w->x; x++) {
      tiles_at_seams(o, w, x, y, rule, tiles);
      for (int i = 0; i < TILES; i++) {
        int64_t row = tiles[i][0], column = tiles[i][1];
        if (row >= top && row < top + w->size && column >= left && column < left + w->size) sites[count++] = row * w->width + column;
      }
    }
  return count;
}

void pt_know_fixed(const pt_opening *o, const pt_window *w, int16_t *known) {
  for (int64_t i = 0; i < o->of->num_fixed; i++) {
    int64_t row = o->of->fixed[i].row - w->top, column = o->of->fixed[i].column - w->left;
    if (row >= 0 && row < w->height && column >= 0 && column < w->width) known[row * w->width + column] = (int16_t)o->of->fixed[i].level;
  }
}

void pt_know_passages(const pt_opening *o, const pt_window *w, int16_t *known) {
  int64_t tiles[TILES][2];
  for (int64_t rule = o->of->num_connected - 1; rule >= 0; rule--) /* of two rules at a tile the later one counts */
    for (int64_t y = w->y - 2; y < w->y + 2; y++)
      for (int64_t x = w->x - 2; x < w->x + 2; x++) {
        tiles_at_seams(o, w, x, y, rule, tiles);
        for (int i = 0; i < TILES; i++) {
          int64_t row = tiles[i][0], column = tiles[i][1];
          if (row < 0 || row >= w->height || column < 0 || column >= w->width) continue;
          if (known[row * w->width + column] < 0) known[row * w->width + column] = (int16_t)o->of->connected[rule].passage;
        }
      }
}

void pt_know_paths(const pt_opening *o, const pt_window *w, int16_t *known) {
  pt_generator g;
  int64_t half = -1, sites[TILES * TILES], low = w->size / 4, high = w->size - low > low ? w->size - low : low + 1;
  int64_t top = w->y * w->size - w->top, left = w->x * w->size - w->left;
  pt_seed_chunk(&g, o->seed, w->x, w->y, -1);
  int64_t middle = top + draw_between(&g, &half, low, high), centre = left + draw_between(&g, &half, low, high);
  int64_t count = passages_of(o, w, 0, sites);
  for (int64_t i = 0; i < count; i++) {
    int64_t row = sites[i] / w->width, column = sites[i] % w->width;
    int is_sideways = column == left || column == left + w->size - 1;
    int64_t along = is_sideways ? row : middle, across = is_sideways ? centre : column;
    for (int64_t c = smaller(column, centre); c <= column || c <= centre; c++)
      if (known[along * w->width + c] < 0) known[along * w->width + c] = (int16_t)o->of->connected[0].passage;
    for (int64_t r = smaller(row, middle); r <= row || r <= middle; r++)
      if (known[r * w->width + across] < 0) known[r * w->width + across] = (int16_t)o->of->connected[0].passage;
  }
}

/* ---- the rules of a window ---- */

/* Set the levels that each tile may have; tiles of later chunks count for themselves. */
static void allow(pt_opening *o, const pt_window *w, const int16_t *known) {
  int64_t words = words_of(o->of->levels), top = w->y * w->size - w->top, left = w->x * w->size - w->left;
  uint64_t last = o->of->levels % WORD ? ~(~0ull << o->of->levels % WORD) : ~0ull;
  for (int64_t site = 0; site < w->height * w->width; site++) {
    uint64_t *set = o->allowed + site * words;
    int64_t row = site / w->width - top, column = site % w->width - left;
    int is_inside = row >= 0 && row < w->size && column >= 0 && column < w->size;
    for (int64_t k = 0; k < words; k++) set[k] = known[site] >= 0 ? 0 : k + 1 < words ? ~0ull : last;
    if (known[site] >= 0) set[known[site] / WORD] = 1ull << known[site] % WORD;
    for (int64_t i = 0; i < o->of->num_counts && known[site] < 0 && !is_inside; i++) {
      const uint64_t *chosen = o->of->counts[i].levels;
      int64_t all = 0;
      for (int64_t level = 0; level < o->of->levels; level++) all += has_level(chosen, level);
      for (int64_t k = 0; k < words && all < o->of->levels; k++) set[k] &= ~chosen[k];
    }
  }
}

/* Count the known tiles outside of the chunk that have a level of a set. */
static int64_t count_outside(const pt_window *w, const int16_t *known, const uint64_t *set) {
  int64_t count = 0, top = w->y * w->size - w->top, left = w->x * w->size - w->left;
  for (int64_t site = 0; site < w->height * w->width; site++) {
    int64_t row = site / w->width - top, column = site % w->width - left;
    int is_inside = row >= 0 && row < w->size && column >= 0 && column < w->size;
    count += !is_inside && known[site] >= 0 && has_level(set, known[site]);
  }
  return count;
}

int pt_open_window(pt_opening *o, const pt_window *w, const int16_t *known) {
  const pt_world_rules *of = o->of;
  int64_t words = words_of(of->levels), sets = 0, checks = 0;
  allow(o, w, known);
  for (int64_t i = 0; i < of->num_counts; i++) {
    const pt_count *count = of->counts + i;
    int64_t there = count_outside(w, known, count->levels);
    for (int64_t k = 0; count->at_most >= 0 && k < words; k++) o->sets[sets * words + k] = count->levels[k];
    if (count->at_most >= 0) o->limits[sets++] = count->at_most + there;
    pt_rule check = {.kind = PT_AT_LEAST, .number = count->at_least + there, .levels = count->levels};
    if (count->at_least) o->names[checks] = i, o->checks[checks++] = check;
  }
  for (int64_t i = 0; i < of->num_connected; i++) {
    int64_t *sites = o->passages + i * TILES * TILES, count = passages_of(o, w, i, sites);
    pt_rule check = {PT_ENTERED, 1, 0, of->connected[i].levels, 0, 0, w->y * w->size - w->top, w->x * w->size - w->left, w->size, w->size, count, sites};
    o->names[checks] = of->num_counts + i, o->checks[checks++] = check;
  }
  pt_failures_begin(&o->failures, checks);
  pt_rules rules = {1, w->height, w->width, of->levels, 0, o->allowed, of->adjacency, 0, 0, sets, o->sets, o->limits, checks, o->checks};
  o->rules = rules;
  int64_t bytes = pt_mask_memory(&o->rules, 1);
  if (bytes < 0 || bytes > o->mask_bytes) {
    word_site(o, w, 0);
    return 0;
  }
  pt_mask *mask = pt_mask_begin(&o->rules, 1, o->first);
  if (!pt_mask_propagate(mask, 0)) {
    word_site(o, w, mask->state[PT_SITE]);
    return 0;
  }
  int64_t broken = pt_mask_broken(mask, 0);
  if (broken >= 0) word_check(o, w, broken);
  return broken < 0;
}

pt_mask *pt_begin_attempt(pt_opening *o, int64_t attempt, const int16_t *known) {
  pt_mask *mask = pt_mask_begin(&o->rules, 1, o->attempt);
  int64_t count = 0;
  pt_mask_copy(mask, 0, o->first, 0);
  mask->state[PT_ATTEMPT] = attempt << 20; /* each draws from other uniforms */
  for (int64_t site = 0; site < o->rules.height * o->rules.width; site++)
    if (known[site] >= 0) o->sites[count] = site, o->levels[count++] = known[site];
  if (count && !pt_mask_fix(mask, 0, o->sites, o->levels, count)) mask->state[PT_STATUS] = PT_DEAD, mask->state[PT_BROKEN] = -1;
  pt_mask_keep(mask, 0, 1);
  return mask;
}

int pt_end_attempt(pt_opening *o, pt_mask *mask) {
  if (mask->state[PT_STATUS] == PT_ALIVE) return 1;
  pt_failures_add(&o->failures, mask->state);
  return 0;
}
