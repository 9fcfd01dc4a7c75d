/* Run integer programs; see pointillist.h. Freestanding C11: no library, no allocation, no global state.

   The file in order: 1. a program and its check; 2. the layout of a run in its workspace; 3. products of bytes, for each
   instruction set; 4. the opcodes, a function each; 5. the distribution of a level; 6. the loop over an image;
   7. rules, which stand in solver.c, and particles, in particles.c.

   A PROGRAM is a block of little-endian numbers of 32 bits, followed by constants:

       header       `HEADER` numbers: what `H_*` name
       buffers      type, channels, scale, phase                          values at a site, in a row, or of an image
       maps         type, channels, scale, up, left, right, above, left   values at every site, of the rows still read
       caches       channels, channels of the keys, heads                 keys and values of attention
       inputs       kind (0 vector, 1 map), channels                      conditions
       operations   `OPERATION` numbers each: what `O_*` name
       taps         row, column                                           neighbours of a site, up and to the left
       constants    type, offset in bytes, count

   A scale s means a grid of every 2^s-th row and column. Integers are NARROW, a byte each, or WIDE, 32 bits and at most
   LIMIT in magnitude. A signed narrow integer x is stored as x + 128, so that a product is always of an unsigned byte and
   a signed weight; what that adds is taken off the bias when the program is made.

       shift(x, s) = floor((x + 2^(s-1)) / 2^s)   for s > 0: to the nearest, halves upwards
       shift(x, s) = x 2^-s                       for s <= 0
*/
#include "pointillist.h"

#if defined(__x86_64__) || defined(_M_X64)
#define X86 1
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#define ARM 1
#include <arm_neon.h>
#elif defined(__wasm_simd128__)
#define WASM 1
#include <wasm_simd128.h>
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "programs are little-endian"
#endif

#define UNROLL _Pragma("GCC unroll 32") /* else sums live in memory: a store for each instruction of a product */
#define INLINE static inline __attribute__((always_inline))
#if !defined(AFTER)
#define AFTER(part) /* `benchmarks/speed/shares.c` counts the time of a part of a run here: an opcode, or one of these */
#endif
enum { AFTER_FREQUENCIES = 32, AFTER_TRANSFORM, AFTER_DRAW, AFTER_WRITE, AFTER_ROW, AFTERS };
typedef int8_t i8;
typedef uint8_t u8;
typedef int16_t i16;
typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;

enum {
  MAGIC = 0x4C544E50, /* "PNTL" */
  LIMIT = 1 << 26,
  MOST = 1 << 20,       /* of anything that is counted in a program */
  MOST_SITES = 1 << 18, /* of attention: more could overflow 64 bits */
  COLUMNS = 16,         /* of a vector of weights */
  PANEL = 4,            /* vectors side by side */
  ROWS = 6,             /* of a tile */
  BLOCK = 64,           /* sites whose keys lie side by side */
  ROW_SITES = 28,       /* of the images whose rows are computed together */
  SITE_IMAGES = 24,     /* whose sites are */
  CHUNK = 1 << 15,      /* sites whose products of bytes are added in 32 bits */
  DIGITS = 256,         /* of a level in two factors, high or low */
};
enum { INT8, UINT8, INT32, INT16, INT64 };
enum { IMAGE, ROW, SITE, POST };
enum { NOTHING, BUFFER, MAP }; /* kinds of an operand; MAP is the current site of a map */
enum { BERNOULLI, CATEGORICAL, MIXTURE, FACTORED };
enum {
  H_MAGIC, H_VERSION, H_SIZE, H_BUFFERS, H_MAPS, H_CACHES, H_INPUTS, H_OPERATIONS, H_TAPS, H_CONSTANTS, H_KIND,
  H_CHANNELS, H_LEVELS, H_MIXTURES, H_PRECISION, H_SUB_STEPS, H_WIDTH_OF_LEVEL, H_S_CURVE, H_HEIGHT, H_WIDTH, H_BY_ROWS,
  H_PARAMS, H_EXP = H_PARAMS + 4, H_SIGMOID, H_TANH, H_INVERSE, H_VALUES, H_LOG2, H_EXP2, HEADER = 32
};
enum {
  O_CODE, O_PART, O_PARITY, O_FIRST, O_SCALE, O_Y, O_X = O_Y + 4, O_Z = O_X + 4, O_MAP = O_Z + 4, O_TAP, O_TAPS, O_SIDE,
  O_CONSTANT, O_P = O_CONSTANT + 7, OPERATION = 32
};
enum { BUFFER_WORDS = 4, MAP_WORDS = 8, CACHE_WORDS = 4, INPUT_WORDS = 2, TAP_WORDS = 2, CONSTANT_WORDS = 4 };
enum {
  LINEAR, PROJECT, ADD, MULTIPLY, OFFSET, SCALE, GATE, RELU, NARROW, RESCALE, LOOKUP, RECTIFIED_LOOKUP, COPY, GATHER,
  UPSAMPLE, STORE_KV, INPUT, CONSTANT, MAP_CONSTANT, ATTEND, SCAN, PREDICT, NORMALISE, PLACE, CROSS_ATTEND, CODES
};

/* ---- 1. a program and its check ---- */

typedef struct {
  const u8 *bytes;
  const i32 *header, *buffers, *maps, *caches, *inputs, *operations, *taps, *constants;
} program;

static program open(const void *bytes) {
  program p = {bytes, bytes, 0, 0, 0, 0, 0, 0, 0};
  const i32 *h = p.header;
  p.buffers = h + HEADER;
  p.maps = p.buffers + (i64)h[H_BUFFERS] * BUFFER_WORDS;
  p.caches = p.maps + (i64)h[H_MAPS] * MAP_WORDS;
  p.inputs = p.caches + (i64)h[H_CACHES] * CACHE_WORDS;
  p.operations = p.inputs + (i64)h[H_INPUTS] * INPUT_WORDS;
  p.taps = p.operations + (i64)h[H_OPERATIONS] * OPERATION;
  p.constants = p.taps + (i64)h[H_TAPS] * TAP_WORDS;
  return p;
}

static i64 size_of(i32 type) { return type == INT64 ? 8 : type == INT32 ? 4 : type == INT16 ? 2 : 1; }
INLINE i64 smaller(i64 a, i64 b) { return a < b ? a : b; }
INLINE i64 larger(i64 a, i64 b) { return a > b ? a : b; }
INLINE i64 magnitude(i64 x) { return x < 0 ? -x : x; }
INLINE i64 groups_of(i64 channels) { return (channels + 3) / 4; }
INLINE i64 vectors_of(i64 columns) { return (columns + COLUMNS - 1) / COLUMNS; }

static const void *constant(const program *p, i32 index) {
  return index < 0 ? 0 : p->bytes + (u32)p->constants[index * CONSTANT_WORDS + 1];
}
static i64 count_of(const program *p, i32 index) { return p->constants[index * CONSTANT_WORDS + 2]; }

/* True if a constant exists, has this type, and this count (or any odd one, for a table: 0). */
static int is_constant(const program *p, i32 index, i32 type, i64 count) {
  if (index < 0 || index >= p->header[H_CONSTANTS] || p->constants[index * CONSTANT_WORDS] != type) return 0;
  return count ? count_of(p, index) == count : count_of(p, index) % 2 == 1;
}

/* True if all numbers of a constant lie in a range. */
static int in_range(const program *p, i32 index, i64 low, i64 high) {
  const void *at = constant(p, index);
  i32 type = p->constants[index * CONSTANT_WORDS];
  for (i64 i = 0; i < count_of(p, index); i++) {
    i64 x = type == INT8 ? ((const i8 *)at)[i] : type == INT16 ? ((const i16 *)at)[i]
          : type == INT32 ? ((const i32 *)at)[i] : ((const i64 *)at)[i];
    if (x < low || x > high) return 0;
  }
  return 1;
}

/* True if an index names shifts of `n` channels, by at most so much to the left and to the right. */
static int is_shift(const program *p, i32 index, i64 n, i64 left, i64 right) {
  return is_constant(p, index, INT8, n) && in_range(p, index, -left, right);
}

static i32 type_of(const program *p, const i32 *operand) {
  if (operand[0] == MAP) return p->maps[operand[1] * MAP_WORDS];
  return operand[0] == BUFFER ? p->buffers[operand[1] * BUFFER_WORDS] : INT32;
}
static int is_narrow(const program *p, const i32 *operand) { return type_of(p, operand) != INT32; }

/* True if an operand exists, with the grid and in the phase of its operation. */
static int is_operand(const program *p, const i32 *o, const i32 *operand) {
  i32 kind = operand[0], index = operand[1], start = operand[2], n = operand[3];
  if (kind == BUFFER) {
    const i32 *b = p->buffers + (i64)index * BUFFER_WORDS;
    if (index < 0 || index >= p->header[H_BUFFERS] || b[3] > o[O_PART]) return 0;
    if (b[3] != IMAGE && b[2] != o[O_SCALE]) return 0;
    return start >= 0 && n > 0 && n <= b[1] && start <= b[1] - n;
  }
  if (kind != MAP || index < 0 || index >= p->header[H_MAPS] || o[O_PART] == IMAGE) return 0;
  const i32 *m = p->maps + (i64)index * MAP_WORDS;
  return m[2] == o[O_SCALE] && start >= 0 && n > 0 && n <= m[1] && start <= m[1] - n;
}

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
    if (row > 0 || row < -m[3] || column < -m[4] || column > m[5]) return 0;
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
    if (!is_constant(p, c[t], INT16, 0)) return 0;
    const i16 *table = constant(p, c[t]);
    for (i64 i = 0; i < count_of(p, c[t]); i++) largest[t] = larger(largest[t], magnitude(table[i]));
  }
  if (!is_shift(p, c[2], n, 4, 31) || !is_shift(p, c[3], n, 4, 31) || !is_shift(p, c[4], n, 30, 31)) return 0;
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
  if (type_of(p, o + O_X) != INT8 || is_narrow(p, o + O_Y)) return 0;
  if (o[O_X + 3] != cache[1] || o[O_Y + 3] != cache[0] - cache[1]) return 0;
  if (!is_constant(p, c[0], INT32, 0) || !in_range(p, c[0], 0, 1 << 24) || ((const i32 *)constant(p, c[0]))[0] < 1) return 0;
  i64 key_width = cache[1] / cache[2], largest = key_width << 15; /* of a difference of scores */
  return key_width <= 1 << 15 && is_constant(p, c[1], INT64, 1) && in_range(p, c[1], 0, INT64_MAX / largest);
}

/* True if two operands share channels: what an operation writes, it does not read. */
static int overlap(const i32 *a, const i32 *b) {
  return a[0] == b[0] && a[0] != NOTHING && a[1] == b[1] && a[2] < b[2] + b[3] && b[2] < a[2] + a[3];
}

/* Attention to tokens: a mask of them in z, and the keys and values of each in p, which are those of the image. */
static int check_cross_attend(const program *p, const i32 *o, const i32 *c) {
  const i32 *y = o + O_Y, *x = o + O_X, *z = o + O_Z, *entries = o + O_P;
  i64 tokens = z[3], keys = x[3], n = y[3];
  if (o[O_PART] == IMAGE || z[0] != BUFFER || entries[0] != BUFFER || !is_operand(p, o, entries) || overlap(y, entries)) return 0;
  if (p->buffers[z[1] * BUFFER_WORDS + 3] != IMAGE || p->buffers[entries[1] * BUFFER_WORDS + 3] != IMAGE) return 0;
  if (type_of(p, x) != INT8 || type_of(p, entries) != INT8 || is_narrow(p, z) || is_narrow(p, y)) return 0;
  if (tokens > MOST_SITES || entries[3] != tokens * (keys + n)) return 0;
  if (!is_constant(p, c[0], INT32, 0) || !in_range(p, c[0], 0, 1 << 24) || ((const i32 *)constant(p, c[0]))[0] < 1) return 0;
  if (!is_constant(p, c[2], INT32, 1) || !in_range(p, c[2], 1, MOST)) return 0;
  i64 heads = *(const i32 *)constant(p, c[2]), largest = keys << 15; /* of a difference of scores */
  return keys % heads == 0 && n % heads == 0 && keys <= 1 << 15 && is_constant(p, c[1], INT64, 1) && in_range(p, c[1], 0, INT64_MAX / largest);
}

