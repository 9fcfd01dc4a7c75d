/* Opcodes at several sites at a time, by vectors of AVX-512. Part of pointillist.c. */

#if X86
/* Functions of several sites at a time: vectors of shifts and bounds are made once for all of them. */
typedef struct {
  u8 *at;
  i64 row; /* bytes from site to site */
} sites;
typedef void rows_function(const step *s, sites y, sites x, sites z, i64 rows);

INLINE void each_rows(const step *s, i64 at, i64 from, i64 to, rows_function f) {
  i64 column = s->at_column ? at : 0, one = s->inner == 1, together = one ? to - from : 1;
  const operand y = s[s->further].y;
  for (i64 b = from; b < to; b += together)
    f(s, (sites){y.at + b * y.image + column * y.column, one ? y.image : y.column},
      (sites){s->x.at + b * s->x.image + column * s->x.column, one ? s->x.image : s->x.column},
      (sites){s->z.at + b * s->z.image + column * s->z.column, one ? s->z.image : s->z.column}, together * s->inner);
}

/* shift() of 16 numbers: those by less than 0 to the left, others to the right. */
typedef struct {
  __m512i left, half, right;
} shifts_512;

/* Shift `k` of an operation. */
AVX512 INLINE shifts_512 load_shifts(const step *s, i64 k, i64 j, __mmask16 mask) {
  const i32 *at = s->start + 3 * k * s->n + j;
  return (shifts_512){_mm512_maskz_loadu_epi32(mask, at), _mm512_maskz_loadu_epi32(mask, at + s->n), _mm512_maskz_loadu_epi32(mask, at + 2 * s->n)};
}
AVX512 INLINE __m512i shift_512(const int LEFT, __m512i x, shifts_512 by) {
  if (LEFT) x = _mm512_sllv_epi32(x, by.left);
  return _mm512_srav_epi32(_mm512_add_epi32(x, by.half), by.right);
}
AVX512 INLINE __m512i clamp_512(__m512i x, __m512i low, __m512i high) {
  return _mm512_max_epi32(_mm512_min_epi32(x, high), low);
}
AVX512 INLINE __m512i load_512(sites x, i64 row, i64 j, __mmask16 mask) {
  return _mm512_maskz_loadu_epi32(mask, (const i32 *)(x.at + row * x.row) + j);
}

/* Store 16 numbers, clamped to a type, from channel j on. */
AVX512 INLINE void store_512(sites y, i64 row, i64 j, i32 type, __m512i x, __mmask16 mask) {
  const __m512i zero = _mm512_setzero_si512(), limit = _mm512_set1_epi32(LIMIT);
  u8 *at = y.at + row * y.row;
  if (type == INT32) _mm512_mask_storeu_epi32((i32 *)at + j, mask, clamp_512(x, _mm512_sub_epi32(zero, limit), limit));
  else if (type == INT8) _mm_mask_storeu_epi8(at + j, mask, _mm_xor_si128(_mm512_cvtsepi32_epi8(x), _mm_set1_epi8((char)128)));
  else _mm_mask_storeu_epi8(at + j, mask, _mm512_cvtusepi32_epi8(_mm512_max_epi32(x, zero)));
}

/* 16 numbers of a table of 16 bits: words of 32 bits that end with them, as what follows a table may not be read. */
AVX512 INLINE __m512i table_512(const i16 *middle, __m512i index) { return _mm512_i32gather_epi32(index, (const int *)(middle - 1), 2); }

/* Products under AVX-512 VNNI: one instruction multiplies 64 pairs of bytes, and adds four of each lane. */

/* A panel of up to PANEL vectors of columns, and what becomes of its sums. */
typedef struct {
  const product *p;
  const i8 *w, *by;
  const i32 *start;
  __mmask16 mask[PANEL];
  i64 column, shifts_left, clamps, vectors;
} panel_512;

