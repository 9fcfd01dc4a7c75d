/* Damage programs, and run those that the check accepts: built with sanitizers by `tests/hostile/fuzz_runtime.py`.

       fuzz CASES SEED FILE...

   Each case changes a few numbers of a program, which lies in memory of exactly its size, and checks it. Where the check
   accepts it, a few pixels are drawn, scored, and decoded from words that no encoder wrote, by every kernel of this
   processor, in a workspace of exactly the size that the library asked for; all of them must give the same levels. So
   are pixels drawn within random rules, of which a few numbers are damaged, and as particles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "particles.h"

enum { MOST_FILES = 64, PIXELS = 4096, PASSES = 512, MOST_BYTES = 1 << 24 };
static uint64_t state;
static int64_t by_rules; /* draws within rules that were accepted */

static uint64_t draw(uint64_t below) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (state >> 11) % below;
}

static void *aligned(int64_t size) {
  void *result = 0;
  if (posix_memalign(&result, 64, (size_t)(size ? size : 1))) abort();
  return result;
}

/* Change a word to an interesting number, or to another word of the program; most of them in its tables. */
static void damage(uint8_t *program, int64_t size) {
  static const int32_t numbers[] = {0, 1, -1, 2, 3, 4, 7, 16, 62, 63, 64, 127, 128, 255, 256, 4096, 1 << 20, 1 << 24, 1 << 26, INT32_MAX, INT32_MIN};
  int32_t *words = (int32_t *)program;
  int64_t count = size / 4, tables = count < 4096 ? count : 4096;
  for (uint64_t n = 1 + draw(3); n > 0; n--) {
    int64_t at = (int64_t)draw(4) ? (int64_t)draw((uint64_t)tables) : (int64_t)draw((uint64_t)count);
    switch (draw(4)) {
      case 0: words[at] = numbers[draw(sizeof numbers / sizeof *numbers)]; break;
      case 1: words[at] = words[draw((uint64_t)tables)]; break;
      case 2: words[at] = (int32_t)((uint32_t)words[at] + (uint32_t)draw(5) - 2u); break;
      default: program[draw((uint64_t)size)] ^= (uint8_t)(1 << draw(8));
    }
  }
}

/* Decode images from a few words, each with a decoder of its own and then all from the first, and hash levels and flags. */
static uint64_t decode(const uint8_t *program, int32_t level, const int32_t *const *values, const int64_t *shape) {
  int64_t batch = shape[0], sites = batch * shape[2] * shape[3], count = sites * shape[1], signal[3] = {0};
  uint64_t hash = 0;
  for (int64_t length = 0; length <= 9; length += 9) {
    uint32_t *words = aligned(length * 4);
    for (int64_t k = 0; k < length; k++) words[k] = (uint32_t)(k + 1) * 2654435769u ^ (uint32_t)count;
    pt_decoder *decoders = aligned(batch * (int64_t)sizeof *decoders);
    int64_t *errors = count % 2 ? aligned(count * 8) : 0; /* with the stage */
    int32_t *learned = errors ? aligned(batch * PT_LEARNED * 4) : 0;
    if (errors) memset(errors, 0, (size_t)count * 8), memset(learned, 0, (size_t)batch * PT_LEARNED * 4);
    int64_t *levels = aligned(count * 8), *owner = aligned(batch * 8);
    uint8_t *coded = aligned(sites), *workspace = aligned(pt_workspace(program, batch, shape[2], shape[3], 0));
    for (int64_t k = 0; k < sites; k++) coded[k] = k % 5 != 2;
    for (int64_t k = 0; k < count; k++) levels[k] = 0; /* what is not coded is kept, and read */
    for (int64_t b = 0; b < batch; b++) owner[b] = length ? b : 0, pt_decoder_begin(decoders + b, words, length);
    pt_decode(pt_begin(program, batch, shape[2], shape[3], 0, 0, values, workspace, level), levels, coded, decoders, owner, errors, learned, 0, signal);
    for (int64_t k = 0; k < count; k++) hash = (hash ^ (uint64_t)levels[k]) * 1099511628211u;
    for (int64_t b = 0; b < batch; b++) hash = (hash ^ (uint64_t)decoders[b].is_wrong) * 31 + (uint64_t)pt_is_exhausted(decoders + b);
    free(words), free(decoders), free(levels), free(owner), free(coded), free(workspace), free(errors), free(learned);
  }
  return hash;
}

