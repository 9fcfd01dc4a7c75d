/* The check of a program: no operation reads, writes or overflows where it must not. Part of pointillist.c. */

static int reads_taps(const i32 *o) { return o[O_CODE] == GATHER || (o[O_CODE] == LINEAR && o[O_X] == NOTHING); }

/* Join adjacent taps of a row: return how many begin at tap `i`, without a gap. */
static i32 run_of_taps(const i32 *taps, i32 i, i32 count) {
  i32 n = 1;
  while (i + n < count && taps[(i + n) * 2] == taps[i * 2] && taps[(i + n) * 2 + 1] == taps[i * 2 + 1] + n) n++;
  return n;
}

static int check_taps(const program *p, const i32 *o) {
  if (o[O_MAP] < 0 || o[O_MAP] >= p->header[H_MAPS] || o[O_PART] == IMAGE) return 0;
  if (o[O_TAP] < 0 || o[O_TAPS] < 1 || o[O_TAPS] > p->header[H_TAPS] || o[O_TAP] > p->header[H_TAPS] - o[O_TAPS]) return 0;
  const i32 *m = p->maps + (i64)o[O_MAP] * MAP_WORDS, *taps = p->taps + (i64)o[O_TAP] * TAP_WORDS;
  if (m[2] > o[O_SCALE]) return 0;
  for (i32 i = 0; i < o[O_TAPS]; i++) {
    i32 row = taps[i * 2], column = taps[i * 2 + 1];
    if (row > (is_grid(p) ? m[3] : 0) || row < -m[3] || column < -m[4] || column > m[5]) return 0;
  }
  return 1;
}

/* Return the groups of four bytes that a product reads of each row of x. */
static i64 groups_of_input(const program *p, const i32 *o) {
  if (!reads_taps(o)) return groups_of(o[O_X + 3]);
  const i32 *taps = p->taps + (i64)o[O_TAP] * TAP_WORDS;
  i64 channels = p->maps[o[O_MAP] * MAP_WORDS + 1], groups = 0;
  for (i32 i = 0, n; i < o[O_TAPS]; i += n) groups += groups_of((n = run_of_taps(taps, i, o[O_TAPS])) * channels);
  return groups;
}

/* True if no sum of a product overflows 32 bits: 255 |weights| + |bias|, before and after its shift.
   Weights lie in panels of PANEL vectors: for each group of four inputs, for each column, the four weights. */
static int check_product(const program *p, i64 groups, i64 n, i32 weights, i32 bias, i32 shifts) {
  i64 width = vectors_of(n) * COLUMNS;
  if (groups > MOST || !is_constant(p, weights, INT8, groups * 4 * width) || !is_constant(p, bias, INT32, n)) return 0;
  if (!is_shift(p, shifts, n, 30, 31)) return 0;
  const i8 *w = constant(p, weights), *by = constant(p, shifts);
  const i32 *b = constant(p, bias);
  for (i64 j = 0; j < n; j++) {
    i64 panel = j / (PANEL * COLUMNS) * PANEL * COLUMNS, columns = smaller(PANEL * COLUMNS, width - panel);
    const i8 *at = w + panel * groups * 4 + (j - panel) * 4;
    i64 sum = magnitude(b[j]), left = by[j] < 0 ? -by[j] : 0, right = by[j] > 0 ? by[j] : 0;
    for (i64 g = 0; g < groups; g++, at += columns * 4)
      for (int k = 0; k < 4; k++) sum += 255 * magnitude(at[k]);
    if (sum > INT32_MAX || (sum << left) + ((1ll << right) >> 1) > INT32_MAX) return 0;
    if ((sum >> right) + 1 + LIMIT > INT32_MAX) return 0;
  }
  return 1;
}

