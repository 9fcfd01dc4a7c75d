/* Decoding: levels from the words of an archive. Part of pointillist.c. */

/* The range decoder of the format of archives: a symbol is an interval of 2^24, and its place in it
   (point - lower) / (range / 2^24). In messages, which are any bits, places share out what is left of the range. */
static void take_word(pt_decoder *d) {
  d->point = d->point << 32 | (d->next < d->count ? d->words[d->next] : 0);
  d->next++;
}

void pt_decoder_begin(pt_decoder *d, const uint32_t *words, int64_t count) {
  *d = (pt_decoder){words, count, 0, 0, UINT64_MAX, 0, 0, 0};
  take_word(d);
  take_word(d);
}

/* Where a place begins in a range; `rest` masks what is left of it: all of 24 bits, or none in archives. */
INLINE u64 begin_of(u64 range, u64 rest, u64 place) { return (range >> 24) * place + ((range & rest) * place >> 24); }

/* Return the place of the next symbol; after an error 0. */
static i64 place_of(pt_decoder *d) {
  u64 scale = d->range >> 24, at = d->point - d->lower, target = at / scale, below;
  while (d->rest && (below = begin_of(d->range, d->rest, target)) > at) target -= (below - at + scale) / (scale + 1);
  d->is_wrong |= target >> 24 != 0;
  return d->is_wrong ? 0 : (i64)target;
}

static void consume(pt_decoder *d, i64 start, i64 size) {
  u64 below = begin_of(d->range, d->rest, (u64)start);
  d->lower += below;
  d->range = begin_of(d->range, d->rest, (u64)(start + size)) - below;
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

/* The stage, in stage.c. */
static i64 learn_level(pt_run *r, pt_decoder *d, i32 **decisions, const i32 *params, i64 *levels, i64 *errors, i32 *learned, volatile i64 *bits, i64 row, i64 column, i64 c);

/* Decode the level of a channel of a site. */
static i64 decode_level(pt_run *r, pt_decoder *d, const i32 *params, const i64 *pixel, i64 c) {
  i64 by = 24 - r->p.header[H_PRECISION], target = place_of(d) >> by, interval[2];
  if (d->is_wrong) return 0;
  i64 level = find_level(r, params, pixel, c, -1, target, interval);
  consume(d, interval[0] << by, interval[1] << by);
  return level;
}

/* Images, whose pixels are decoded where they are coded, each by its decoder, or coded by none. With the stage there are errors. */
typedef struct {
  i64 *levels;
  const u8 *coded;
  pt_decoder *decoders;
  const i64 *decoder_of;
  i64 *errors;
  i32 *learned;
  i32 *decisions;
  volatile i64 *bits;
} decoding;

static void decode_levels(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last) {
  decoding *d = how;
  i64 plane = r->height * r->width, size = plane * r->p.header[H_CHANNELS], at = row * r->width + column;
  for (i64 c = first; c < last; c++)
    for (i64 b = 0; b < r->batch; b++) {
      i64 *image = d->levels + b * size, number = d->decoders ? d->decoder_of[b] : 0;
      pt_decoder *decoder = d->decoders ? d->decoders + number : 0;
      const i32 *params = params_at(r, b, column);
      if (!d->coded[b * plane + at] || (decoder && decoder->is_wrong)) continue;
      image[at + c * plane] = d->errors ? learn_level(r, decoder, &d->decisions, params, image, d->errors + b * size, d->learned + number * PT_LEARNED, d->bits, row, column, c)
                                        : decode_level(r, decoder, params, image + at, c);
    }
}

int64_t pt_decode(pt_run *r, int64_t *levels, const uint8_t *coded, pt_decoder *decoders, const int64_t *decoder_of, int64_t *errors,
                  int32_t *learned, int32_t *decisions, volatile int64_t *signal) {
  decoding d = {levels, coded, decoders, decoder_of, errors, learned, decisions, signal ? signal + 2 : 0};
  for (i64 row = 0; row < r->height && visit_row(r, row, r->batch, levels, 0, decode_levels, &d, signal); row++) signal[1] = row + 1;
  return d.decisions - decisions;
}