/* Draw, score and decode a few pixels by one level; return a hash of all results, or 0 where they do not fit. */
static uint64_t run(const uint8_t *program, int32_t level, int64_t batch, int64_t height, int64_t width) {
  const int32_t *header = (const int32_t *)program, shared = (int32_t)(height % 2) - 1; /* all conditions of even heights */
  int64_t channels = header[11], count = batch * channels * height * width, wide = count * header[12], n = header[24] * batch * height * width;
  int64_t inputs = header[6], size = pt_workspace(program, batch, height, width, 0);
  if (size < 0 || size > MOST_BYTES || count > PIXELS || batch * height * width * header[15] > PASSES || n > MOST_BYTES || wide > MOST_BYTES) return 0;
  const int32_t *table = header + 32 + header[3] * 4 + header[4] * 8 + header[5] * 4;
  const int32_t **values = aligned(inputs * 8);
  for (int64_t i = 0; i < inputs; i++) {
    int64_t numbers = batch * table[2 * i + 1] * (table[2 * i] ? height * width : 1);
    int32_t *each = aligned(numbers * 4);
    for (int64_t k = 0; k < numbers; k++) each[k] = (int32_t)(k * 7919 % 300 - 150);
    values[i] = each;
  }
  int64_t *levels = aligned(count * 8), *sizes = aligned(count * 8), *starts = aligned(count * 8), signal[2] = {0, 0};
  double *uniforms = aligned(count * 8);
  uint8_t *known = aligned(count), *workspace = aligned(size);
  int32_t *params = aligned(n * 4), *tables = aligned(wide * 4);
  const pt_transform transform = {batch % 2 == 0, 3 << 16, 5 << 14, 9 << 26};
  for (int64_t k = 0; k < count; k++) levels[k] = sizes[k] = 0, uniforms[k] = (double)(k * 611953 % 1000003) / 1000003, known[k] = k % 7 == 3;
  pt_run *r = pt_begin(program, batch, height, width, 0, shared, values, workspace, level);
  pt_sample(r, levels, known, uniforms, sizes, tables, batch > 1 ? &transform : 0, signal);
  uint64_t hash = 1469598103934665603u;
  for (int by_rows = 0; by_rows <= (pt_by_rows(program) != 0); by_rows++) {
    int64_t again = pt_workspace(program, batch, height, width, by_rows);
    uint8_t *space = aligned(again);
    r = pt_begin(program, batch, height, width, by_rows, shared, values, space, level);
    pt_score(r, levels, starts, sizes, params);
    r = pt_begin(program, batch, height, width, by_rows, shared, values, space, level);
    pt_score(r, levels, starts, sizes, 0);
    free(space);
    for (int64_t k = 0; k < count; k++) hash = (hash ^ (uint64_t)(levels[k] + 31 * starts[k] + 977 * sizes[k])) * 1099511628211u;
  }
  hash ^= decode(program, level, values, (int64_t[]){batch, channels, height, width});
  for (int64_t i = 0; i < inputs; i++) free((void *)values[i]);
  free(values), free(levels), free(sizes), free(starts), free(uniforms), free(known), free(workspace), free(params), free(tables);
  return hash | 1;
}

static int64_t number(int64_t most) {
  static const int64_t numbers[] = {-1, 0, 1, 2, 63, 64, 1 << 20, INT64_MAX, INT64_MIN};
  return draw(40) ? (int64_t)draw((uint64_t)most + 1) : numbers[draw(sizeof numbers / sizeof *numbers)];
}

/* Sets of levels: most bits are set, and now and then one beyond the levels. */
static uint64_t *sets(int64_t count, int64_t levels) {
  int64_t words = (levels + 63) / 64;
  uint64_t *bits = aligned(count * words * 8);
  for (int64_t i = 0; i < count * words; i++) bits[i] = 0;
  for (int64_t i = 0; i < count * levels; i++) bits[i / levels * words + i % levels / 64] |= (uint64_t)(draw(4) > 0) << i % levels % 64;
  if (count && !draw(30)) bits[draw((uint64_t)(count * words))] ^= 1ull << draw(64);
  return bits;
}

static pt_rule rule(int64_t height, int64_t width, int64_t levels) {
  pt_rule r = {number(PT_ENTERED), number(1), number(3), sets(1, levels), sets(1, levels), sets(1, levels), number(height), number(width), number(height), number(width), number(3), 0};
  int64_t *passages = aligned(8 * 64);
  for (int i = 0; i < 64; i++) passages[i] = number(height * width - 1);
  if (r.num_passages > 64) r.num_passages = 64;
  r.passages = passages;
  return r;
}