static int check_gate(const program *p, const i32 *c, i64 n) {
  i64 largest[2] = {0, 0};
  for (int t = 0; t < 2; t++) {
    const i16 *table = constant(p, c[t]);
    for (i64 i = 0; i < count_of(p, c[t]); i++) largest[t] = larger(largest[t], magnitude(table[i]));
  }
  const i8 *by = constant(p, c[4]);
  for (i64 j = 0; j < n; j++) {
    i64 left = by[j] < 0 ? -by[j] : 0, right = by[j] > 0 ? by[j] : 0;
    if ((largest[0] * largest[1] << left) + ((1ll << right) >> 1) > INT32_MAX) return 0;
  }
  return 1;
}

static int check_attend(const program *p, const i32 *o, const i32 *c) {
  if (o[O_PART] < SITE || o[O_SCALE] || o[O_MAP] < 0 || o[O_MAP] >= p->header[H_CACHES]) return 0;
  const i32 *cache = p->caches + (i64)o[O_MAP] * CACHE_WORDS;
  if (type_of(p, o + O_X) != INT8 || ((const i32 *)constant(p, c[0]))[0] < 1) return 0;
  if (o[O_X + 3] != cache[1] || o[O_Y + 3] != cache[0] - cache[1]) return 0;
  i64 key_width = cache[1] / cache[2], largest = key_width << 15; /* of a difference of scores */
  return key_width <= 1 << 15 && in_range(p, c[1], 0, INT64_MAX / largest);
}

/* True if two operands share channels: what an operation writes, it does not read. */
static int overlap(const i32 *a, const i32 *b) {
  return a[0] == b[0] && a[0] != NOTHING && a[1] == b[1] && a[2] < b[2] + b[3] && b[2] < a[2] + a[3];
}

/* Attention to tokens: a mask of them in z, and the keys and values of each in p, which are those of the image. */
static int check_cross_attend(const program *p, const i32 *o, const i32 *c) {
  const i32 *y = o + O_Y, *x = o + O_X, *z = o + O_Z, *entries = o + O_P;
  i64 tokens = z[3], keys = x[3], n = y[3];
  if (o[O_PART] == IMAGE || z[0] != BUFFER || entries[0] != BUFFER || ((const i32 *)constant(p, c[0]))[0] < 1) return 0;
  if (p->buffers[z[1] * BUFFER_WORDS + 3] != IMAGE || p->buffers[entries[1] * BUFFER_WORDS + 3] != IMAGE) return 0;
  if (type_of(p, x) != INT8 || type_of(p, entries) != INT8 || is_narrow(p, z)) return 0;
  if (tokens > MOST_SITES || entries[3] != tokens * (keys + n)) return 0;
  i64 heads = *(const i32 *)constant(p, c[2]), largest = keys << 15; /* of a difference of scores */
  return keys % heads == 0 && n % heads == 0 && keys <= 1 << 15 && in_range(p, c[1], 0, INT64_MAX / largest);
}

static int check_scan(const program *p, const i32 *o, const i32 *c) {
  i64 d = o[O_Y + 3];
  if (o[O_PART] != ROW || o[O_X + 3] != 4 * d) return 0;
  if (!check_product(p, groups_of(d), 4 * d, c[0], c[1], c[2]) || !is_shift(p, c[3], 4 * d, 4, 31)) return 0;
  for (int t = 4; t < 6; t++)
    if (!is_constant(p, c[t], INT16, 0) || !in_range(p, c[t], -(1 << 14), 1 << 14)) return 0;
  return is_constant(p, c[6], INT32, 2 * d) && in_range(p, c[6], -LIMIT, LIMIT);
}

/* Pixels: of 8 bits, or of 32 where there are many levels. */
static int is_canvas(const program *p, const i32 *operand) { return type_of(p, operand) == INT8 || type_of(p, operand) == INT32; }