/* Shift, add, clamp and store the sums of R rows and V vectors. */
AVX512 INLINE void finish_512(const int R, const int V, const panel_512 *a, i64 first, i64 row, __m512i *sum) {
  const product *p = a->p;
  const u8 *z = p->z ? p->z + row * p->z_row + (a->column + first * COLUMNS) * 4 : 0;
  UNROLL for (int v = 0; v < V; v++) {
    __m512i by = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(a->mask[first + v], a->by + (first + v) * COLUMNS));
    if (a->shifts_left) {
      const __m512i zero = _mm512_setzero_si512(), left = _mm512_max_epi32(_mm512_sub_epi32(zero, by), zero);
      UNROLL for (int r = 0; r < R; r++) sum[r * V + v] = _mm512_sllv_epi32(sum[r * V + v], left);
      by = _mm512_max_epi32(by, zero);
    }
    UNROLL for (int r = 0; r < R; r++) sum[r * V + v] = _mm512_srav_epi32(sum[r * V + v], by);
  }
  if (z) {
    UNROLL for (int r = 0; r < R; r++)
      UNROLL for (int v = 0; v < V; v++)
        sum[r * V + v] = _mm512_add_epi32(sum[r * V + v], _mm512_maskz_loadu_epi32(a->mask[first + v], (const i32 *)(z + r * p->z_row) + v * COLUMNS));
  }
  const __m512i limit = _mm512_set1_epi32(LIMIT), least = _mm512_set1_epi32(-LIMIT);
  if (a->clamps) UNROLL for (int i = 0; i < R * V; i++) sum[i] = clamp_512(sum[i], least, limit);
  if (p->shared) UNROLL for (int r = 0; r < R; r++) {
    const i32 *shared = p->shared + (u32)(row + r) % p->shared_rows * p->n + a->column + first * COLUMNS;
    UNROLL for (int v = 0; v < V; v++)
      sum[r * V + v] = clamp_512(_mm512_add_epi32(sum[r * V + v], _mm512_maskz_loadu_epi32(a->mask[first + v], shared + v * COLUMNS)), least, limit);
  }
  u8 *y = p->y + row * p->y_row + (a->column + first * COLUMNS) * 4;
  UNROLL for (int r = 0; r < R; r++)
    UNROLL for (int v = 0; v < V; v++) _mm512_mask_storeu_epi32((i32 *)(y + r * p->y_row) + v * COLUMNS, a->mask[first + v], sum[r * V + v]);
}

/* Sums of R rows from row `row` on, and of V vectors of columns from vector `first` on. Sums of a few rows are kept in S parts, because each
   instruction waits for the one before it. */
AVX512 INLINE void dot_512(const int R, const int V, const panel_512 *a, i64 first, i64 row, i64 stride) {
  const int S = R * V <= 4 ? 2 : 1;
  const product *p = a->p;
  const i8 *w = a->w + first * 64;
  __m512i sum[ROWS * PANEL]; /* part by part, row by row */
  UNROLL for (int r = 0; r < R; r++)
    UNROLL for (int v = 0; v < V; v++) sum[r * V + v] = _mm512_loadu_si512(a->start + (first + v) * COLUMNS);
  UNROLL for (int i = R * V; i < S * R * V; i++) sum[i] = _mm512_setzero_si512();
  const u8 *z = p->z ? p->z + row * p->z_row + (a->column + first * COLUMNS) * 4 : 0;
  if (z) /* what a row wrote for its sites is in the second cache or beyond, and is read when all is summed */
    UNROLL for (int r = 0; r < R; r++)
      UNROLL for (int v = 0; v < V; v++) _mm_prefetch((const char *)z + r * p->z_row + v * 64, _MM_HINT_T0);
#define STEP(part)                                                                                                      \
  UNROLL for (int v = 0; v < V; v++) weights[v] = _mm512_loadu_si512(w + 64 * v);                                        \
  UNROLL for (int r = 0; r < R; r++) {                                                                                   \
    __m512i number = _mm512_set1_epi32(four_bytes(in + r * p->x_row));                                                   \
    UNROLL for (int v = 0; v < V; v++)                                                                                   \
      sum[(part * R + r) * V + v] = _mm512_dpbusd_epi32(sum[(part * R + r) * V + v], number, weights[v]);                \
  }                                                                                                                      \
  w += stride, in += 4;
  for (i64 i = 0; i < p->count; i++) {
    const u8 *in = p->pieces[i].at + p->x + row * p->x_row;
    i64 g = p->pieces[i].groups;
    __m512i weights[PANEL];
    if (S == 2) for (; g >= 2; g -= 2) { STEP(0) STEP(1) }
    for (; g > 0; g--) { STEP(0) }
  }
#undef STEP
  UNROLL for (int part = 1; part < S; part++)
    UNROLL for (int i = 0; i < R * V; i++) sum[i] = _mm512_add_epi32(sum[i], sum[part * R * V + i]);
  finish_512(R, V, a, first, row, sum);
}

