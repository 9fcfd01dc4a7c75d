/* Paint pictures of an exported model by pointillist.c: its conditions, and the random numbers of a seed. */
#ifndef POINTILLIST_PAINT_H
#define POINTILLIST_PAINT_H
#include "pointillist.h"

enum { PT_FIXED, PT_LABEL, PT_PROMPT };                /* what chooses a row of a part */
enum { PT_VECTOR, PT_MAP, PT_TOKENS, PT_KINDS }; /* kinds of conditions */

/* A part of the condition: `count` rows of `numbers`, the last of which stands for "unknown". */
typedef struct {
  int32_t kind, by, count, numbers, channels;
  const int32_t *rows;
} pt_part;

typedef struct {
  int32_t channels, height, width, levels, num_inputs, num_parts;
  const void *program;
  int64_t size;          /* of the program */
  const int32_t *inputs; /* the kind of each input of the program */
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

/* Paint with another sampler in place of `pt_sample`; maps.c has one that obeys rules. */
typedef struct pt_sampler {
  void (*sample)(const struct pt_sampler *sampler, pt_run *run, int64_t *levels, const uint8_t *known, const double *uniforms,
                 int64_t *frequencies, const pt_transform *transform);
} pt_sampler;
PT_API void pt_paint_with(const pt_model *model, const pt_request *request, const pt_sampler *sampler, void *memory, int64_t *levels);

/* Colours of a picture, RGB [height, width, 3]. */
PT_API void pt_colours(const pt_model *model, const int64_t *levels, uint8_t *rgb);

/* Join the parts of a condition of an image, of a kind, under a label and a prompt. */
PT_API void pt_conditions(const pt_model *model, int32_t kind, int32_t label, int32_t prompt, int32_t *to);

/* The generator of numpy's default_rng(seeds), of at most four seeds: its next 64 bits, and numbers in [0, 1). A picture
   has [seed, index]. */
typedef struct {
  uint64_t high, low, step_high, step_low;
} pt_generator;
PT_API void pt_seed(pt_generator *generator, const uint64_t *seeds, int32_t num_seeds);
PT_API uint64_t pt_next(pt_generator *generator);
PT_API void pt_uniforms(pt_generator *generator, double *numbers, int64_t count);

/* ---- for the other files that lay out memory ---- */

/* Round up to lines of 64 bytes. */
static inline int64_t pt_aligned(int64_t size) { return (size + 63) / 64 * 64; }

/* Point a field at the next `bytes` of the memory from `base` on, of which `at` are taken. */
#define PT_TAKE(field, bytes) (field = (void *)((uintptr_t)base + (uintptr_t)at), at += pt_aligned(bytes))
#endif