static int check_scan(const program *p, const i32 *o, const i32 *c) {
  i64 d = o[O_Y + 3];
  if (o[O_PART] != ROW || o[O_X + 3] != 4 * d || is_narrow(p, o + O_X) || is_narrow(p, o + O_Y)) return 0;
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
  if (z[0] == NOTHING || o[O_PART] == IMAGE) return 0;
  if (code == PREDICT) {
    if (type_of(p, y) != INT32 || !is_canvas(p, x) || type_of(p, z) != INT8 || n < 2 || x[3] != 4 * (n - 1) || z[3] != 4) return 0;
    return is_constant(p, c[0], INT32, 3) && in_range(p, c[0], -1, 1 << 20);
  }
  if (code == NORMALISE) {
    if (!is_operand(p, o, base) || overlap(y, base) || type_of(p, base) != INT32 || type_of(p, y) != INT8) return 0;
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

/* The operands, shapes and ranges of an operation; the meaning of each is at its function, in part 4. */
static int check_operation(const program *p, const i32 *o) {
  const i32 *y = o + O_Y, *x = o + O_X, *z = o + O_Z, *c = o + O_CONSTANT, code = o[O_CODE];
  i64 n = y[3];
  if (code < 0 || code >= CODES || o[O_PART] < IMAGE || o[O_PART] > POST || o[O_PARITY] < -1 || o[O_PARITY] > 1) return 0;
  if (o[O_FIRST] < 0 || o[O_SCALE] < 0 || o[O_SCALE] > 16) return 0;
  if (code != STORE_KV && !is_operand(p, o, y)) return 0;
  int has_x = code < GATHER || code == STORE_KV || code == ATTEND || code >= SCAN;
  if (code == LINEAR && x[0] == NOTHING) has_x = 0;
  if (has_x ? !is_operand(p, o, x) : x[0] != NOTHING) return 0;
  if (code == STORE_KV && y[0] != NOTHING) return 0;
  if (z[0] != NOTHING && !is_operand(p, o, z)) return 0;
  if (z[0] != NOTHING && code < PREDICT && (z[3] != n || is_narrow(p, z))) return 0;
  if ((code == ADD || code == MULTIPLY || code == GATE) && z[0] == NOTHING) return 0;
  if (overlap(y, x) || overlap(y, z) || ((code == GATHER || code == UPSAMPLE) && y[0] == MAP && y[1] == o[O_MAP])) return 0;
  int narrow = code == STORE_KV ? 0 : is_narrow(p, y), wide_x = !has_x || !is_narrow(p, x);
  int same = has_x && x[3] == n;
  switch (code) {
    case LINEAR:
      if (narrow || (has_x ? wide_x : (!check_taps(p, o) || p->maps[o[O_MAP] * MAP_WORDS] == INT32))) return 0;
      return check_product(p, groups_of_input(p, o), n, c[0], c[1], c[2]);
    case PROJECT:
      return !narrow && wide_x && o[O_PART] == IMAGE && is_constant(p, c[0], INT16, x[3] * n) &&
             is_constant(p, c[1], INT64, n) && is_shift(p, c[2], n, 62, 62);
    case ADD: return same && !narrow && wide_x && is_shift(p, c[0], n, 3, 31) && is_shift(p, c[1], n, 3, 31);
    case MULTIPLY: return same && !narrow && wide_x && is_shift(p, c[0], n, 10, 62);
    case OFFSET: return same && !narrow && wide_x && is_constant(p, c[0], INT32, n) && in_range(p, c[0], -LIMIT, LIMIT);
    case SCALE: return same && !narrow && wide_x && is_constant(p, c[0], INT16, n) && is_shift(p, c[1], n, 20, 62);
    case GATE: return same && wide_x && check_gate(p, c, n);
    case RELU: return same && !narrow && wide_x;
    case NARROW: return same && narrow && wide_x && is_shift(p, c[0], n, 4, 31);
    case RESCALE: return same && !narrow && is_shift(p, c[0], n, wide_x ? 4 : 22, 31);
    case LOOKUP:
    case RECTIFIED_LOOKUP:
      return same && !narrow && wide_x && is_constant(p, c[0], INT32, 0) && in_range(p, c[0], -(1 << 30), 1 << 30) &&
             is_shift(p, c[1], n, 4, 31);
    case COPY: return same && type_of(p, x) == type_of(p, y);
    case GATHER:
      return check_taps(p, o) && p->maps[o[O_MAP] * MAP_WORDS] == type_of(p, y) &&
             n == (i64)o[O_TAPS] * p->maps[o[O_MAP] * MAP_WORDS + 1];
    case UPSAMPLE: {
      if (o[O_MAP] < 0 || o[O_MAP] >= p->header[H_MAPS] || o[O_PART] == IMAGE) return 0;
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
    case CONSTANT: return !narrow && is_constant(p, c[0], INT32, n) && in_range(p, c[0], -LIMIT, LIMIT);
    case MAP_CONSTANT:
      return !narrow && o[O_PART] != IMAGE && !o[O_SCALE] && p->header[H_HEIGHT] > 0 &&
             is_constant(p, c[0], INT32, (i64)p->header[H_HEIGHT] * p->header[H_WIDTH] * n) &&
             in_range(p, c[0], -LIMIT, LIMIT);
    case ATTEND: return check_attend(p, o, c);
    case SCAN: return check_scan(p, o, c);
    case PREDICT:
    case NORMALISE:
    case PLACE: return check_local_gain(p, o, c);
    case CROSS_ATTEND: return z[0] != NOTHING && check_cross_attend(p, o, c);
  }
  return 0;
}

/* The digits of a level in two factors: how many low ones, and how many high ones. */
INLINE i64 low_digits(i64 levels) {
  i64 low = 1;
  while (low * low < levels) low++;
  return low;
}
INLINE i64 high_digits(i64 levels, i64 low) { return (levels + low - 1) / low; }

/* Numbers of 64 bits that the distribution computes with: of each component, and the edges of digits. */
static i64 parts_of(const i32 *h) { return 4 * ((i64)h[H_MIXTURES] + 1) + 2 * (DIGITS + 1); }

/* The distribution: its tables, and room for its parameters; see part 5. */
static int check_head(const program *p) {
  const i32 *h = p->header;
  i64 c = h[H_CHANNELS], levels = h[H_LEVELS], m = h[H_MIXTURES], steps = h[H_SUB_STEPS], due = 0;
  if (c < 1 || c > 1024 || levels < 2 || levels > 1 << 16 || m < 0 || m > 1024) return 0;
  if (h[H_PRECISION] < 8 || h[H_PRECISION] > 24 || levels > 1 << h[H_PRECISION]) return 0;
  if (steps < 1 || c % steps || h[H_WIDTH_OF_LEVEL] < 1 || h[H_WIDTH_OF_LEVEL] > MOST) return 0;
  if ((p->maps[0] != INT8 && p->maps[0] != INT32) || p->maps[1] != c * h[H_WIDTH_OF_LEVEL] || p->maps[2]) return 0;
  if (p->maps[0] == INT32 ? h[H_WIDTH_OF_LEVEL] != 1 : !is_constant(p, h[H_VALUES], INT8, levels * h[H_WIDTH_OF_LEVEL])) return 0;
  if (!is_constant(p, h[H_EXP], INT32, 0) || !in_range(p, h[H_EXP], 0, 1 << 24)) return 0;
  if (((const i32 *)constant(p, h[H_EXP]))[0] < 1) return 0;
  if (!is_constant(p, h[H_LOG2], INT32, 257) || !in_range(p, h[H_LOG2], 0, 1 << 20)) return 0;
  if (!is_constant(p, h[H_EXP2], INT32, 257) || !in_range(p, h[H_EXP2], 1, 1 << 30)) return 0;
  if (h[H_KIND] == BERNOULLI) due = levels == 2 ? c : -1;
  if (h[H_KIND] == CATEGORICAL) due = c * levels;
  if (h[H_KIND] == MIXTURE) {
    if (m < 1 || !is_constant(p, h[H_SIGMOID], INT32, 0) || !in_range(p, h[H_SIGMOID], 0, 1 << 24)) return 0;
    if (!is_constant(p, h[H_TANH], INT32, 0) || !in_range(p, h[H_TANH], -(1 << 16), 1 << 16)) return 0;
    if (!is_constant(p, h[H_INVERSE], INT32, 0) || !in_range(p, h[H_INVERSE], 0, INT32_MAX)) return 0;
    if (count_of(p, h[H_INVERSE]) <= 8 * 256 || count_of(p, h[H_INVERSE]) > 24 * 256 + 1) return 0; /* the last is of 8 */
    if (count_of(p, h[H_SIGMOID]) < 3 || count_of(p, h[H_TANH]) < 3) return 0;
    const i32 *s = constant(p, h[H_SIGMOID]);
    for (i64 i = 1; i < count_of(p, h[H_SIGMOID]); i++)
      if (s[i] < s[i - 1]) return 0;
    due = m * (1 + 2 * c + c * (c - 1) / 2);
  }
  if (h[H_KIND] == FACTORED) {
    if (m < 1 || ((const i32 *)constant(p, h[H_EXP]))[0] != 1 << 24) return 0; /* no sum of shares is 0 then */
    due = c * m * (1 + low_digits(levels) + high_digits(levels, low_digits(levels)));
  }
  const i32 operation[OPERATION] = {[O_PART] = POST}, *params = h + H_PARAMS;
  return due > 0 && is_operand(p, operation, params) && !is_narrow(p, params) && params[3] >= due;
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
  if (!check_head(&p)) return 8;
  if (h[H_BY_ROWS] && h[H_CACHES]) return 9;
  for (i32 i = 0; i < h[H_OPERATIONS]; i++) {
    const i32 *o = p.operations + (i64)i * OPERATION;
    if (!check_operation(&p, o)) return 100 + i;
    if (i && o[O_PART] < o[O_PART - OPERATION]) return 10;
  }
  return 0;
}

int32_t pt_by_rows(const void *bytes) { return open(bytes).header[H_BY_ROWS]; }

/* ---- 2. the layout of a run in its workspace ---- */

/* The address of an operand at the first image and column, and its strides in bytes. */
typedef struct {
  u8 *at;
  i64 image, column;
} operand;

/* A piece of a row of x: bytes that lie side by side. */
typedef struct {
  u8 *at;
  i64 groups, bytes;
} piece;

typedef struct {
  i32 code, active, mask, scale, first, parity, outer, inner;
  i64 n, count;         /* channels; of x, of a table, of a head, ... */
  operand y, x, z, p;
  i64 at_column;        /* 1 where operands of the row are read at a site */
  const void *c[7];
  i64 middle[2];        /* of tables */
  piece *pieces;
  i64 num_pieces, groups, largest, is_flat; /* largest: a bound of the sums;  flat: images and columns are rows of one product */
  i64 y_row, x_row, z_row;
  i32 y_type, x_type;
  void *scratch;
  i32 *start;           /* of a product: the bias with the half that rounds, which a shift to the left does not have; of others,
                           for each shift what is to the left, the half, and what is to the right */
  i64 shifts_left, adds_plain; /* whether any shift is to the left; of a sum: whether its first term is not shifted */
  const i32 *input;     /* a condition, with its strides from image to image and from row to row */
  i64 input_image, input_row;
} step;

/* An address that changes with the row: slot (row / 2^scale + offset) mod slots. */
typedef struct {
  u8 **where, *base;
  i64 scale, offset, slots, size;
} patch;

typedef struct {
  i64 at, slots, bytes;
} block;

typedef struct pt_level pt_level;

typedef void tile(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums);

struct pt_run {
  program p;
  const pt_level *level;
  i64 batch, height, width, by_rows, row_images;
  step *steps;
  i64 first_step[5], num_patches, num_blocks;
  piece *pieces;
  patch *patches;
  block *blocks;
  operand canvas, params;
  u8 **buffers, **maps, **caches;
  i64 *weights, *reference, *drawn, *parts; /* of the levels, and of the components */
};

/* x and y of a product are rows of bytes and of wide numbers; z is what is added, if any. */
typedef struct {
  const piece *pieces;
  i64 count, n, rows, x, x_row;
  u8 *y;
  i64 y_row;
  const u8 *z;
  i64 z_row;
} product;
typedef void multiply_function(const step *, const product *);

struct pt_level {
  void (*execute)(pt_run *, i64, i64, i64, i64, i64, i64);
  void (*frequencies)(const program *, const i32 *, const i64 *, i64, i64, i64 *, i64 *);
  i64 (*digits)(const program *, const i32 *, const i64 *, i64, i64, i64, i64, i64 *, i64 *);
  void (*transform)(const program *, const pt_transform *, const i64 *, const i64 *, i64 *);
  tile *product;
  multiply_function *multiply; /* NULL: by tiles */
  int (*rows)(const step *, i64, i64, i64); /* runs a step, if it is one of those written for the level */
  i64 (*find)(const i32 *, i64, const i32 *, i64, i64, i64, i64, i32 *, i64 *); /* by softmax; see `find`. NULL, or -1: not so */
};

/* Memory is taken twice: first to measure it, where `base` is NULL, and then to lay it out. */
typedef struct {
  u8 *base;
  i64 used;
  int too_large;
} arena;

static const i64 MOST_BYTES = 1ll << 46;

static i64 times(arena *a, i64 x, i64 y) {
  if (x && y > MOST_BYTES / x) a->too_large = 1;
  return a->too_large ? 0 : x * y;
}

static void *take(arena *a, i64 count, i64 size) {
  u8 *at = a->base ? a->base + a->used : 0;
  a->used += (times(a, count, size) + 63) / 64 * 64;
  if (a->used > MOST_BYTES) a->too_large = 1;
  return at;
}

static i64 columns_of(const pt_run *r, i32 scale) { return ((r->width - 1) >> scale) + 1; }
static i64 line_of(const pt_run *r, const i32 *m) { return (m[4] + columns_of(r, m[2]) + m[5]) * m[1] * size_of(m[0]); }

static u8 *take_state(arena *a, pt_run *r, i64 slots, i64 bytes) {
  if (a->base) r->blocks[r->num_blocks++] = (block){a->used, slots, bytes};
  return take(a, times(a, slots, r->batch), bytes);
}

static i64 cache_bytes(const pt_run *r, const i32 *cache) {
  i64 blocks = (r->height * r->width + BLOCK - 1) / BLOCK, heads = cache[2], values = cache[0] - cache[1];
  return blocks * (heads * groups_of(cache[1] / heads) * 4 * BLOCK + heads * BLOCK * 4 + BLOCK * values) + 64;
}

static int is_whole_row(const pt_run *r, i32 part) { return part == ROW || (part != IMAGE && r->by_rows); }

static void fill(u8 *at, i32 type, i64 channels, i64 count, const i32 *numbers) {
  for (i64 i = 0; i < count; i++)
    for (i64 j = 0; j < channels; j++) {
      if (type == INT32) ((i32 *)at)[i * channels + j] = numbers[j];
      else at[i * channels + j] = (u8)(numbers[j] + (type == INT8 ? 128 : 0));
    }
}

/* Set the state before the first row: zeros, and what lies above and to the left of the image. */
static void fill_states(pt_run *r) {
  const program *p = &r->p;
  for (i32 i = 0; i < p->header[H_BUFFERS]; i++) {
    const i32 *b = p->buffers + i * BUFFER_WORDS;
    i64 bytes = r->batch * b[1] * (is_whole_row(r, b[3]) ? columns_of(r, b[2]) : 1);
    if (b[0] == INT8) for (i64 k = 0; k < bytes; k++) r->buffers[i][k] = 128;
  }
  for (i32 i = 0; i < p->header[H_MAPS]; i++) {
    const i32 *m = p->maps + i * MAP_WORDS;
    i64 line = line_of(r, m), slots = r->batch * (m[3] + 1), margin = m[4] * m[1] * size_of(m[0]);
    if (m[0] == INT8) for (i64 k = 0; k < slots * line; k++) r->maps[i][k] = 128;
    for (i64 s = 0; s < slots; s++) {
      u8 *at = r->maps[i] + s * line;
      if (m[7] >= 0) fill(at, m[0], m[1], m[4], constant(p, m[7]));
      if (m[6] >= 0) fill(at + margin, m[0], m[1], columns_of(r, m[2]), constant(p, m[6]));
    }
  }
}

static i64 scratch_bytes(const pt_run *r, const i32 *o) {
  i64 sites = (r->height * r->width + BLOCK - 1) / BLOCK * BLOCK;
  if (o[O_CODE] == ATTEND) return sites * 8 + 64;
  if (o[O_CODE] == CROSS_ATTEND) return 8 * (i64)o[O_Z + 3];
  if (o[O_CODE] == SCAN) return r->batch * (groups_of(o[O_Y + 3]) * 4 + 20 * (i64)o[O_Y + 3]);
  if (o[O_CODE] == GATE || o[O_CODE] == LOOKUP || o[O_CODE] == RECTIFIED_LOOKUP) return 8 * (i64)o[O_Y + 3];
  return 0;
}

static void set_operand(pt_run *r, operand *to, const i32 *from) {
  const program *p = &r->p;
  if (from[0] == BUFFER) {
    const i32 *b = p->buffers + from[1] * BUFFER_WORDS;
    i64 size = size_of(b[0]), row = is_whole_row(r, b[3]) ? columns_of(r, b[2]) : 1;
    *to = (operand){r->buffers[from[1]] + from[2] * size, row * b[1] * size, is_whole_row(r, b[3]) ? b[1] * size : 0};
  } else if (from[0] == MAP) {
    const i32 *m = p->maps + from[1] * MAP_WORDS;
    i64 size = size_of(m[0]), line = line_of(r, m);
    *to = (operand){r->maps[from[1]] + (m[4] * m[1] + from[2]) * size, line, m[1] * size};
    r->patches[r->num_patches++] = (patch){&to->at, to->at, m[2], 0, m[3] + 1, r->batch * line};
  }
}

/* Set the pieces of a map that taps read, with adjacent taps joined. */
static void set_pieces(pt_run *r, step *s, const i32 *o) {
  const program *p = &r->p;
  const i32 *taps = p->taps + (i64)o[O_TAP] * TAP_WORDS, *m = p->maps + o[O_MAP] * MAP_WORDS;
  i64 size = m[1] * size_of(m[0]), line = line_of(r, m);
  for (i32 i = 0, n; i < o[O_TAPS]; i += n) {
    n = run_of_taps(taps, i, o[O_TAPS]);
    piece *at = &s->pieces[s->num_pieces++];
    *at = (piece){r->maps[o[O_MAP]] + (m[4] + taps[i * 2 + 1]) * size, groups_of(n * m[1]), n * size};
    r->patches[r->num_patches++] = (patch){&at->at, at->at, m[2], taps[i * 2] + m[3] + 1, m[3] + 1, r->batch * line};
  }
  r->pieces = s->pieces + s->num_pieces;
  s->x = (operand){0, line, size << (o[O_SCALE] - m[2])};
}

/* A bound of the sums of a product after their shift: weights are at least -128, inputs at most 255. */
static i64 largest_sum(const step *s) {
  const i32 *bias = s->c[1];
  const i8 *by = s->c[2];
  i64 result = 0;
  for (i64 j = 0; j < s->n; j++) {
    i64 sum = magnitude(bias[j]) + 255 * 128 * 4 * s->groups;
    result = larger(result, by[j] < 0 ? sum << -by[j] : (sum >> by[j]) + 1);
  }
  return result;
}

/* Make images and columns the rows of one product, where the strides allow it. */
static void flatten(step *s) {
  s->y_row = s->y.column, s->x_row = s->x.column, s->z_row = s->z.column;
  if (s->inner == 1) s->is_flat = 1, s->y_row = s->y.image, s->x_row = s->x.image, s->z_row = s->z.image;
  else s->is_flat = s->y.image == s->inner * s->y.column && s->x.image == s->inner * s->x.column && s->z.image == s->inner * s->z.column;
}

static void set_step(pt_run *r, step *s, const i32 *o, const i32 *const *inputs, void *scratch) {
  const program *p = &r->p;
  int whole_row = is_whole_row(r, o[O_PART]);
  i64 columns = whole_row ? columns_of(r, o[O_SCALE]) : 1;
  *s = (step){.code = o[O_CODE], .scale = o[O_SCALE], .mask = (1 << o[O_SCALE]) - 1, .first = o[O_FIRST]};
  s->active = o[O_PART] == IMAGE, s->parity = o[O_PARITY], s->n = o[O_Y + 3], s->count = o[O_X + 3];
  s->outer = (i32)r->batch, s->inner = (i32)columns, s->at_column = !whole_row, s->scratch = scratch;
  s->y_type = type_of(p, o + O_Y), s->x_type = type_of(p, o + O_X);
  set_operand(r, &s->y, o + O_Y);
  set_operand(r, &s->x, o + O_X);
  set_operand(r, &s->z, o + O_Z);
  if (o[O_CODE] == NORMALISE || o[O_CODE] == CROSS_ATTEND) set_operand(r, &s->p, o + O_P);
  if (o[O_CODE] == PLACE) s->groups = o[O_Z + 3] - 1;
  for (int k = 0; k < 7; k++) {
    i32 index = o[O_CONSTANT + k];
    s->c[k] = index >= 0 && index < p->header[H_CONSTANTS] ? constant(p, index) : 0;
    if (k < 2 && s->c[k]) s->middle[k] = count_of(p, index) / 2;
  }
  s->pieces = r->pieces;
  if (reads_taps(o)) {
    set_pieces(r, s, o);
  } else if (o[O_CODE] == LINEAR) {
    piece *at = r->pieces++;
    *at = (piece){s->x.at, groups_of(s->count), s->count};
    s->num_pieces = 1;
    if (o[O_X] == MAP) r->patches[r->num_patches - 1 - (o[O_Z] == MAP)].where = &at->at;
  }
  if (o[O_CODE] == LINEAR) s->groups = groups_of_input(p, o), flatten(s), s->largest = largest_sum(s);
  if (o[O_CODE] == UPSAMPLE) {
    const i32 *m = p->maps + o[O_MAP] * MAP_WORDS;
    i64 size = size_of(m[0]);
    s->x = (operand){r->maps[o[O_MAP]] + m[4] * m[1] * size, line_of(r, m), m[1] * size};
    r->patches[r->num_patches++] = (patch){&s->x.at, s->x.at, m[2], 0, m[3] + 1, r->batch * line_of(r, m)};
  }
  if (o[O_CODE] == STORE_KV || o[O_CODE] == ATTEND) {
    const i32 *cache = p->caches + o[O_MAP] * CACHE_WORDS;
    s->z = (operand){r->caches[o[O_MAP]], cache_bytes(r, cache), 0};
    s->groups = cache[2], s->count = cache[1] / cache[2], s->n = (cache[0] - cache[1]) / cache[2];
    if (o[O_CODE] == ATTEND) s->middle[0] = count_of(p, o[O_CONSTANT]) - 1;
  }
  if (o[O_CODE] == CROSS_ATTEND) s->groups = o[O_Z + 3], s->middle[0] = count_of(p, o[O_CONSTANT]) - 1;
  if (o[O_CODE] == SCAN) {
    s->groups = groups_of(s->n), s->num_pieces = o[O_SIDE] > 0;
    s->middle[0] = count_of(p, o[O_CONSTANT + 4]) / 2, s->middle[1] = count_of(p, o[O_CONSTANT + 5]) / 2;
  }
  if (o[O_CODE] == INPUT) {
    int is_map = p->inputs[o[O_MAP] * INPUT_WORDS];
    s->input = inputs[o[O_MAP]], s->input_row = is_map ? r->width * s->n : 0;
    s->input_image = is_map ? r->height * s->input_row : s->n;
  }
  if (o[O_CODE] == MAP_CONSTANT) s->input = s->c[0], s->input_row = r->width * s->n;
}

/* Columns of the product of an operation. */
static i64 columns_of_product(const i32 *o) {
  return o[O_CODE] == LINEAR ? o[O_Y + 3] : o[O_CODE] == SCAN ? 4 * (i64)o[O_Y + 3] : 0;
}

/* Shifts of an operation that vectors of AVX-512 run, from constant `first` on. */
static i64 shifts_of(i32 code, i64 *first) {
  *first = code == GATE ? 2 : 0;
  return code == GATE ? 3 : code == ADD ? 2 : code == NARROW || code == RESCALE ? 1 : 0;
}

/* A bound of what a product adds to its sums: of all that is ever written there. */
static i64 largest_term(const pt_run *r, const i32 *o) {
  i64 result = o[O_Z] == BUFFER ? 0 : o[O_Z] == MAP ? LIMIT : 0;
  for (i32 i = 0; o[O_Z] == BUFFER && i < r->p.header[H_OPERATIONS]; i++) {
    const i32 *writer = r->p.operations + i * OPERATION;
    if (writer[O_Y] == BUFFER && writer[O_Y + 1] == o[O_Z + 1])
      result = larger(result, writer[O_CODE] == LINEAR && writer[O_Z] == NOTHING ? smaller(r->steps[i].largest, LIMIT) : LIMIT);
  }
  return result;
}

static void set_start(step *s, i32 *start, i64 columns) {
  const i32 *bias = s->c[1];
  const i8 *by = s->c[2];
  s->start = start;
  for (i64 j = 0; j < columns; j++) {
    start[j] = (i32)((u32)bias[j] + (by[j] > 0 ? 1u << (by[j] - 1) : 0));
    s->shifts_left |= by[j] < 0;
  }
}

static void set_shifts(step *s, i32 *start) {
  i64 first, count = shifts_of(s->code, &first);
  s->start = start, s->adds_plain = 1;
  for (i64 k = 0; k < count; k++, start += 3 * s->n) {
    const i8 *by = s->c[first + k];
    for (i64 j = 0; j < s->n; j++) {
      start[j] = by[j] < 0 ? -by[j] : 0, start[s->n + j] = by[j] > 0 ? 1 << (by[j] - 1) : 0, start[2 * s->n + j] = by[j] > 0 ? by[j] : 0;
      s->shifts_left |= by[j] < 0, s->adds_plain &= k || !by[j];
    }
  }
}

static const pt_level *level_of(i32 level);

/* Lay out a run; return its bytes, or -1. */
static i64 lay_out(arena *a, const void *bytes, i64 batch, i64 height, i64 width, i32 by_rows, const i32 *const *inputs, const pt_level *level) {
  program p = open(bytes);
  const i32 *h = p.header;
  if (batch < 1 || height < 1 || width < 1 || batch > MOST || height > MOST || width > MOST) return -1;
  if ((h[H_HEIGHT] && (height != h[H_HEIGHT] || width != h[H_WIDTH])) || (by_rows && !h[H_BY_ROWS])) return -1;
  if (h[H_CACHES] && height * width > MOST_SITES) return -1;
  pt_run local = {.p = p, .batch = batch, .height = height, .width = width, .by_rows = by_rows}, *r = take(a, 1, sizeof(pt_run));
  if (!r) r = &local;
  else *r = local, r->level = level, r->row_images = larger(1, ROW_SITES / width);
  i64 taps = 0;
  for (i32 i = 0; i < h[H_OPERATIONS]; i++) taps += 1 + (reads_taps(p.operations + i * OPERATION) ? p.operations[i * OPERATION + O_TAPS] : 0);
  r->steps = take(a, h[H_OPERATIONS], sizeof(step));
  r->pieces = take(a, taps, sizeof(piece));
  r->patches = take(a, taps + 4 * h[H_OPERATIONS] + 2, sizeof(patch));
  r->blocks = take(a, h[H_BUFFERS] + h[H_MAPS] + h[H_CACHES], sizeof(block));
  r->buffers = take(a, h[H_BUFFERS], sizeof(u8 *));
  r->maps = take(a, h[H_MAPS], sizeof(u8 *));
  r->caches = take(a, h[H_CACHES], sizeof(u8 *));
  r->weights = take(a, h[H_LEVELS], 8);
  r->reference = take(a, h[H_LEVELS], 8);
  r->drawn = take(a, h[H_LEVELS], 8);
  r->parts = take(a, parts_of(h), 8);
  for (i32 i = 0; i < h[H_BUFFERS]; i++) {
    const i32 *b = p.buffers + i * BUFFER_WORDS;
    i64 each = b[1] * size_of(b[0]) * (is_whole_row(r, b[3]) ? columns_of(r, b[2]) : 1);
    u8 *at = b[3] == IMAGE ? take(a, batch, each) : take_state(a, r, 1, each);
    if (a->base) r->buffers[i] = at;
  }
  for (i32 i = 0; i < h[H_MAPS]; i++) {
    const i32 *m = p.maps + i * MAP_WORDS;
    u8 *at = take_state(a, r, m[3] + 1, line_of(r, m));
    if (a->base) r->maps[i] = at;
  }
  for (i32 i = 0; i < h[H_CACHES]; i++) {
    u8 *at = take_state(a, r, 1, cache_bytes(r, p.caches + i * CACHE_WORDS));
    if (a->base) r->caches[i] = at;
  }
  for (i32 i = 0; i < h[H_OPERATIONS]; i++) {
    const i32 *o = p.operations + i * OPERATION;
    i64 first, shifts = shifts_of(o[O_CODE], &first) * 3 * (i64)o[O_Y + 3];
    void *scratch = take(a, 1, scratch_bytes(r, o)), *start = take(a, vectors_of(columns_of_product(o) + shifts), COLUMNS * 4);
    if (!a->base) continue;
    set_step(r, r->steps + i, o, inputs, scratch);
    if (shifts) set_shifts(r->steps + i, start);
    else set_start(r->steps + i, start, columns_of_product(o));
    for (i32 part = o[O_PART] + 1; part < 5; part++) r->first_step[part] = i + 1;
    if (o[O_CODE] == SCAN) r->row_images = larger(r->row_images, SITE_IMAGES); /* its products have a row an image */
  }
  for (i32 i = 0; a->base && i < h[H_OPERATIONS]; i++) /* of an operation with a term only: others keep what terms are bound by */
    if (p.operations[i * OPERATION + O_CODE] == LINEAR) r->steps[i].largest += largest_term(r, p.operations + i * OPERATION);
  if (a->base) {
    const i32 canvas[4] = {MAP, 0, 0, p.maps[1]};
    set_operand(r, &r->canvas, canvas);
    set_operand(r, &r->params, h + H_PARAMS);
    fill_states(r);
  }
  take(a, 1, 256); /* the last group of a piece and the last vector of values are read whole */
  return a->too_large ? -1 : a->used;
}

int64_t pt_workspace(const void *bytes, int64_t batch, int64_t height, int64_t width, int32_t by_rows) {
  arena a = {0, 0, 0};
  return lay_out(&a, bytes, batch, height, width, by_rows, 0, 0);
}

/* Run a part, a few images after the other: what a step writes is still in the cache when the next step reads it. */
static void run_part(pt_run *r, i64 part, i64 row, i64 column) {
  i64 together = is_whole_row(r, (i32)part) ? r->row_images : SITE_IMAGES;
  for (i64 b = 0; b < r->batch; b += together)
    r->level->execute(r, r->first_step[part], r->first_step[part + 1], row, column, b, smaller(b + together, r->batch));
}

pt_run *pt_begin(const void *bytes, int64_t batch, int64_t height, int64_t width, int32_t by_rows,
                 const int32_t *const *inputs, void *workspace, int32_t level) {
  i64 size = pt_workspace(bytes, batch, height, width, by_rows);
  const pt_level *chosen = level_of(level);
  if (size < 0 || !chosen) return 0;
  for (i64 i = 0; i < size / 8; i++) ((u64 *)workspace)[i] = 0;
  arena a = {workspace, 0, 0};
  lay_out(&a, bytes, batch, height, width, by_rows, inputs, chosen);
  pt_run *r = workspace;
  run_part(r, IMAGE, 0, 0);
  return r;
}

int64_t pt_block(const pt_run *r, int64_t index, int64_t *result) {
  if (index >= 0 && index < r->num_blocks) {
    const block *b = r->blocks + index;
    result[0] = b->at, result[1] = b->slots, result[2] = b->bytes;
  }
  return r->num_blocks;
}

/* ---- 3. products of bytes, for each instruction set ----

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

/* Choose a number of rows and vectors that registers hold, as constants of the body. */
#define CASE(R, V, BODY, ...) case R * 8 + V: BODY(R, V, pieces, count, x, x_row, w, stride, __VA_ARGS__); break;

#if X86
#define AVX2 __attribute__((target("avx2,bmi,bmi2,fma,lzcnt,popcnt")))
#define AVX_VNNI __attribute__((target("avx2,bmi,bmi2,fma,lzcnt,popcnt,avxvnni")))
#define AVX512 __attribute__((target("avx2,bmi,bmi2,fma,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

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

AVX2 static void tile_avx2(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums) {
  for (int v = 0; v < vectors; v++, w += 64) {
    i32 *all = sums + v * COLUMNS;
    for (int r = 0; r < rows; r += 2) {
      const i64 first = x + r * x_row;
      if (rows - r >= 2) dot_avx2(2, 1, pieces, count, first, x_row, w, stride, all + r * WIDTH);
      else dot_avx2(1, 1, pieces, count, first, x_row, w, stride, all + r * WIDTH);
    }
  }
}
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

NEON static void tile_neon(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums) {
  for (int v = 0; v < vectors; v++, w += 64, sums += COLUMNS) {
    int r = 0;
    for (; rows - r >= 3; r += 3) dot_neon(3, 1, pieces, count, x + r * x_row, x_row, w, stride, sums + r * WIDTH);
    for (; r < rows; r++) dot_neon(1, 1, pieces, count, x + r * x_row, x_row, w, stride, sums + r * WIDTH);
  }
}
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

static void tile_wasm(const piece *pieces, i64 count, i64 x, i64 x_row, const i8 *w, i64 stride, int rows, int vectors, i32 *sums) {
  for (int v = 0; v < vectors; v++, w += 64, sums += COLUMNS) {
    int r = 0;
    for (; rows - r >= 2; r += 2) dot_wasm(2, 1, pieces, count, x + r * x_row, x_row, w, stride, sums + r * WIDTH);
    for (; r < rows; r++) dot_wasm(1, 1, pieces, count, x + r * x_row, x_row, w, stride, sums + r * WIDTH);
  }
}
#endif

/* ---- 4. the opcodes, a function each ----

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
  WIDE(y); WIDE_IN(x); WIDE_IN(z);
  const i8 *left = s->c[2], *right = s->c[3], *by = s->c[4];
  i32 m = (i32)s->middle[0], k = (i32)s->middle[1];
  const i16 *tanh = (const i16 *)s->c[0] + m, *sigmoid = (const i16 *)s->c[1] + k;
  i32 *restrict a = s->scratch, *restrict b = a + s->n;
  for (i64 j = 0; j < s->n; j++) a[j] = clamp(shift(xs[j], left[j]), -m, m);
  for (i64 j = 0; j < s->n; j++) b[j] = clamp(shift(zs[j], right[j]), -k, k);
  for (i64 j = 0; j < s->n; j++) a[j] = tanh[a[j]] * sigmoid[b[j]];
  if (s->y_type == INT32) for (i64 j = 0; j < s->n; j++) ys[j] = wide(shift(a[j], by[j]));
  else if (s->y_type == INT8) for (i64 j = 0; j < s->n; j++) y[j] = narrow(shift(a[j], by[j]), INT8);
  else for (i64 j = 0; j < s->n; j++) y[j] = narrow(shift(a[j], by[j]), UINT8);
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
  if (s->y_type == INT8) for (i64 j = 0; j < s->n; j++) y[j] = narrow(shift(xs[j], by[j]), INT8);
  else for (i64 j = 0; j < s->n; j++) y[j] = narrow(shift(xs[j], by[j]), UINT8);
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

#if X86
/* Functions of several sites at a time: vectors of shifts and bounds are made once for all of them. */
typedef struct {
  u8 *at;
  i64 row; /* bytes from site to site */
} sites;
typedef void rows_function(const step *s, sites y, sites x, sites z, i64 rows);

INLINE void each_rows(const step *s, i64 at, i64 from, i64 to, rows_function f) {
  i64 column = s->at_column ? at : 0, one = s->inner == 1, together = one ? to - from : 1;
  for (i64 b = from; b < to; b += together)
    f(s, (sites){s->y.at + b * s->y.image + column * s->y.column, one ? s->y.image : s->y.column},
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

/* A bit for each of the up to 16 channels from j on. */
INLINE u32 mask_of(i64 n, i64 j) { return n - j >= COLUMNS ? 0xFFFF : (1u << (n - j)) - 1; }

/* Products under AVX-512 VNNI: one instruction multiplies 64 pairs of bytes, and adds four of each lane. */

/* A panel of up to PANEL vectors of columns, and what becomes of its sums. */
typedef struct {
  const product *p;
  const i8 *w, *by;
  const i32 *start;
  __mmask16 mask[PANEL];
  i64 column, shifts_left, clamps;
} panel_512;

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
  if (a->clamps) {
    const __m512i limit = _mm512_set1_epi32(LIMIT), least = _mm512_set1_epi32(-LIMIT);
    UNROLL for (int i = 0; i < R * V; i++) sum[i] = clamp_512(sum[i], least, limit);
  }
  u8 *y = p->y + row * p->y_row + (a->column + first * COLUMNS) * 4;
  UNROLL for (int r = 0; r < R; r++)
    UNROLL for (int v = 0; v < V; v++) _mm512_mask_storeu_epi32((i32 *)(y + r * p->y_row) + v * COLUMNS, a->mask[first + v], sum[r * V + v]);
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
  panel_512 a = {&p, w, (const i8 *)zeros, zeros, {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, 0, 0, 0};
  multiply_panel_512(&a, vectors, stride);
}

AVX512 static void multiply_512(const step *s, const product *p) {
  panel_512 a = {p, s->c[0], s->c[2], s->start, {0}, 0, s->shifts_left, s->largest > LIMIT};
  for (; a.column < p->n; a.column += WIDTH, a.by += WIDTH, a.start += WIDTH) {
    i64 vectors = vectors_of(smaller(WIDTH, p->n - a.column));
    for (i64 v = 0; v < vectors; v++) a.mask[v] = (__mmask16)mask_of(p->n, a.column + v * COLUMNS);
    multiply_panel_512(&a, vectors, vectors * 64);
    a.w += s->groups * vectors * 64;
  }
}

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
      const __m512i term = load_512(x, r, j, mask), shifted = s->adds_plain ? term : shift_512(LEFT, term, left);
      store_512(y, r, j, INT32, _mm512_add_epi32(shifted, shift_512(LEFT, load_512(z, r, j, mask), right)), mask);
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
#undef DEFINE_ROWS

AVX512 static int execute_rows_512(const step *s, i64 at, i64 from, i64 to) {
  switch (s->code) {
    case GATE: each_rows(s, at, from, to, gate_512_any); return 1;
    case RESCALE: if (s->x_type != INT32) return 0; /* else as a narrow number, of 32 bits */ __attribute__((fallthrough));
    case NARROW: each_rows(s, at, from, to, shift_rows_512_any); return 1;
    case ADD: each_rows(s, at, from, to, add_512_any); return 1;
  }
  return 0;
}
#endif

/* y = shift(x matrix + bias, by) + z, tile by tile */
INLINE void multiply_rows(const step *s, const pt_level *level, const product *p) {
  if (level->multiply) {
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
INLINE void linear(const step *s, const pt_level *level, i64 at, i64 from, i64 to) {
  i64 column = s->at_column ? at : 0, together = s->is_flat ? to - from : 1;
  for (i64 b = from; b < to; b += together) {
    u8 *y = s->y.at + b * s->y.image + column * s->y.column;
    const u8 *z = s->z.at ? s->z.at + b * s->z.image + column * s->z.column : 0;
    const product p = {s->pieces, s->num_pieces, s->n, together * s->inner, b * s->x.image + column * s->x.column, s->x_row, y, s->y_row, z, s->z_row};
    multiply_rows(s, level, &p);
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

/* Set numbers of any type, clamped to its range. */
INLINE void set_numbers(u8 *restrict y, i32 type, const i32 *restrict x, i64 n) {
  i32 *restrict ys = (i32 *)y;
  if (type == INT32) for (i64 j = 0; j < n; j++) ys[j] = wide(x[j]);
  else if (type == INT8) for (i64 j = 0; j < n; j++) y[j] = narrow(x[j], INT8);
  else for (i64 j = 0; j < n; j++) y[j] = narrow(x[j], UINT8);
}

/* INPUT: out = the vector of the image, or the map at each site; MAP_CONSTANT: the same map for all images.
   An input is clamped to the range of its type. */
INLINE void read_input(const step *s, i64 row, i64 at, i64 from, i64 to) {
  i64 first = s->at_column ? at : 0;
  for (i64 b = from; b < to; b++)
    for (i64 i = 0; i < s->inner; i++) {
      const i32 *x = s->input + b * s->input_image + (row - s->first) * s->input_row + (s->input_row ? first + i : 0) * s->n;
      u8 *y = s->y.at + b * s->y.image + (first + i) * s->y.column;
      set_numbers(y, s->y_type, x, s->n);
    }
}

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

INLINE i32 shift_bits(i32 x, i32 bits) { return (x + (1 << (bits - 1))) >> bits; }

/* SCAN: an LSTM along a row. The hidden state h is in steps of 2^-7, the cell state c in steps of 2^-14:
   gates = clamp(x + shift(h matrix, by)); o, f, i = sigmoid[shift(gates, gate)], g = tanh[shift(gates, gate)];
   c = clamp(shift(f c, 14) + shift(i g, 14)); out = shift(o tanh[shift(c, 6)], 14), h = clamp(shift(out, 7)) */
INLINE void scan(const step *s, const pt_level *level, i64 from, i64 to) {
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
                       s->x.at + from * s->x.image + column * s->x.column, s->x.image};
    multiply_rows(s, level, &p);
    for (i64 b = from; b < to; b++) {
      i32 *out = (i32 *)(s->y.at + b * s->y.image + column * s->y.column), *gate_of = gates + b * 4 * d, *cell = cells + b * d;
      for (i64 j = 0; j < 3 * d; j++) gate_of[j] = sigmoid[clamp(shift(gate_of[j], by[j]), -k, k)];
      for (i64 j = 3 * d; j < 4 * d; j++) gate_of[j] = tanh[clamp(shift(gate_of[j], by[j]), -m, m)];
      for (i64 j = 0; j < d; j++) {
        i64 kept = ((i64)gate_of[d + j] * cell[j] + (1 << 13)) >> 14;
        cell[j] = wide_long(kept + shift_bits(gate_of[2 * d + j] * gate_of[3 * d + j], 14));
        out[j] = shift_bits(gate_of[j] * tanh[clamp(shift_bits(cell[j], 6), -m, m)], 14);
        hidden[b * bytes + j] = narrow(shift_bits(out[j], 7), INT8);
      }
    }
  }
}

/* A table of odd length at an argument in steps of 2^-16, 0 in its middle, by linear interpolation. Two entries are one load of
   64 bits, and products have factors of 32 bits, which vectors of 512 bits multiply in one operation instead of three. */
INLINE i64 interpolate(const i32 *table, i64 size, i64 x) {
  i64 place = smaller(larger(x + size / 2 * 256, 0), (size - 1) * 256), index = smaller(place >> 8, size - 2), both;
  i32 inside = (i32)(place - index * 256);
  __builtin_memcpy(&both, table + index, sizeof both);
  return ((i64)(i32)both * (256 - inside) + (both >> 32) * inside) >> 8;
}

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

/* Run steps `first` to `last` of images `from` to `to` at a site, or, at column 0, over a whole row. */
INLINE void execute(pt_run *r, i64 first, i64 last, i64 row, i64 column, i64 from, i64 to) {
  tile *multiply_tile = r->level->product;
  for (i64 i = first; i < last; i++) {
    const step *s = r->steps + i;
    if (!s->active || (column & s->mask)) continue;
    i64 at = column >> s->scale;
    if (r->level->rows && r->level->rows(s, at, from, to)) {
      AFTER(s->code)
      continue;
    }
    switch (s->code) {
      case LINEAR: linear(s, r->level, at, from, to); break;
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
      case GATHER: gather(s, at, from, to); break;
      case UPSAMPLE: upsample(s, row, at, from, to); break;
      case STORE_KV: store_kv(r, s, row, column, from, to); break;
      case INPUT:
      case MAP_CONSTANT: read_input(s, row, at, from, to); break;
      case CONSTANT: each(s, at, from, to, set_constant); break;
      case ATTEND: attend(r, s, row, column, from, to, multiply_tile); break;
      case SCAN: scan(s, r->level, from, to); break;
      case PREDICT: each(s, at, from, to, predict); break;
      case NORMALISE: normalise(s, at, from, to); break;
      case PLACE: each(s, at, from, to, place_params); break;
      case CROSS_ATTEND: cross_attend(s, at, from, to); break;
    }
    AFTER(s->code)
  }
}

/* ---- 5. the distribution of a level ----

   Of the logits l_k, in steps of 2^-8, m their maximum, E the table of 2^24 exp(-i / 256) and P the precision:
   e_k = E[m - l_k];  r = floor(2^(P + 32) / sum of e);  f_k = max(1, floor(e_k r / 2^32)),
   and the first largest f_k takes what is missing to 2^P. */

INLINE i64 softmax_weights(const i32 *logits, i64 levels, const i32 *exp, i64 last, i64 *restrict weights) {
  i32 largest = logits[0];
  i64 total = 0;
  for (i64 k = 1; k < levels; k++) largest = logits[k] > largest ? logits[k] : largest;
  for (i64 k = 0; k < levels; k++) {
    i64 below = (i64)largest - logits[k];
    weights[k] = exp[below < last ? below : last];
    total += weights[k];
  }
  return total;
}

/* A mixture of logistics. Positions count levels in steps of 2^-17. With S the table of 2^24 sigmoid, I that of
   2^24 exp(-log scale) 2 / (levels - 1), and z_m(k) = floor(((k + 1/2) 2^17 - mean_m) I_m / 2^25):
   C(k) = sum over m of w_m S(z_m(k)), and the weight of level k is floor(C(k) / 2^24) - floor(C(k - 1) / 2^24).
   Beyond 256 levels means count 2^-22 and positions 2^-9 of a level, and no table is made: level k starts at
   k + floor(floor(C(k - 1) / 2^24) (2^P - levels) / sum of w). */
enum { MANY = 256 };
typedef struct {
  const i32 *exp, *sigmoid, *tanh, *inverse, *params;
  i64 exp_last, sigmoid_size, tanh_size, inverse_last, m, channels, top, fine, unit; /* bits of a mean, and of a position */
  i64 *weight, *mean, *scale;
} mixture;

/* Set the position of the mean and the inverse scale of each component of a channel. */
INLINE void place(const mixture *x, const i64 *pixel, i64 stride, i64 channel) {
  const i32 *p = x->params, *first = p + x->m * (1 + 2 * x->channels + channel * (channel - 1) / 2);
  for (i64 i = 0; i < x->m; i++) {
    i64 position = (((i64)p[x->m * (1 + channel) + i] + (1ll << x->fine)) * x->top) >> (x->fine + 1 - x->unit);
    for (i64 before = 0; before < channel; before++)
      position += (interpolate(x->tanh, x->tanh_size, first[x->m * before + i]) * (2 * pixel[before * stride] - x->top)) >> (17 - x->unit);
    i64 index = (i64)p[x->m * (1 + x->channels + channel) + i] + x->inverse_last - 8 * 256;
    x->mean[i] = position, x->scale[i] = x->inverse[smaller(larger(index, 0), x->inverse_last)];
  }
}

/* 2^24 times the CDF of a component at the edge above a level. */
INLINE i64 edge(const mixture *x, i64 i, i64 level) {
  i64 distance = smaller(larger((level << x->unit) + (1ll << (x->unit - 1)) - x->mean[i], -(1 << 28)), 1 << 28);
  return interpolate(x->sigmoid, x->sigmoid_size, ((i64)(i32)distance * (i32)x->scale[i]) >> (x->unit + 8));
}

/* The levels above which the edge of a component is neither the first entry of the table nor the last: `low` to `high` - 1. At
   that distance from the mean the product with the scale is beyond the table, or it is cut before it comes there. */
INLINE void rise(const mixture *x, i64 i, i64 *low, i64 *high) {
  i64 scale = x->scale[i], reach = scale > 0 ? ((x->sigmoid_size / 2) << (x->unit + 16)) / scale + 1 : 1ll << 40;
  i64 middle = x->mean[i] - (1ll << (x->unit - 1));
  *low = 0, *high = x->top;
  if (reach > 1 << 28) return;
  *low = smaller(larger(((middle - reach) >> x->unit) + 1, 0), x->top);
  *high = smaller(larger(-((-middle - reach) >> x->unit), *low), x->top);
}

/* The weights of the components: those of a softmax, times what each gave to the levels of the channels before. */
INLINE void weigh(const mixture *x, const i64 *pixel, i64 stride, i64 channel) {
  softmax_weights(x->params, x->m, x->exp, x->exp_last, x->weight);
  for (i64 before = 0; before < channel; before++) {
    i64 level = pixel[before * stride], largest = 0, bits = 0;
    place(x, pixel, stride, before);
    for (i64 i = 0; i < x->m; i++) {
      i64 upper = level < x->top ? edge(x, i, level) : 1 << 24, lower = level > 0 ? edge(x, i, level - 1) : 0;
      x->weight[i] *= larger(1, upper - lower);
      largest = larger(largest, x->weight[i]);
    }
    while (largest >> bits > 0) bits++;
    for (i64 i = 0; i < x->m; i++) x->weight[i] >>= larger(0, bits - 25);
  }
}

static __attribute__((noinline)) mixture open_mixture(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *parts) {
  const i32 *h = p->header;
  i64 m = h[H_MIXTURES], levels = h[H_LEVELS], many = levels > MANY;
  mixture x = {constant(p, h[H_EXP]), constant(p, h[H_SIGMOID]), constant(p, h[H_TANH]), constant(p, h[H_INVERSE]), params,
               count_of(p, h[H_EXP]) - 1, count_of(p, h[H_SIGMOID]), count_of(p, h[H_TANH]), count_of(p, h[H_INVERSE]) - 1, m, h[H_CHANNELS], levels - 1,
               many ? 22 : 16, many ? 9 : 17, parts, parts + m, parts + 2 * m};
  weigh(&x, pixel, stride, channel);
  place(&x, pixel, stride, channel);
  return x;
}

/* The start of a level of many; of the number of levels, the end of the last. */
static __attribute__((noinline)) i64 start_of_level(const mixture *x, i64 level, i64 total, i64 places) {
  i64 sum = 0;
  if (level > x->top) return places + level;
  if (level > 0) for (i64 i = 0; i < x->m; i++) sum += x->weight[i] * edge(x, i, level - 1);
  return level + (sum >> 24) * places / total;
}

/* As `digits`, of a mixture of many levels: where a level is to be found, by halving. */
static __attribute__((noinline)) i64 level_of_mixture(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 level, i64 target, i64 *interval, i64 *parts) {
  mixture x = open_mixture(p, params, pixel, stride, channel, parts);
  i64 places = (1ll << p->header[H_PRECISION]) - p->header[H_LEVELS], total = 0;
  for (i64 i = 0; i < x.m; i++) total += x.weight[i];
  if (level < 0) {
    level = 0;
    for (i64 step = 1 << 15; step > 0; step >>= 1)
      if (level + step <= x.top && start_of_level(&x, level + step, total, places) <= target) level += step;
  }
  interval[0] = start_of_level(&x, level, total, places);
  interval[1] = start_of_level(&x, level + 1, total, places) - interval[0];
  return level;
}

/* The frequencies of all of many levels. Far from the components each level has its one place, so pieces are tried that
   double in length: one whose end is as many places on as it has levels needs no other edge. One function for all kernels: it
   is seldom called, and long. */
static __attribute__((noinline)) void mixture_frequencies(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *restrict result, i64 *parts) {
  mixture x = open_mixture(p, params, pixel, stride, channel, parts);
  i64 levels = p->header[H_LEVELS], places = (1ll << p->header[H_PRECISION]) - levels, total = 0, start = 0, count = 1;
  for (i64 i = 0; i < x.m; i++) total += x.weight[i];
  for (i64 k = 0; k < levels;) {
    i64 size, end;
    count = smaller(count, levels - k);
    end = start_of_level(&x, k + count, total, places), size = end - start;
    if (size != count && count > 1) {
      count >>= 1;
      continue;
    }
    for (i64 j = 0; j < count; j++) result[k + j] = count == 1 ? size : 1;
    k += count, start = end, count = size == count ? 2 * count : 1;
  }
}

INLINE i64 mixture_weights(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *restrict result, i64 *parts) {
  const mixture x = open_mixture(p, params, pixel, stride, channel, parts);
  i64 m = x.m, levels = x.top + 1, total = 0, before = 0;
  for (i64 k = 0; k < levels; k++) result[k] = 0;
  for (i64 i = 0; i < m; i++) {
    i64 weight = x.weight[i], low, high;
    total += weight;
    rise(&x, i, &low, &high);
    low &= ~(i64)7, high = smaller((high + 7) & ~(i64)7, levels - 1); /* whole vectors: the edges around are those of the ends */
    for (i64 k = 0; k < low; k++) result[k] += weight * x.sigmoid[0];
    for (i64 k = low; k < high; k++) result[k] += (i64)(i32)weight * (i32)edge(&x, i, k); /* both of 32 bits */
    for (i64 k = high; k < levels - 1; k++) result[k] += weight * x.sigmoid[x.sigmoid_size - 1];
  }
  for (i64 k = 0; k < levels - 1; k++) {
    i64 below = result[k] >> 24;
    result[k] = below - before;
    before = below;
  }
  result[levels - 1] = total - before;
  return total;
}

/* Frequencies in proportion to weights: at least 1 each (or 0 where a weight is 0), and 2^precision in all. */
INLINE void normalise_weights(i64 *restrict result, i64 levels, i64 total, i64 precision, int zeros) {
  i64 ratio = (1ll << (precision + 32)) / total, most = -1, best = 0, missing = 1ll << precision;
  for (i64 k = 0; k < levels; k++) {
    result[k] = zeros && !result[k] ? 0 : larger(1, (result[k] * ratio) >> 32);
    missing -= result[k];
    most = larger(most, result[k]);
  }
  while (result[best] != most) best++;
  result[best] += missing;
}

/* A level in two factors, h L + l, under components i: exponentials e_i(k) of the logits of a digit, which has the share
   s_i(k) = floor(e_i(k) floor(2^56 / sum of e_i) / 2^32). With weights w of the components, the sums
   A_k = floor(sum over i of w_i s_i(k) / 2^24) divide `places` numbers, of which each level of a digit has one beforehand:
   edge k = levels before k + floor((A_0 + .. + A_(k-1)) (places - levels) / sum of A). */
typedef struct {
  const i32 *exp, *params;
  i64 last, m, low, high, levels, places;
  i64 *weight, *within, *ratio, *top; /* of each component: its weight, the same given a high digit, and of its high digits */
  i64 *highs, *lows;                  /* edges */
} factors;

INLINE i64 exponential(const factors *f, i64 below) { return f->exp[below < f->last ? below : f->last]; }

/* The largest of `n` logits of a component, and floor(2^56 / sum of their exponentials). */
INLINE void ratio_of(const factors *f, const i32 *logits, i64 n, i64 *top, i64 *ratio) {
  i64 largest = logits[0], sum = 0;
  for (i64 k = 1; k < n; k++) largest = larger(largest, logits[k]);
  for (i64 k = 0; k < n; k++) sum += exponential(f, largest - logits[k]);
  *top = largest, *ratio = (1ll << 56) / sum;
}

/* Set the edges of `n` digits of `each` levels, but for the last, of `levels` in all. */
INLINE void set_edges(const factors *f, const i32 *logits, i64 stride, i64 n, i64 each, i64 levels, i64 places, const i64 *weight,
                      i64 *tops, i64 *ratios, i64 *restrict edges) {
  for (i64 k = 0; k <= n; k++) edges[k] = 0;
  for (i64 i = 0; i < f->m; i++, logits += stride) {
    i64 top, ratio;
    ratio_of(f, logits, n, &top, &ratio);
    if (tops) tops[i] = top, ratios[i] = ratio;
    for (i64 k = 0; k < n; k++) edges[k + 1] += weight[i] * ((exponential(f, top - logits[k]) * ratio) >> 32);
  }
  for (i64 k = 0; k < n; k++) edges[k + 1] = edges[k] + (edges[k + 1] >> 24);
  i64 sum = edges[n];
  for (i64 k = 1; k <= n; k++) edges[k] = (k < n ? k * each : levels) + edges[k] * (places - levels) / sum;
}

INLINE factors open_factors(const program *p, const i32 *params, i64 channel, i64 *parts) {
  const i32 *h = p->header;
  i64 m = h[H_MIXTURES], low = low_digits(h[H_LEVELS]), high = high_digits(h[H_LEVELS], low);
  factors f = {constant(p, h[H_EXP]), params + channel * m * (1 + low + high), count_of(p, h[H_EXP]) - 1, m, low, high, h[H_LEVELS],
               1ll << h[H_PRECISION], parts, parts + m, parts + 2 * m, parts + 3 * m, parts + 4 * m, parts + 4 * m + DIGITS + 1};
  softmax_weights(f.params, m, f.exp, f.last, f.weight);
  set_edges(&f, f.params + m, high, high, low, f.levels, f.places, f.weight, f.top, f.ratio, f.highs);
  return f;
}

/* Set the edges of the low digits of a high one, counted from its own; return how many there are. */
INLINE i64 open_digit(const factors *f, i64 digit) {
  i64 n = digit < f->high - 1 ? f->low : f->levels - digit * f->low, largest = 0, bits = 0;
  for (i64 i = 0; i < f->m; i++) {
    i64 logit = f->params[f->m + i * f->high + digit], share = (exponential(f, f->top[i] - logit) * f->ratio[i]) >> 32;
    f->within[i] = f->weight[i] * larger(1, share);
    largest = larger(largest, f->within[i]);
  }
  while (largest >> bits > 0) bits++;
  for (i64 i = 0; i < f->m; i++) f->within[i] >>= larger(0, bits - 25);
  set_edges(f, f->params + f->m * (1 + f->high), f->low, n, 1, n, f->highs[digit + 1] - f->highs[digit], f->within, 0, 0, f->lows);
  return n;
}

/* The frequencies of all levels in two factors. */
INLINE void factored_frequencies(const program *p, const i32 *params, i64 channel, i64 *restrict result, i64 *parts) {
  factors f = open_factors(p, params, channel, parts);
  for (i64 digit = 0; digit < f.high; digit++) {
    i64 n = open_digit(&f, digit);
    for (i64 k = 0; k < n; k++) result[digit * f.low + k] = f.lows[k + 1] - f.lows[k];
  }
}

/* Set the start and the frequency of a level in two factors, or, where it is below 0, find the one whose interval holds
   `target`; return the level. */
INLINE i64 digits(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 level, i64 target, i64 *interval, i64 *parts) {
  if (p->header[H_KIND] == MIXTURE) return level_of_mixture(p, params, pixel, stride, channel, level, target, interval, parts);
  factors f = open_factors(p, params, channel, parts);
  i64 digit = level < 0 ? 0 : level / f.low, k = level < 0 ? 0 : level - digit * f.low;
  if (level < 0) while (digit < f.high - 1 && f.highs[digit + 1] <= target) digit++;
  i64 n = open_digit(&f, digit), start = f.highs[digit];
  if (level < 0) while (k < n - 1 && start + f.lows[k + 1] <= target) k++;
  interval[0] = start + f.lows[k], interval[1] = f.lows[k + 1] - f.lows[k];
  return digit * f.low + k;
}

/* The frequencies of the levels of a channel: at least 1 each, 2^precision in all. `stride`: from channel to channel. */
INLINE void frequencies(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *restrict result, i64 *parts) {
  const i32 *h = p->header, *exp = constant(p, h[H_EXP]);
  i64 levels = h[H_LEVELS], total, last = count_of(p, h[H_EXP]) - 1;
  if (h[H_KIND] == FACTORED) {
    factored_frequencies(p, params, channel, result, parts);
    return;
  }
  if (h[H_KIND] == MIXTURE && levels > MANY) {
    mixture_frequencies(p, params, pixel, stride, channel, result, parts);
    return;
  }
  if (h[H_KIND] == MIXTURE) {
    total = mixture_weights(p, params, pixel, stride, channel, result, parts);
  } else if (h[H_KIND] == BERNOULLI) {
    const i32 logits[2] = {0, params[channel]};
    total = softmax_weights(logits, 2, exp, last, result);
  } else {
    total = softmax_weights(params + channel * levels, levels, exp, last, result);
  }
  normalise_weights(result, levels, total, h[H_PRECISION], 0);
}

#if X86
/* `find` by softmax: with frequencies of 32 bits, which are added one by one among 16 levels alone. Return -1 where the
   ratio does not fit in 32 bits, or where so many levels have a frequency of 1 that the largest is below 0. `scratch`: a
   number for each level. */
AVX512 static i64 find_512(const i32 *logits, i64 levels, const i32 *exp, i64 last, i64 precision, i64 level, i64 target, i32 *scratch, i64 *interval) {
  const __m512i least = _mm512_set1_epi32(INT32_MIN), one = _mm512_set1_epi32(1), ends = _mm512_set1_epi32((i32)smaller(last, INT32_MAX));
  __m512i largest = least, total = _mm512_setzero_si512(), most = one, sum = total;
  for (i64 k = 0; k < levels; k += COLUMNS) {
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    largest = _mm512_max_epi32(largest, _mm512_mask_loadu_epi32(least, mask, logits + k));
  }
  largest = _mm512_set1_epi32(_mm512_reduce_max_epi32(largest));
  for (i64 k = 0; k < levels; k += COLUMNS) { /* a difference of logits is at most 2^27 */
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    __m512i below = _mm512_sub_epi32(largest, _mm512_maskz_loadu_epi32(mask, logits + k));
    __m512i weights = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask, _mm512_min_epi32(below, ends), exp, 4);
    _mm512_mask_storeu_epi32(scratch + k, mask, weights);
    total = _mm512_add_epi64(total, _mm512_add_epi64(_mm512_srli_epi64(weights, 32), _mm512_and_si512(weights, _mm512_set1_epi64(0xFFFFFFFF))));
  }
  u64 ratio = (1ull << (precision + 32)) / (u64)_mm512_reduce_add_epi64(total);
  if (ratio >> 32) return -1;
  const __m512i by = _mm512_set1_epi64((i64)ratio);
  for (i64 k = 0; k < levels; k += COLUMNS) {
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    __m512i weights = _mm512_maskz_loadu_epi32(mask, scratch + k);
    __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(weights, by), 32), odd = _mm512_mul_epu32(_mm512_srli_epi64(weights, 32), by);
    __m512i numbers = _mm512_maskz_max_epi32(mask, _mm512_mask_blend_epi32(0xAAAA, even, odd), one);
    _mm512_mask_storeu_epi32(scratch + k, mask, numbers);
    most = _mm512_max_epi32(most, numbers), sum = _mm512_add_epi32(sum, numbers);
  }
  i32 best = _mm512_reduce_max_epi32(most), missing = (i32)(1ll << precision) - _mm512_reduce_add_epi32(sum);
  if (best < -missing) return -1; /* cumulative frequencies would not rise */
  i64 start = 0, k = 0, end = level < 0 ? levels - 1 : level;
  for (int is_given = 0; k < levels; k += COLUMNS) { /* the first of the largest takes what is missing */
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    __m512i numbers = _mm512_maskz_loadu_epi32(mask, scratch + k);
    __mmask16 at = _mm512_mask_cmpeq_epi32_mask(mask, numbers, _mm512_set1_epi32(best));
    if (at && !is_given) scratch[k + __builtin_ctz(at)] += missing, numbers = _mm512_maskz_loadu_epi32(mask, scratch + k), is_given = 1;
    i64 here = _mm512_reduce_add_epi32(numbers);
    if (level < 0 ? start + here > target : level < k + COLUMNS) break;
    start += here;
  }
  while (k < end && (level >= 0 || start + scratch[k] <= target)) start += scratch[k++];
  interval[0] = start, interval[1] = scratch[k];
  return k;
}
#endif

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
  if (t->is_guided || t->inverse_temperature != 1 << 16) {
    for (i64 k = 0; k < levels; k++) result[k] = log2_of(log2, c[k]);
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
  } else {
    for (i64 k = 0; k < levels; k++) result[k] = c[k];
  }
  for (i64 k = 0; k < levels; k++) total += result[k];
  normalise_weights(result, levels, total, 30, 0);
  if (t->top_p < 1 << 30) {
    total = keep_nucleus(result, levels, t->top_p);
    normalise_weights(result, levels, total, 30, 1);
  }
}

/* ---- 6. the loop over an image ---- */

/* Everything but the tiles is compiled for a few instruction sets by the same functions. */
#define DEFINE_FOR(name, TARGET)                                                                                         \
  TARGET static void execute_##name(pt_run *r, i64 first, i64 last, i64 row, i64 column, i64 from, i64 to) {              \
    execute(r, first, last, row, column, from, to);                                                                      \
  }                                                                                                                      \
  TARGET static void frequencies_##name(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel,  \
                                        i64 *result, i64 *parts) {                                                       \
    frequencies(p, params, pixel, stride, channel, result, parts);                                                       \
  }                                                                                                                      \
  TARGET static i64 digits_##name(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 level, \
                                  i64 target, i64 *interval, i64 *parts) {                                               \
    return digits(p, params, pixel, stride, channel, level, target, interval, parts);                                    \
  }                                                                                                                      \
  TARGET static void transform_##name(const program *p, const pt_transform *t, const i64 *c, const i64 *u, i64 *result) { \
    transform(p, t, c, u, result);                                                                                       \
  }

