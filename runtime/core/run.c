/* A run: rows, sites, levels on the canvas. Part of pointillist.c. */

static void move(const pt_run *r, i64 from, i64 to, i64 row) {
  for (i64 i = from; i < to; i++) {
    const patch *a = r->patches + i;
    *a->where = a->base + ((row >> a->scale) + a->offset) % a->slots * a->size;
  }
}

/* Set the addresses that change from row to row, and which steps run. */
static void begin_row(pt_run *r, i64 row) {
  for (i64 i = r->first_step[ROW]; i < r->first_step[POST + 1]; i++) {
    step *s = r->steps + i;
    s->active = (s->parity < 0 || s->parity == (row & 1)) && s->first <= (row >> s->scale) && !(row & s->mask);
  }
  move(r, 0, r->num_patches, row);
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

void pt_grid(pt_run *r, const int32_t *canvas, int32_t *map) {
  i64 steps = r->p.header[H_OPERATIONS], n = r->p.maps[1], m = r->p.header[H_PARAMS + 3], width = r->width;
  begin_row(r, 0);
  for (i64 row = 0; row < r->height; row++) {
    move(r, r->last_patch, r->num_patches, row);
    for (i64 b = 0; b < r->batch; b++)
      for (i64 i = 0; i < width * n; i++) write_value(r, b, i / n, i % n, canvas[(b * r->height + row) * width * n + i]);
  }
  for (i64 i = 0; i < steps; i++)
    for (i64 row = 0; row < r->height; row++) {
      move(r, r->steps[i].patches, i + 1 < steps ? r->steps[i + 1].patches : r->last_patch, row);
      r->level->execute(r, i, i + 1, row, 0, 0, r->batch);
    }
  for (i64 row = 0; row < r->height; row++) {
    move(r, r->last_patch, r->num_patches, row);
    for (i64 b = 0; b < r->batch; b++)
      for (i64 i = 0; i < width * m; i++)
        map[(b * r->height + row) * width * m + i] = r->params.at[b * r->params.image + i / m * r->params.column + i % m] - 128;
  }
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
  if (has_intervals(h))
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

/* Set the levels of channels `first` to `last` of a site. */
typedef void chooser(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last);

/* Visit the sites of a row: `before`, if any, and then for each sub-step what `choose` chooses, from which the next one is
   computed. Return 0 if a signal came. */
static int visit_row(pt_run *r, i64 row, i64 images, const i64 *levels, chooser *before, chooser *choose, void *how, volatile i64 *signal) {
  const i32 *h = r->p.header;
  i64 channels = h[H_CHANNELS], each_step = channels / h[H_SUB_STEPS];
  pt_row(r, row);
  for (i64 i = 0; i < r->width; i++) {
    i64 column = h[H_S_CURVE] && (row & 1) ? r->width - 1 - i : i;
    if (signal && signal[0]) return 0;
    if (before) before(r, how, row, column, 0, channels);
    for (i64 first = 0; first < channels; first += each_step) {
      pt_site(r, row, column);
      choose(r, how, row, column, first, first + each_step);
      write_levels(r, row, column, first, first + each_step, images, levels);
      AFTER(AFTER_WRITE)
    }
    pt_post(r, row, column);
  }
  return 1;
}
