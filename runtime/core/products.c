/* Products of bytes, for each instruction set. Part of pointillist.c.

   A tile: sums[r][j] = sum over pieces and k of x[r][k] w[k][j], for up to ROWS rows and PANEL vectors of COLUMNS columns.
   x are unsigned bytes, w signed ones; for each group of four k, the weights of a column lie side by side. `stride`: bytes
   from group to group. Rows of sums are PANEL * COLUMNS numbers apart; `multiply_rows` finishes them. A level may have its
   own `multiply_rows`, which finishes sums in registers. */
enum { WIDTH = PANEL * COLUMNS };

INLINE i32 four_bytes(const u8 *at) {
  i32 result;
  __builtin_memcpy(&result, at, 4);
  return result;
}

static void tile_plain(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums) {
  for (int r = 0; r < rows; r++) {
    i32 *row = sums + r * WIDTH;
    const i8 *at = w;
    for (int j = 0; j < vectors * COLUMNS; j++) row[j] = 0;
    for (i64 i = 0; i < count; i++) {
      const u8 *in = pieces[i].at + x + r * x_row;
      for (i64 g = 0; g < pieces[i].groups; g++, at += stride)
        for (int j = 0; j < vectors * COLUMNS; j++) { /* a compiler takes words apart in vectors, bytes it does not */
          i32 four = four_bytes((const u8 *)at + 4 * j);
          row[j] += in[4 * g] * (i8)four + in[4 * g + 1] * (i8)(four >> 8) + in[4 * g + 2] * (i8)(four >> 16) + in[4 * g + 3] * (four >> 24);
        }
    }
  }
}

/* A tile of a level whose registers hold one vector of some rows together. */
#define DEFINE_TILE(name, TARGET, TOGETHER)                                                                                          \
  TARGET static void tile_##name(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums) { \
    for (int v = 0; v < vectors; v++, w += 64, sums += COLUMNS) {                                                                      \
      int r = 0;                                                                                                                       \
      for (; rows - r >= TOGETHER; r += TOGETHER) dot_##name(TOGETHER, 1, pieces, count, x + r * x_row, x_row, w, stride, sums + r * WIDTH); \
      for (; r < rows; r++) dot_##name(1, 1, pieces, count, x + r * x_row, x_row, w, stride, sums + r * WIDTH);                        \
    }                                                                                                                                  \
  }

/* Choose a number of rows and vectors that registers hold, as constants of the body. */
#define CASE(R, V, BODY, ...) case R * 8 + V: BODY(R, V, pieces, count, x, x_row, w, stride, __VA_ARGS__); break;

#if X86
/* AVX-VNNI: the same with half as long vectors. */
AVX_VNNI INLINE void dot_vnni(const int R, const int V, const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, i32 *sums) {
  __m256i sum[ROWS][2];
  for (int r = 0; r < R; r++)
    for (int v = 0; v < 2 * V; v++) sum[r][v] = _mm256_setzero_si256();
  for (i64 i = 0; i < count; i++) {
    const u8 *in = pieces[i].at + x;
    for (i64 g = 0; g < pieces[i].groups; g++, w += stride, in += 4)
      for (int r = 0; r < R; r++) {
        __m256i number = _mm256_set1_epi32(four_bytes(in + r * x_row));
        for (int v = 0; v < 2 * V; v++)
          sum[r][v] = _mm256_dpbusd_avx_epi32(sum[r][v], number, _mm256_loadu_si256((const __m256i *)(w + 32 * v)));
      }
  }
  for (int r = 0; r < R; r++)
    for (int v = 0; v < 2 * V; v++) _mm256_storeu_si256((__m256i *)(sums + r * WIDTH + v * 8), sum[r][v]);
}

AVX_VNNI static void tile_vnni(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums) {
  for (int v = 0; v < vectors; v++, w += 64, sums += COLUMNS) switch (rows * 8 + 1) {
    CASE(1, 1, dot_vnni, sums) CASE(2, 1, dot_vnni, sums) CASE(3, 1, dot_vnni, sums) CASE(4, 1, dot_vnni, sums) CASE(5, 1, dot_vnni, sums) CASE(6, 1, dot_vnni, sums)
  }
}