/* Six rows at a time: their 24 sums and four vectors of weights fill the registers. */
AVX512 INLINE void rows_512(const int V, const panel_512 *a, i64 first, i64 stride) {
  i64 row = 0, end = a->p->rows;
  for (; end - row >= 6; row += 6) dot_512(6, V, a, first, row, stride);
  for (; end - row >= 4; row += 4) dot_512(4, V, a, first, row, stride);
  for (; end - row >= 2; row += 2) dot_512(2, V, a, first, row, stride);
  if (end > row) dot_512(1, V, a, first, row, stride);
}

AVX512 static void multiply_panel_512(const panel_512 *a, i64 vectors, i64 stride) {
  if (vectors == 4) rows_512(4, a, 0, stride);
  else if (vectors > 1) rows_512(2, a, 0, stride);
  if (vectors & 1) rows_512(1, a, vectors - 1, stride);
}

AVX512 static void tile_512(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums) {
  const product p = {.pieces = pieces, .count = count, .rows = rows, .x = x, .x_row = x_row, .y = (u8 *)sums, .y_row = WIDTH * 4};
  static const i32 zeros[WIDTH]; /* as biases and as shifts */
  panel_512 a = {&p, w, (const i8 *)zeros, zeros, {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, 0, 0, 0, vectors};
  multiply_panel_512(&a, vectors, stride);
}

INLINE void open_panel_512(panel_512 *a, i64 n) {
  a->vectors = vectors_of(smaller(WIDTH, n - a->column));
  for (i64 v = 0; v < a->vectors; v++) a->mask[v] = (__mmask16)mask_of(n, a->column + v * COLUMNS);
}
INLINE panel_512 panels_512(const step *s, const product *p) {
  panel_512 a = {.p = p, .w = s->c[0], .by = s->c[2], .start = s->start, .shifts_left = s->shifts_left, .clamps = s->largest > LIMIT};
  open_panel_512(&a, p->n);
  return a;
}
INLINE void next_panel_512(panel_512 *a, const step *s) {
  a->w += s->groups * a->vectors * 64, a->column += WIDTH, a->by += WIDTH, a->start += WIDTH;
  if (a->column < a->p->n) open_panel_512(a, a->p->n);
}

AVX512 static void multiply_512(const step *s, const product *p) {
  for (panel_512 a = panels_512(s, p); a.column < p->n; next_panel_512(&a, s)) multiply_panel_512(&a, a.vectors, a.vectors * 64);
}

#if defined(AMX)
/* Tiles of AMX: one instruction multiplies 16 rows of 64 bytes by 16 columns. Tiles 0 to 3 are sums, 4 and 5 factors of some number of
   groups, 6 and 7 those of another number. A last tile begins within the one before it. */
#define TILES(x, y)                                                                                                     \
  for (; g > 0; g -= groups, in += 4 * groups, w += groups * stride) {                                                   \
    _tile_loadd(x, in, p->x_row);                                                                                        \
    _tile_loadd(y, w, stride); _tile_dpbusd(0, x, y);                                                                    \
    if (V > 1) { _tile_loadd(y, w + 64, stride); _tile_dpbusd(1, x, y); }                                                \
    if (V > 2) { _tile_loadd(y, w + 128, stride); _tile_dpbusd(2, x, y); _tile_loadd(y, w + 192, stride); _tile_dpbusd(3, x, y); } \
  }
AMX INLINE void panel_amx(const int V, const panel_512 *a, i64 first, i64 rows, i64 groups, int is_other) {
  const product *p = a->p;
  const i64 stride = a->vectors * 64;
  i32 sums[TILE * WIDTH] __attribute__((aligned(64)));
  for (i64 end = 0; end < p->rows;) {
    const i64 row = smaller(end, p->rows - rows);
    const i8 *w = a->w + first * 64;
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    for (i64 i = 0; i < p->count; i++) {
      const u8 *in = p->pieces[i].at + p->x + row * p->x_row;
      i64 g = p->pieces[i].groups;
      if (is_other) { TILES(6, 7) }
      else { TILES(4, 5) }
    }
    _tile_stored(0, sums, WIDTH * 4);
    if (V > 1) _tile_stored(1, sums + COLUMNS, WIDTH * 4);
    if (V > 2) { _tile_stored(2, sums + 2 * COLUMNS, WIDTH * 4); _tile_stored(3, sums + 3 * COLUMNS, WIDTH * 4); }
    for (const i64 last = row + rows; end < last;) {
      const i64 at = smaller(end, last - 4);
      __m512i sum[4 * PANEL];
      UNROLL for (int r = 0; r < 4; r++)
        UNROLL for (int v = 0; v < V; v++)
          sum[r * V + v] = _mm512_add_epi32(_mm512_load_si512(sums + (at - row + r) * WIDTH + v * COLUMNS), _mm512_loadu_si512(a->start + (first + v) * COLUMNS));
      finish_512(4, V, a, first, at, sum);
      end = at + 4;
    }
  }
}
#undef TILES

/* Set the shapes of the tiles; that takes as long as a product of a few rows, and so is kept until the end of a part. */
AMX static void shape_tiles(i64 *tiles, i64 rows, i64 groups, i64 others) {
  struct { u8 palette, start, none[14]; uint16_t bytes[16]; u8 rows[16]; } shape = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    const i64 k = i > 5 ? others : groups;
    shape.bytes[i] = (uint16_t)(i == 4 || i == 6 ? 4 * k : 64), shape.rows[i] = (u8)(i == 5 || i == 7 ? k : rows);
  }
  _tile_loadconfig(&shape);
  *tiles = rows << 16 | groups << 8 | others;
}

