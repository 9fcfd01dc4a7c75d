/* Rules: domains, arc consistency, draws within a domain, and the search over rows; see solver.h. Part of pointillist.c.

   Mackworth 1977, "Consistency in networks of relations" (AC-3); Sabin & Freuder 1994, "Contradicting conventional wisdom in
   constraint satisfaction" (kept while searching); Regin 1996, "Generalized arc consistency for global cardinality constraint"
   (bounds on counts). When a site takes a level, the domains of its neighbours lose the levels that no longer fit, then
   those of their neighbours, until nothing changes. An assignment that would leave a site without levels is undone. */
#include "solver.h"

enum {
  EVERY = 4,            /* rows between two saved states */
  MOST_ATTEMPTS = 24,   /* to pass a row, before an image is rejected */
  TRIES = 1024,         /* numbers of uniforms that one attempt may take at a site */
  MOST_GRID = 1 << 26,  /* sites of a grid */
  WORD = 64,
  PASSABLE = 1, REACHED = 2, /* marks of a flood fill */
  RIGHT = 0, BELOW, LEFT, ABOVE,
};

/* ---- the rules and their memory ---- */

/* True if the bits beyond the levels are 0 in all of `count` sets. */
static int are_sets(const u64 *sets, i64 count, i64 levels) {
  i64 words = (levels + WORD - 1) / WORD;
  u64 beyond = levels % WORD ? ~0ull << levels % WORD : 0;
  for (i64 i = 0; sets && i < count; i++)
    if (sets[(i + 1) * words - 1] & beyond) return 0;
  return sets != 0;
}

static int are_sites(const i64 *sites, i64 count, i64 below) {
  for (i64 i = 0; sites && i < count; i++)
    if (sites[i] < 0 || sites[i] >= below) return 0;
  return sites != 0;
}

static int check_rule(const pt_rules *r, const pt_rule *rule) {
  i64 sites = r->height * r->width;
  if (rule->kind < PT_AT_LEAST || rule->kind > PT_ENTERED || !are_sets(rule->levels, 1, r->levels)) return 0;
  if (rule->kind == PT_PATH) return are_sets(rule->start, 1, r->levels) && are_sets(rule->end, 1, r->levels);
  if (rule->kind != PT_ENTERED) return 1;
  if (rule->top < 0 || rule->height < 1 || rule->height > r->height || rule->top > r->height - rule->height) return 0;
  if (rule->left < 0 || rule->width < 1 || rule->width > r->width || rule->left > r->width - rule->width) return 0;
  if (rule->num_passages < 1 || rule->num_passages > sites || !are_sites(rule->passages, rule->num_passages, sites)) return 0;
  for (i64 i = 0; i < rule->num_passages; i++) {
    i64 row = rule->passages[i] / r->width - rule->top, column = rule->passages[i] % r->width - rule->left;
    if (row < 0 || row >= rule->height || column < 0 || column >= rule->width) return 0;
  }
  return 1;
}

static int check_rules(const pt_rules *r) {
  if (r->channels < 1 || r->channels > 1024 || r->levels < 2 || r->levels > 1 << 16) return 0;
  if (r->height < 1 || r->width < 1 || r->height > MOST || r->width > MOST_GRID / r->height) return 0;
  if (r->num_partners < 0 || r->num_partners > 16 || r->num_sets < 0 || r->num_sets > 4096 || r->num_rules < 0 || r->num_rules > 4096) return 0;
  i64 sites = r->height * r->width;
  int is_tracked = r->adjacency || r->num_partners || r->num_sets || r->num_rules;
  if (is_tracked && r->channels != 1) return 0;
  if (!are_sets(r->allowed, r->channels * sites, r->levels)) return 0;
  if (r->adjacency && !are_sets(r->adjacency, 4 * r->levels, r->levels)) return 0;
  if (r->num_partners && !are_sites(r->partners, r->num_partners * sites, sites)) return 0;
  if (r->num_sets && (!are_sets(r->sets, r->num_sets, r->levels) || !r->limits)) return 0;
  for (i64 i = 0; i < r->num_rules; i++)
    if (!r->rules || !check_rule(r, r->rules + i)) return 0;
  return 1;
}

