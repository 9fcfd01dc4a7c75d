/* Maps of an exported model by rules: what `pt.sample(model, rules=...)` draws, as `pointillist export --map-rules` writes it.

       int64_t bytes = pt_map_memory(&model, &rules);              -1: the rules are damaged, or of other maps
       if (!pt_paint_map(&model, &request, &rules, memory, levels)) puts(pt_map_error(memory)); */
#ifndef POINTILLIST_MAPS_H
#define POINTILLIST_MAPS_H
#include "paint.h"
#include "sentences.h"
#include "solver.h"

typedef struct {
  pt_rules of;              /* of one channel, of the size and the levels of the model; see solver.h */
  const char *const *words; /* name each rule of `of.rules` in sentences */
  int64_t tries;            /* maps that are drawn at most until one obeys */
} pt_map_rules;

/* Return the bytes of memory that painting by rules needs; -1 if the program or the rules are damaged, the rules are of
   maps of another size, or the model has several channels. */
PT_API int64_t pt_map_memory(const pt_model *model, const pt_map_rules *rules);

/* Paint a map that obeys rules: levels [height, width]. `memory`: as many bytes as `pt_map_memory` says, aligned to 64.
   Return how often it was drawn; 0 if the rules cannot be met, or no map has obeyed them. */
PT_API int64_t pt_paint_map(const pt_model *model, const pt_request *request, const pt_map_rules *rules, void *memory, int64_t *levels);

/* Return the sentence that names the rule which `pt_paint_map` could not meet. */
PT_API const char *pt_map_error(const void *memory);
#endif
