/* Paint pictures of an exported model by pointillist.c: its conditions, and the random numbers of a seed. */
#ifndef POINTILLIST_PAINT_H
#define POINTILLIST_PAINT_H
#include "pointillist.h"

enum { PT_FIXED, PT_LABEL, PT_PROMPT }; /* what chooses a row of a part */

/* A part of the condition: `count` rows of `numbers`, the last of which stands for "unknown". */
typedef struct {
  int32_t is_map, by, count, numbers, channels;
  const int32_t *rows;
} pt_part;

typedef struct {
  const void *program;
  int64_t size;
  int32_t channels, height, width, levels, num_parts, num_inputs;
  const int32_t *input_is_map; /* of each input of the program */
  const pt_part *parts;
  const uint8_t *colours;       /* RGB of each level of a palette, or NULL */
  const uint8_t *values;        /* of each level of a channel, 0 to 255 */
  const char *const *labels;    /* up to NULL */
  const char *const *prompts;
  double guidance, temperature, top_p; /* that suit the model */
} pt_model;

/* A seed and an index name a picture, with the settings. `label` and `prompt`: a number, or -1. */
typedef struct {
  uint64_t seed, index;
  int32_t label, prompt;
  double guidance, temperature, top_p;
} pt_request;

/* Return the request that suits a model, without a label and a prompt. */
PT_API pt_request pt_request_of(const pt_model *model, uint64_t seed);

/* Return the number of a name in such a list; -1 if it is not there. */
PT_API int32_t pt_number_of(const char *const *names, const char *name);

/* Return the bytes of memory that a painting needs; -1 if the program is damaged. */
PT_API int64_t pt_memory(const pt_model *model);

/* Paint a picture: levels [channels, height, width]. `memory`: as many bytes as `pt_memory` says, aligned to 64. */
PT_API void pt_paint(const pt_model *model, const pt_request *request, void *memory, int64_t *levels);

/* Colours of a picture, RGB [height, width, 3]. */
PT_API void pt_colours(const pt_model *model, const int64_t *levels, uint8_t *rgb);

/* Join the parts of an input of an image, of the vector or of the map, under a label and a prompt. */
PT_API void pt_conditions(const pt_model *model, int32_t is_map, int32_t label, int32_t prompt, int32_t *to);

/* The generator of numpy's default_rng(seeds), of at most four seeds: its next 64 bits, and numbers in [0, 1). A picture
   has [seed, index]. */
typedef struct {
  uint64_t high, low, step_high, step_low;
} pt_generator;
PT_API void pt_seed(pt_generator *generator, const uint64_t *seeds, int32_t num_seeds);
PT_API uint64_t pt_next(pt_generator *generator);
PT_API void pt_uniforms(pt_generator *generator, double *numbers, int64_t count);
#endif