/* Lay out the memory of a mask; return its bytes, or -1. */
static i64 lay_out_mask(arena *a, pt_mask *m, const pt_rules *r, i64 images) {
  i64 sites = r->height * r->width, words = (r->levels + WORD - 1) / WORD, grid = r->channels * sites;
  i64 tracked = r->adjacency || r->num_partners || r->num_sets || r->num_rules ? sites : 0;
  *m = (pt_mask){.rules = r, .images = images, .sites = sites, .words = words, .tracked = tracked};
  m->row_step = r->width, m->column_step = 1;
  m->bits = take(a, times(a, images, grid), words * 8);
  m->start = take(a, times(a, images, tracked ? grid : 0), words * 8);
  m->counts = take(a, images, 2 * r->num_sets * 8);
  m->start_counts = take(a, images, 2 * r->num_sets * 8);
  m->state = take(a, images, PT_STATE * 8);
  m->mass = take(a, images, 8);
  m->stack = take(a, times(a, images, tracked), 4);
  m->trail = take(a, times(a, images, tracked), 4);
  m->stamps = take(a, times(a, images, tracked), 8);
  m->saved = take(a, times(a, images, tracked), words * 8);
  m->stacked = take(a, times(a, images, tracked), 1);
  m->marks = take(a, times(a, images, tracked), 1);
  m->scratch = take(a, images, 2 * words * 8);
  m->full = take(a, 1, words * 8);
  m->reach = take(a, 4, words * 8);
  return a->too_large ? -1 : a->used;
}

int64_t pt_mask_memory(const pt_rules *rules, int64_t images) {
  if (images < 1 || images > MOST || !check_rules(rules)) return -1;
  arena a = {0, 0, 0};
  pt_mask m;
  take(&a, 1, sizeof(pt_mask));
  return lay_out_mask(&a, &m, rules, images);
}

static void copy_set(u64 *to, const u64 *from, i64 words) {
  for (i64 w = 0; w < words; w++) to[w] = from[w];
}
static int has_level(const u64 *set, i64 level) { return set[level / WORD] >> level % WORD & 1; }
static void set_only(u64 *set, i64 words, i64 level) {
  for (i64 w = 0; w < words; w++) set[w] = 0;
  set[level / WORD] = 1ull << level % WORD;
}
static int is_empty(const u64 *set, i64 words) {
  u64 any = 0;
  for (i64 w = 0; w < words; w++) any |= set[w];
  return !any;
}
/* True if sets share a level; true if all levels of the first are in the second. */
static int meets(const u64 *a, const u64 *b, i64 words) {
  u64 any = 0;
  for (i64 w = 0; w < words; w++) any |= a[w] & b[w];
  return any != 0;
}
static int is_within(const u64 *a, const u64 *b, i64 words) {
  u64 any = 0;
  for (i64 w = 0; w < words; w++) any |= a[w] & ~b[w];
  return !any;
}

static i64 *state_of(const pt_mask *m, i64 b) { return m->state + b * PT_STATE; }
/* The domain of a site of the only channel. */
static u64 *domain_of(const pt_mask *m, i64 b, i64 site) { return m->bits + (b * m->rules->channels * m->sites + site) * m->words; }

/* Count a domain in, or out, of the sets that it lies in and the sets that it meets. */
static void add_to_counts(pt_mask *m, i64 b, const u64 *domain, i64 sign) {
  const pt_rules *r = m->rules;
  for (i64 s = 0; s < r->num_sets; s++) {
    const u64 *set = r->sets + s * m->words;
    i64 *counts = m->counts + (b * r->num_sets + s) * 2;
    counts[0] += sign * is_within(domain, set, m->words);
    counts[1] += sign * meets(domain, set, m->words);
  }
}

static void keep_start(pt_mask *m, i64 b) {
  i64 sets = m->rules->num_sets * 2;
  for (i64 i = 0; i < m->tracked; i++) copy_set(m->start + (b * m->sites + i) * m->words, domain_of(m, b, i), m->words);
  for (i64 i = 0; i < sets; i++) m->start_counts[b * sets + i] = m->counts[b * sets + i];
}