/* Operations of a local gain: their inputs have other channels than their output. */
static int check_local_gain(const program *p, const i32 *o, const i32 *c) {
  const i32 *y = o + O_Y, *x = o + O_X, *z = o + O_Z, *base = o + O_P, code = o[O_CODE];
  i64 n = y[3], channels = z[3] - 1;
  if (o[O_PART] == IMAGE) return 0;
  if (code == PREDICT) {
    if (type_of(p, y) != INT32 || !is_canvas(p, x) || type_of(p, z) != INT8 || n < 2 || x[3] != 4 * (n - 1) || z[3] != 4) return 0;
    return is_constant(p, c[0], INT32, 3) && in_range(p, c[0], -1, 1 << 20);
  }
  if (code == NORMALISE) {
    if (type_of(p, base) != INT32 || type_of(p, y) != INT8) return 0;
    if (!is_canvas(p, x) || type_of(p, z) != INT8 || base[3] < 2) return 0;
    if (n != x[3] + base[3] && n != 2 * (i64)x[3] + base[3]) return 0;
    return x[3] == (i64)z[3] * (base[3] - 1) && is_constant(p, c[0], INT32, 2) && in_range(p, c[0], 0, 8) &&
           ((const i32 *)constant(p, c[0]))[0] > 0;
  }
  if (type_of(p, y) != INT32 || type_of(p, x) != INT32 || type_of(p, z) != INT32 || x[3] != n || channels < 1) return 0;
  if (n % (1 + 2 * channels + channels * (channels - 1) / 2) || !is_constant(p, c[0], INT32, 8)) return 0;
  const i32 *numbers = constant(p, c[0]); /* the last three are shifts, and the largest exponent, which is less than 20 */
  if (numbers[5] < 8 || numbers[5] > 16 || numbers[6] < 0 || numbers[6] > 8 || numbers[7] < 0 || numbers[7] > 15) return 0;
  if (!in_range(p, c[0], -(1 << 28), 1 << 28) || !is_constant(p, c[1], INT32, 0)) return 0;
  return count_of(p, c[1]) >= 3 && count_of(p, c[1]) % 2 && in_range(p, c[1], -(1 << 16), 1 << 16);
}

static int has_width(const program *p, const i32 *operand, i64 width) { return width == ANY || is_narrow(p, operand) == (width == BYTES); }

/* What the table of opcodes asks of an operation: its operands, their widths, its constants. */
static int check_form(const program *p, const i32 *o, const opcode_rule *rule) {
  const i32 *y = o + O_Y, *x = o + O_X, *z = o + O_Z, *inputs[3] = {x, z, o + O_P};
  i64 n = y[3], counts[] = {0, 1, n, x[3] * n, (i64)p->header[H_HEIGHT] * p->header[H_WIDTH] * n};
  for (int k = 0; k < 3; k++) {
    int is_missing = inputs[k][0] == NOTHING, may_miss = k >= rule->least || (o[O_CODE] == LINEAR && !k); /* of a gather in its place */
    if (is_missing ? !may_miss : k >= rule->most || !is_operand(p, o, inputs[k]) || overlap(y, inputs[k])) return 0;
  }
  if (y[0] != NOTHING && !has_width(p, y, rule->y)) return 0;
  if (x[0] != NOTHING && !has_width(p, x, rule->x)) return 0;
  if (rule->each && x[3] != n) return 0;
  if ((rule->each || o[O_CODE] == LINEAR) && z[0] != NOTHING && (z[3] != n || is_narrow(p, z))) return 0;
  for (i64 k = 0; k < rule->constants; k++) {
    const constant_rule *c = rule->constant + k;
    i32 index = o[O_CONSTANT + k];
    if (!is_constant(p, index, (i32)c->type, counts[c->count])) return 0;
    if (c->low < c->high && !in_range(p, index, c->low, c->high)) return 0;
  }
  return 1;
}

