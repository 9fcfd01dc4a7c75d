/* Draw images that obey rules: levels that each sub-pixel may have, constraints between neighbours, rules of the whole
   image. A domain is the set of levels that a site may still have, kept arc consistent while an image is drawn; at a dead
   end the batch returns to an earlier row. Nothing here allocates.

       if (pt_mask_memory(&rules, images) < 0) ...                the rules are wrong, or too large
       pt_mask *mask = pt_mask_begin(&rules, images, memory);     each image with the levels that the rules allow
       for (b ...) if (!pt_mask_propagate(mask, b)) ...           no image obeys the rules
       for (b ...) pt_mask_fix(mask, b, sites, levels, count);    levels that are known
       pt_mask_keep(mask, 0, images);
       pt_sample_in_mask(run, mask, 0, ...);

   A set of levels is `words` = (levels + 63) / 64 numbers, of which bit k of number w stands for level 64 w + k; bits beyond
   the levels are 0. A site is row * width + column of the image. */
#ifndef POINTILLIST_SOLVER_H
#define POINTILLIST_SOLVER_H
#include "pointillist.h"

/* Kinds of rules of the whole image: at least `number` sites have one of the levels; all sites of the levels form one
   piece; a path of the levels leads from a site of `start` to one of `end`; in a rectangle, the levels join all `passages`,
   and no piece of them is closed. */
enum { PT_AT_LEAST, PT_ONE_PIECE, PT_PATH, PT_ENTERED };
typedef struct {
  int64_t kind;
  int64_t is_repairable;                 /* 1: drawing the last rows again may help */
  int64_t number;
  const uint64_t *levels, *start, *end;  /* start and end: of PT_PATH alone, among its levels */
  int64_t top, left, height, width;      /* the rectangle of PT_ENTERED, and sites in it */
  int64_t num_passages;
  const int64_t *passages;
} pt_rule;

/* What all images obey. Where sites constrain each other, or a rule is of the whole image, there is one channel. */
typedef struct {
  int64_t channels, height, width, levels;
  int64_t is_weighted;                   /* 1: add up the probability of the allowed levels; then no row is drawn again */
  const uint64_t *allowed;               /* [channels, sites, words] */
  const uint64_t *adjacency;             /* levels that may follow each level right, below, left, above: [4, levels, words]; or NULL */
  int64_t num_partners;
  const int64_t *partners;               /* for each site another one that has the same level: [num_partners, sites] */
  int64_t num_sets;
  const uint64_t *sets;                  /* [num_sets, words], and how many sites may have a level of each, at most */
  const int64_t *limits;
  int64_t num_rules;
  const pt_rule *rules;
} pt_rules;

/* The state of an image: its status; the number of times that it was begun again or taken back; the site that ran out of
   levels, and the rule that it broke, last (-1: none); the exponent of `mass`. The others are of the solver alone. */
enum { PT_STATUS, PT_ATTEMPT, PT_SITE, PT_BROKEN, PT_EXPONENT, PT_STACK, PT_TRAIL, PT_STAMP, PT_FAILURES, PT_FURTHEST, PT_STATE };
/* A dead image has come to a dead end, and is drawn without rules until it is taken back; a rejected one to the end. */
enum { PT_ALIVE, PT_DEAD, PT_REJECTED };

/* Masks of images, in the caller's memory. Threads may draw different images of a mask at the same time. */
typedef struct {
  const pt_rules *rules;
  int64_t images, sites, words;
  int64_t tracked;                       /* sites, or 0 if no draw changes a domain */
  int64_t origin, row_step, column_step; /* site of row r and column c of a run: origin + r row_step + c column_step */
  uint64_t *bits, *start;                /* domains now, and those that an image is taken back to: [images, channels, sites, words] */
  int64_t *counts, *start_counts;        /* sites that must, and that may, have a level of each set: [images, num_sets, 2] */
  int64_t *state;                        /* [images, PT_STATE] */
  double *mass;                          /* probability of the allowed levels of all draws: mass 2^exponent */
  /* of the solver: changed sites; those that an assignment has changed, when, and from what; marks; sets to compute with */
  int32_t *stack, *trail;
  int64_t *stamps;
  uint64_t *saved, *scratch;
  uint8_t *stacked, *marks;
  uint64_t *full, *reach;
} pt_mask;

/* Return the bytes that the masks of images need; -1 if a number of the rules is wrong, or they are too large. */
PT_API int64_t pt_mask_memory(const pt_rules *rules, int64_t images);

/* Begin in such memory, aligned to 64 bytes; nothing is propagated yet. The rules are read until the end. */
PT_API pt_mask *pt_mask_begin(const pt_rules *rules, int64_t images, void *memory);

/* Make the domains of an image arc consistent; or give sites their levels, and propagate. Return 0 if a site ran out of
   levels: PT_SITE names it. */
PT_API int32_t pt_mask_propagate(pt_mask *mask, int64_t image);
PT_API int32_t pt_mask_fix(pt_mask *mask, int64_t image, const int64_t *sites, const int64_t *levels, int64_t count);

/* Give a site its level, and propagate; or else undo it, take the level away, and return 0. */
PT_API int32_t pt_mask_assign(pt_mask *mask, int64_t image, int64_t site, int64_t level);

/* Take all levels from a site that would leave another one without levels. */
PT_API void pt_mask_try(pt_mask *mask, int64_t image, int64_t site);

/* Return the first rule of the whole image that no choice from the domains can obey; -1 if there is none. */
PT_API int64_t pt_mask_broken(pt_mask *mask, int64_t image);

/* Copy the mask of an image of the same rules; take the domains now as those that images are taken back to. */
PT_API void pt_mask_copy(pt_mask *mask, int64_t image, const pt_mask *from, int64_t of);
PT_API void pt_mask_keep(pt_mask *mask, int64_t first, int64_t count);

/* The choice of the next row of a batch. `save`, `restore`: the slot in which the state of the engine is to be saved, and
   from which it is to be restored before, or -1; there are PT_SLOTS. */
enum { PT_SLOTS = 4 };
typedef struct {
  pt_mask *mask;
  int64_t first, count, height, width;   /* images, rows and columns that are drawn */
  int64_t row, final_rows, save, restore, begun, num_saved, oldest, saved[PT_SLOTS];
} pt_search;

/* Begin with some images of a mask; 0 if they or the rows do not fit it. */
PT_API int32_t pt_search_begin(pt_search *search, pt_mask *mask, int64_t first, int64_t count, int64_t height, int64_t width);

/* Check the last row, and return the next one to draw, or -1. levels: [count, height, width] so far. */
PT_API int64_t pt_search_next(pt_search *search, const int64_t *levels);

/* Return the bytes that `pt_sample_in_mask` needs. */
PT_API int64_t pt_search_memory(const pt_run *run, const pt_mask *mask);

/* Draw images as `pt_sample` does, each within its mask, from image `first` of the masks on; `memory` is aligned to 64 bytes.
   Return 0 if they do not fit the mask. */
PT_API int32_t pt_sample_in_mask(pt_run *run, pt_mask *mask, int64_t first, int64_t *levels, const uint8_t *known,
                                 const double *uniforms, int64_t *frequencies, int32_t *tables, const pt_transform *transform,
                                 void *memory, volatile int64_t *signal);
#endif