pt_mask *pt_mask_begin(const pt_rules *r, int64_t images, void *memory) {
  pt_mask *m = memory;
  arena a = {memory, 0, 0};
  take(&a, 1, sizeof(pt_mask));
  lay_out_mask(&a, m, r, images);
  i64 grid = r->channels * m->sites * m->words;
  for (i64 w = 0; w < m->words; w++) m->full[w] = w + 1 < m->words || r->levels % WORD == 0 ? ~0ull : (1ull << r->levels % WORD) - 1;
  for (i64 d = 0; d < 4; d++) {
    u64 *reach = m->reach + d * m->words;
    for (i64 w = 0; w < m->words; w++) reach[w] = 0;
    for (i64 k = 0; r->adjacency && k < r->levels * m->words; k++) reach[k % m->words] |= r->adjacency[d * r->levels * m->words + k];
  }
  for (i64 b = 0; b < images; b++) {
    for (i64 i = 0; i < grid; i++) m->bits[b * grid + i] = r->allowed[i];
    for (i64 i = 0; i < m->tracked; i++) m->stamps[b * m->sites + i] = 0, m->stacked[b * m->sites + i] = 0;
    for (i64 i = 0; i < PT_STATE; i++) state_of(m, b)[i] = 0;
    for (i64 i = 0; i < 2 * r->num_sets; i++) m->counts[b * 2 * r->num_sets + i] = 0;
    state_of(m, b)[PT_BROKEN] = state_of(m, b)[PT_FURTHEST] = -1;
    m->mass[b] = 0.5, state_of(m, b)[PT_EXPONENT] = 1;
    for (i64 i = 0; i < m->tracked; i++) add_to_counts(m, b, domain_of(m, b, i), 1);
    keep_start(m, b);
  }
  return m;
}

void pt_mask_keep(pt_mask *m, int64_t first, int64_t count) {
  for (i64 b = first; b < first + count; b++) keep_start(m, b);
}

/* Copy domains, counts, mass, and what is said of an image, but not what undoes its assignments. */
static void copy_image(pt_mask *m, i64 b, const pt_mask *from, i64 of) {
  i64 grid = m->rules->channels * m->sites * m->words, sets = 2 * m->rules->num_sets;
  for (i64 i = 0; i < grid; i++) m->bits[b * grid + i] = from->bits[of * grid + i];
  for (i64 i = 0; i < sets; i++) m->counts[b * sets + i] = from->counts[of * sets + i];
  for (i64 i = 0; i <= PT_EXPONENT; i++) state_of(m, b)[i] = state_of(from, of)[i];
  m->mass[b] = from->mass[of];
}

void pt_mask_copy(pt_mask *m, int64_t b, const pt_mask *from, int64_t of) {
  copy_image(m, b, from, of);
  keep_start(m, b);
}

/* ---- arc consistency, assignments and their undoing ---- */

/* Note that a domain has shrunk. */
static void push(pt_mask *m, i64 b, i64 site) {
  if (m->stacked[b * m->sites + site]) return;
  m->stacked[b * m->sites + site] = 1;
  m->stack[b * m->sites + state_of(m, b)[PT_STACK]++] = (i32)site;
}

/* Intersect a domain with a set of levels; return 0 if nothing is left. */
static int narrow_domain(pt_mask *m, i64 b, i64 site, const u64 *allowed) {
  u64 *domain = domain_of(m, b, site);
  i64 *state = state_of(m, b), at = b * m->sites;
  if (!is_within(domain, allowed, m->words)) {
    if (m->stamps[at + site] != state[PT_STAMP]) {
      i64 last = at + state[PT_TRAIL]++;
      m->trail[last] = (i32)site;
      copy_set(m->saved + last * m->words, domain, m->words);
      m->stamps[at + site] = state[PT_STAMP];
    }
    add_to_counts(m, b, domain, -1);
    for (i64 w = 0; w < m->words; w++) domain[w] &= allowed[w];
    add_to_counts(m, b, domain, 1);
    push(m, b, site);
  }
  if (!is_empty(domain, m->words)) return 1;
  state[PT_SITE] = site;
  return 0;
}

/* The levels that a neighbour may have: those that follow some level of the domain. */
static const u64 *supported(const pt_mask *m, i64 b, i64 site, i64 direction, u64 *result) {
  const u64 *domain = domain_of(m, b, site), *table = m->rules->adjacency + direction * m->rules->levels * m->words;
  if (is_within(m->full, domain, m->words)) return m->reach + direction * m->words;
  for (i64 w = 0; w < m->words; w++) result[w] = 0;
  for (i64 w = 0; w < m->words; w++)
    for (u64 left = domain[w]; left; left &= left - 1) {
      const u64 *after = table + (w * WORD + __builtin_ctzll(left)) * m->words;
      for (i64 v = 0; v < m->words; v++) result[v] |= after[v];
    }
  return result;
}

/* The neighbour of a site; -1 beyond the border. */
static i64 neighbour_of(i64 site, i64 direction, i64 height, i64 width) {
  i64 row = site / width, column = site % width;
  if (direction == RIGHT) return column + 1 < width ? site + 1 : -1;
  if (direction == LEFT) return column > 0 ? site - 1 : -1;
  if (direction == BELOW) return row + 1 < height ? site + width : -1;
  return row > 0 ? site - width : -1;
}

