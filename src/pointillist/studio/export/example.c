/* Paint a picture of $name as a PPM file: example SEED [LABEL [PROMPT]] > picture.ppm */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"
$rules
/* Returns 1 if a text is a seed: a whole number below 2^53, as in Python and JavaScript. */
static int is_seed(const char *text, uint64_t *seed) {
  char *end = 0;
  *seed = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && *seed < (uint64_t)1 << 53;
}

int main(int argc, char **argv) {
  const pt_model *m = &$symbol;
  if (argc < 2) {
    fprintf(stderr, "usage: example SEED [LABEL [PROMPT]] > picture.ppm\nlabels:");
    for (int i = 0; m->labels[i]; i++) fprintf(stderr, " %s", m->labels[i]);
    fprintf(stderr, "\nprompts:");
    for (int i = 0; m->prompts[i]; i++) fprintf(stderr, " \"%s\"", m->prompts[i]);
    return fprintf(stderr, "\n"), 2;
  }
  uint64_t seed;
  if (!is_seed(argv[1], &seed)) return fprintf(stderr, "the seed %s must be a whole number, 0 to 2^53 - 1\n", argv[1]), 2;
  pt_request request = pt_request_of(m, seed);
  if (argc > 2 && *argv[2]) request.label = pt_number_of(m->labels, argv[2]); /* an empty text is no label */
  if (argc > 2 && *argv[2] && request.label < 0) return fprintf(stderr, "there is no label %s\n", argv[2]), 2;
  if (argc > 3 && *argv[3]) request.prompt = pt_number_of(m->prompts, argv[3]);
  if (argc > 3 && *argv[3] && request.prompt < 0) return fprintf(stderr, "there is no prompt \"%s\"\n", argv[3]), 2;
  int64_t bytes = $memory, pixels = (int64_t)m->height * m->width;
  if (bytes < 0) return fprintf(stderr, "the program is damaged\n"), 1;
  char *reserved = malloc((size_t)bytes + 64), *memory = reserved;
  int64_t *levels = malloc((size_t)(8 * m->channels * pixels));
  uint8_t *rgb = malloc((size_t)(3 * pixels));
  if (!reserved || !levels || !rgb) return fprintf(stderr, "there is not enough memory\n"), 1;
  memory += -(uintptr_t)memory % 64; /* aligned to 64 bytes */
  $paint
  pt_colours(m, levels, rgb);
  printf("P6 %d %d 255\n", (int)m->width, (int)m->height);
  fwrite(rgb, 1, (size_t)(3 * pixels), stdout);
  free(reserved);
  free(levels);
  free(rgb);
  return 0;
}
