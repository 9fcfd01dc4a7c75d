/* Decoding: levels from the words of an archive. Part of pointillist.c. */

/* The range decoder of the format of archives: a symbol is an interval of 2^24, and its place in it
   (point - lower) / (range / 2^24). */
static void take_word(pt_decoder *d) {
  d->point = d->point << 32 | (d->next < d->count ? d->words[d->next] : 0);
  d->next++;
}

void pt_decoder_begin(pt_decoder *d, const uint32_t *words, int64_t count) {
  *d = (pt_decoder){words, count, 0, 0, UINT64_MAX, 0, 0};
  take_word(d);
  take_word(d);
}

/* Return the place of the next symbol; after an error 0. */
static i64 place_of(pt_decoder *d) {
  u64 target = (d->point - d->lower) / (d->range >> 24);
  d->is_wrong |= target >> 24 != 0;
  return d->is_wrong ? 0 : (i64)target;
}

static void consume(pt_decoder *d, i64 start, i64 size) {
  u64 scale = d->range >> 24;
  d->lower += scale * (u64)start;
  d->range = scale * (u64)size;
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

/* Decode the level of a channel of a site. */
static i64 decode_level(pt_run *r, pt_decoder *d, const i32 *params, const i64 *pixel, i64 c) {
  i64 by = 24 - r->p.header[H_PRECISION], target = place_of(d) >> by, interval[2];
  if (d->is_wrong) return 0;
  i64 level = find_level(r, params, pixel, c, -1, target, interval);
  consume(d, interval[0] << by, interval[1] << by);
  return level;
}

/* Images, whose pixels are decoded where they are coded, each by its decoder. */
typedef struct {
  i64 *levels;
  const u8 *coded;
  pt_decoder *decoders;
  const i64 *decoder_of;
} decoding;

static void decode_levels(pt_run *r, void *how, i64 row, i64 column, i64 first, i64 last) {
  const decoding *d = how;
  i64 plane = r->height * r->width, at = row * r->width + column;
  for (i64 c = first; c < last; c++)
    for (i64 b = 0; b < r->batch; b++) {
      i64 *pixel = d->levels + b * r->p.header[H_CHANNELS] * plane + at;
      pt_decoder *decoder = d->decoders + d->decoder_of[b];
      if (d->coded[b * plane + at] && !decoder->is_wrong) pixel[c * plane] = decode_level(r, decoder, params_at(r, b, column), pixel, c);
    }
}

void pt_decode(pt_run *r, int64_t *levels, const uint8_t *coded, pt_decoder *decoders, const int64_t *decoder_of, volatile int64_t *signal) {
  decoding d = {levels, coded, decoders, decoder_of};
  for (i64 row = 0; row < r->height && visit_row(r, row, r->batch, levels, 0, decode_levels, &d, signal); row++) signal[1] = row + 1;
}