AMX static void multiply_amx(const step *s, const product *p) {
  const i64 rows = smaller(TILE, p->rows), groups = s->tile, last = *s->tiles >> 8 & 255;
  if (rows < TILE / 2 || !groups) { /* few numbers */
    multiply_512(s, p);
    return;
  }
  if (*s->tiles >> 16 != rows || (groups != last && groups != (*s->tiles & 255))) shape_tiles(s->tiles, rows, groups, last ? last : TILE);
  const int is_other = groups != (*s->tiles >> 8 & 255);
  for (panel_512 a = panels_512(s, p); a.column < p->n; next_panel_512(&a, s)) {
    if (a.vectors == 4) panel_amx(4, &a, 0, rows, groups, is_other);
    else if (a.vectors > 1) panel_amx(2, &a, 0, rows, groups, is_other);
    if (a.vectors & 1) panel_amx(1, &a, a.vectors - 1, rows, groups, is_other);
  }
}
#endif

AVX512 INLINE void gate_512(const int LEFT, const step *s, sites y, sites x, sites z, i64 rows) {
  const i16 *tanh = (const i16 *)s->c[0] + s->middle[0], *sigmoid = (const i16 *)s->c[1] + s->middle[1];
  const __m512i m = _mm512_set1_epi32((i32)s->middle[0]), k = _mm512_set1_epi32((i32)s->middle[1]), zero = _mm512_setzero_si512();
  for (i64 j = 0; j < s->n; j += COLUMNS) {
    const __mmask16 mask = (__mmask16)mask_of(s->n, j);
    const shifts_512 left = load_shifts(s, 0, j, mask), right = load_shifts(s, 1, j, mask), by = load_shifts(s, 2, j, mask);
    for (i64 r = 0; r < rows; r++) {
      __m512i a = clamp_512(shift_512(LEFT, load_512(x, r, j, mask), left), _mm512_sub_epi32(zero, m), m);
      __m512i b = clamp_512(shift_512(LEFT, load_512(z, r, j, mask), right), _mm512_sub_epi32(zero, k), k);
      /* the upper half of b is 0, so that the sum of two products of 16 bits is one product */
      a = _mm512_madd_epi16(_mm512_srai_epi32(table_512(tanh, a), 16), _mm512_srli_epi32(table_512(sigmoid, b), 16));
      store_512(y, r, j, s->y_type, shift_512(LEFT, a, by), mask);
    }
  }
}

