/* Opcodes that treat each channel alone, a function each. Part of pointillist.c.

   Functions of one site: y, x and z are its channels. Wide results are clamped to LIMIT, narrow ones to their type. */

INLINE i32 shift(i32 x, i32 by) {
  u32 left = by < 0 ? -by : 0, right = by > 0 ? by : 0;
  return ((i32)((u32)x << left) + (i32)((1u << right) >> 1)) >> right;
}
INLINE i64 shift_long(i64 x, i64 by) {
  u64 left = by < 0 ? -by : 0, right = by > 0 ? by : 0;
  return (i64)(((u64)x << left) + ((1ull << right) >> 1)) >> right;
}
INLINE i32 clamp(i32 x, i32 low, i32 high) { return x < low ? low : x > high ? high : x; }
INLINE i32 wide(i32 x) { return clamp(x, -LIMIT, LIMIT); }
INLINE i32 wide_long(i64 x) { return (i32)(x < -LIMIT ? -LIMIT : x > LIMIT ? LIMIT : x); }
INLINE u8 narrow(i32 x, i32 type) { return type == INT8 ? (u8)(clamp(x, -128, 127) + 128) : (u8)clamp(x, 0, 255); }

/* Set numbers of any type, clamped to its range. */
INLINE void set_numbers(u8 *restrict y, i32 type, const i32 *restrict x, i64 n) {
  i32 *restrict ys = (i32 *)y;
  if (type == INT32) for (i64 j = 0; j < n; j++) ys[j] = wide(x[j]);
  else for (i64 j = 0; j < n; j++) y[j] = narrow(x[j], type);
}

typedef void site_function(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z);
#define WIDE(name) i32 *restrict name##s = (i32 *)name
#define WIDE_IN(name) const i32 *restrict name##s = (const i32 *)name

/* ADD: out = shift(x, left) + shift(z, right) */
INLINE void add(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); WIDE_IN(z);
  const i8 *left = s->c[0], *right = s->c[1];
  for (i64 j = 0; j < s->n; j++) ys[j] = wide(shift(xs[j], left[j]) + shift(zs[j], right[j]));
}

/* MULTIPLY: out = shift(x z, by), in 64 bits */
INLINE void multiply(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); WIDE_IN(z);
  const i8 *by = s->c[0];
  for (i64 j = 0; j < s->n; j++) ys[j] = wide_long(shift_long((i64)xs[j] * zs[j], by[j]));
}

/* OFFSET: out = x + constant */
INLINE void offset(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); (void)z;
  const i32 *c = s->c[0];
  for (i64 j = 0; j < s->n; j++) ys[j] = wide(xs[j] + c[j]);
}

/* SCALE: out = shift(x factor, by), in 64 bits */
INLINE void scale(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); (void)z;
  const i16 *factor = s->c[0];
  const i8 *by = s->c[1];
  for (i64 j = 0; j < s->n; j++) ys[j] = wide_long(shift_long((i64)xs[j] * factor[j], by[j]));
}

/* GATE: out = shift(tanh[shift(x, left)] sigmoid[shift(z, right)], by); 0 is in the middle of a table, its ends hold beyond */
INLINE void gate(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE_IN(x); WIDE_IN(z);
  const i8 *left = s->c[2], *right = s->c[3], *by = s->c[4];
  i32 m = (i32)s->middle[0], k = (i32)s->middle[1];
  const i16 *tanh = (const i16 *)s->c[0] + m, *sigmoid = (const i16 *)s->c[1] + k;
  i32 *restrict a = s->scratch, *restrict b = a + s->n;
  for (i64 j = 0; j < s->n; j++) a[j] = clamp(shift(xs[j], left[j]), -m, m);
  for (i64 j = 0; j < s->n; j++) b[j] = clamp(shift(zs[j], right[j]), -k, k);
  for (i64 j = 0; j < s->n; j++) a[j] = shift(tanh[a[j]] * sigmoid[b[j]], by[j]);
  set_numbers(y, s->y_type, a, s->n);
}

/* RELU: out = max(x, 0) */
INLINE void relu(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); (void)z;
  for (i64 j = 0; j < s->n; j++) ys[j] = xs[j] > 0 ? xs[j] : 0;
}

