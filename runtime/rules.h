/* Rules of endless maps: what `pt.World` takes, as `pointillist export --rules` writes it. world.c calls the rest. */
#ifndef POINTILLIST_RULES_H
#define POINTILLIST_RULES_H
#include "sentences.h"
#include "solver.h"
#include "world.h"

/* Sets of levels are bits as in solver.h; `words` name them in sentences. */
typedef struct {
  const uint64_t *levels;
  const char *words;
  int64_t at_least, at_most; /* tiles of a chunk that have one of the levels; at_most is -1 for any number */
} pt_count;
typedef struct {
  const uint64_t *levels;
  const char *words;
  int64_t passage; /* level of the passages, which the levels join within each chunk */
} pt_connected;
typedef struct { int64_t row, column, level; } pt_fixed; /* of the world */

struct pt_world_rules {
  int64_t levels;
  const uint64_t *adjacency; /* as in solver.h; or NULL */
  int64_t num_counts, num_connected, num_fixed, tries;
  const pt_count *counts;
  const pt_connected *connected;
  const pt_fixed *fixed;
};

/* Return what is wrong with rules of a model of so many levels, in a sentence; NULL if nothing is. */
PT_API const char *pt_wrong_rules(const pt_world_rules *rules, int64_t levels);

/* ---- for world.c ---- */

enum { PT_FREE_TRIES = 6 }; /* attempts before straight paths join the passages of a chunk */

/* The rules of a window, in memory of `pt_opening_memory` bytes for so many sites. The workspace of a run has so many bytes. */
typedef struct {
  const pt_world_rules *of;
  uint64_t seed;
  int64_t mask_bytes, space_bytes;
  pt_rules rules;
  pt_rule *checks;
  int64_t *names; /* the rule of each check */
  pt_failures failures;
  uint64_t *allowed, *sets;
  int64_t *limits, *passages, *sites, *levels;
  void *first, *attempt, *space; /* masks before the first draw, and of an attempt */
  char *sentence;
} pt_opening;

int64_t pt_opening_memory(const pt_world_rules *rules, int64_t sites, int64_t workspace);
pt_opening *pt_opening_begin(const pt_world_rules *rules, uint64_t seed, int64_t sites, int64_t workspace, void *memory);

/* True if draws are restricted, and not only tiles fixed. */
int pt_binds(const pt_world_rules *rules);

/* Visit the known tiles of a window, -1 where none is known: fixed ones first, passages where nothing else is known. */
void pt_know_fixed(const pt_opening *opening, const pt_window *window, int16_t *known);
void pt_know_passages(const pt_opening *opening, const pt_window *window, int16_t *known);
/* Join the passages of the chunk by straight paths to a tile in its middle. */
void pt_know_paths(const pt_opening *opening, const pt_window *window, int16_t *known);

/* Open the rules of a window; return 0, with a sentence, if arc consistency shows that they cannot be met. */
int pt_open_window(pt_opening *opening, const pt_window *window, const int16_t *known);

/* Return the mask of an attempt; then return 1 if its image obeys the rules. */
pt_mask *pt_begin_attempt(pt_opening *opening, int64_t attempt, const int16_t *known);
int pt_end_attempt(pt_opening *opening, pt_mask *mask);

/* Word that no attempt has obeyed the rules. */
void pt_give_up(pt_opening *opening, const pt_window *window, int64_t tries);
#endif