/* Draw a few images within rules, by one level; return a hash of levels and states. */
static uint64_t draw_in_rules(const uint8_t *program, int32_t level, const int32_t *const *values, const pt_rules *rules, int64_t batch) {
  const int64_t channels = rules->channels, height = rules->height, width = rules->width, count = batch * channels * height * width;
  int64_t bytes = pt_mask_memory(rules, batch), signal[2] = {0, 0};
  uint64_t hash = 1469598103934665603u;
  uint8_t *memory = aligned(bytes), *workspace = aligned(pt_workspace(program, batch, height, width, 0)), *known = aligned(count);
  int64_t *levels = aligned(count * 8), *sizes = aligned(count * 8);
  double *uniforms = aligned(count * 8);
  pt_mask *mask = pt_mask_begin(rules, batch, memory);
  for (int64_t b = 0; b < batch; b++) {
    int64_t sites[2] = {b, (int64_t)(b * 7 % (height * width))}, fixed[2] = {0, b - 1};
    hash = hash * 31 + (uint64_t)pt_mask_propagate(mask, b) + (b ? (uint64_t)pt_mask_fix(mask, b, sites, fixed, 2) : 0);
    pt_mask_try(mask, b, 0);
  }
  pt_mask_keep(mask, 0, batch);
  const pt_transform transform = {batch % 2 == 0, 3 << 16, 5 << 14, 9 << 26};
  for (int64_t k = 0; k < count; k++) levels[k] = sizes[k] = 0, uniforms[k] = (double)(k * 611953 % 1000003) / 1000003, known[k] = k % 7 == 3;
  pt_run *r = pt_begin(program, batch, height, width, 0, 0, values, workspace, level);
  uint8_t *space = aligned(pt_search_memory(r, mask));
  pt_sample_in_mask(r, mask, 0, levels, known, uniforms, sizes, 0, batch > 1 ? &transform : 0, space, signal);
  for (int64_t k = 0; k < count; k++) hash = (hash ^ (uint64_t)(levels[k] + 31 * sizes[k])) * 1099511628211u;
  for (int64_t k = 0; k < batch * PT_STATE; k++) hash = (hash ^ (uint64_t)mask->state[k]) * 1099511628211u;
  free(space);
  const int64_t images = batch > 1 ? batch / 2 : batch, plane = count / batch;
  int8_t *roles = aligned(plane);
  double *draws = aligned(height * (width + 1) * 8), *weights = aligned(images * 8);
  int64_t *exponents = aligned(images * 8);
  for (int64_t k = 0; k < plane; k++) roles[k] = (int8_t)(k % 5 % 3);
  for (int64_t k = 0; k < height * (width + 1); k++) draws[k] = (double)(k * 7919 % 1009) / 1009;
  for (int64_t b = 0; b < images; b++) weights[b] = 0.5, exponents[b] = b * 3;
  pt_particles particles = {images, levels, roles, uniforms, draws, weights, exponents, 0.5, 1, rules->is_weighted ? mask : 0, 0, 0};
  r = pt_begin(program, batch, height, width, 0, 0, values, workspace, level);
  space = aligned(pt_particles_memory(r, &particles));
  pt_draw_particles(r, &particles, batch > 1 ? &transform : 0, 0, height, space, signal);
  for (int64_t k = 0; k < images * plane; k++) hash = (hash ^ (uint64_t)levels[k]) * 1099511628211u;
  for (int64_t b = 0; b < images; b++) hash = (hash ^ (uint64_t)(weights[b] * 9007199254740992.0) ^ (uint64_t)exponents[b]) * 31;
  free(roles), free(draws), free(weights), free(exponents);
  free(memory), free(workspace), free(known), free(levels), free(sizes), free(uniforms), free(space);
  return hash | 1;
}