#if X86
#if defined(__clang__)
#define SMALL __attribute__((minsize))
#else
#define SMALL
#endif
DEFINE_FOR(plain, SMALL)
DEFINE_FOR(avx2, AVX2)
DEFINE_FOR(512, AVX512)
static const pt_level levels_of_x86[] = {
    [PT_PLAIN] = {execute_plain, frequencies_plain, digits_plain, transform_plain, tile_plain, 0, 0, 0},
    [PT_AVX2] = {execute_avx2, frequencies_avx2, digits_avx2, transform_avx2, tile_avx2, 0, 0, 0},
    [PT_AVX_VNNI] = {execute_avx2, frequencies_avx2, digits_avx2, transform_avx2, tile_vnni, 0, 0, 0},
    [PT_AVX512_VNNI] = {execute_512, frequencies_512, digits_512, transform_512, tile_512, multiply_512, execute_rows_512, find_512},
};

/* The instruction sets of the processor that the system saves: the best level. */
static i32 find_best_level(void) {
  u32 a, b, c, d, low, high;
  if (__get_cpuid_max(0, 0) < 7) return PT_PLAIN;
  __cpuid(1, a, b, c, d);
  if (!(c & bit_OSXSAVE) || !(c & bit_FMA) || !(c & bit_POPCNT)) return PT_PLAIN;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  __cpuid_count(7, 0, a, b, c, d);
  if ((low & 6) != 6 || !(b & bit_AVX2) || !(b & bit_BMI) || !(b & bit_BMI2)) return PT_PLAIN;
  int has_512 = (low & 0xE6) == 0xE6 && (b & bit_AVX512F) && (b & bit_AVX512BW) && (b & bit_AVX512VL) && (b & bit_AVX512DQ);
  if (has_512 && (c & bit_AVX512VNNI)) return PT_AVX512_VNNI;
  if (a >= 1) {
    __cpuid_count(7, 1, a, b, c, d);
    if (a & (1u << 4)) return PT_AVX_VNNI;
  }
  return PT_AVX2;
}

