/* The layout of a run in its workspace. Part of pointillist.c. */

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
  i64 y_row, x_row, z_row, patches; /* the first address of the step that changes with the row */
  i32 y_type, x_type;
  void *scratch;
  i32 *start;           /* of a product: the bias with the half that rounds, which a shift to the left does not have; of others,
                           for each shift what is to the left, the half, and what is to the right */
  i64 shifts_left, is_plain; /* whether any shift is to the left; of a sum: whether its first term is not shifted; of a scale: whether it only turns signs */
  i64 further;          /* steps after this one that run with it, if any: 1 of a product with `shared`, others by AVX-512 (`further_steps`) */
  i32 *shared;          /* of a row, what the next step adds to this one, the same for all images and computed with the first; or NULL */
  i64 *tiles, tile;     /* their shapes: rows 2^16 + groups of some 2^8 + groups of others, or 0; groups of those of this step, or 0 */
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
  i64 batch, height, width, by_rows, shared, row_images, tiles;
  step *steps;
  i64 first_step[5], num_patches, last_patch, num_blocks; /* last_patch: after those of steps */
  piece *pieces;
  patch *patches;
  block *blocks;
  operand canvas, params;
  u8 **buffers, **maps, **caches;
  i64 *weights, *reference, *drawn, *parts; /* of the levels, and of the components */
};

/* x and y of a product are rows of bytes and of wide numbers; z, if any, is added, and then `shared`, whose rows repeat, if any. */
typedef struct {
  const piece *pieces;
  i64 count, n, rows, x, x_row;
  u8 *y;
  i64 y_row;
  const u8 *z;
  i64 z_row;
  const i32 *shared;
  u32 shared_rows;
} product;
typedef void multiply_function(const step *, const product *);

struct pt_level {
  void (*execute)(pt_run *, i64, i64, i64, i64, i64, i64);
  void (*frequencies)(const program *, const i32 *, const i64 *, i64, i64, i64 *, i64 *);
  i64 (*digits)(const program *, const i32 *, const i64 *, i64, i64, i64, i64, i64 *, i64 *);
  void (*transform)(const program *, const pt_transform *, const i64 *, const i64 *, i64 *);
  i64 row_sites;        /* of the coarsest grid, of the images whose rows are computed together */
  tile *product;
  multiply_function *multiply; /* NULL: by tiles */
  int (*rows)(const step *, i64, i64, i64); /* runs a step and those `further`, if it is one of those written for the level */
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

/* Rows of a map that there are: of a grid all of them, and as many beyond the border as taps read. */
static i64 rows_of(const pt_run *r, const i32 *m) { return is_grid(&r->p) ? r->height + 2 * m[3] : m[3] + 1; }
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
    u8 *at = r->buffers[i]; /* which a byte of the state might be, as far as a compiler knows */
    if (b[0] == INT8) for (i64 k = 0; k < bytes; k++) at[k] = 128;
  }
  for (i32 i = 0; i < p->header[H_MAPS]; i++) {
    const i32 *m = p->maps + i * MAP_WORDS;
    i64 line = line_of(r, m), slots = r->batch * rows_of(r, m), margin = m[4] * m[1] * size_of(m[0]);
    u8 *at = r->maps[i];
    if (m[0] == INT8) for (i64 k = 0; k < slots * line; k++) at[k] = 128;
    for (i64 s = 0; s < slots; s++, at += line) {
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
    if (is_grid(p)) r->patches[r->num_patches++] = (patch){&to->at, to->at, 0, 0, r->height, r->batch * to->image};
  } else if (from[0] == MAP) {
    const i32 *m = p->maps + from[1] * MAP_WORDS;
    i64 size = size_of(m[0]), line = line_of(r, m);
    *to = (operand){r->maps[from[1]] + (m[4] * m[1] + from[2]) * size, line, m[1] * size};
    r->patches[r->num_patches++] = (patch){&to->at, to->at, m[2], 0, rows_of(r, m), r->batch * line};
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
    r->patches[r->num_patches++] = (patch){&at->at, at->at, m[2], taps[i * 2] + rows_of(r, m), rows_of(r, m), r->batch * line};
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

/* The largest number of groups of a tile that divides those of all pieces; 0 if all such numbers are too small to pay. */
static i64 tile_of(const piece *pieces, i64 count) {
  for (i64 result = TILE; result >= TILE / 2; result--) {
    i64 left = 0;
    for (i64 i = 0; i < count; i++) left += pieces[i].groups % result;
    if (!left) return result;
  }
  return 0;
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
  s->patches = r->num_patches;
  s->active = o[O_PART] == IMAGE, s->parity = o[O_PARITY], s->n = o[O_Y + 3], s->count = o[O_X + 3];
  s->outer = (i32)r->batch, s->inner = (i32)columns, s->at_column = !whole_row, s->scratch = scratch, s->tiles = &r->tiles;
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
    int moves[2] = {o[O_X] == MAP || is_grid(p), o[O_Z] == MAP || (is_grid(p) && o[O_Z] != NOTHING)};
    if (moves[0]) r->patches[r->num_patches - 1 - moves[1]].where = &at->at;
  }
  if (o[O_CODE] == LINEAR) s->groups = groups_of_input(p, o), flatten(s), s->largest = largest_sum(s), s->tile = tile_of(s->pieces, s->num_pieces);
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
    s->groups = groups_of(s->n), s->num_pieces = o[O_SIDE] > 0, s->tile = tile_of(&(piece){.groups = s->groups}, 1);
    s->middle[0] = count_of(p, o[O_CONSTANT + 4]) / 2, s->middle[1] = count_of(p, o[O_CONSTANT + 5]) / 2;
  }
  if (o[O_CODE] == INPUT) {
    int is_map = p->inputs[o[O_MAP] * INPUT_WORDS];
    s->input = inputs[o[O_MAP]], s->input_row = is_map ? r->width * s->n : 0;
    s->input_image = o[O_MAP] < 31 && (r->shared >> o[O_MAP] & 1) ? 0 : is_map ? r->height * s->input_row : s->n;
  }
  if (o[O_CODE] == MAP_CONSTANT) s->input = s->c[0], s->input_row = r->width * s->n;
}

