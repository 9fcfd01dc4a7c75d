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
    u64 scale = e->range >> 24, lower = e->lower + scale * (u64)starts[i];
    int carries = lower < e->lower;
    e->lower = lower;
    e->range = scale * (u64)sizes[i];
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
