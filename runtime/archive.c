#include "archive.h"

static i64 write_waiting(pt_encoder *e, u64 carry, u32 *words) {
  i64 count = e->waiting;
  for (i64 i = 0; i < count; i++) words[i] = (u32)((i ? UINT32_MAX : e->first) + carry);
  e->waiting = 0;
  return count;
}

int64_t pt_encode(pt_encoder *e, const int64_t *starts, const int64_t *sizes, int64_t n, uint32_t *words) {
  i64 count = 0;
  for (i64 i = 0; i < n; i++) {
    u64 below = begin_of(e->range, e->rest, (u64)starts[i]), lower = e->lower + below;
    int carries = lower < e->lower;
    e->lower = lower;
    e->range = begin_of(e->range, e->rest, (u64)(starts[i] + sizes[i])) - below;
    if (e->waiting && (carries || lower + e->range >= lower)) count += write_waiting(e, (u64)carries, words + count);
    if (e->range >> 32) continue;
    u64 word = lower >> 32;
    e->lower = lower << 32;
    e->range <<= 32;
    if (e->waiting) {
      e->waiting++;
    } else if (e->lower + e->range < e->lower) {
      e->waiting = 1;
      e->first = word;
    } else {
      words[count++] = (u32)word;
    }
  }
  return count;
}

int64_t pt_crc32c(const uint8_t *bytes, int64_t count) {
  u32 table[256], check = UINT32_MAX;
  for (u32 i = 0; i < 256; i++) {
    u32 value = i;
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    table[i] = value;
  }
  while (count--) check = check >> 8 ^ table[(check ^ *bytes++) & 255];
  return (i64)(check ^ UINT32_MAX);
}

/* Each step is invertible, so a change of one word always shows; a rotation brings the upper bits down, where a product
   would only carry them up and out. */
INLINE u64 mix(u64 digest, u64 word) { return ((digest << 29 | digest >> 35) ^ word) * 0x9e3779b97f4a7c15u; }

/* Mix 64 bytes into the lanes, and request what lies ahead: soon for the first cache, and a page ahead, where a processor stops reading
   ahead, for the second, which has more requests at a time. */
enum { LANES = 8, LINE = 8 * LANES, SOON = 512, AHEAD = 4096 }; /* lanes: independent products, which hide the wait for each other */
INLINE void mix_line(u64 *lanes, const u8 *at) {
  __builtin_prefetch(at + SOON, 0, 3);
  __builtin_prefetch(at + AHEAD, 0, 2);
  UNROLL for (int k = 0; k < LANES; k++) {
    u64 word;
    __builtin_memcpy(&word, at + 8 * k, 8);
    lanes[k] = mix(lanes[k], word);
  }
}

uint64_t pt_digest(const void *const *arrays, const int64_t *sizes, int64_t count) {
  u64 lanes[LANES] = {0}, result = (u64)count;
  for (i64 i = 0; i < count; i++) {
    const u8 *at = arrays[i];
    i64 half = sizes[i] / (2 * LINE) * LINE; /* both halves at once: twice as many pages are read ahead */
    for (i64 k = 0; k < half; k += LINE) {
      mix_line(lanes, at + k);
      mix_line(lanes, at + half + k);
    }
    result = mix(result, (u64)sizes[i]);
    for (i64 k = 2 * half; k < sizes[i]; k++) result = mix(result, at[k]);
  }
  for (int k = 0; k < LANES; k++) result = mix(result, lanes[k]);
  return result;
}
