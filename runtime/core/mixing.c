/* Opcodes that mix channels or move them between sites: products, recurrence, gathers, inputs. Part of pointillist.c. */

/* y = shift(x matrix + bias, by) + z, tile by tile, or as the level does */
INLINE void multiply_rows(const int HAS_MULTIPLY, const step *s, const pt_level *level, const product *p) {
  if (HAS_MULTIPLY) {
    level->multiply(s, p);
    return;
  }
  const i8 *w = s->c[0], *by = s->c[2];
  const i32 *bias = s->c[1];
  i32 sums[ROWS * WIDTH];
  for (i64 j = 0; j < p->n; j += WIDTH) {
    i64 columns = smaller(WIDTH, p->n - j), vectors = vectors_of(columns);
    for (i64 m = 0; m < p->rows; m += ROWS) {
      i64 together = smaller(ROWS, p->rows - m);
      level->product(p->pieces, p->count, p->x + m * p->x_row, p->x_row, w, vectors * 64, (int)together, (int)vectors, sums);
      for (i64 r = 0; r < together; r++) {
        const i32 *sum = sums + r * WIDTH;
        i32 *restrict out = (i32 *)(p->y + (m + r) * p->y_row) + j;
        const i32 *restrict start = (const i32 *)(p->z + (m + r) * p->z_row) + j;
        if (p->z) for (i64 k = 0; k < columns; k++) out[k] = wide(shift(sum[k] + bias[j + k], by[j + k]) + start[k]);
        else for (i64 k = 0; k < columns; k++) out[k] = wide(shift(sum[k] + bias[j + k], by[j + k]));
      }
    }
    w += s->groups * vectors * 64;
  }
}

/* LINEAR: out = shift(x matrix + bias, by) [+ z]; x are channels of a value, or those of a map at each tap */
INLINE void linear(const int HAS_MULTIPLY, const step *s, const pt_level *level, i64 at, i64 from, i64 to) {
  i64 column = s->at_column ? at : 0, together = s->is_flat ? to - from : 1;
  for (i64 first = s->shared && !from, b = from; b < to; b += first ? 0 : together, first = 0) {
    u8 *y = s->y.at + b * s->y.image + column * s->y.column;
    const u8 *z = s->z.at ? s->z.at + b * s->z.image + column * s->z.column : 0;
    product p = {s->pieces, s->num_pieces, s->n, together * s->inner, b * s->x.image + column * s->x.column, s->x_row, y, s->y_row, z, s->z_row, s->shared, (u32)s->inner};
    if (first) p = (product){s[1].pieces, 1, s->n, s->inner, 0, s[1].x_row, (u8 *)s->shared, 4 * s->n, 0, 0, 0, 0};
    multiply_rows(HAS_MULTIPLY, first ? s + 1 : s, level, &p);
  }
}

/* GATHER: out = the channels of a map at each tap, one tap after the other */
INLINE void gather(const step *s, i64 at, i64 from, i64 to) {
  i64 column = s->at_column ? at : 0;
  for (i64 b = from; b < to; b++)
    for (i64 i = 0; i < s->inner; i++) {
      u8 *y = s->y.at + b * s->y.image + (column + i) * s->y.column;
      for (i64 k = 0; k < s->num_pieces; k++) {
        copy_bytes(y, s->pieces[k].at + b * s->x.image + (column + i) * s->x.column, s->pieces[k].bytes);
        y += s->pieces[k].bytes;
      }
    }
}

/* UPSAMPLE: out = a quarter of the channels of the coarse site that covers this one: itself, right, below, both */
INLINE void upsample(const step *s, i64 row, i64 at, i64 from, i64 to) {
  i64 bytes = s->y_type == INT32 ? s->n * 4 : s->n, below = (row >> s->scale) & 1, first = s->at_column ? at : 0;
  for (i64 b = from; b < to; b++)
    for (i64 i = 0; i < s->inner; i++) {
      i64 column = first + i;
      const u8 *x = s->x.at + b * s->x.image + (column >> 1) * s->x.column + (2 * below + (column & 1)) * bytes;
      copy_bytes(s->y.at + b * s->y.image + column * s->y.column, x, bytes);
    }
}

/* INPUT: out = the vector of the image, or the map at each site; MAP_CONSTANT: the same map for all images.
   An input is clamped to the range of its type. */