/* Take a set of levels from all open sites once as many sites have one as may; return 0 if more must. */
static int enforce_limits(pt_mask *m, i64 b) {
  const pt_rules *r = m->rules;
  u64 *outside = m->scratch + (2 * b + 1) * m->words;
  for (i64 s = 0; s < r->num_sets; s++) {
    const i64 *counts = m->counts + (b * r->num_sets + s) * 2;
    if (counts[0] > r->limits[s]) return 0;
    if (counts[0] < r->limits[s] || counts[1] <= r->limits[s]) continue;
    for (i64 w = 0; w < m->words; w++) outside[w] = m->full[w] & ~r->sets[s * m->words + w];
    for (i64 site = 0; site < m->sites; site++)
      if (meets(domain_of(m, b, site), outside, m->words)) narrow_domain(m, b, site, outside);
  }
  return 1;
}

static void clear_stack(pt_mask *m, i64 b) {
  i64 *state = state_of(m, b);
  while (state[PT_STACK]) m->stacked[b * m->sites + m->stack[b * m->sites + --state[PT_STACK]]] = 0;
}

/* Make all domains arc consistent, from the sites on the stack on; return 0 if one has become empty. */
static int propagate(pt_mask *m, i64 b) {
  const pt_rules *r = m->rules;
  i64 *state = state_of(m, b), directions = r->adjacency ? 4 : 0;
  u64 *result = m->scratch + 2 * b * m->words;
  int consistent = 1;
  while (consistent) {
    if (!state[PT_STACK]) {
      consistent = enforce_limits(m, b);
      if (!state[PT_STACK]) break;
      continue;
    }
    i64 site = m->stack[b * m->sites + --state[PT_STACK]];
    m->stacked[b * m->sites + site] = 0;
    for (i64 d = 0; d < directions && consistent; d++) {
      i64 other = neighbour_of(site, d, r->height, r->width);
      if (other >= 0) consistent = narrow_domain(m, b, other, supported(m, b, site, d, result));
    }
    for (i64 i = 0; i < r->num_partners && consistent; i++)
      consistent = narrow_domain(m, b, r->partners[i * m->sites + site], domain_of(m, b, site));
  }
  clear_stack(m, b);
  return consistent;
}

/* Begin an assignment, which `undo` can take back. */
static void begin_assignment(pt_mask *m, i64 b) {
  state_of(m, b)[PT_STAMP]++;
  state_of(m, b)[PT_TRAIL] = 0;
}

static void undo(pt_mask *m, i64 b) {
  clear_stack(m, b);
  for (i64 i = 0; i < state_of(m, b)[PT_TRAIL]; i++) {
    u64 *domain = domain_of(m, b, m->trail[b * m->sites + i]);
    add_to_counts(m, b, domain, -1);
    copy_set(domain, m->saved + (b * m->sites + i) * m->words, m->words);
    add_to_counts(m, b, domain, 1);
  }
  begin_assignment(m, b);
}

static int assign(pt_mask *m, i64 b, i64 site, i64 level) {
  u64 *only = m->scratch + (2 * b + 1) * m->words, *domain = domain_of(m, b, site);
  set_only(only, m->words, level);
  begin_assignment(m, b);
  push(m, b, site); /* also where the level is the last one, after others were taken away */
  if (narrow_domain(m, b, site, only) && propagate(m, b)) return 1;
  undo(m, b);
  add_to_counts(m, b, domain, -1); /* the site is drawn now: nothing is propagated */
  domain[level / WORD] &= ~(1ull << level % WORD);
  add_to_counts(m, b, domain, 1);
  return 0;
}

static void try_levels(pt_mask *m, i64 b, i64 site) {
  for (i64 level = 0; level < m->rules->levels; level++)
    if (has_level(domain_of(m, b, site), level) && assign(m, b, site, level)) undo(m, b);
}

/* Give sites their levels, or leave them as they are where `levels` is NULL, and propagate from these sites. */
static int restrict_sites(pt_mask *m, i64 b, const i64 *sites, const i64 *levels, i64 count) {
  u64 *only = m->scratch + (2 * b + 1) * m->words;
  begin_assignment(m, b);
  for (i64 i = 0; i < count; i++) {
    i64 site = sites ? sites[i] : i;
    if (site < 0 || site >= m->sites) continue;
    if (levels && levels[i] >= 0 && levels[i] < m->rules->levels) set_only(only, m->words, levels[i]);
    else for (i64 w = 0; w < m->words; w++) only[w] = levels ? 0 : m->full[w];
    if (!narrow_domain(m, b, site, only)) {
      clear_stack(m, b);
      return 0;
    }
    push(m, b, site);
  }
  return propagate(m, b);
}

