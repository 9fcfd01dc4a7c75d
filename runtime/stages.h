/* The map that a stage of an exported model takes: computed from the grid before, whose pixels are all known. */
#ifndef POINTILLIST_STAGES_H
#define POINTILLIST_STAGES_H
#include "paint.h"

/* A layer: weights of 16 bits [taps, inputs, outputs], or weights of bytes as `pt_product` reads them, the taps of each
   phase together, and the bits that each input loses to become a byte. The other is NULL. */
typedef struct {
  int32_t side, inputs, outputs; /* side: of its kernel, 1 or 3; 0 of the layer that spreads */
  const int16_t *weights;
  const int8_t *const *packed;
  const int8_t *cut;
  const float *scale;
  const int32_t *bias;
} pt_filter;

/* Attention to the tokens of a prompt: `step` is what a difference of scores of 1 moves in `exponentials`. */
typedef struct {
  int32_t heads, num_tokens;
  pt_filter query, keys, values, out;
  double step;
  const int32_t *exponentials;
} pt_attention;

struct pt_upsampler {
  int32_t down, right, channels, each, num_blocks; /* rows and columns of the finer grid for each of the grid before */
  const int32_t *levels;                           /* network input of each level [levels, each] */
  pt_filter first, spread;
  const pt_filter *blocks;
  const int32_t *dilations;
  const pt_filter *vector, *map; /* of the conditions, or NULL */
  const pt_attention *attention; /* or NULL */
  const double *units[PT_KINDS]; /* what an integer of each channel of a condition stands for */
  const double *map_units;       /* of the channels that it computes */
};

/* Compute the map of a stage; see `pt_upsample_function`. */
PT_API int64_t pt_upsample(const pt_upsampler *upsampler, const pt_picture *picture, void *memory);
#endif