INLINE void read_input(const step *s, i64 row, i64 at, i64 from, i64 to) {
  i64 first = s->at_column ? at : 0, together = s->input_row && s->y.column == s->n * size_of(s->y_type) ? s->inner : 1;
  for (i64 b = from; b < to; b++)
    for (i64 i = 0; i < s->inner; i += together) {
      const i32 *x = s->input + b * s->input_image + (row - s->first) * s->input_row + (s->input_row ? first + i : 0) * s->n;
      u8 *y = s->y.at + b * s->y.image + (first + i) * s->y.column;
      set_numbers(y, s->y_type, x, s->n * together);
    }
}

/* RMS_NORM: out = shift(x table[place], by + q), where S = epsilon + sum of x^2, q = floor(log2(S) / 2), place = S 2^(7-2q) - 2^7 */
INLINE void rms_norm(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); (void)z;
  const i16 *table = s->c[0];
  const i8 *by = s->c[2];
  i64 squares = *(const i32 *)s->c[1];
  for (i64 j = 0; j < s->n; j++) squares += (i64)clamp(xs[j], -SQUARED, SQUARED) * clamp(xs[j], -SQUARED, SQUARED);
  i64 half = (63 - __builtin_clzll((u64)squares)) >> 1, factor = table[((squares << ROOT_BITS) >> (2 * half)) - (1 << ROOT_BITS)];
  for (i64 j = 0; j < s->n; j++) ys[j] = wide_long(shift_long(clamp(xs[j], -SQUARED, SQUARED) * factor, by[j] + half));
}

/* SCAN: an LSTM along a row. The hidden state h is in steps of 2^-7, the cell state c in steps of 2^-14:
   gates = clamp(x + shift(h matrix, by)); o, f, i = sigmoid[shift(gates, gate)], g = tanh[shift(gates, gate)];
   c = clamp(shift(f c, 14) + shift(i g, 14)); out = shift(o tanh[shift(c, 6)], 14), h = clamp(shift(out, 7)) */
INLINE void scan(const int HAS_MULTIPLY, const step *s, const pt_level *level, i64 from, i64 to) {
  i64 d = s->n, bytes = s->groups * 4;
  u8 *hidden = s->scratch;
  i32 *gates = (i32 *)(hidden + s->outer * bytes), *cells = gates + s->outer * 4 * d;
  i32 m = (i32)s->middle[0], k = (i32)s->middle[1];
  const i16 *tanh = (const i16 *)s->c[4] + m, *sigmoid = (const i16 *)s->c[5] + k;
  const i8 *by = s->c[3];
  const i32 *states = s->c[6];
  const piece h = {hidden, s->groups, 0};
  for (i64 b = from; b < to; b++)
    for (i64 j = 0; j < d; j++) hidden[b * bytes + j] = narrow(states[j], INT8), cells[b * d + j] = states[d + j];
  for (i64 i = 0; i < s->inner; i++) {
    i64 column = s->num_pieces ? s->inner - 1 - i : i;
    const product p = {&h, 1, 4 * d, to - from, from * bytes, bytes, (u8 *)(gates + from * 4 * d), 16 * d,
                       s->x.at + from * s->x.image + column * s->x.column, s->x.image, 0, 0};
    multiply_rows(HAS_MULTIPLY, s, level, &p);
    for (i64 b = from; b < to; b++) {
      i32 *out = (i32 *)(s->y.at + b * s->y.image + column * s->y.column), *gate_of = gates + b * 4 * d, *cell = cells + b * d;
      for (i64 j = 0; j < 3 * d; j++) gate_of[j] = sigmoid[clamp(shift(gate_of[j], by[j]), -k, k)];
      for (i64 j = 3 * d; j < 4 * d; j++) gate_of[j] = tanh[clamp(shift(gate_of[j], by[j]), -m, m)];
      for (i64 j = 0; j < d; j++) {
        i64 kept = ((i64)gate_of[d + j] * cell[j] + (1 << 13)) >> 14;
        cell[j] = wide_long(kept + shift(gate_of[2 * d + j] * gate_of[3 * d + j], 14));
        out[j] = shift(gate_of[j] * tanh[clamp(shift(cell[j], 6), -m, m)], 14);
        hidden[b * bytes + j] = narrow(shift(out[j], 7), INT8);
      }
    }
  }
}