int32_t pt_mask_propagate(pt_mask *m, int64_t b) { return m->tracked ? restrict_sites(m, b, 0, 0, m->sites) : 1; }

int32_t pt_mask_fix(pt_mask *m, int64_t b, const int64_t *sites, const int64_t *levels, int64_t count) {
  return m->tracked ? restrict_sites(m, b, sites, levels, count) : 1;
}

int32_t pt_mask_assign(pt_mask *m, int64_t b, int64_t site, int64_t level) {
  if (!m->tracked || site < 0 || site >= m->sites || level < 0 || level >= m->rules->levels) return 1;
  return assign(m, b, site, level);
}

void pt_mask_try(pt_mask *m, int64_t b, int64_t site) {
  if (m->tracked && site >= 0 && site < m->sites) try_levels(m, b, site);
}

/* ---- rules of the whole image, over the levels that its sites may still have ---- */

/* Spread from the reached sites of a rectangle to its passable ones. */
static void flood(pt_mask *m, i64 b, const pt_rule *area) {
  u8 *marks = m->marks + b * m->sites;
  i32 *stack = m->stack + b * m->sites; /* empty between two draws */
  i64 width = m->rules->width, count = 0;
  for (i64 row = area->top; row < area->top + area->height; row++)
    for (i64 column = area->left; column < area->left + area->width; column++)
      if (marks[row * width + column] & REACHED) stack[count++] = (i32)(row * width + column);
  while (count) {
    i64 site = stack[--count];
    for (i64 d = 0; d < 4; d++) {
      i64 other = neighbour_of(site, d, m->rules->height, width);
      if (other < 0 || marks[other] != PASSABLE) continue;
      i64 row = other / width - area->top, column = other % width - area->left;
      if (row < 0 || column < 0 || row >= area->height || column >= area->width) continue;
      marks[other] |= REACHED;
      stack[count++] = (i32)other;
    }
  }
}

/* Mark the sites that may have one of some levels as passable, and of these as reached those that may have one of others. */
static void mark(pt_mask *m, i64 b, const u64 *levels, const u64 *reached) {
  for (i64 i = 0; i < m->sites; i++) {
    const u64 *domain = domain_of(m, b, i);
    int is_passable = meets(domain, levels, m->words);
    m->marks[b * m->sites + i] = (u8)(is_passable * (PASSABLE | (reached && meets(domain, reached, m->words) ? REACHED : 0)));
  }
}

/* True if all sites of a rectangle that can have nothing but the levels are reached. */
static int reaches_all(const pt_mask *m, i64 b, const pt_rule *rule, const pt_rule *area) {
  for (i64 row = area->top; row < area->top + area->height; row++)
    for (i64 column = area->left; column < area->left + area->width; column++) {
      i64 site = row * m->rules->width + column;
      if (is_within(domain_of(m, b, site), rule->levels, m->words) && !(m->marks[b * m->sites + site] & REACHED)) return 0;
    }
  return 1;
}

static int may_be_one_piece(pt_mask *m, i64 b, const pt_rule *rule, const pt_rule *whole) {
  i64 first = 0;
  while (first < m->sites && !is_within(domain_of(m, b, first), rule->levels, m->words)) first++;
  if (first == m->sites) return 1;
  mark(m, b, rule->levels, 0);
  if (m->marks[b * m->sites + first]) m->marks[b * m->sites + first] |= REACHED;
  flood(m, b, whole);
  return reaches_all(m, b, rule, whole);
}

static int may_have_path(pt_mask *m, i64 b, const pt_rule *rule, const pt_rule *whole) {
  mark(m, b, rule->levels, rule->start);
  flood(m, b, whole);
  for (i64 i = 0; i < m->sites; i++)
    if (m->marks[b * m->sites + i] & REACHED && meets(domain_of(m, b, i), rule->end, m->words)) return 1;
  return 0;
}