/* The best level, asked for once: a virtual machine answers in 26 microseconds. Two threads would store the same number. */
static i32 best_level(void) {
  static i32 best = PT_BEST;
  i32 level = __atomic_load_n(&best, __ATOMIC_RELAXED);
  if (level == PT_BEST) __atomic_store_n(&best, level = find_best_level(), __ATOMIC_RELAXED);
  return level;
}

static const pt_level *level_of(i32 level) {
  i32 best = best_level();
  if (level == PT_BEST) level = best;
  if (level < PT_PLAIN || level > best) return 0;
  if (level == PT_AVX_VNNI && best == PT_AVX512_VNNI) return 0; /* not every processor with the one has the other */
  return &levels_of_x86[level];
}
#else
DEFINE_FOR(plain, )
static const pt_level level_plain = {execute_plain, frequencies_plain, digits_plain, transform_plain, tile_plain, 0, 0, 0};
#endif

#if ARM
static const pt_level level_neon = {execute_plain, frequencies_plain, digits_plain, transform_plain, tile_neon, 0, 0, 0};

#if defined(__linux__)
/* Linux lets a program read the register that names the features of the processor. */
static i32 best_level(void) {
  u64 features;
  __asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(features));
  return (features >> 44 & 15) ? PT_NEON : PT_PLAIN;
}
#else
static i32 best_level(void) { return PT_NEON; } /* every processor of Apple with this architecture */
#endif