/* An operation: what the table of opcodes asks, and what is of one opcode alone; the meaning of each is at its function. */
static int check_operation(const program *p, const i32 *o) {
  const i32 *y = o + O_Y, *x = o + O_X, *c = o + O_CONSTANT, code = o[O_CODE];
  i64 n = y[3];
  if (code < 0 || code >= CODES || o[O_PART] < IMAGE || o[O_PART] > POST || o[O_PARITY] < -1 || o[O_PARITY] > 1) return 0;
  if (o[O_FIRST] < 0 || o[O_SCALE] < 0 || o[O_SCALE] > 16) return 0;
  if (code == STORE_KV ? y[0] != NOTHING : !is_operand(p, o, y)) return 0;
  if (!check_form(p, o, RULES + code)) return 0;
  switch (code) {
    case LINEAR:
      if (x[0] == NOTHING && (!check_taps(p, o) || p->maps[o[O_MAP] * MAP_WORDS] == INT32)) return 0;
      return check_product(p, groups_of_input(p, o), n, c[0], c[1], c[2]);
    case RMS_NORM: return o[O_PART] != IMAGE && x[3] == n && n <= 4096 && count_of(p, c[0]) == ROOTS; /* 53 bits hold a sum */
    case PROJECT: return o[O_PART] == IMAGE;
    case GATE: return check_gate(p, c, n);
    case RESCALE: return is_narrow(p, x) || in_range(p, c[0], -4, 31);
    case COPY: return type_of(p, x) == type_of(p, y);
    case GATHER:
      if (y[0] == MAP && y[1] == o[O_MAP]) return 0;
      return check_taps(p, o) && p->maps[o[O_MAP] * MAP_WORDS] == type_of(p, y) &&
             n == (i64)o[O_TAPS] * p->maps[o[O_MAP] * MAP_WORDS + 1];
    case UPSAMPLE: {
      if (o[O_MAP] < 0 || o[O_MAP] >= p->header[H_MAPS] || o[O_PART] == IMAGE || (y[0] == MAP && y[1] == o[O_MAP])) return 0;
      const i32 *m = p->maps + (i64)o[O_MAP] * MAP_WORDS;
      return m[0] == type_of(p, y) && m[1] == 4 * n && m[2] == o[O_SCALE] + 1;
    }
    case STORE_KV: {
      if (o[O_PART] < SITE || o[O_SCALE] || o[O_MAP] < 0 || o[O_MAP] >= p->header[H_CACHES]) return 0;
      return type_of(p, x) == INT8 && x[3] == p->caches[o[O_MAP] * CACHE_WORDS];
    }
    case INPUT: {
      if (o[O_MAP] < 0 || o[O_MAP] >= p->header[H_INPUTS]) return 0;
      const i32 *input = p->inputs + (i64)o[O_MAP] * INPUT_WORDS;
      return input[1] == n && (input[0] ? o[O_PART] != IMAGE && !o[O_SCALE] : o[O_PART] == IMAGE);
    }
    case MAP_CONSTANT: return o[O_PART] != IMAGE && !o[O_SCALE] && p->header[H_HEIGHT] > 0;
    case ATTEND: return check_attend(p, o, c);
    case SCAN: return check_scan(p, o, c);
    case PREDICT:
    case NORMALISE:
    case PLACE: return check_local_gain(p, o, c);
    case CROSS_ATTEND: return check_cross_attend(p, o, c);
    default: return 1;
  }
}

