/* Walk through an endless map of an exported model: the tiles of `pt.World`. */
#ifndef POINTILLIST_WORLD_H
#define POINTILLIST_WORLD_H
#include "paint.h"

enum { PT_MASK = 64 }; /* what a known pixel writes to its mask */

/* The encoder of known pixels: the program of a grid, which makes `features` of the `each` numbers that a level writes, levels
   [levels, each], and the mask. */
typedef struct {
  const void *program;
  int64_t size; /* of the program */
  int32_t each, features;
  const int8_t *levels;
} pt_known;

/* Rules of the world, of rules.h; NULL: none. */
typedef struct pt_world_rules pt_world_rules;

/* A world in the caller's memory; the fields are for reading. */
typedef struct {
  const pt_model *model;
  const pt_known *known;
  const pt_world_rules *rules;
  uint64_t seed;
  int32_t size, margin, remembered, label;
} pt_world;

/* Return the bytes that a world needs; -1 if the program or the rules are damaged, or do not take such chunks, or a number
   is wrong. `size`: side of a chunk; `margin`: tiles around it that its draw sees; `remembered`: chunks in memory, 9 or more. */
PT_API int64_t pt_world_memory(const pt_model *model, const pt_known *known, const pt_world_rules *rules, int32_t size, int32_t margin,
                               int32_t remembered);

/* Begin in such memory, aligned to 64 bytes. `label`: a number, or -1. */
PT_API pt_world *pt_world_begin(const pt_model *model, const pt_known *known, const pt_world_rules *rules, uint64_t seed, int32_t label,
                                int32_t size, int32_t margin, int32_t remembered, void *memory);

/* Return the levels [size, size] of the chunk in column x and row y, in any order of visits. They are read-only, and stay
   until `remembered` other chunks were drawn. NULL: the rules cannot be met. */
PT_API const uint16_t *pt_chunk(pt_world *world, int32_t x, int32_t y);

/* Return the sentence that names the rule which could not be met, as Python words it. */
PT_API const char *pt_world_error(pt_world *world);

/* A chunk and the window around it in which it is drawn: x, y and the side of the chunk; rows and columns of the world. */
typedef struct {
  int64_t x, y, size, top, left, height, width;
} pt_window;

/* Seed what is drawn for a chunk, for a purpose: 0 for its tiles. */
void pt_seed_chunk(pt_generator *generator, uint64_t seed, int64_t x, int64_t y, int64_t purpose);
#endif
