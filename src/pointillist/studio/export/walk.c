/* Walk through a world of $name, as a PPM file of 3x3 chunks: walk SEED [COLUMN ROW] > world.ppm */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"
#include "world.h"

extern const pt_known ${symbol}_known;
extern const pt_world_rules ${symbol}_rules;
enum { LABEL = $label, SIZE = 32, MARGIN = 8, REMEMBERED = 64 };

/* Returns 1 if a text is a seed: a whole number below 2^53, as in Python and JavaScript. */
static int is_seed(const char *text, uint64_t *seed) {
  char *end = 0;
  *seed = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && *seed < (uint64_t)1 << 53;
}

int main(int argc, char **argv) {
  const pt_model *m = &$symbol;
  if (argc < 2) return fprintf(stderr, "usage: walk SEED [COLUMN ROW] > world.ppm\n"), 2;
  uint64_t seed;
  if (!is_seed(argv[1], &seed)) return fprintf(stderr, "the seed %s must be a whole number, 0 to 2^53 - 1\n", argv[1]), 2;
  int32_t column = argc > 3 ? atoi(argv[2]) : 0, row = argc > 3 ? atoi(argv[3]) : 0;
  int64_t bytes = pt_world_memory(m, &${symbol}_known, &${symbol}_rules, SIZE, MARGIN, REMEMBERED);
  if (bytes < 0) return fprintf(stderr, "the program or the rules are damaged\n"), 1;
  char *reserved = malloc((size_t)bytes + 64);
  if (!reserved) return fprintf(stderr, "there is not enough memory\n"), 1;
  void *memory = reserved + -(uintptr_t)reserved % 64; /* aligned to 64 bytes */
  pt_world *world = pt_world_begin(m, &${symbol}_known, &${symbol}_rules, seed, LABEL, SIZE, MARGIN, REMEMBERED, memory);
  static uint8_t rgb[3 * SIZE][3 * SIZE][3];
  for (int32_t y = 0; y < 3; y++)
    for (int32_t x = 0; x < 3; x++) {
      const uint16_t *levels = pt_chunk(world, column + x, row + y);
      if (!levels) return fprintf(stderr, "%s\n", pt_world_error(world)), 1;
      for (int32_t i = 0; i < SIZE * SIZE; i++)
        for (int32_t k = 0; k < 3; k++)
          rgb[y * SIZE + i / SIZE][x * SIZE + i % SIZE][k] = m->colours ? m->colours[3 * levels[i] + k] : m->values[levels[i]];
    }
  printf("P6 %d %d 255\n", 3 * SIZE, 3 * SIZE);
  fwrite(rgb, 1, sizeof rgb, stdout);
  free(reserved);
  return 0;
}
