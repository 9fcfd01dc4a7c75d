/* Guidance, temperature and top-p. Part of pointillist.c. */

/* A table of 257 numbers at x / 2^bits of its length, by linear interpolation, rounding down. */
INLINE i64 read_table(const i32 *table, i64 x, int bits) {
  i64 index = x >> (bits - 8), rest = x & ((1 << (bits - 8)) - 1), low = table[index];
  return low + (((table[index + 1] - low) * rest) >> (bits - 8));
}

/* log2 of 1 to 2^24, in steps of 2^-20. */
INLINE i64 log2_of(const i32 *table, i64 frequency) {
  i64 x = smaller(larger(frequency, 1), 1 << 24);
  i64 exponent = 63 - __builtin_clzll((u64)x);
  return (exponent << 20) + read_table(table, (x << (24 - exponent)) - (1 << 24), 24);
}

/* Mark the nucleus in `result`: from the largest frequency on, ties from the lowest level on, while the sum before is
   below top_p; others become 0. All above the least t such that those above it sum to less, and the first ties with it. */
INLINE i64 keep_nucleus(i64 *restrict result, i64 levels, i64 top_p) {
  i64 low = 0, high = 1 << 30, before = 0, total = 0;
  while (low < high) {
    i64 middle = (low + high) / 2, sum = 0;
    for (i64 k = 0; k < levels; k++) sum += result[k] > middle ? result[k] : 0;
    if (sum < top_p) high = middle;
    else low = middle + 1;
  }
  for (i64 k = 0; k < levels; k++) before += result[k] > low ? result[k] : 0;
  for (i64 k = 0; k < levels; k++) {
    if (result[k] == low && before < top_p) before += low;
    else if (result[k] <= low) result[k] = 0;
    total += result[k];
  }
  return total;
}

/* Guidance, temperature and top-p: frequencies that sum to 2^30. c and u are the frequencies under the conditions and
   those of the reference; log counts in steps of 2^-20:
   l = log u + floor(guidance (log c - log u) / 2^16);  d = floor((max l - l) inverse_temperature / 2^16);
   w = floor(2^30 2^-(d / 2^20)), and w = c without guidance at temperature 1; normalised, top-p, normalised. */
INLINE void transform(const program *p, const pt_transform *t, const i64 *c, const i64 *u, i64 *restrict result) {
  const i32 *h = p->header, *log2 = constant(p, h[H_LOG2]), *exp2 = constant(p, h[H_EXP2]);
  i64 levels = h[H_LEVELS], best = 0, total = 0;
  for (i64 k = 0; k < levels; k++) result[k] = c[k];
  if (t->is_guided || t->inverse_temperature != 1 << 16) {
    for (i64 k = 0; k < levels; k++) result[k] = log2_of(log2, result[k]);
    if (t->is_guided) for (i64 k = 0; k < levels; k++) {
      i64 reference = log2_of(log2, u[k]);
      result[k] = reference + ((t->guidance * (result[k] - reference)) >> 16);
    }
    i64 largest = result[0];
    for (i64 k = 1; k < levels; k++) largest = larger(largest, result[k]);
    if (!t->inverse_temperature) {
      while (result[best] != largest) best++;
      for (i64 k = 0; k < levels; k++) result[k] = 0;
      result[best] = 1 << 30;
      return;
    }
    for (i64 k = 0; k < levels; k++) {
      i64 d = ((largest - result[k]) * t->inverse_temperature) >> 16;
      result[k] = read_table(exp2, d & ((1 << 20) - 1), 20) >> smaller(d >> 20, 31);
    }
  }
  for (i64 k = 0; k < levels; k++) total += result[k];
  normalise_weights(result, levels, total, 30, 0);
  if (t->top_p < 1 << 30) {
    total = keep_nucleus(result, levels, t->top_p);
    normalise_weights(result, levels, total, 30, 1);
  }
}