/* True if tiles that may have the levels join the passages, and lead out of every piece of the rectangle. */
static int may_be_entered(pt_mask *m, i64 b, const pt_rule *rule) {
  u8 *marks = m->marks + b * m->sites;
  i64 height = m->rules->height, width = m->rules->width;
  mark(m, b, rule->levels, 0);
  if (marks[rule->passages[0]]) marks[rule->passages[0]] |= REACHED;
  flood(m, b, rule);
  for (i64 i = 0; i < rule->num_passages; i++)
    if (!(marks[rule->passages[i]] & REACHED)) return 0;
  for (i64 row = rule->top; row < rule->top + rule->height; row++)
    for (i64 column = rule->left; column < rule->left + rule->width; column++)
      for (i64 d = 0; d < 4; d++) {
        i64 site = row * width + column, other = neighbour_of(site, d, height, width);
        i64 y = row + (d == BELOW) - (d == ABOVE) - rule->top, x = column + (d == RIGHT) - (d == LEFT) - rule->left;
        if (y >= 0 && x >= 0 && y < rule->height && x < rule->width) continue;
        if (marks[site] && (other < 0 || marks[other])) marks[site] |= REACHED; /* beyond the grid nothing is known */
      }
  flood(m, b, rule);
  return reaches_all(m, b, rule, rule);
}

static int may_hold(pt_mask *m, i64 b, const pt_rule *rule) {
  const pt_rule whole = {.height = m->rules->height, .width = m->rules->width};
  if (rule->kind == PT_ONE_PIECE) return may_be_one_piece(m, b, rule, &whole);
  if (rule->kind == PT_PATH) return may_have_path(m, b, rule, &whole);
  if (rule->kind == PT_ENTERED) return may_be_entered(m, b, rule);
  i64 count = 0;
  for (i64 i = 0; i < m->sites; i++) count += meets(domain_of(m, b, i), rule->levels, m->words);
  return count >= rule->number;
}

int64_t pt_mask_broken(pt_mask *m, int64_t b) {
  for (i64 i = 0; i < m->rules->num_rules; i++)
    if (!may_hold(m, b, m->rules->rules + i)) return i;
  return -1;
}

/* ---- the choice of the next row: backtracking ---- */

int32_t pt_search_begin(pt_search *s, pt_mask *m, int64_t first, int64_t count, int64_t height, int64_t width) {
  *s = (pt_search){.mask = m, .first = first, .count = count, .height = height, .width = width, .save = -1, .restore = -1};
  if (first < 0 || count < 1 || first > m->images - count || height < 1 || width < 1 || height > MOST || width > MOST) return 0;
  i64 limit = 2 * (i64)MOST_GRID;
  if (magnitude(m->row_step) > limit || magnitude(m->column_step) > limit || m->origin < 0 || m->origin >= m->sites) return 0;
  for (int corner = 1; corner < 4; corner++) {
    i64 site = m->origin + (corner & 1) * (height - 1) * m->row_step + (corner >> 1) * (width - 1) * m->column_step;
    if (site < 0 || site >= m->sites) return 0;
  }
  for (i64 b = first; b < first + count; b++) state_of(m, b)[PT_FAILURES] = 0, state_of(m, b)[PT_FURTHEST] = -1;
  return 1;
}

/* A weight would not correct for rows that are drawn again. */
static int can_return(const pt_search *s) { return s->mask->tracked && !s->mask->rules->is_weighted; }

static i64 slot_of(const pt_search *s, i64 number) { return (s->oldest + number) % PT_SLOTS; }

/* Take an image back to the beginning of the row: other uniforms will draw it. */
static void go_back(pt_search *s, i64 b, const i64 *levels) {
  pt_mask *m = s->mask;
  i64 *state = state_of(m, b), sets = 2 * m->rules->num_sets;
  u64 *only = m->scratch + (2 * b + 1) * m->words;
  for (i64 i = 0; i < m->sites; i++) copy_set(domain_of(m, b, i), m->start + (b * m->sites + i) * m->words, m->words);
  for (i64 i = 0; i < sets; i++) m->counts[b * sets + i] = m->start_counts[b * sets + i];
  state[PT_STATUS] = PT_ALIVE;
  state[PT_ATTEMPT]++;
  begin_assignment(m, b);
  for (i64 i = 0; i < s->row * s->width; i++) {
    i64 site = m->origin + i / s->width * m->row_step + i % s->width * m->column_step;
    i64 level = smaller(larger(levels[i], 0), m->rules->levels - 1);
    set_only(only, m->words, level);
    if (!narrow_domain(m, b, site, only)) break;
    push(m, b, site);
  }
  propagate(m, b);
}