static const pt_level *level_of(i32 level) {
  if (level == PT_BEST) level = best_level();
  return level == PT_PLAIN ? &level_plain : level == PT_NEON && best_level() == PT_NEON ? &level_neon : 0;
}
#elif WASM
static const pt_level level_wasm = {execute_plain, frequencies_plain, digits_plain, transform_plain, tile_wasm, 0, 0, 0};
static const pt_level *level_of(i32 level) {
  return level == PT_BEST || level == PT_WASM ? &level_wasm : level == PT_PLAIN ? &level_plain : 0;
}
#elif !X86
static const pt_level *level_of(i32 level) { return level <= PT_PLAIN ? &level_plain : 0; }
#endif

int32_t pt_has_level(int32_t level) { return level_of(level) != 0; }

/* Set the addresses that change from row to row, and which steps run. */
static void begin_row(pt_run *r, i64 row) {
  for (i64 i = r->first_step[ROW]; i < r->first_step[POST + 1]; i++) {
    step *s = r->steps + i;
    s->active = (s->parity < 0 || s->parity == (row & 1)) && s->first <= (row >> s->scale) && !(row & s->mask);
  }
  for (i64 i = 0; i < r->num_patches; i++) {
    const patch *a = r->patches + i;
    *a->where = a->base + ((row >> a->scale) + a->offset) % a->slots * a->size;
  }
}