/* 64 numbers as bytes, from channel j on: packed in halves of registers, and put in order. */
AVX512 INLINE void pack_512(const int LEFT, const step *s, sites y, sites x, i64 j, i64 rows) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), sign = _mm512_set1_epi8((char)128);
  shifts_512 by[4];
  UNROLL for (int v = 0; v < 4; v++) by[v] = load_shifts(s, 0, j + v * COLUMNS, 0xFFFF);
  for (i64 r = 0; r < rows; r++) {
    __m512i n[4];
    UNROLL for (int v = 0; v < 4; v++) n[v] = shift_512(LEFT, load_512(x, r, j + v * COLUMNS, 0xFFFF), by[v]);
    const __m512i low = _mm512_packs_epi32(n[0], n[1]), high = _mm512_packs_epi32(n[2], n[3]);
    const __m512i bytes = s->y_type == INT8 ? _mm512_xor_si512(_mm512_packs_epi16(low, high), sign) : _mm512_packus_epi16(low, high);
    _mm512_storeu_si512(y.at + r * y.row + j, _mm512_permutexvar_epi32(order, bytes));
  }
}

/* NARROW and RESCALE */
AVX512 INLINE void shift_rows_512(const int LEFT, const step *s, sites y, sites x, sites z, i64 rows) {
  i64 j = 0;
  (void)z;
  if (s->y_type != INT32) for (; s->n - j >= 4 * COLUMNS; j += 4 * COLUMNS) pack_512(LEFT, s, y, x, j, rows);
  for (; j < s->n; j += COLUMNS) {
    const __mmask16 mask = (__mmask16)mask_of(s->n, j);
    const shifts_512 by = load_shifts(s, 0, j, mask);
    for (i64 r = 0; r < rows; r++) store_512(y, r, j, s->y_type, shift_512(LEFT, load_512(x, r, j, mask), by), mask);
  }
}

AVX512 INLINE void add_512(const int LEFT, const step *s, sites y, sites x, sites z, i64 rows) {
  for (i64 j = 0; j < s->n; j += COLUMNS) {
    const __mmask16 mask = (__mmask16)mask_of(s->n, j);
    const shifts_512 left = load_shifts(s, 0, j, mask), right = load_shifts(s, 1, j, mask);
    for (i64 r = 0; r < rows; r++) {
      const __m512i term = load_512(x, r, j, mask), shifted = s->is_plain ? term : shift_512(LEFT, term, left);
      store_512(y, r, j, INT32, _mm512_add_epi32(shifted, shift_512(LEFT, load_512(z, r, j, mask), right)), mask);
    }
  }
}

/* SCALE: products of 64 bits, shifted, of even and of odd channels */
AVX512 INLINE __m512i shift_long_512(__m512i x, __m512i by) {
  const __m512i zero = _mm512_setzero_si512(), left = _mm512_max_epi64(_mm512_sub_epi64(zero, by), zero), right = _mm512_max_epi64(by, zero);
  const __m512i half = _mm512_srli_epi64(_mm512_sllv_epi64(_mm512_set1_epi64(1), right), 1);
  return _mm512_srav_epi64(_mm512_add_epi64(_mm512_sllv_epi64(x, left), half), right);
}
AVX512 INLINE __m512i scale_512(__m512i x, __m512i factor, __m512i by) {
  const __m512i limit = _mm512_set1_epi64(LIMIT), least = _mm512_set1_epi64(-LIMIT), odd_by = _mm512_srai_epi64(by, 32);
  __m512i even = shift_long_512(_mm512_mul_epi32(x, factor), _mm512_srai_epi64(_mm512_slli_epi64(by, 32), 32));
  __m512i odd = shift_long_512(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(factor, 32)), odd_by);
  even = _mm512_max_epi64(_mm512_min_epi64(even, limit), least), odd = _mm512_max_epi64(_mm512_min_epi64(odd, limit), least);
  return _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

/* LOOKUP and RECTIFIED_LOOKUP */
AVX512 INLINE void look_up_512(const int LEFT, const step *s, sites y, sites x, sites z, i64 rows) {
  const i32 *table = (const i32 *)s->c[0] + s->middle[0];
  const __m512i m = _mm512_set1_epi32((i32)s->middle[0]), zero = _mm512_setzero_si512();
  (void)z;
  for (i64 j = 0; j < s->n; j += COLUMNS) {
    const __mmask16 mask = (__mmask16)mask_of(s->n, j);
    const shifts_512 by = load_shifts(s, 0, j, mask);
    for (i64 r = 0; r < rows; r++) {
      const __m512i number = load_512(x, r, j, mask), index = clamp_512(shift_512(LEFT, number, by), _mm512_sub_epi32(zero, m), m);
      const __m512i entry = _mm512_i32gather_epi32(index, table, 4);
      store_512(y, r, j, INT32, s->code == LOOKUP ? entry : _mm512_add_epi32(entry, _mm512_max_epi32(number, zero)), mask);
    }
  }
}