/* Check the row that was drawn, and choose the next one: after it, or the row of a saved state. */
static void finish_row(pt_search *s, const i64 *levels) {
  pt_mask *m = s->mask;
  i64 most = 0;
  for (i64 b = s->first; b < s->first + s->count; b++) {
    i64 *state = state_of(m, b), broken = state[PT_STATUS] == PT_ALIVE ? pt_mask_broken(m, b) : -1;
    if (broken >= 0) {
      state[PT_BROKEN] = broken;
      state[PT_STATUS] = m->rules->rules[broken].is_repairable ? PT_DEAD : PT_REJECTED;
    }
    if (state[PT_STATUS] != PT_DEAD) continue;
    if (s->row > state[PT_FURTHEST]) state[PT_FAILURES] = 0, state[PT_FURTHEST] = s->row;
    if (!can_return(s) || ++state[PT_FAILURES] > MOST_ATTEMPTS) state[PT_STATUS] = PT_REJECTED;
    else most = larger(most, state[PT_FAILURES]);
  }
  if (!most) {
    s->row++;
    return;
  }
  s->num_saved -= smaller(most, s->num_saved) - 1;
  s->restore = slot_of(s, s->num_saved - 1);
  s->row = s->saved[s->restore];
  for (i64 b = s->first; b < s->first + s->count; b++)
    if (state_of(m, b)[PT_STATUS] == PT_DEAD) go_back(s, b, levels + (b - s->first) * s->height * s->width);
}

int64_t pt_search_next(pt_search *s, const int64_t *levels) {
  i64 rejected = 0;
  s->save = s->restore = -1;
  if (s->begun) finish_row(s, levels);
  s->begun = 1;
  for (i64 b = s->first; b < s->first + s->count; b++) rejected += state_of(s->mask, b)[PT_STATUS] == PT_REJECTED;
  if (s->row >= s->height || rejected == s->count) {
    s->final_rows = s->height;
    return -1;
  }
  if (can_return(s) && s->row % EVERY == 0 && (!s->num_saved || s->saved[slot_of(s, s->num_saved - 1)] < s->row)) {
    if (s->num_saved == PT_SLOTS) s->oldest = slot_of(s, 1), s->num_saved--;
    s->save = slot_of(s, s->num_saved++);
    s->saved[s->save] = s->row;
  }
  s->final_rows = can_return(s) && s->num_saved ? s->saved[slot_of(s, 0)] : s->row;
  return s->row;
}

/* ---- draws within a domain ---- */

/* Uniform number k of a draw: the given one, and then pseudo-random ones that follow from it.
   SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"). */