static int runs_together(const i32 *a, const i32 *b) {
  return a[O_PART] == b[O_PART] && a[O_SCALE] == b[O_SCALE] && a[O_FIRST] == b[O_FIRST] && a[O_PARITY] == b[O_PARITY];
}
static int is_same(const i32 *a, const i32 *b) { return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3]; }

/* True if no operation from o on reads an operand of its part before it is written again. */
static int is_dead(const program *p, const i32 *operand, const i32 *o) {
  const i32 part = o[O_PART - OPERATION];
  i32 rest[4] = {operand[0], operand[1], operand[2], operand[3]};
  if (rest[0] != BUFFER || p->buffers[rest[1] * BUFFER_WORDS + 3] != part) return 0;
  for (; o < p->taps; o += OPERATION) {
    const i32 *y = o + O_Y, end = y[2] + y[3];
    if (overlap(rest, o + O_X) || overlap(rest, o + O_Z) || overlap(rest, o + O_P)) return 0;
    if (o[O_PART] == part && o[O_PARITY] < 0 && !o[O_FIRST] && overlap(rest, y) && y[2] <= rest[2]) rest[3] -= end - rest[2], rest[2] = end;
    if (rest[3] <= 0) return 1;
  }
  return !overlap(rest, p->header + H_PARAMS);
}

/* How many steps after step i make, with it, bytes of a rectified lookup of x and of -x: t = SCALE x, COPY x, COPY t, perhaps RESCALE,
   RECTIFIED_LOOKUP, NARROW, where nothing else reads what is between; 0 if they do not. */
