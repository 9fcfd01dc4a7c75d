/* The bytes of a program: numbers, fields, constants, operands. Part of pointillist.c. */

#if defined(__x86_64__) || defined(_M_X64)
#define X86 1
#include <cpuid.h>
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2,bmi,bmi2,fma,lzcnt,popcnt")))
#define AVX_VNNI __attribute__((target("avx2,bmi,bmi2,fma,lzcnt,popcnt,avxvnni")))
#define AVX512 __attribute__((target("avx2,bmi,bmi2,fma,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#if defined(__linux__) /* other systems are asked in other ways */
#define AMX __attribute__((target("avx2,bmi,bmi2,fma,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,amx-tile,amx-int8")))
#endif
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
  TILE = 16,            /* rows of a tile of AMX, and groups at most */
  BLOCK = 64,           /* sites whose keys lie side by side */
  ROW_SITES = 28,       /* of the images whose rows are computed together */
  TILED_SITES = 128,    /* the same by tiles, whose last rows are computed twice */
  SITE_IMAGES = 32,     /* whose sites are */
  CHUNK = 1 << 15,      /* sites whose products of bytes are added in 32 bits */
  ROOT_BITS = 7,        /* of the place of a sum of squares in a table of roots */
  ROOTS = (3 << ROOT_BITS) + 1,
  SQUARED = 1 << 20,    /* of a number whose square is taken */
  DIGITS = 256,         /* of a level in two factors, high or low */
};
enum { INT8, UINT8, INT32, INT16, INT64 };
enum { IMAGE, ROW, SITE, POST };
enum { NOTHING, BUFFER, MAP }; /* kinds of an operand; MAP is the current site of a map */
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

/* What an opcode takes and makes, where an operation has that: so many of x, z and p, of which x has a width, as y has;
   whether channel k of y is of channel k of x and z alone; its constants: type, count and range, 0 to 0 for any. */
enum { ANY, BYTES, WORDS };
enum { A_TABLE, ONE, OF_Y, OF_X_AND_Y, OF_SITES };
typedef struct { i64 type, count, low, high; } constant_rule;
typedef struct { i64 least, most, x, y, each, constants; constant_rule constant[5]; } opcode_rule;

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

/* A program whose sites are all known: each operation runs over the whole grid. */
INLINE int is_grid(const program *p) { return p->header[H_BY_ROWS] == 2; }
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