static double redraw(double uniform, u64 number) {
  if (!(uniform >= 0 && uniform < 1)) uniform = 0;
  if (!number) return uniform;
  u64 z = (u64)(uniform * 9007199254740992.0) + number * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* Multiply mantissa 2^exponent, of a mantissa in [1/2, 1) or 0: rounded once, in the same way everywhere. */
static void scale_by(double *mantissa, i64 *exponent, double factor) {
  union { double number; u64 bits; } x = {*mantissa * factor};
  if (!x.bits) {
    *mantissa = 0;
    return;
  }
  *exponent += (i64)(x.bits >> 52 & 0x7FF) - 1022;
  x.bits = (x.bits & ~(0x7FFull << 52)) | 1022ull << 52;
  *mantissa = x.number;
}

/* What a draw computes with: frequencies of the levels that are allowed, side by side. */
typedef struct {
  program p;
  i32 header[HEADER];
  const pt_transform *transform;
  i64 *conditional, *reference, first;
  pt_mask *mask;
  draws of;
} masked_draw;

/* Let a draw count its own levels, by a copy of the header. */
static void begin_masked(const pt_run *r, const pt_transform *t, masked_draw *d) {
  static const pt_transform identity = {0, 1 << 16, 1 << 16, 1 << 30};
  d->p = r->p, d->transform = t ? t : &identity;
  for (int i = 0; i < HEADER; i++) d->header[i] = r->p.header[i];
  d->p.header = d->header;
}

/* Draw a level of a domain from r->weights, and propagate. A level that leaves a site without levels is taken away, and
   another is drawn: so the distribution is that of the model over the other levels. */
static i64 draw_in_domain(pt_run *r, pt_mask *m, i64 b, i64 channel, i64 site, double uniform, masked_draw *d) {
  i64 *state = state_of(m, b), levels = m->rules->levels;
  const u64 *domain = m->bits + ((b * m->rules->channels + channel) * m->sites + site) * m->words;
  if (state[PT_STATUS] == PT_ALIVE && m->rules->is_weighted) {
    if (m->tracked) try_levels(m, b, site);
    i64 total = 0;
    for (i64 k = 0; k < levels; k++) total += has_level(domain, k) ? r->weights[k] : 0;
    if (total) scale_by(m->mass + b, state + PT_EXPONENT, (double)total), state[PT_EXPONENT] -= r->p.header[H_PRECISION];
  }
  for (u64 tries = 0;; tries++) {
    if (state[PT_STATUS] == PT_ALIVE && is_empty(domain, m->words)) state[PT_STATUS] = PT_DEAD, state[PT_SITE] = site;
    int is_alive = state[PT_STATUS] == PT_ALIVE;
    i64 count = 0, number, level, interval[2];
    for (i64 k = 0; k < levels; k++) {
      d->conditional[count] = r->weights[k], d->reference[count] = r->reference[k];
      count += !is_alive || has_level(domain, k);
    }
    d->header[H_LEVELS] = (i32)count;
    r->level->transform(&d->p, d->transform, d->conditional, d->reference, r->drawn);
    number = find(r->drawn, count, -1, target_of(redraw(uniform, (u64)state[PT_ATTEMPT] * TRIES + tries), 30), interval);
    for (level = 0; level < levels && number >= 0; level++) number -= !is_alive || has_level(domain, level);
    level--;
    if (!is_alive || !m->tracked || assign(m, b, site, level)) return level;
  }
}

static void draw_masked(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last) {
  masked_draw *d = how;
  const draws *of = &d->of;
  const pt_mask *m = d->mask;
  i64 plane = r->height * r->width, place = row * r->width + column, site = m->origin + row * m->row_step + column * m->column_step;
  for (i64 c = first; c < last; c++)
    for (i64 b = 0; b < of->images; b++) {
      i64 at = (b * r->p.header[H_CHANNELS] + c) * plane + place;
      if (of->known[at]) continue;
      weigh_levels(r, b, of->images, column, of->levels + at - c * plane, c, d->transform);
      of->levels[at] = draw_in_domain(r, d->mask, d->first + b, c, site, of->uniforms[at], d);
      note_level(r, of, b, place, c, at);
    }
}

/* Lay out the draw, and the states that are saved; return the bytes. */
static i64 lay_out_search(const pt_run *r, const pt_mask *m, u8 *base, masked_draw *d, u8 **slots) {
  arena a = {base, 0, 0};
  i64 levels = r->p.header[H_LEVELS], bytes = 0;
  d->conditional = take(&a, levels + 1, 8); /* one number more is written than there are levels */
  d->reference = take(&a, levels + 1, 8);
  for (i64 i = 0; i < r->num_blocks; i++) bytes += r->blocks[i].slots * r->batch * r->blocks[i].bytes;
  for (i64 i = 0; i < PT_SLOTS; i++) slots[i] = take(&a, m->tracked && !m->rules->is_weighted ? bytes : 0, 1);
  return a.used;
}

int64_t pt_search_memory(const pt_run *r, const pt_mask *m) {
  masked_draw d;
  u8 *slots[PT_SLOTS];
  return lay_out_search(r, m, 0, &d, slots);
}

/* Copy the state of all images to a slot, or from it. */
static void copy_state(pt_run *r, u8 *slot, int is_back) {
  for (i64 i = 0; i < r->num_blocks; i++) {
    const block *k = r->blocks + i;
    i64 bytes = k->slots * r->batch * k->bytes;
    u8 *at = (u8 *)r + k->at;
    for (i64 j = 0; j < bytes; j++)
      if (is_back) at[j] = slot[j];
      else slot[j] = at[j];
    slot += bytes;
  }
}

int32_t pt_sample_in_mask(pt_run *r, pt_mask *m, int64_t first, int64_t *levels, const uint8_t *known, const double *uniforms,
                          int64_t *sizes, int32_t *tables, const pt_transform *t, void *memory, volatile int64_t *signal) {
  i64 images = images_of(r, t), row;
  pt_search s;
  masked_draw d = {.first = first, .mask = m, .of = {images, levels, known, uniforms, sizes, tables, t}};
  u8 *slots[PT_SLOTS];
  if (m->rules->channels != r->p.header[H_CHANNELS] || m->rules->levels != r->p.header[H_LEVELS]) return 0;
  if (!pt_search_begin(&s, m, first, images, r->height, r->width)) return 0;
  lay_out_search(r, m, memory, &d, slots);
  begin_masked(r, t, &d);
  while ((row = pt_search_next(&s, levels)) >= 0) {
    signal[1] = s.final_rows;
    if (s.restore >= 0) copy_state(r, slots[s.restore], 1);
    if (s.save >= 0) copy_state(r, slots[s.save], 0);
    if (!visit_row(r, row, images, levels, 0, draw_masked, &d, signal)) return 1;
  }
  signal[1] = s.final_rows;
  return 1;
}
