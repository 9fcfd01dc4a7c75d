/* What is compiled for several instruction sets, and which of them a processor has. Part of pointillist.c. */

/* Run steps `first` to `last` of images `from` to `to` at a site, or, at column 0, over a whole row. */
INLINE void execute(const int HAS_MULTIPLY, pt_run *r, i64 first, i64 last, i64 row, i64 column, i64 from, i64 to) {
  for (i64 i = first; i < last; i++) {
    const step *s = r->steps + i;
    if (!s->active || (column & s->mask)) continue;
    i64 at = column >> s->scale;
    if (r->level->rows && r->level->rows(s, at, from, to)) {
      i += s->further;
      AFTER(s[s->further ? s->further - 1 : 0].code)
      continue;
    }
    switch (s->code) {
      case LINEAR: linear(HAS_MULTIPLY, s, r->level, at, from, to), i += s->further; break;
      case GATHER: gather(s, at, from, to); break;
      case UPSAMPLE: upsample(s, row, at, from, to); break;
      case STORE_KV: store_kv(r, s, row, column, from, to); break;
      case INPUT:
      case MAP_CONSTANT: read_input(s, row, at, from, to); break;
      case ATTEND: attend(r, s, row, column, from, to, r->level->product); break;
      case SCAN: scan(HAS_MULTIPLY, s, r->level, from, to); break;
      case RMS_NORM: each(s, at, from, to, rms_norm); break;
      case PREDICT: each(s, at, from, to, predict); break;
      case NORMALISE: normalise(s, at, from, to); break;
      case PLACE: each(s, at, from, to, place_params); break;
      case CROSS_ATTEND: cross_attend(s, at, from, to); break;
      default: each_channel(s, at, from, to); break;
    }
    AFTER(s->code)
  }
}

/* Everything but the tiles is compiled for a few instruction sets by the same functions. */
#define DEFINE_FOR(name, HAS_MULTIPLY, TARGET)                                                                           \
  TARGET static void execute_##name(pt_run *r, i64 first, i64 last, i64 row, i64 column, i64 from, i64 to) {              \
    execute(HAS_MULTIPLY, r, first, last, row, column, from, to);                                                        \
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

#if X86 && defined(__clang__)
#define SMALL __attribute__((minsize))
#else
#define SMALL
#endif
DEFINE_FOR(plain, 0, SMALL)
#if X86
DEFINE_FOR(avx2, 0, AVX2)
DEFINE_FOR(512, 1, AVX512)
#if defined(AMX)
AMX static void execute_amx(pt_run *r, i64 first, i64 last, i64 row, i64 column, i64 from, i64 to) {
  execute_512(r, first, last, row, column, from, to);
  if (r->tiles) _tile_release();
  r->tiles = 0;
}
#endif
#endif
static const pt_level levels_of_processor[] = {
    [PT_PLAIN] = {execute_plain, frequencies_plain, digits_plain, transform_plain, ROW_SITES, tile_plain, 0, 0, 0},
#if X86
    [PT_AVX2] = {execute_avx2, frequencies_avx2, digits_avx2, transform_avx2, ROW_SITES, tile_avx2, 0, 0, 0},
    [PT_AVX_VNNI] = {execute_avx2, frequencies_avx2, digits_avx2, transform_avx2, ROW_SITES, tile_vnni, 0, 0, 0},
    [PT_AVX512_VNNI] = {execute_512, frequencies_512, digits_512, transform_512, ROW_SITES, tile_512, multiply_512, execute_rows_512, find_512},
#if defined(AMX)
    [PT_AMX] = {execute_amx, frequencies_512, digits_512, transform_512, TILED_SITES, tile_512, multiply_amx, execute_rows_512, find_512},
#endif
#elif ARM
    [PT_NEON] = {execute_plain, frequencies_plain, digits_plain, transform_plain, ROW_SITES, tile_neon, 0, 0, 0},
#elif WASM
    [PT_WASM] = {execute_plain, frequencies_plain, digits_plain, transform_plain, ROW_SITES, tile_wasm, 0, 0, 0},
#endif
};

#if X86
/* True if the system lets this process use tiles, whose data it saves once it is asked to. */
static int may_use_tiles(void) {
  i64 result = 1;
#if defined(AMX)
  __asm__ volatile("syscall" : "=a"(result) : "a"(158), "D"(0x1023), "S"(18) : "rcx", "r11", "memory"); /* arch_prctl(ARCH_REQ_XCOMP_PERM, 18) */
#endif
  return !result;
}

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
  int has_tiles = (low & 0x60000) == 0x60000 && (d >> 24 & 3) == 3;
  if (has_512 && (c & bit_AVX512VNNI)) return has_tiles && may_use_tiles() ? PT_AMX : PT_AVX512_VNNI;
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

#elif ARM && defined(__linux__)
/* Linux lets a program read the register that names the features of the processor. */
static i32 best_level(void) {
  u64 features;
  __asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(features));
  return (features >> 44 & 15) ? PT_NEON : PT_PLAIN;
}
#elif ARM
static i32 best_level(void) { return PT_NEON; } /* every processor of Apple with this architecture */
#elif WASM
static i32 best_level(void) { return PT_WASM; }
#else
static i32 best_level(void) { return PT_PLAIN; }
#endif

static const pt_level *level_of(i32 level) {
  i32 best = best_level();
  if (level == PT_BEST) level = best;
  if (level < PT_PLAIN || level > best || !levels_of_processor[level].execute) return 0;
  if (level == PT_AVX_VNNI && best >= PT_AVX512_VNNI) return 0; /* not every processor with the one has the other */
  return &levels_of_processor[level];
}

int32_t pt_has_level(int32_t level) { return level_of(level) != 0; }