static const i32 *params_at(const pt_run *r, i64 b, i64 column) {
  return (const i32 *)(r->params.at + b * r->params.image + column * r->params.column);
}

static u8 *canvas_at(const pt_run *r, i64 b, i64 column) { return r->canvas.at + b * r->canvas.image + column * r->canvas.column; }

void pt_row(pt_run *r, int64_t row) {
  begin_row(r, row);
  run_part(r, ROW, row, 0);
}
void pt_site(pt_run *r, int64_t row, int64_t column) { run_part(r, SITE, row, column); }
void pt_post(pt_run *r, int64_t row, int64_t column) { run_part(r, POST, row, column); }

void pt_params(const pt_run *r, int64_t column, int32_t *result) {
  i64 n = r->p.header[H_PARAMS + 3];
  for (i64 b = 0; b < r->batch; b++)
    for (i64 j = 0; j < n; j++) result[b * n + j] = params_at(r, b, column)[j];
}

/* Write a number to the canvas: as 8 bits, from 0 on, or as it is. */
static void write_value(pt_run *r, i64 b, i64 column, i64 place, i64 value) {
  u8 *canvas = canvas_at(r, b, column);
  if (r->p.maps[0] == INT32) ((i32 *)canvas)[place] = (i32)value;
  else canvas[place] = (u8)(value + 128);
}

