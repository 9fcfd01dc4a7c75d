/* Sequential Monte Carlo: histories of one image, weighted by what is known of it and comes later, and resampled.

       pt_run *run = pt_begin(program, count * (1 + is_guided), ...);     all with the conditions of the image
       pt_draw_particles(run, &particles, NULL, 0, height, memory, signal);

   A weight is mantissa 2^exponent, of a mantissa in [1/2, 1), or 0. A product of two is rounded once, as IEEE 754 defines,
   and sums are taken in the order of the particles: the same bits on every processor. */
#ifndef POINTILLIST_PARTICLES_H
#define POINTILLIST_PARTICLES_H
#include "solver.h"

/* Roles of a sub-pixel: unknown; known, and a factor of the weights; known to all before it. */
enum { PT_DRAWN, PT_WEIGHED, PT_CERTAIN };
typedef struct {
  int64_t count;
  int64_t *levels;            /* [count, c, h, w]: known levels, and drawn ones */
  const int8_t *roles;        /* [c, h, w] */
  const double *uniforms;     /* in [0, 1), [count, c, h, w] */
  const double *draws;        /* for the resampling before each pixel, and one more: [h, w + 1] */
  double *weights;            /* since the last resampling, [count] */
  int64_t *exponents;
  double marginal;            /* product of the mean weights at each resampling */
  int64_t marginal_exponent;
  pt_mask *mask;              /* of the particles, or NULL; its draws are weighted */
  const double *factors;      /* of the weights, by the level of a pixel of one channel, [h, w, levels]; NULL for none */
  int64_t first;
} pt_particles;

/* Return the bytes that `pt_draw_particles` needs. */
PT_API int64_t pt_particles_memory(const pt_run *run, const pt_particles *particles);

/* Draw the rows from `row` to `end`, of a run whose state is that of row `row`. `transform` and `signal` as for pt_sample.
   Return 0 if a number does not fit. */
PT_API int32_t pt_draw_particles(pt_run *run, pt_particles *particles, const pt_transform *transform, int64_t row, int64_t end,
                                 void *memory, volatile int64_t *signal);
#endif
