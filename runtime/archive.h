/* What writes an archive: the range encoder, whose decoder is `pt_decoder`, and the check of bytes; and a digest of weights.

       pt_encoder encoder = {0, UINT64_MAX, 0, 0, 0};
       count = pt_encode(&encoder, starts, sizes, n, words); */
#ifndef POINTILLIST_ARCHIVE_H
#define POINTILLIST_ARCHIVE_H
#include "pointillist.h"

/* Words wait while a carry may still change them: the first one, and after it words of ones. `rest` as in pt_decoder. */
typedef struct {
  uint64_t lower, range;
  int64_t waiting;
  uint64_t first, rest;
} pt_encoder;

/* Code symbols, each an interval of [0, 2^24) of a start and a size. Return the number of words that were written: at most
   those that waited, and one for each symbol. */
PT_API int64_t pt_encode(pt_encoder *encoder, const int64_t *starts, const int64_t *sizes, int64_t n, uint32_t *words);

/* Return the CRC-32C (Castagnoli) of bytes. */
PT_API int64_t pt_crc32c(const uint8_t *bytes, int64_t count);

/* Return a digest of 64 bits of arrays, at the speed of memory; no protection against who wants two that agree. */
PT_API uint64_t pt_digest(const void *const *arrays, const int64_t *sizes, int64_t count);
#endif