void pt_write(pt_run *r, int64_t column, int64_t first, int64_t count, const int32_t *values) {
  for (i64 b = 0; b < r->batch; b++)
    for (i64 j = 0; j < count; j++) write_value(r, b, column, first + j, values[b * count + j]);
}

/* Write the levels of channels `first` to `last` of a site to the canvas; run image b has those of image b mod `images`. */
static void write_levels(pt_run *r, i64 row, i64 column, i64 first, i64 last, i64 images, const i64 *levels) {
  const i32 *h = r->p.header;
  int many = r->p.maps[0] == INT32; /* levels as they are, the middle one 0 */
  const i8 *values = many ? 0 : constant(&r->p, h[H_VALUES]);
  i64 width = h[H_WIDTH_OF_LEVEL], plane = r->height * r->width;
  for (i64 b = 0; b < r->batch; b++)
    for (i64 c = first; c < last; c++) {
      i64 level = levels[(b % images * h[H_CHANNELS] + c) * plane + row * r->width + column];
      for (i64 j = 0; j < width; j++) write_value(r, b, column, c * width + j, many ? level - h[H_LEVELS] / 2 : values[level * width + j]);
    }
}

/* floor(uniform 2^precision) */
static i64 target_of(double uniform, i64 precision) {
  return uniform >= 0 && uniform < 1 ? (i64)(uniform * (double)(1ll << precision)) : 0;
}

/* Set the start and the frequency of a level, or, where it is below 0, find the first whose cumulative frequency exceeds
   `target`; return the level. */
static i64 find(const i64 *weights, i64 levels, i64 level, i64 target, i64 *interval) {
  i64 start = 0, k = 0, last = level < 0 ? levels - 1 : level;
  while (k < last && (level >= 0 || start + weights[k] <= target)) start += weights[k++];
  interval[0] = start, interval[1] = weights[k];
  return k;
}

