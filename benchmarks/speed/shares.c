/* Count the time of each part of `pt_sample`, and measure the processor's peak of products of bytes.

   The library with a clock after each operation: `benchmarks/measure_integers.py` builds it and asks for the counts. */
#include <stdint.h>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <time.h>
#endif

static uint64_t ticks[64], calls[64], last_tick;
enum { INTERRUPTED = 1 << 19 }; /* ticks, 0.2 ms or more: no operation takes so long, but the turn of another program does */

static inline __attribute__((always_inline)) uint64_t clock_now(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t now;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
  return now;
#else
  return (uint64_t)clock();
#endif
}

static inline __attribute__((always_inline)) void count(int part) {
  uint64_t now = clock_now(), interval = now - last_tick;
  ticks[part] += interval < INTERRUPTED ? interval : 0;
  calls[part]++;
  last_tick = now;
}

#define AFTER(part) count(part);
#include "pointillist.c"

PT_API void shares_begin(void) {
  for (int i = 0; i < 64; i++) ticks[i] = calls[i] = 0;
  last_tick = clock_now();
}

/* Set the ticks of each part, less those of reading the clock. */
PT_API void shares_end(uint64_t *result) {
  last_tick = clock_now();
  for (int i = 0; i < 1000; i++) count(63);
  uint64_t each = ticks[63] / 1000;
  for (int i = 0; i < 63; i++) result[i] = ticks[i] > calls[i] * each ? ticks[i] - calls[i] * each : 0;
}

/* Products and sums of bytes in registers alone, in as many independent sums as hide the wait for each. Return the
   operations, two for each product, or 0 where the kernels have no such instruction. */
#if X86
AVX512 static i64 peak_512(i64 repeats) {
  __m512i sum[20], x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(5);
  UNROLL for (int i = 0; i < 20; i++) sum[i] = _mm512_setzero_si512();
  for (i64 k = 0; k < repeats; k++) {
    UNROLL for (int i = 0; i < 20; i++) sum[i] = _mm512_dpbusd_epi32(sum[i], x, w);
    __asm__ volatile("" : "+v"(x), "+v"(w)); /* else the loop would be computed when it is compiled */
  }
  UNROLL for (int i = 0; i < 20; i++) __asm__ volatile("" : : "v"(sum[i]));
  return repeats * 20 * 128;
}
#if defined(AMX)
AMX static i64 peak_amx(i64 repeats) {
  i64 shapes = 0;
  shape_tiles(&shapes, TILE, TILE, TILE);
  for (i64 k = 0; k < repeats / 8; k++) {
    _tile_dpbusd(0, 4, 5); _tile_dpbusd(1, 4, 5); _tile_dpbusd(2, 4, 5); _tile_dpbusd(3, 4, 5);
    __asm__ volatile("");
  }
  _tile_release();
  return repeats / 8 * 4 * 16 * 16 * 128;
}
#else
static i64 peak_amx(i64 repeats) { return (void)repeats, 0; }
#endif
AVX_VNNI static i64 peak_vnni(i64 repeats) {
  __m256i sum[12], x = _mm256_set1_epi8(3), w = _mm256_set1_epi8(5);
  UNROLL for (int i = 0; i < 12; i++) sum[i] = _mm256_setzero_si256();
  for (i64 k = 0; k < repeats; k++) {
    UNROLL for (int i = 0; i < 12; i++) sum[i] = _mm256_dpbusd_avx_epi32(sum[i], x, w);
    __asm__ volatile("" : "+x"(x), "+x"(w));
  }
  UNROLL for (int i = 0; i < 12; i++) __asm__ volatile("" : : "x"(sum[i]));
  return repeats * 12 * 64;
}
AVX2 static i64 peak_avx2(i64 repeats) { /* 16 products of 16 bits */
  __m256i sum[12], x = _mm256_set1_epi16(3), w = _mm256_set1_epi16(5);
  UNROLL for (int i = 0; i < 12; i++) sum[i] = _mm256_setzero_si256();
  for (i64 k = 0; k < repeats; k++) {
    UNROLL for (int i = 0; i < 12; i++) {
      sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(x, w));
      __asm__ volatile("" : "+x"(x), "+x"(w));
    }
  }
  UNROLL for (int i = 0; i < 12; i++) __asm__ volatile("" : : "x"(sum[i]));
  return repeats * 12 * 32;
}
PT_API i64 shares_peak(i32 level, i64 repeats) {
  if (!level_of(level)) return 0;
  if (level == PT_BEST) level = best_level();
  return level == PT_AMX ? peak_amx(repeats) : level == PT_AVX512_VNNI ? peak_512(repeats) : level == PT_AVX_VNNI ? peak_vnni(repeats)
       : level == PT_AVX2 ? peak_avx2(repeats) : 0;
}
#elif ARM
NEON static i64 peak_neon(i64 repeats) {
  int32x4_t sum[20];
  int8x16_t x = vdupq_n_s8(3), w = vdupq_n_s8(5);
  UNROLL for (int i = 0; i < 20; i++) sum[i] = vdupq_n_s32(0);
  for (i64 k = 0; k < repeats; k++) {
    UNROLL for (int i = 0; i < 20; i++) sum[i] = vdotq_s32(sum[i], w, x);
    __asm__ volatile("" : "+w"(x), "+w"(w));
  }
  UNROLL for (int i = 0; i < 20; i++) __asm__ volatile("" : : "w"(sum[i]));
  return repeats * 20 * 32;
}
PT_API i64 shares_peak(i32 level, i64 repeats) {
  if (level == PT_BEST) level = best_level();
  return level == PT_NEON && level_of(level) ? peak_neon(repeats) : 0;
}
#else
PT_API i64 shares_peak(i32 level, i64 repeats) { return (void)level, (void)repeats, 0; }
#endif