static i64 further_steps(const pt_run *r, i64 i) {
  const program *p = &r->p;
  const i32 *o = p->operations + i * OPERATION, *a = o + OPERATION, *b = a + OPERATION, *next = b + OPERATION;
  if (o[O_CODE] != SCALE || p->header[H_OPERATIONS] - i < 6) return 0;
  const i64 further = next[O_CODE] == RESCALE ? 5 : 4;
  const i32 n = o[O_Y + 3], both[4] = {a[O_Y], a[O_Y + 1], a[O_Y + 2], 2 * n}, second[4] = {a[O_Y], a[O_Y + 1], a[O_Y + 2] + n, n};
  const i32 *narrow = o + further * OPERATION, *in = both;
  step *s = r->steps + i, *look = s + further - 1;
  int fits = a[O_CODE] == COPY && b[O_CODE] == COPY && look->code == RECTIFIED_LOOKUP && narrow[O_CODE] == NARROW;
  fits = fits && is_same(o + O_X, a + O_X) && is_same(o + O_Y, b + O_X) && is_same(second, b + O_Y);
  for (; fits && next <= narrow; in = next + O_Y, next += OPERATION) fits = is_same(in, next + O_X);
  for (const i32 *each = o; fits && each <= narrow; each += OPERATION) {
    fits = runs_together(each, o) && (each == narrow || is_dead(p, each == a || each == b ? both : each + O_Y, narrow + OPERATION));
  }
  s->is_plain = 1;
  for (i64 j = 0; fits && j < n; j++) {
    const i32 factor = ((const i16 *)s->c[0])[j], by = ((const i8 *)s->c[1])[j];
    fits = factor <= 0, s->is_plain &= by >= 0 && factor == -(1ll << by);
  }
  if (fits) for (i64 k = 0; k <= look->middle[0]; k++) fits &= !((const i32 *)look->c[0])[look->middle[0] + k]; /* x or -x has no entry */
  for (i64 k = 1; fits && k <= further; k++) s->shifts_left |= s[k].shifts_left;
  return fits ? further : 0;
}

/* True if operation i + 1 adds the product of a condition that all images share to that of operation i, which nothing else reads. */
static int adds_shared(const pt_run *r, i64 i) {
  const program *p = &r->p;
  const i32 *o = p->operations + i * OPERATION, *next = o + OPERATION, *from = o;
  if (p->header[H_OPERATIONS] - i < 2 || r->batch < 2 || is_grid(p) || !is_whole_row(r, o[O_PART]) || !runs_together(o, next)) return 0;
  if (o[O_CODE] != LINEAR || next[O_CODE] != LINEAR || reads_taps(next) || next[O_Y] != BUFFER || !is_same(next + O_Z, o + O_Y)) return 0;
  while (from > p->operations && !overlap(from + O_Y, next + O_X)) from -= OPERATION;
  if (from[O_CODE] != MAP_CONSTANT && !(from[O_CODE] == INPUT && from[O_MAP] < 31 && (r->shared >> from[O_MAP] & 1))) return 0;
  if (!runs_together(from, next) || !is_same(from + O_Y, next + O_X) || overlap(next + O_Y, o + O_X) || overlap(next + O_Y, o + O_Z)) return 0;
  return is_dead(p, o + O_Y, next + OPERATION);
}

/* Columns of the product of an operation. */
static i64 columns_of_product(const i32 *o) {
  return o[O_CODE] == LINEAR ? o[O_Y + 3] : o[O_CODE] == SCAN ? 4 * (i64)o[O_Y + 3] : 0;
}

/* Shifts of an operation that vectors of AVX-512 run, from constant `first` on. */
static i64 shifts_of(i32 code, i64 *first) {
  int looks_up = code == LOOKUP || code == RECTIFIED_LOOKUP;
  *first = code == GATE ? 2 : looks_up;
  return code == GATE ? 3 : code == ADD ? 2 : code == NARROW || code == RESCALE || looks_up;
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
  s->start = start, s->is_plain = 1;
  for (i64 k = 0; k < count; k++, start += 3 * s->n) {
    const i8 *by = s->c[first + k];
    for (i64 j = 0; j < s->n; j++) {
      start[j] = by[j] < 0 ? -by[j] : 0, start[s->n + j] = by[j] > 0 ? 1 << (by[j] - 1) : 0, start[2 * s->n + j] = by[j] > 0 ? by[j] : 0;
      s->shifts_left |= by[j] < 0, s->is_plain &= k || !by[j];
    }
  }
}

static const pt_level *level_of(i32 level);