static int check_tables(const program *p, i64 size) {
  const i32 *h = p->header;
  for (i32 i = 0; i < h[H_CONSTANTS]; i++) {
    const i32 *c = p->constants + (i64)i * CONSTANT_WORDS;
    if (c[0] < INT8 || c[0] > INT64 || c[0] == UINT8 || c[1] < 0 || c[1] % 64 || c[2] < 1) return 0;
    if (c[1] < HEADER * 4 || c[1] > size || (i64)c[2] * size_of(c[0]) > size - c[1]) return 0;
  }
  for (i32 i = 0; i < h[H_BUFFERS]; i++) {
    const i32 *b = p->buffers + (i64)i * BUFFER_WORDS;
    if (b[0] < INT8 || b[0] > INT32 || b[1] < 1 || b[1] > MOST || b[2] < 0 || b[2] > 16 || b[3] < IMAGE || b[3] > POST) return 0;
  }
  for (i32 i = 0; i < h[H_MAPS]; i++) {
    const i32 *m = p->maps + (i64)i * MAP_WORDS;
    if (m[0] < INT8 || m[0] > INT32 || m[1] < 1 || m[1] > MOST || m[2] < 0 || m[2] > 16) return 0;
    for (int k = 3; k < 6; k++)
      if (m[k] < 0 || m[k] > 4096) return 0;
    i64 low = m[0] == INT8 ? -128 : m[0] == UINT8 ? 0 : -LIMIT, high = m[0] == INT8 ? 127 : m[0] == UINT8 ? 255 : LIMIT;
    for (int k = 6; k < 8; k++)
      if (m[k] != -1 && (!is_constant(p, m[k], INT32, m[1]) || !in_range(p, m[k], low, high))) return 0;
  }
  for (i32 i = 0; i < h[H_CACHES]; i++) {
    const i32 *c = p->caches + (i64)i * CACHE_WORDS;
    if (c[2] < 1 || c[1] < c[2] || c[0] <= c[1] || c[0] > MOST || c[1] % c[2] || (c[0] - c[1]) % c[2]) return 0;
  }
  for (i32 i = 0; i < h[H_INPUTS]; i++)
    if ((p->inputs[i * INPUT_WORDS] | 1) != 1 || p->inputs[i * INPUT_WORDS + 1] < 1 || p->inputs[i * INPUT_WORDS + 1] > MOST) return 0;
  return 1;
}

/* The program of a grid: one phase, one grid, a canvas of bytes, and a map of bytes that it makes. */
static int check_grid(const program *p) {
  const i32 *h = p->header, *params = h + H_PARAMS, row[OPERATION] = {[O_PART] = ROW};
  if (p->maps[0] != INT8 || h[H_CACHES] || h[H_INPUTS] || !is_operand(p, row, params) || type_of(p, params) != INT8) return 0;
  for (i32 i = 0; i < h[H_OPERATIONS]; i++)
    if (p->operations[i * OPERATION + O_PART] != ROW || p->operations[i * OPERATION + O_SCALE]) return 0;
  return 1;
}

int64_t pt_check(const void *bytes, int64_t size) {
  const i32 *h = bytes;
  if (size < HEADER * 4 || h[H_MAGIC] != MAGIC) return 1;
  if (h[H_VERSION] != PT_VERSION) return 2;
  if (h[H_SIZE] != size) return 3;
  for (int i = H_BUFFERS; i <= H_CONSTANTS; i++)
    if (h[i] < 0 || h[i] > MOST) return 4;
  program p = open(bytes);
  if ((const u8 *)(p.constants + (i64)h[H_CONSTANTS] * CONSTANT_WORDS) - p.bytes > size || h[H_MAPS] < 1) return 5;
  if (h[H_HEIGHT] < 0 || h[H_WIDTH] < 0 || h[H_HEIGHT] > MOST || h[H_WIDTH] > MOST) return 6;
  if (!check_tables(&p, size)) return 7;
  if (is_grid(&p) ? !check_grid(&p) : !check_head(&p)) return 8;
  if (h[H_BY_ROWS] && h[H_CACHES]) return 9;
  for (i32 i = 0; i < h[H_OPERATIONS]; i++) {
    const i32 *o = p.operations + (i64)i * OPERATION;
    if (!check_operation(&p, o)) return 100 + i;
    if (i && o[O_PART] < o[O_PART - OPERATION]) return 10;
  }
  return 0;
}

int32_t pt_by_rows(const void *bytes) { return open(bytes).header[H_BY_ROWS] == 1; }