/* AVX2: products of 16 bits, added in pairs; 8-bit ones would saturate. */
AVX2 INLINE void dot_avx2(const int R, const int V, const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, i32 *sums) {
  __m256i sum[ROWS][4];
  for (int r = 0; r < R; r++)
    for (int q = 0; q < 4 * V; q++) sum[r][q] = _mm256_setzero_si256();
  for (i64 i = 0; i < count; i++) {
    const u8 *in = pieces[i].at + x;
    for (i64 g = 0; g < pieces[i].groups; g++, w += stride, in += 4) {
      __m256i number[ROWS];
      for (int r = 0; r < R; r++) number[r] = _mm256_cvtepu8_epi16(_mm_set1_epi32(four_bytes(in + r * x_row)));
      for (int q = 0; q < 4 * V; q++) {
        __m256i weights = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + 16 * q)));
        for (int r = 0; r < R; r++) sum[r][q] = _mm256_add_epi32(sum[r][q], _mm256_madd_epi16(number[r], weights));
      }
    }
  }
  for (int r = 0; r < R; r++)
    for (int q = 0; q < 4 * V; q += 2) {
      __m256i pairs = _mm256_hadd_epi32(sum[r][q], sum[r][q + 1]);
      _mm256_storeu_si256((__m256i *)(sums + r * WIDTH + q * 4), _mm256_permute4x64_epi64(pairs, 0xD8));
    }
}

DEFINE_TILE(avx2, AVX2, 2)
#endif

#if ARM
/* NEON dot products are of signed bytes: x = (x - 128) + 128, and 128 times the weights are added. */
#define NEON __attribute__((target("dotprod")))
NEON INLINE void dot_neon(const int R, const int V, const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, i32 *sums) {
  int32x4_t sum[ROWS][4], all[4];
  const int8x16_t ones = vdupq_n_s8(1);
  for (int q = 0; q < 4 * V; q++) {
    all[q] = vdupq_n_s32(0);
    for (int r = 0; r < R; r++) sum[r][q] = vdupq_n_s32(0);
  }
  for (i64 i = 0; i < count; i++) {
    const u8 *in = pieces[i].at + x;
    for (i64 g = 0; g < pieces[i].groups; g++, w += stride, in += 4) {
      int8x16_t number[ROWS];
      for (int r = 0; r < R; r++) number[r] = vreinterpretq_s8_s32(vdupq_n_s32(four_bytes(in + r * x_row) ^ (i32)0x80808080));
      for (int q = 0; q < 4 * V; q++) {
        int8x16_t weights = vld1q_s8(w + 16 * q);
        all[q] = vdotq_s32(all[q], weights, ones);
        for (int r = 0; r < R; r++) sum[r][q] = vdotq_s32(sum[r][q], weights, number[r]);
      }
    }
  }
  for (int r = 0; r < R; r++)
    for (int q = 0; q < 4 * V; q++) vst1q_s32(sums + r * WIDTH + q * 4, vaddq_s32(sum[r][q], vshlq_n_s32(all[q], 7)));
}

DEFINE_TILE(neon, NEON, 3)
#endif

#if WASM
/* WebAssembly: products of 16 bits, added in pairs. Never relaxed SIMD, whose result depends on the processor. */
INLINE void dot_wasm(const int R, const int V, const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, i32 *sums) {
  v128_t sum[2][8];
  for (int r = 0; r < R; r++)
    for (int q = 0; q < 8 * V; q++) sum[r][q] = wasm_i32x4_splat(0);
  for (i64 i = 0; i < count; i++) {
    const u8 *in = pieces[i].at + x;
    for (i64 g = 0; g < pieces[i].groups; g++, w += stride, in += 4) {
      v128_t number[2];
      for (int r = 0; r < R; r++) number[r] = wasm_u16x8_extend_low_u8x16(wasm_i32x4_splat(four_bytes(in + r * x_row)));
      for (int q = 0; q < 8 * V; q++) {
        v128_t weights = wasm_i16x8_load8x8(w + 8 * q);
        for (int r = 0; r < R; r++) sum[r][q] = wasm_i32x4_add(sum[r][q], wasm_i32x4_dot_i16x8(number[r], weights));
      }
    }
  }
  for (int r = 0; r < R; r++)
    for (int q = 0; q < 8 * V; q += 2) {
      v128_t even = wasm_i32x4_shuffle(sum[r][q], sum[r][q + 1], 0, 2, 4, 6), odd = wasm_i32x4_shuffle(sum[r][q], sum[r][q + 1], 1, 3, 5, 7);
      wasm_v128_store(sums + r * WIDTH + q * 2, wasm_i32x4_add(even, odd));
    }
}

DEFINE_TILE(wasm, , 2)
#endif