/* Steps that make bytes of a rectified lookup of x and of -x: at most one of the two has an entry. */
AVX512 INLINE void look_up_both_512(const int LEFT, const step *s, sites y, sites x, sites z, i64 rows) {
  const step *narrow = s + s->further, *look = narrow - 1, *rescale = s->further > 4 ? look - 1 : 0;
  const i32 *table = (const i32 *)look->c[0] + look->middle[0];
  const __m512i zero = _mm512_setzero_si512(), least = _mm512_set1_epi32(-(i32)look->middle[0]);
  const __m512i limit = _mm512_set1_epi32(LIMIT), negative = _mm512_set1_epi32(-LIMIT);
  (void)z;
  for (i64 j = 0; j < s->n; j += COLUMNS) {
    const __mmask16 mask = (__mmask16)mask_of(s->n, j);
    const __m512i shift_of_x = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, (const i8 *)s->c[1] + j));
    const __m512i factor = _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, (const i16 *)s->c[0] + j));
    shifts_512 scale[2], index[2], by[2];
    UNROLL for (int k = 0; k < 2; k++) {
      index[k] = load_shifts(look, 0, j + k * s->n, mask), by[k] = load_shifts(narrow, 0, j + k * s->n, mask);
      if (rescale) scale[k] = load_shifts(rescale, 0, j + k * s->n, mask);
    }
    for (i64 r = 0; r < rows; r++) {
      __m512i a[2] = {load_512(x, r, j, mask)};
      a[1] = s->is_plain ? _mm512_sub_epi32(zero, a[0]) : scale_512(a[0], factor, shift_of_x);
      if (rescale) UNROLL for (int k = 0; k < 2; k++) a[k] = clamp_512(shift_512(LEFT, a[k], scale[k]), negative, limit);
      const __m512i place = _mm512_min_epi32(shift_512(LEFT, a[0], index[0]), shift_512(LEFT, a[1], index[1]));
      const __m512i entry = clamp_512(_mm512_i32gather_epi32(_mm512_max_epi32(place, least), table, 4), negative, limit);
      UNROLL for (int k = 0; k < 2; k++) {
        a[k] = _mm512_mask_mov_epi32(a[k], _mm512_cmplt_epi32_mask(a[k], zero), entry);
        store_512(y, r, j + k * s->n, narrow->y_type, shift_512(LEFT, a[k], by[k]), mask);
      }
    }
  }
}

#define DEFINE_ROWS(name)                                                                                                \
  AVX512 static void name##_any(const step *s, sites y, sites x, sites z, i64 rows) {                                    \
    if (s->shifts_left) name(1, s, y, x, z, rows);                                                                       \
    else name(0, s, y, x, z, rows);                                                                                      \
  }
DEFINE_ROWS(gate_512)
DEFINE_ROWS(shift_rows_512)
DEFINE_ROWS(add_512)
DEFINE_ROWS(look_up_512)
DEFINE_ROWS(look_up_both_512)
#undef DEFINE_ROWS

AVX512 static int execute_rows_512(const step *s, i64 at, i64 from, i64 to) {
  switch (s->code) {
    case GATE: each_rows(s, at, from, to, gate_512_any); return 1;
    case RESCALE: if (s->x_type != INT32) return 0; /* else as a narrow number, of 32 bits */ __attribute__((fallthrough));
    case NARROW: each_rows(s, at, from, to, shift_rows_512_any); return 1;
    case ADD: each_rows(s, at, from, to, add_512_any); return 1;
    case SCALE:
      if (s->further) each_rows(s, at, from, to, look_up_both_512_any);
      return s->further != 0;
    case LOOKUP:
    case RECTIFIED_LOOKUP: each_rows(s, at, from, to, look_up_512_any); return 1;
  }
  return 0;
}
#endif