/* NARROW: out = shift(x, by), a byte */
INLINE void make_narrow(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE_IN(x); (void)z;
  const i8 *by = s->c[0];
  for (i64 j = 0; j < s->n; j++) y[j] = narrow(shift(xs[j], by[j]), s->y_type);
}

/* RESCALE: out = shift(x, by), of wide or narrow x */
INLINE void rescale(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); (void)z;
  const i8 *by = s->c[0];
  i32 zero = s->x_type == INT8 ? 128 : 0;
  if (s->x_type == INT32) for (i64 j = 0; j < s->n; j++) ys[j] = wide(shift(xs[j], by[j]));
  else for (i64 j = 0; j < s->n; j++) ys[j] = wide(shift(x[j] - zero, by[j]));
}

/* LOOKUP: out = table[shift(x, by)]; RECTIFIED_LOOKUP: out = max(x, 0) + table[shift(x, by)] */
INLINE void look_up(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); (void)z;
  i32 m = (i32)s->middle[0];
  const i32 *table = (const i32 *)s->c[0] + m;
  const i8 *by = s->c[1];
  i32 *restrict a = s->scratch;
  for (i64 j = 0; j < s->n; j++) a[j] = clamp(shift(xs[j], by[j]), -m, m);
  for (i64 j = 0; j < s->n; j++) a[j] = table[a[j]];
  if (s->code == LOOKUP) for (i64 j = 0; j < s->n; j++) ys[j] = wide(a[j]);
  else for (i64 j = 0; j < s->n; j++) ys[j] = wide((xs[j] > 0 ? xs[j] : 0) + a[j]);
}

/* CONSTANT: out = constant */
INLINE void set_constant(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  __builtin_memcpy(y, s->c[0], (u64)s->n * 4); (void)x; (void)z;
}

INLINE void copy_bytes(u8 *restrict y, const u8 *restrict x, i64 bytes) {
  for (i64 j = 0; j < bytes; j++) y[j] = x[j];
}

/* COPY, and STORE in the current site of a map: out = x */
INLINE void copy(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  copy_bytes(y, x, s->y_type == INT32 ? s->n * 4 : s->n); (void)z;
}

/* PROJECT: out = shift(x matrix + bias, by), in 64 bits, once an image */
INLINE void project(const step *s, u8 *restrict y, const u8 *restrict x, const u8 *restrict z) {
  WIDE(y); WIDE_IN(x); (void)z;
  const i16 *matrix = s->c[0];
  const i64 *bias = s->c[1];
  const i8 *by = s->c[2];
  for (i64 j = 0; j < s->n; j++) {
    u64 sum = (u64)bias[j];
    for (i64 k = 0; k < s->count; k++) sum += (u64)((i64)xs[k] * matrix[k * s->n + j]);
    ys[j] = wide_long(shift_long((i64)sum, by[j]));
  }
}

/* Apply a function at images `from` to `to` and every column. */
INLINE void each(const step *s, i64 at, i64 from, i64 to, site_function f) {
  i64 offset_column = s->at_column ? at : 0;
  for (i64 b = from; b < to; b++) {
    u8 *y = s->y.at + b * s->y.image + offset_column * s->y.column;
    const u8 *x = s->x.at + b * s->x.image + offset_column * s->x.column;
    const u8 *z = s->z.at + b * s->z.image + offset_column * s->z.column;
    for (i64 i = 0; i < s->inner; i++, y += s->y.column, x += s->x.column, z += s->z.column) f(s, y, x, z);
  }
}

/* Run one of the opcodes above on images `from` to `to`; other codes are run by `execute`. */
INLINE void each_channel(const step *s, i64 at, i64 from, i64 to) {
  switch (s->code) {
    case PROJECT: each(s, at, from, to, project); break;
    case ADD: each(s, at, from, to, add); break;
    case MULTIPLY: each(s, at, from, to, multiply); break;
    case OFFSET: each(s, at, from, to, offset); break;
    case SCALE: each(s, at, from, to, scale); break;
    case GATE: each(s, at, from, to, gate); break;
    case RELU: each(s, at, from, to, relu); break;
    case NARROW: each(s, at, from, to, make_narrow); break;
    case RESCALE: each(s, at, from, to, rescale); break;
    case LOOKUP:
    case RECTIFIED_LOOKUP: each(s, at, from, to, look_up); break;
    case COPY: each(s, at, from, to, copy); break;
    case CONSTANT: each(s, at, from, to, set_constant); break;
  }
}
