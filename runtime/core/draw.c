/* Draws. Part of pointillist.c. */

/* What is drawn of images, whose references under guidance follow them; `tables`: of all frequencies, or NULL. */
typedef struct {
  i64 images, *levels;
  const u8 *known;
  const double *uniforms;
  i64 *sizes;
  i32 *tables;
  const pt_transform *t;
} draws;

static i64 images_of(const pt_run *r, const pt_transform *t) { return t && t->is_guided ? r->batch / 2 : r->batch; }

/* Compute the frequencies of a sub-pixel of image b, and under guidance those of its reference. */
static void weigh_levels(pt_run *r, i64 b, i64 images, i64 column, const i64 *pixel, i64 c, const pt_transform *t) {
  i64 plane = r->height * r->width;
  r->level->frequencies(&r->p, params_at(r, b, column), pixel, plane, c, r->weights, r->parts);
  if (t && t->is_guided) r->level->frequencies(&r->p, params_at(r, b + images, column), pixel, plane, c, r->reference, r->parts);
  AFTER(AFTER_FREQUENCIES)
}

/* Set what a draw returns of a level: its frequency, and those of all levels where there is a table. */
static void note_level(const pt_run *r, const draws *d, i64 b, i64 place, i64 c, i64 at) {
  const i32 *h = r->p.header;
  d->sizes[at] = r->weights[d->levels[at]];
  if (!d->tables) return;
  i32 *table = d->tables + ((b * r->height * r->width + place) * h[H_CHANNELS] + c) * h[H_LEVELS];
  for (i64 k = 0; k < h[H_LEVELS]; k++) table[k] = (i32)r->weights[k];
}

static void draw_level(pt_run *r, const draws *d, i64 b, i64 place, i64 column, i64 c) {
  const i32 *h = r->p.header;
  i64 plane = r->height * r->width, at = (b * h[H_CHANNELS] + c) * plane + place, *pixel = d->levels + at - c * plane, interval[2];
  if (!d->t && !d->tables) {
    d->levels[at] = find_level(r, params_at(r, b, column), pixel, c, -1, target_of(d->uniforms[at], h[H_PRECISION]), interval);
    d->sizes[at] = interval[1];
  } else {
    weigh_levels(r, b, d->images, column, pixel, c, d->t);
    if (d->t) r->level->transform(&r->p, d->t, r->weights, r->reference, r->drawn);
    AFTER(AFTER_TRANSFORM)
    d->levels[at] = find(d->t ? r->drawn : r->weights, h[H_LEVELS], -1, target_of(d->uniforms[at], d->t ? 30 : h[H_PRECISION]), interval);
    note_level(r, d, b, place, c, at);
  }
  AFTER(AFTER_DRAW)
}

static void draw_levels(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last) {
  const draws *d = how;
  i64 plane = r->height * r->width, place = row * r->width + column;
  for (i64 b = 0; b < d->images; b++)
    for (i64 c = first; c < last; c++)
      if (!d->known[(b * r->p.header[H_CHANNELS] + c) * plane + place]) draw_level(r, d, b, place, column, c);
}

void pt_sample(pt_run *r, int64_t *levels, const uint8_t *known, const double *uniforms, int64_t *sizes,
               int32_t *tables, const pt_transform *t, volatile int64_t *signal) {
  draws d = {images_of(r, t), levels, known, uniforms, sizes, tables, t};
  for (i64 row = 0; row < r->height && visit_row(r, row, d.images, levels, 0, draw_levels, &d, signal); row++) signal[1] = row + 1;
}
