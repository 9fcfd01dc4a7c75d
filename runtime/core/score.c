/* Scores: where known levels lie in their distributions. Part of pointillist.c. */

/* What a score returns of known levels: starts and frequencies, or the parameters. */
typedef struct {
  const i64 *levels;
  i64 *starts, *sizes;
  i32 *params;
} scores;

/* Set the start and the frequency of the levels of some channels of a site, or copy its parameters. */
static void score_levels(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last) {
  const scores *s = how;
  const i32 *h = r->p.header;
  i64 channels = h[H_CHANNELS], plane = r->height * r->width, n = h[H_PARAMS + 3], share = n / channels;
  for (i64 b = 0; b < r->batch; b++) {
    const i32 *p = params_at(r, b, column);
    i64 pixel = b * channels * plane + row * r->width + column;
    if (s->params) {
      i64 end = last == channels ? n : last * share;
      for (i64 j = first * share; j < end; j++) s->params[(b * plane + row * r->width + column) * n + j] = p[j];
      continue;
    }
    for (i64 c = first; c < last; c++) {
      i64 at = pixel + c * plane, interval[2];
      find_level(r, p, s->levels + pixel, c, s->levels[at], 0, interval);
      s->starts[at] = interval[0];
      s->sizes[at] = interval[1];
    }
  }
}

void pt_score(pt_run *r, const int64_t *levels, int64_t *starts, int64_t *sizes, int32_t *params) {
  scores s = {levels, starts, sizes, params};
  i64 channels = r->p.header[H_CHANNELS];
  for (i64 row = 0; row < r->height; row++) {
    if (!r->by_rows) {
      visit_row(r, row, r->batch, levels, 0, score_levels, &s, 0);
      continue;
    }
    begin_row(r, row);
    for (i64 column = 0; column < r->width; column++) write_levels(r, row, column, 0, channels, r->batch, levels);
    for (i64 part = ROW; part <= POST; part++) run_part(r, part, row, 0);
    for (i64 column = 0; column < r->width; column++) score_levels(r, &s, row, column, 0, channels);
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