/* Draw within random rules; return 0 if two levels of kernels differ. */
static int try_rules(const uint8_t *program) {
  const int32_t *header = (const int32_t *)program, *table = header + 32 + header[3] * 4 + header[4] * 8 + header[5] * 4;
  int64_t batch = 1 + (int64_t)draw(2) * (1 + 2 * (int64_t)draw(2)), height = header[18] ? header[18] : 1 + (int64_t)draw(5), width = header[19] ? header[19] : 1 + (int64_t)draw(5);
  int64_t channels = header[11], levels = header[12], sites = height * width, size = pt_workspace(program, batch, height, width, 0);
  if (size < 0 || size > MOST_BYTES || levels > 1024 || batch * sites * channels > PIXELS) return 1;
  pt_rule several[2] = {rule(height, width, levels), rule(height, width, levels)};
  pt_rules rules = {channels, height, width, levels, draw(4) == 0, sets(channels * sites, levels), draw(3) ? sets(4 * levels, levels) : 0,
                    (int64_t)draw(2), 0, (int64_t)draw(3), 0, 0, (int64_t)draw(3), several};
  int64_t *partners = aligned(8 * sites), *limits = aligned(16);
  const uint64_t *adjacency = rules.adjacency;
  for (int64_t i = 0; i < sites; i++) partners[i] = number(sites - 1);
  limits[0] = number(9), limits[1] = number(9);
  rules.partners = partners, rules.limits = limits, rules.sets = sets(2, levels);
  if (channels > 1 && draw(8)) rules.adjacency = 0, rules.num_partners = rules.num_sets = rules.num_rules = 0;
  int64_t inputs = header[6];
  const int32_t **values = aligned(inputs * 8);
  for (int64_t i = 0; i < inputs; i++) {
    int64_t numbers = batch * table[2 * i + 1] * (table[2 * i] ? sites : 1);
    int32_t *each = aligned(numbers * 4);
    for (int64_t k = 0; k < numbers; k++) each[k] = (int32_t)(k * 7919 % 300 - 150);
    values[i] = each;
  }
  int same = 1;
  if (pt_mask_memory(&rules, batch) >= 0) {
    by_rules++;
    uint64_t expected = draw_in_rules(program, PT_PLAIN, values, &rules, batch);
    for (int32_t level = 1; level <= PT_WASM; level++)
      if (pt_has_level(level)) same &= draw_in_rules(program, level, values, &rules, batch) == expected;
  }
  for (int64_t i = 0; i < inputs; i++) free((void *)values[i]);
  for (int i = 0; i < 2; i++) free((void *)several[i].levels), free((void *)several[i].start), free((void *)several[i].end), free((void *)several[i].passages);
  free(values), free(partners), free(limits), free((void *)rules.allowed), free((void *)adjacency), free((void *)rules.sets);
  return same;
}

int main(int argc, char **argv) {
  uint8_t *files[MOST_FILES];
  int64_t sizes[MOST_FILES], accepted = 0, cases = atoll(argv[1]);
  int count = argc - 3 < MOST_FILES ? argc - 3 : MOST_FILES;
  state = (uint64_t)atoll(argv[2]) * 2654435761u + 88172645463325252u;
  for (int i = 0; i < count; i++) {
    FILE *file = fopen(argv[3 + i], "rb");
    fseek(file, 0, SEEK_END);
    sizes[i] = ftell(file);
    rewind(file);
    files[i] = aligned(sizes[i]);
    if (fread(files[i], 1, (size_t)sizes[i], file) != (size_t)sizes[i]) return 2;
    fclose(file);
    if (pt_check(files[i], sizes[i])) return printf("%s: not accepted as it is\n", argv[3 + i]), 2;
  }
  for (int64_t n = 0; n < cases; n++) {
    int i = (int)draw((uint64_t)count);
    uint8_t *program = aligned(sizes[i]);
    memcpy(program, files[i], (size_t)sizes[i]);
    damage(program, sizes[i]);
    if (n % 16 == 0 && !try_rules(files[i])) return printf("case %lld: kernels draw other levels by rules\n", (long long)n), 1;
    if (pt_check(program, sizes[i]) == 0) {
      int64_t batch = 1 + (int64_t)draw(2), height = 1 + (int64_t)draw(4), width = 1 + (int64_t)draw(4);
      const int32_t *header = (const int32_t *)program;
      accepted++;
      if (n % 8) height = width = 0; /* most cases only try the check and the layout */
      else if (header[18]) height = header[18], width = header[19];
      pt_workspace(program, batch, 3, 3, 0);
      uint64_t due = run(program, PT_PLAIN, batch, height, width);
      for (int32_t level = 1; level <= PT_WASM; level++)
        if (pt_has_level(level) && run(program, level, batch, height, width) != due)
          return printf("case %lld: level %d gives other levels\n", (long long)n, level), 1;
    }
    free(program);
  }
  for (int i = 0; i < count; i++) free(files[i]);
  printf("%lld cases, %lld accepted, %lld by rules, no finding\n", (long long)cases, (long long)accepted, (long long)by_rules);
  return 0;
}
