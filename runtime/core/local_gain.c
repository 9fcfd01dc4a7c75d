/* Opcodes of a local gain. Part of pointillist.c. */

/* PREDICT: with W, NW, N and NE the channels of x, a neighbour outside the image (where z is 0) counting as N, or N as W:
   out = median(W, N, W + N - NW) of each channel; then floor(log2((sum of distances + 2 n spread) factor / 2^20)), or a
   constant where fewer than two lie inside */
INLINE void predict(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x);
  const i32 *c = s->c[0];
  i64 n = s->n - 1, distance = 0, bits = 0, inside = 0;
  int many = s->x_type == INT32;
  for (int k = 0; k < 4; k++) inside += z[k] != 128;
  for (i64 j = 0; j < n; j++) {
    i32 left = many ? xs[j] : x[j], corner = many ? xs[n + j] : x[n + j];
    i32 above = many ? xs[2 * n + j] : x[2 * n + j], right = many ? xs[3 * n + j] : x[3 * n + j];
    above = z[2] != 128 ? above : left;
    left = z[0] != 128 ? left : above;
    corner = z[1] != 128 ? corner : above;
    right = z[3] != 128 ? right : above;
    i32 low = left < above ? left : above, high = left < above ? above : left;
    i32 base = clamp(left + above - corner, low, high);
    distance += (high - low) + larger(corner - base, base - corner) + larger(right - base, base - right);
    ys[j] = many ? base : base - 128;
  }
  i64 total = (distance + 2 * n * c[0]) * c[1];
  while (total >> bits > 0) bits++;
  ys[n] = inside < 2 ? c[2] : wide((i32)bits - 21);
}

/* NORMALISE: with b the prediction p and e its exponent, out = clamp(shift((x - b) 2^5, e + spread)) of each neighbour,
   0 outside the image (where z is 0); then floor(b / 2^narrowing); then e; then, where the output has channels for it,
   clamp(shift((x - b) 2^13, e + spread) - 2^8 out) of each neighbour */
INLINE void normalise(const step *s, i64 at, i64 from, i64 to) {
  i64 fine = s->n - 1 > 2 * s->count ? s->n - s->count : 0; /* where the rests begin: no neighbour has fewer channels than b */
  i64 column = s->at_column ? at : 0, channels = (fine ? fine : s->n) - s->count - 1, spread = ((const i32 *)s->c[0])[0];
  i32 narrowing = ((const i32 *)s->c[0])[1];
  for (i64 b = from; b < to; b++)
    for (i64 i = 0; i < s->inner; i++) {
      i64 to = column + i;
      u8 *restrict y = s->y.at + b * s->y.image + to * s->y.column;
      const u8 *restrict x = s->x.at + b * s->x.image + to * s->x.column, *restrict z = s->z.at + b * s->z.image + to * s->z.column;
      const i32 *restrict base = (const i32 *)(s->p.at + b * s->p.image + to * s->p.column);
      i64 by = smaller(larger(base[channels] + spread, 0), 31), half = (1ll << by) >> 1;
      for (i64 j = 0, k = 0; j < s->count; k++)
        for (i64 c = 0; c < channels; c++, j++) {
          i64 pixel = s->x_type == INT32 ? ((const i32 *)x)[j] : x[j] - 128;
          i64 difference = z[k] == 128 ? 0 : pixel - base[c], relative = smaller(larger((difference * 32 + half) >> by, -128), 127);
          y[j] = narrow((i32)relative, INT8);
          if (fine) y[fine + j] = narrow((i32)smaller(larger(((difference * 8192 + half) >> by) - relative * 256, -128), 127), INT8);
        }
      for (i64 c = 0; c < channels; c++) y[s->count + c] = narrow(base[c] >> narrowing, INT8);
      y[s->count + channels] = narrow(base[channels], INT8);
    }
}

/* PLACE: with e the exponent in z, b = shift(z B + B0, base bits), and t the table of tanh:
   mean = b_c + shift(x G 2^fine, 20 - e) - sum over earlier channels of shift(t(coupling) b, 16); scale = x + shift(e L + L0, 8) */
INLINE void place_params(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); WIDE_IN(z);
  const i32 *c = s->c[0], *tanh = s->c[1];
  i64 n = s->groups, m = s->n / (1 + 2 * n + n * (n - 1) / 2), e = clamp(zs[n], -1, c[7]), by = 20 - e;
  i64 log_gain = (e * c[2] + c[3] + 128) >> 8, first = m * (1 + 2 * n), gain = (i64)c[4] << c[6], half = 1ll << (c[5] - 1);
  for (i64 j = 0; j < s->n; j++) ys[j] = wide(xs[j]);
  for (i64 channel = 0; channel < n; channel++)
    for (i64 j = 0; j < m; j++) {
      i64 mean = (((i64)zs[channel] * c[0] + c[1] + half) >> c[5]) + (((i64)xs[m * (1 + channel) + j] * gain + ((1ll << by) >> 1)) >> by);
      for (i64 before = 0; before < channel; before++) {
        i64 base = ((i64)zs[before] * c[0] + c[1] + half) >> c[5];
        i64 t = interpolate(tanh, 2 * s->middle[1] + 1, xs[first + m * (channel * (channel - 1) / 2 + before) + j]);
        mean -= (t * base + (1 << 15)) >> 16;
      }
      ys[m * (1 + channel) + j] = wide_long(mean);
      ys[m * (1 + n + channel) + j] = wide_long(xs[m * (1 + n + channel) + j] + log_gain);
    }
}