/* The same of a channel of a site under the model, where only the frequencies that are needed are computed. */
static i64 find_level(pt_run *r, const i32 *params, const i64 *pixel, i64 c, i64 level, i64 target, i64 *interval) {
  const i32 *h = r->p.header;
  if (h[H_KIND] == FACTORED || (h[H_KIND] == MIXTURE && h[H_LEVELS] > MANY))
    return r->level->digits(&r->p, params, pixel, r->height * r->width, c, level, target, interval, r->parts);
  if (r->level->find && h[H_KIND] == CATEGORICAL) {
    const i32 *exp = constant(&r->p, h[H_EXP]);
    i64 last = count_of(&r->p, h[H_EXP]) - 1;
    i64 known = r->level->find(params + c * h[H_LEVELS], h[H_LEVELS], exp, last, h[H_PRECISION], level, target, (i32 *)r->drawn, interval);
    AFTER(AFTER_FREQUENCIES)
    if (known >= 0) return known;
  }
  r->level->frequencies(&r->p, params, pixel, r->height * r->width, c, r->weights, r->parts);
  AFTER(AFTER_FREQUENCIES)
  return find(r->weights, h[H_LEVELS], level, target, interval);
}

/* Draw the level of a sub-pixel, and set its frequency under the model, and those of all levels where there is a table. */
static void draw_level(pt_run *r, i64 b, i64 row, i64 column, i64 c, i64 *levels, const double *uniforms, i64 *sizes, i32 *tables,
                       const pt_transform *t) {
  const i32 *h = r->p.header;
  i64 plane = r->height * r->width, pixel = b * h[H_CHANNELS] * plane + row * r->width + column, at = pixel + c * plane;
  i64 interval[2];
  if (!t && !tables) {
    levels[at] = find_level(r, params_at(r, b, column), levels + pixel, c, -1, target_of(uniforms[at], h[H_PRECISION]), interval);
    sizes[at] = interval[1];
    AFTER(AFTER_DRAW)
    return;
  }
  r->level->frequencies(&r->p, params_at(r, b, column), levels + pixel, plane, c, r->weights, r->parts);
  AFTER(AFTER_FREQUENCIES)
  if (t) {
    i64 image = b + r->batch / 2;
    if (t->is_guided) r->level->frequencies(&r->p, params_at(r, image, column), levels + pixel, plane, c, r->reference, r->parts);
    r->level->transform(&r->p, t, r->weights, r->reference, r->drawn);
    AFTER(AFTER_TRANSFORM)
    levels[at] = find(r->drawn, h[H_LEVELS], -1, target_of(uniforms[at], 30), interval);
  } else {
    levels[at] = find(r->weights, h[H_LEVELS], -1, target_of(uniforms[at], h[H_PRECISION]), interval);
  }
  sizes[at] = r->weights[levels[at]];
  AFTER(AFTER_DRAW)
  if (!tables) return;
  tables += ((b * plane + row * r->width + column) * h[H_CHANNELS] + c) * h[H_LEVELS];
  for (i64 k = 0; k < h[H_LEVELS]; k++) tables[k] = (i32)r->weights[k];
}

void pt_sample(pt_run *r, int64_t *levels, const uint8_t *known, const double *uniforms, int64_t *sizes,
               int32_t *tables, const pt_transform *t, volatile int64_t *signal) {
  const i32 *h = r->p.header;
  i64 channels = h[H_CHANNELS], plane = r->height * r->width, each_step = channels / h[H_SUB_STEPS];
  i64 images = t && t->is_guided ? r->batch / 2 : r->batch;
  for (i64 row = 0; row < r->height; row++) {
    pt_row(r, row);
    for (i64 i = 0; i < r->width; i++) {
      i64 column = h[H_S_CURVE] && (row & 1) ? r->width - 1 - i : i;
      if (signal[0]) return;
      for (i64 first = 0; first < channels; first += each_step) {
        pt_site(r, row, column);
        for (i64 b = 0; b < images; b++)
          for (i64 c = first; c < first + each_step; c++)
            if (!known[(b * channels + c) * plane + row * r->width + column])
              draw_level(r, b, row, column, c, levels, uniforms, sizes, tables, t);
        write_levels(r, row, column, first, first + each_step, images, levels);
        AFTER(AFTER_WRITE)
      }
      pt_post(r, row, column);
    }
    signal[1] = row + 1;
  }
}

/* The range decoder of the format of archives: a symbol is an interval of 2^24, and its place in it
   (point - lower) / (range / 2^24). */
static void take_word(pt_decoder *d) {
  d->point = d->point << 32 | (d->next < d->count ? d->words[d->next] : 0);
  d->next++;
}

void pt_decoder_begin(pt_decoder *d, const uint32_t *words, int64_t count) {
  *d = (pt_decoder){words, count, 0, 0, UINT64_MAX, 0, 0};
  take_word(d);
  take_word(d);
}

/* Return the place of the next symbol; after an error 0. */
static i64 place_of(pt_decoder *d) {
  u64 target = (d->point - d->lower) / (d->range >> 24);
  d->is_wrong |= target >> 24 != 0;
  return d->is_wrong ? 0 : (i64)target;
}

static void consume(pt_decoder *d, i64 start, i64 size) {
  u64 scale = d->range >> 24;
  d->lower += scale * (u64)start;
  d->range = scale * (u64)size;
  if (d->range >> 32) return;
  d->lower <<= 32;
  d->range <<= 32;
  take_word(d);
}

int64_t pt_symbol(pt_decoder *d, int64_t count) {
  i64 each = (1 << 24) / count, symbol = smaller(place_of(d) / each, count - 1);
  if (!d->is_wrong) consume(d, symbol * each, symbol == count - 1 ? (1 << 24) - symbol * each : each);
  return d->is_wrong ? 0 : symbol;
}

int32_t pt_is_exhausted(const pt_decoder *d) { return d->next >= d->count && d->point - d->lower < (1ull << 33) - 1; }

/* Decode the level of a channel of a site. */
static i64 decode_level(pt_run *r, pt_decoder *d, const i32 *params, const i64 *pixel, i64 c) {
  i64 by = 24 - r->p.header[H_PRECISION], target = place_of(d) >> by, interval[2];
  if (d->is_wrong) return 0;
  i64 level = find_level(r, params, pixel, c, -1, target, interval);
  consume(d, interval[0] << by, interval[1] << by);
  return level;
}

void pt_decode(pt_run *r, int64_t *levels, const uint8_t *coded, pt_decoder *decoders, const int64_t *decoder_of, volatile int64_t *signal) {
  const i32 *h = r->p.header;
  i64 channels = h[H_CHANNELS], plane = r->height * r->width, each_step = channels / h[H_SUB_STEPS];
  for (i64 row = 0; row < r->height; row++) {
    pt_row(r, row);
    for (i64 i = 0; i < r->width && !signal[0]; i++) {
      i64 column = h[H_S_CURVE] && (row & 1) ? r->width - 1 - i : i, at = row * r->width + column;
      for (i64 first = 0; first < channels; first += each_step) {
        pt_site(r, row, column);
        for (i64 c = first; c < first + each_step; c++)
          for (i64 b = 0; b < r->batch; b++) {
            i64 *pixel = levels + b * channels * plane + at;
            if (!coded[b * plane + at] || decoders[decoder_of[b]].is_wrong) continue;
            pixel[c * plane] = decode_level(r, decoders + decoder_of[b], params_at(r, b, column), pixel, c);
          }
        write_levels(r, row, column, first, first + each_step, r->batch, levels);
      }
      pt_post(r, row, column);
    }
    signal[1] = row + 1;
  }
}

/* Set the start and the frequency of the levels of some channels of a site, or copy its parameters. */
static void score_site(pt_run *r, i64 row, i64 column, i64 first, i64 last, const i64 *levels, i64 *starts, i64 *sizes, i32 *params) {
  const i32 *h = r->p.header;
  i64 channels = h[H_CHANNELS], plane = r->height * r->width, n = h[H_PARAMS + 3], share = n / channels;
  for (i64 b = 0; b < r->batch; b++) {
    const i32 *p = params_at(r, b, column);
    i64 pixel = b * channels * plane + row * r->width + column;
    if (params) {
      i64 end = last == channels ? n : last * share;
      for (i64 j = first * share; j < end; j++) params[(b * plane + row * r->width + column) * n + j] = p[j];
      continue;
    }
    for (i64 c = first; c < last; c++) {
      i64 at = pixel + c * plane, interval[2];
      find_level(r, p, levels + pixel, c, levels[at], 0, interval);
      starts[at] = interval[0];
      sizes[at] = interval[1];
    }
  }
}

void pt_score(pt_run *r, const int64_t *levels, int64_t *starts, int64_t *sizes, int32_t *params) {
  const i32 *h = r->p.header;
  i64 channels = h[H_CHANNELS], each_step = channels / h[H_SUB_STEPS];
  for (i64 row = 0; row < r->height; row++) {
    if (r->by_rows) {
      begin_row(r, row);
      for (i64 column = 0; column < r->width; column++) write_levels(r, row, column, 0, channels, r->batch, levels);
      for (i64 part = ROW; part <= POST; part++) run_part(r, part, row, 0);
      for (i64 column = 0; column < r->width; column++) score_site(r, row, column, 0, channels, levels, starts, sizes, params);
      continue;
    }
    pt_row(r, row);
    for (i64 i = 0; i < r->width; i++) {
      i64 column = h[H_S_CURVE] && (row & 1) ? r->width - 1 - i : i;
      for (i64 first = 0; first < channels; first += each_step) {
        pt_site(r, row, column);
        score_site(r, row, column, first, first + each_step, levels, starts, sizes, params);
        write_levels(r, row, column, first, first + each_step, r->batch, levels);
      }
      pt_post(r, row, column);
    }
  }
}

void pt_frequencies(const void *bytes, const int32_t *params, const int64_t *pixels, int64_t n, int64_t channel,
                    int64_t *result, int64_t *scratch, int32_t level) {
  program p = open(bytes);
  const pt_level *chosen = level_of(level); /* once: a virtual machine takes tens of microseconds to name its processor */
  for (i64 i = 0; i < n; i++)
    chosen->frequencies(&p, params + i * p.header[H_PARAMS + 3], pixels + i * p.header[H_CHANNELS], 1, channel,
                        result + i * p.header[H_LEVELS], scratch);
}

void pt_product(const uint8_t *x, const int8_t *w, int64_t rows, int64_t groups, int64_t columns, int32_t *sums, int32_t level) {
  const pt_level *chosen = level_of(level);
  i32 tile_sums[ROWS * WIDTH];
  const piece in = {(u8 *)x, groups, 0};
  for (i64 j = 0; j < columns; j += WIDTH) {
    i64 here = smaller(WIDTH, columns - j), vectors = vectors_of(here);
    for (i64 m = 0; m < rows; m += ROWS) {
      i64 together = smaller(ROWS, rows - m);
      chosen->product(&in, 1, m * groups * 4, groups * 4, w, vectors * 64, (int)together, (int)vectors, tile_sums);
      for (i64 r = 0; r < together; r++)
        for (i64 k = 0; k < here; k++) sums[(m + r) * columns + j + k] = tile_sums[r * WIDTH + k];
    }
    w += groups * vectors * 64;
  }
}

/* ---- 7. rules, and particles, which need them; a program that draws without them is 12 KB and 3 KB smaller ---- */
#if !defined(PT_WITHOUT_RULES)
#include "solver.c"
#if !defined(PT_WITHOUT_PARTICLES)
#include "particles.c"
#endif
#endif

/* ---- 8. what writes archives: no program that paints needs it ---- */
#if defined(PT_LIBRARY) && !defined(__wasm__)
#include "archive.c"
#endif

/* ---- 9. what a compiler calls where there is no C library: built as a library of its own ---- */
#if defined(PT_LIBRARY)
void *memcpy(void *restrict to, const void *restrict from, __SIZE_TYPE__ count) {
  u8 *y = to;
  const u8 *x = from;
  while (count--) *y++ = *x++;
  return to;
}
void *memset(void *to, int value, __SIZE_TYPE__ count) {
  u8 *y = to;
  while (count--) *y++ = (u8)value;
  return to;
}
#if defined(_WIN32)
int DllMainCRTStartup(void *library, u32 reason, void *reserved) {
  (void)library, (void)reason, (void)reserved;
  return 1;
}
#endif
#endif
