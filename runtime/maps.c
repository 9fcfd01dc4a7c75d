/* Maps of an exported model by rules; see maps.h. No library, no allocation. */
#include "maps.h"

/* What begins the memory of a map. */
typedef struct {
  pt_sampler sampler; /* the first: `sample` receives its address */
  const pt_map_rules *rules;
  void *first, *attempt, *space, *painting; /* masks before the first draw, and of an attempt; the others of the draw */
  int64_t number, space_bytes;
  int32_t is_drawn; /* 1: the attempt obeys the rules */
  pt_failures failures;
  char *sentence;
} map;

/* Lay out the memory of a map from `base` on, and return its end; `mask`: bytes of a mask, and `workspace` of a run. */
static int64_t lay_out(const pt_map_rules *r, int64_t mask, int64_t workspace, int64_t painting, map *m, uint8_t *base) {
  int64_t at = pt_aligned(sizeof(map));
  m->space_bytes = PT_SLOTS * pt_aligned(workspace) + 16 * (r->of.levels + 1) + 8 * 64;
  PT_TAKE(m->first, mask);
  PT_TAKE(m->attempt, mask);
  PT_TAKE(m->space, m->space_bytes);
  PT_TAKE(m->painting, painting);
  PT_TAKE(m->failures.failed, 8 * (r->of.num_rules + 1));
  PT_TAKE(m->failures.order, 8 * (r->of.num_rules + 1));
  PT_TAKE(m->sentence, PT_SENTENCE);
  return at;
}

/* Lay out the map of a model; -1 if the rules do not fit it. */
static int64_t lay_out_of(const pt_model *model, const pt_map_rules *r, map *m, void *memory) {
  const pt_rules *of = &r->of;
  if (of->channels != 1 || model->channels != 1 || of->levels != model->levels) return -1;
  if (of->height != model->height || of->width != model->width || r->tries < 1 || (of->num_rules && !r->words)) return -1;
  int64_t painting = pt_memory(model), mask = pt_mask_memory(of, 1);
  if (painting < 0 || mask < 0) return -1;
  return lay_out(r, mask, pt_workspace(model->program, 2, model->height, model->width, 0), painting, m, memory);
}

int64_t pt_map_memory(const pt_model *model, const pt_map_rules *rules) {
  map m;
  return lay_out_of(model, rules, &m, 0);
}

const char *pt_map_error(const void *memory) { return ((const map *)memory)->sentence; }

/* Open the mask of the map; return 0, with a sentence, if arc consistency shows that the rules cannot be met. */
static int open_mask(const map *m) {
  pt_mask *mask = pt_mask_begin(&m->rules->of, 1, m->first);
  char *at = m->sentence;
  const char *end = at + PT_SENTENCE - 1;
  if (!pt_mask_propagate(mask, 0)) {
    int64_t site = mask->state[PT_SITE], width = m->rules->of.width;
    pt_add_text(&at, end, "The rules cannot be met: no level is left at row ");
    pt_add_number(&at, end, site / width);
    pt_add_text(&at, end, ", column ");
    pt_add_number(&at, end, site % width);
    pt_add_text(&at, end, ": change one of them.");
    return 0;
  }
  int64_t broken = pt_mask_broken(mask, 0);
  if (broken < 0) return 1;
  pt_add_text(&at, end, "The rule ");
  pt_add_text(&at, end, m->rules->words[broken]);
  pt_add_text(&at, end, " cannot be met with the other rules: change it or another one.");
  return 0;
}

static void give_up(const map *m) {
  char *at = m->sentence;
  const char *end = at + PT_SENTENCE - 1;
  int64_t most = pt_failures_most(&m->failures);
  pt_add_text(&at, end, "1 of 1 maps did not obey the rules in ");
  pt_add_number(&at, end, m->rules->tries);
  pt_add_text(&at, end, " tries (most often ");
  pt_add_text(&at, end, most < m->failures.count ? m->rules->words[most] : "a dead end of the rules between neighbours");
  pt_add_text(&at, end, "): loosen the rule, or raise `tries`.");
}

/* ---- attempts ---- */

/* Draw once within the mask. */
static void sample(const pt_sampler *sampler, pt_run *run, int64_t *levels, const uint8_t *known, const double *uniforms, int64_t *sizes,
                   const pt_transform *transform) {
  map *m = (map *)sampler;
  int64_t signal[2] = {0, 0};
  pt_mask *mask = pt_mask_begin(&m->rules->of, 1, m->attempt);
  pt_mask_copy(mask, 0, m->first, 0);
  mask->state[PT_ATTEMPT] = m->number << 20; /* each draws from other uniforms */
  pt_mask_keep(mask, 0, 1);
  if (pt_search_memory(run, mask) > m->space_bytes) return;
  if (!pt_sample_in_mask(run, mask, 0, levels, known, uniforms, sizes, 0, transform, m->space, signal)) return;
  m->is_drawn = mask->state[PT_STATUS] == PT_ALIVE;
  if (!m->is_drawn) pt_failures_add(&m->failures, mask->state);
}

int64_t pt_paint_map(const pt_model *model, const pt_request *request, const pt_map_rules *rules, void *memory, int64_t *levels) {
  map *m = memory;
  lay_out_of(model, rules, m, memory);
  m->sampler.sample = sample, m->rules = rules, m->is_drawn = 0, m->sentence[0] = 0;
  pt_failures_begin(&m->failures, rules->of.num_rules);
  if (!open_mask(m)) return 0;
  for (m->number = 0; m->number < rules->tries && !m->is_drawn; m->number++)
    pt_paint_with(model, request, &m->sampler, m->painting, levels);
  if (!m->is_drawn) give_up(m);
  return m->is_drawn ? m->number : 0;
}