/* Lay out a run; return its bytes, or -1. */
static i64 lay_out(arena *a, const void *bytes, i64 batch, i64 height, i64 width, i32 by_rows, i32 shared, const i32 *const *inputs, const pt_level *level) {
  program p = open(bytes);
  const i32 *h = p.header;
  if (batch < 1 || height < 1 || width < 1 || batch > MOST || height > MOST || width > MOST) return -1;
  if ((h[H_HEIGHT] && (height != h[H_HEIGHT] || width != h[H_WIDTH])) || (by_rows && !h[H_BY_ROWS])) return -1;
  if (h[H_CACHES] && height * width > MOST_SITES) return -1;
  pt_run local = {.p = p, .batch = batch, .height = height, .width = width, .by_rows = by_rows, .shared = shared}, *r = take(a, 1, sizeof(pt_run));
  if (!r) r = &local;
  else *r = local, r->level = level;
  i64 taps = 0, coarsest = 0;
  for (i32 i = 0; i < h[H_OPERATIONS]; i++) coarsest = larger(coarsest, p.operations[i * OPERATION + O_SCALE]);
  if (a->base) r->row_images = larger(1, level->row_sites / columns_of(r, (i32)coarsest));
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
    u8 *at = b[3] == IMAGE ? take(a, batch, each) : take_state(a, r, is_grid(&p) ? height : 1, each);
    if (a->base) r->buffers[i] = at;
  }
  for (i32 i = 0; i < h[H_MAPS]; i++) {
    const i32 *m = p.maps + i * MAP_WORDS;
    u8 *at = take_state(a, r, rows_of(r, m), line_of(r, m));
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
    i32 *added = adds_shared(r, i) ? take(a, times(a, columns_of(r, o[O_SCALE]), o[O_Y + 3]), 4) : 0;
    if (!a->base) continue;
    set_step(r, r->steps + i, o, inputs, scratch);
    r->steps[i].shared = added;
    if (shifts) set_shifts(r->steps + i, start);
    else set_start(r->steps + i, start, columns_of_product(o));
    for (i32 part = o[O_PART] + 1; part < 5; part++) r->first_step[part] = i + 1;
    if (o[O_CODE] == SCAN) r->row_images = larger(r->row_images, SITE_IMAGES); /* its products have a row an image */
  }
  for (i32 i = 0; a->base && i < h[H_OPERATIONS]; i++) {
    step *s = r->steps + i;
    if (!level->multiply || (s->shared && s[1].largest > LIMIT)) s->shared = 0; /* else a sum that is bound before a term is added */
    if (s->shared) s->further = 1, s->y = s[1].y, flatten(s);
    if (s->code == LINEAR) s->largest += largest_term(r, p.operations + i * OPERATION); /* others keep what terms are bound by */
  }
  for (i32 i = 0; a->base && !is_grid(&p) && i < h[H_OPERATIONS]; i++) r->steps[i].further += further_steps(r, i);
  if (a->base) {
    r->last_patch = r->num_patches;
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
  return lay_out(&a, bytes, batch, height, width, by_rows, -1, 0, 0);
}

/* Run a part, a few images after the other: what a step writes is still in the cache when the next step reads it. */
static void run_part(pt_run *r, i64 part, i64 row, i64 column) {
  i64 together = is_whole_row(r, (i32)part) ? r->row_images : SITE_IMAGES;
  for (i64 b = 0; b < r->batch; b += together)
    r->level->execute(r, r->first_step[part], r->first_step[part + 1], row, column, b, smaller(b + together, r->batch));
}

pt_run *pt_begin(const void *bytes, int64_t batch, int64_t height, int64_t width, int32_t by_rows, int32_t shared,
                 const int32_t *const *inputs, void *workspace, int32_t level) {
  arena a = {0, 0, 0};
  i64 size = lay_out(&a, bytes, batch, height, width, by_rows, shared, 0, 0);
  const pt_level *chosen = level_of(level);
  if (size < 0 || !chosen) return 0;
  for (i64 i = 0; i < size / 8; i++) ((u64 *)workspace)[i] = 0;
  a = (arena){workspace, 0, 0};
  lay_out(&a, bytes, batch, height, width, by_rows, shared, inputs, chosen);
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
