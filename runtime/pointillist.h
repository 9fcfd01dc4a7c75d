/* Run integer programs: draw images, score them, step through them. The same bits on every processor.

   A program is a block of bytes that Python makes (`src/pointillist/engine/c/lower.py`; the layout is at the head of
   pointillist.c). Nothing here allocates: the caller gives a workspace and is told its size.

       if (pt_check(program, size) != 0) ...              once for a program, which may come from a stranger
       int64_t bytes = pt_workspace(program, batch, height, width, 0);
       pt_run *run = pt_begin(program, batch, height, width, 0, 0, inputs, workspace, PT_BEST);
       pt_sample(run, levels, known, uniforms, frequencies, NULL, NULL, signal);

   A program and a workspace are aligned to 64 bytes. A run has one thread; several runs share a program. */
#ifndef POINTILLIST_H
#define POINTILLIST_H
#include <stdint.h>

#if defined(_WIN32)
#define PT_API __declspec(dllexport)
#else
#define PT_API __attribute__((visibility("default")))
#endif

typedef struct pt_run pt_run;

enum { PT_VERSION = 1 };
/* Kernels. All of them give the same bits. `PT_BEST` is the fastest of this processor. */
enum { PT_BEST = -1, PT_PLAIN = 0, PT_AVX2 = 1, PT_AVX_VNNI = 2, PT_AVX512_VNNI = 3, PT_NEON = 4, PT_WASM = 5, PT_AMX = 6 };

/* Return 1 if this processor has the kernels of a level. */
PT_API int32_t pt_has_level(int32_t level);

/* Prove every offset, shape and range of a program: 0, or the number of the rule that it breaks. */
PT_API int64_t pt_check(const void *program, int64_t size);

/* Return the bytes that a run needs, or -1 if images of this size do not fit the program. The program is checked.
   `by_rows`: whether whole rows of known images are computed at once, where the program allows it; see `pt_by_rows`. */
PT_API int64_t pt_workspace(const void *program, int64_t batch, int64_t height, int64_t width, int32_t by_rows);
PT_API int32_t pt_by_rows(const void *program);

/* Begin a run at the first pixel, in a workspace of `pt_workspace` bytes. `inputs`: the conditions in the order of the
   program, [b, c] of a vector and [b, h, w, c] of a map; they are read until the run ends. `shared`: a bit for each of the first
   31 of them, 1 where all images have the same and b is 1. NULL: no such level. */
PT_API pt_run *pt_begin(const void *program, int64_t batch, int64_t height, int64_t width, int32_t by_rows, int32_t shared,
                        const int32_t *const *inputs, void *workspace, int32_t level);

/* Classifier-free guidance, temperature and top-p in integers: guidance and 1 / temperature in steps of 2^-16 (0 takes the
   most probable level), top_p in steps of 2^-30. With `is_guided` a run has each image twice: n under its conditions, and
   then n under the reference. */
typedef struct {
  int64_t is_guided, guidance, inverse_temperature, top_p;
} pt_transform;

/* Draw whole images by inverse CDF. levels [n, c, h, w] are filled where known is 0; uniforms lie in [0, 1); frequencies
   of the drawn levels under the model are filled where levels are, and so are those of all levels in `tables`
   [n, h, w, c, k], which may be NULL. `transform`: NULL for the model itself.
   signal[0] is read: stop if it is not 0; signal[1] is the number of finished rows. */
PT_API void pt_sample(pt_run *run, int64_t *levels, const uint8_t *known, const double *uniforms, int64_t *frequencies,
                      int32_t *tables, const pt_transform *transform, volatile int64_t *signal);

/* Compute what an entropy coder needs of the sub-pixels of known images: the start and the frequency of each level;
   and, where `params` is not NULL, the parameters [b, h, w, p] instead. */
PT_API void pt_score(pt_run *run, const int64_t *levels, int64_t *starts, int64_t *frequencies, int32_t *params);

/* A range decoder of 32-bit words: intervals of 2^24. `is_wrong`: 1 from the first symbol on that no encoder writes.
   `rest`: 0 for archives; 2^24 - 1 for messages, of which any words are symbols. */
typedef struct {
  const uint32_t *words;
  int64_t count, next;
  uint64_t lower, range, point;
  int64_t is_wrong;
  uint64_t rest;
} pt_decoder;

/* Begin to decode words, which are read until the last symbol; decode one of `count` equally likely symbols; tell
   whether nothing is left. */
PT_API void pt_decoder_begin(pt_decoder *decoder, const uint32_t *words, int64_t count);
PT_API int64_t pt_symbol(pt_decoder *decoder, int64_t count);
PT_API int32_t pt_is_exhausted(const pt_decoder *decoder);

/* Decode whole images: levels [n, c, h, w] of the sites where coded [n, h, w] is not 0; the other levels are given, and kept.
   Image b is read from decoders[decoder_of[b]]: at each site of each channel, all images. `signal` as for pt_sample.

   With `errors` [n, c, h, w], all 0, a stage that learns as it reads stands between the distributions and the decoders:
   `learned` has PT_LEARNED numbers for each decoder, all 0. Without decoders it codes the levels instead: `decisions` is filled with
   the size of the interval of each, of 2^16, up to one for each bit of a level: the last one, or, where negative, the first.
   Return how many there are; signal[2] is the number of bits that the levels take without the stage, in steps of 2^-20. */
enum { PT_LEARNED = 173250 };
PT_API int64_t pt_decode(pt_run *run, int64_t *levels, const uint8_t *coded, pt_decoder *decoders, const int64_t *decoder_of,
                         int64_t *errors, int32_t *learned, int32_t *decisions, volatile int64_t *signal);

/* Step through images. At each row `pt_row`; at each sub-pixel of a site `pt_site`, `pt_params` [b, p], and `pt_write` of
   the canvas values [b, count] of what was chosen, from canvas channel `first` on; after the last one `pt_post`. */
PT_API void pt_row(pt_run *run, int64_t row);
PT_API void pt_site(pt_run *run, int64_t row, int64_t column);
PT_API void pt_params(const pt_run *run, int64_t column, int32_t *params);
PT_API void pt_write(pt_run *run, int64_t column, int64_t first, int64_t count, const int32_t *values);
PT_API void pt_post(pt_run *run, int64_t row, int64_t column);

/* Describe block `index` of the state of the images: its offset in the workspace, slots, and bytes of an image in a slot,
   `[slots, batch, bytes]`. Return the number of blocks. Together they are all that a later row depends on. */
PT_API int64_t pt_block(const pt_run *run, int64_t index, int64_t *block);

/* Compute the frequencies [n, levels] of a channel at n sites, from their parameters [n, p] and levels [n, c], of which
   those before the channel are read. `scratch`: 4 numbers for each component and 520 more. */
PT_API void pt_frequencies(const void *program, const int32_t *params, const int64_t *pixels, int64_t n, int64_t channel,
                           int64_t *frequencies, int64_t *scratch, int32_t level);

/* Run the program of a grid: a map [b, h, w, m] of a canvas [b, h, w, c], both of numbers from -128 to 127. */
PT_API void pt_grid(pt_run *run, const int32_t *canvas, int32_t *map);
#endif
