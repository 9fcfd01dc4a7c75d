/* Attention to earlier sites and to tokens. Part of pointillist.c. */

/* STORE_KV: cache[site] = x. The keys of 64 sites lie side by side, as a product reads them, then 128 times their sums,
   which a product of unsigned bytes adds; values lie four by four sites. */
INLINE void store_kv(const pt_run *r, const step *s, i64 row, i64 column, i64 from, i64 to) {
  i64 site = row * r->width + column, heads = s->groups, k = s->count, groups = groups_of(k), values = s->n * heads;
  i64 blocks = heads * groups * 4 * BLOCK, whole = blocks + heads * BLOCK * 4 + BLOCK * values, place = site % BLOCK;
  for (i64 b = from; b < to; b++) {
    const u8 *x = s->x.at + b * s->x.image + column * s->x.column;
    u8 *block_at = s->z.at + b * s->z.image + site / BLOCK * whole;
    i32 *sums = (i32 *)(block_at + blocks);
    i8 *value = (i8 *)(block_at + blocks + heads * BLOCK * 4) + place / 4 * 4 * values + place % 4;
    for (i64 head = 0; head < heads; head++) {
      i8 *key = (i8 *)block_at + head * groups * 4 * BLOCK + place * 4;
      i32 sum = 0;
      for (i64 j = 0; j < k; j++) {
        i32 number = x[head * k + j] - 128;
        key[j / 4 * 4 * BLOCK + j % 4] = (i8)number;
        sum += number;
      }
      sums[head * BLOCK + place] = 128 * sum;
    }
    for (i64 j = 0; j < values; j++) value[j * 4] = (i8)(x[heads * k + j] - 128);
  }
}

/* floor(x / by) of a positive `by` */
INLINE i64 floor_divide(i64 x, i64 by) { return x / by - (x % by < 0); }

/* ATTEND: with the scores t_j = q . k_j of the sites before, m their maximum, e_j = E[floor((m - t_j) factor / 2^16)],
   out = floor((2^9 sum of e_j v_j + sum of e_j) / (2 sum of e_j)), head by head; 0 at the first site.
   A weight e_j is at most 2^24: four products, of a byte of the weights each. */
INLINE void attend(const pt_run *r, const step *s, i64 row, i64 column, i64 from, i64 to, tile *multiply_tile) {
  i64 sites = row * r->width + column, heads = s->groups, k = s->count, groups = groups_of(k), values = s->n * heads;
  i64 blocks = heads * groups * 4 * BLOCK, whole = blocks + heads * BLOCK * 4 + BLOCK * values, last = s->middle[0];
  i64 padded = (sites + BLOCK - 1) / BLOCK * BLOCK, factor = *(const i64 *)s->c[1];
  const i32 *exp = s->c[0];
  i32 *scores = s->scratch, sums[ROWS * WIDTH];
  u8 *planes = (u8 *)(scores + padded); /* byte p of the weights, a row each */
  for (i64 b = from; b < to; b++)
    for (i64 head = 0; head < heads; head++) {
      const u8 *query = s->x.at + b * s->x.image + column * s->x.column + head * k, *cache = s->z.at + b * s->z.image;
      i32 *out = (i32 *)(s->y.at + b * s->y.image + column * s->y.column) + head * s->n;
      i32 largest = INT32_MIN;
      i64 total = 0;
      if (!sites) {
        for (i64 j = 0; j < s->n; j++) out[j] = 0;
        continue;
      }
      for (i64 t = 0; t < sites; t += BLOCK) {
        const u8 *at = cache + t / BLOCK * whole;
        const piece q = {(u8 *)query, groups, 0};
        const i32 *zero = (const i32 *)(at + blocks) + head * BLOCK;
        i64 here = smaller(BLOCK, sites - t);
        multiply_tile(&q, 1, 0, 0, (const i8 *)at + head * groups * 4 * BLOCK, 4 * BLOCK, 1, (int)vectors_of(here), scores + t);
        for (i64 i = 0; i < here; i++) {
          scores[t + i] -= zero[i];
          largest = scores[t + i] > largest ? scores[t + i] : largest;
        }
      }
      for (i64 t = 0; t < sites; t++) {
        i64 below = ((i64)(largest - scores[t]) * factor) >> 16;
        scores[t] = exp[below < last ? below : last];
        total += scores[t];
      }
      for (i64 t = sites; t < padded; t++) scores[t] = 0;
      for (int p = 0; p < 4; p++)
        for (i64 t = 0; t < padded; t++) planes[p * padded + t] = (u8)((u32)scores[t] >> (8 * p));
      for (i64 j = 0; j < s->n; j += WIDTH) {
        i64 columns = smaller(WIDTH, s->n - j), all[WIDTH] = {0};
        for (i64 t = 0; t < sites; t += BLOCK) {
          const i8 *at = (const i8 *)(cache + t / BLOCK * whole + blocks + heads * BLOCK * 4) + 4 * (head * s->n + j);
          const piece weights = {planes + t, groups_of(smaller(BLOCK, sites - t)), 0};
          multiply_tile(&weights, 1, 0, padded, at, 4 * values, 4, (int)vectors_of(columns), sums);
          for (int p = 0; p < 4; p++)
            for (i64 i = 0; i < columns; i++) all[i] += (i64)((u64)(i64)sums[p * WIDTH + i] << (8 * p));
        }
        for (i64 i = 0; i < columns; i++) out[j + i] = wide_long(floor_divide((i64)((u64)all[i] << 9) + total, 2 * total));
      }
    }
}

/* CROSS_ATTEND: the same over the tokens t whose mask is positive; 0 if there are none. An entry of p is the keys of all
   heads, and then the values. */
INLINE void cross_attend(const step *s, i64 at, i64 from, i64 to) {
  i64 column = s->at_column ? at : 0, tokens = s->groups, heads = *(const i32 *)s->c[2], last = s->middle[0];
  i64 keys = s->count / heads, values = s->n / heads, width = s->count + s->n, factor = *(const i64 *)s->c[1], *weights = s->scratch;
  const i32 *exp = s->c[0];
  for (i64 b = from; b < to; b++)
    for (i64 i = 0; i < s->inner; i++) {
      const u8 *restrict x = s->x.at + b * s->x.image + (column + i) * s->x.column, *restrict entries = s->p.at + b * s->p.image;
      const i32 *restrict mask = (const i32 *)(s->z.at + b * s->z.image);
      i32 *restrict y = (i32 *)(s->y.at + b * s->y.image + (column + i) * s->y.column);
      for (i64 head = 0; head < heads; head++) {
        i64 largest = INT64_MIN, total = 0;
        for (i64 t = 0; t < tokens; t++) {
          const u8 *restrict key = entries + t * width + head * keys;
          i32 score = 0;
          for (i64 j = 0; j < keys; j++) score += (x[head * keys + j] - 128) * (key[j] - 128);
          weights[t] = score;
          if (mask[t] > 0) largest = larger(largest, score);
        }
        for (i64 t = 0; t < tokens; t++) {
          weights[t] = mask[t] > 0 ? exp[smaller(((largest - weights[t]) * factor) >> 16, last)] : 0;
          total += weights[t];
        }
        for (i64 j = 0; j < values; j++) {
          const u8 *restrict value = entries + s->count + head * values + j;
          i64 sum = 0;
          for (i64 t = 0; t < tokens; t++) sum += weights[t] * (value[t * width] - 128);
          y[head * values + j] = total ? wide_long(floor_divide((i64)((u64)sum << 9) + total, 2 * total)) : 0;
        }
      }
    }
}
