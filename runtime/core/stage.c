/* The stage of archives: a second likelihood, which learns as it reads. Part of pointillist.c.

   A level is as many decisions as the number of levels has bits, each whether it is at least the middle of the range that is
   left. The model says s = log2(up / down), of the frequencies above and below the middle; the stage adds what each of its
   contexts has learned, b + w s, and learns from the outcome. Logarithms count 2^-12, b and w 2^-16, as probabilities do. */

enum {
  TERMS = 11, PLACES = 15, CONTEXTS = 175,    /* terms of a decision; places of its middle, and the most contexts of a term */
  SURE = 16 << 12,                           /* logarithm of a decision that is all but certain */
  LARGEST = 1 << 20,                         /* b or w */
  STATE = TERMS * CONTEXTS * PLACES * 2,     /* numbers that are learned of a channel */
};
_Static_assert(PT_LEARNED == 3 * STATE, "the stage learns so many numbers");

/* Classes of a number, -most to most from 0 on: 0, 1, 2, 3 and two an octave; 0 and one for two octaves. */
INLINE i64 bits_of(i64 x) { return x ? 64 - __builtin_clzll((u64)x) : 0; }
static __attribute__((noinline)) i64 fine(i64 x, i64 most) {
  i64 a = magnitude(x), n = bits_of(a), k = smaller(a < 4 ? a : 2 * n - 2 + (a >> (n - 2) & 1), most);
  return x < 0 ? most - k : most + k;
}
static __attribute__((noinline)) i64 coarse(i64 x, i64 most) {
  i64 k = smaller((bits_of(magnitude(x)) + 1) >> 1, most);
  return x < 0 ? most - k : most + k;
}

/* Where a pixel lies: its column from the end where its row begins, and the step back to the one before. */
typedef struct { i64 row, column, width, at, back; } location;

/* Read W, N, NW, NE, WW and NN in a plane; beyond the edge stands the nearest of them. */
static __attribute__((noinline)) void neighbours(const i64 *x, const location *l, i64 none, i64 *v) {
  const i64 *here = x + l->at;
  v[0] = l->column ? here[l->back] : l->row ? here[-l->width] : none;
  v[1] = l->row ? here[-l->width] : v[0];
  v[2] = l->row && l->column ? here[l->back - l->width] : v[1];
  v[3] = l->row && l->column + 1 < l->width ? here[-l->back - l->width] : v[1];
  v[4] = l->column > 1 ? here[2 * l->back] : v[0];
  v[5] = l->row > 1 ? here[-2 * l->width] : v[1];
}

/* Set the context of each term of a sub-pixel from what is known around it: planes [c, h, w] of levels and of errors, which are
   levels less medians. */
static void look(const i64 *levels, const i64 *errors, i64 plane, i64 channel, i64 channels, const location *l, i64 median, i64 *context) {
  i64 x[6], e[6], o[6], y[6], last = 0, first = 0, sum = 0, weight = 14;
  neighbours(levels + channel * plane, l, median, x);
  neighbours(errors + channel * plane, l, 0, e);
  neighbours(errors + (channel ? channel - 1 : channels - 1) * plane, l, 0, o);
  _Pragma("GCC unroll 1") for (i64 i = 0; i < 6; i++) x[i] -= median, sum += magnitude(e[i]) * (i < 2 ? 4 : i < 4 ? 2 : 1);
  i64 slope[4] = {x[0] - x[4], x[1] - x[5], e[2] - x[2], e[3] - x[3]};
  if (channel) {
    const i64 *before = levels + (channel - 1) * plane;
    neighbours(before, l, before[l->at], y);
    _Pragma("GCC unroll 1") for (i64 i = 0; i < 4; i++) slope[i] = before[l->at] - y[i];
    last = errors[(channel - 1) * plane + l->at], sum += 6 * magnitude(last), weight += 6;
  }
  if (channel > 1) first = errors[l->at], sum += 3 * magnitude(first), weight += 3;
  i64 energy = fine(4 * sum / weight, 15) - 15;
  context[0] = energy;
  context[1] = coarse(x[0], 4) * 9 + coarse(x[1], 4);
  context[2] = coarse(last, 4) * 9 + coarse(channel > 1 ? first : e[0], 4);
  context[3] = coarse((2 * e[0] + 2 * e[1] + e[2] + e[3]) >> 2, 3) * 8 + (energy >> 1);
  context[4] = coarse(x[2], 2) * 25 + coarse(x[3], 2) * 5 + coarse(2 * x[1] - x[5], 2);
  context[5] = coarse(x[0] + x[1] - x[2], 3) * 25 + coarse(e[0], 2) * 5 + coarse(e[1], 2);
  context[6] = coarse(x[0] + slope[0], 4) * 9 + coarse(x[1] + slope[1], 4);
  context[7] = coarse(x[2] + slope[2], 4) * 9 + coarse(x[3] + slope[3], 4);
  context[8] = coarse(last, 3) * 8 + (energy >> 1);
  context[9] = coarse(x[4], 2) * 25 + coarse(x[5], 2) * 5 + coarse(e[0] + e[1], 2);
  context[10] = coarse(o[0] + o[1] + last, 3) * 25 + coarse(e[0] + e[1], 2) * 5 + coarse(x[0] + x[1], 2);
}

/* Find the terms of a decision, before so many others, and return its logarithm. */
static i64 weigh_decision(i32 *state, const i64 *context, i64 distance, i64 left, i64 s, i32 **terms) {
  i64 place = fine(distance, PLACES / 2), sum = s * 65536;
  _Pragma("GCC unroll 1") for (i64 k = 0; k < TERMS; k++) { /* unrolled it is 2 kB, and no faster */
    terms[k] = state + 2 * ((k * CONTEXTS + context[k] + (k ? 0 : 16 * smaller(left, 4))) * PLACES + place);
    sum += terms[k][0] * 4096ll + terms[k][1] * s;
  }
  return smaller(larger(sum >> 16, -SURE), SURE);
}

INLINE i32 moved(i32 x, i64 by) { return (i32)smaller(larger(x + by, -LARGEST), LARGEST); }
static void learn(i32 **terms, i64 s, i64 is_above, i64 probability) {
  i64 error = (is_above << 16) - probability, b = (15 * error + 512) >> 10, w = (error * s + (1 << 19)) >> 20;
  _Pragma("GCC unroll 1") for (i64 k = 0; k < TERMS; k++) terms[k][0] = moved(terms[k][0], b), terms[k][1] = moved(terms[k][1], w);
}

/* floor(2^16 / (1 + 2^-x)), of at least 1. */
static i64 probability_of(const i32 *exp2, i64 x) {
  i64 a = magnitude(x), p = (1ll << 46) / ((1 << 30) + (read_table(exp2, (a << 8) & ((1 << 20) - 1), 20) >> (a >> 12)));
  return x < 0 ? (1 << 16) - p : p;
}

/* The logarithm of a number of places, in 2^-20. */
static __attribute__((noinline)) i64 logarithm(const pt_run *r, i64 places) { return log2_of(constant(&r->p, r->p.header[H_LOG2]), places); }

/* Where a level starts, by the cumulative frequencies of a table or by its interval. */
static __attribute__((noinline)) i64 start_of(const pt_run *r, const i32 *params, const i64 *pixel, i64 c, i64 level) {
  i64 interval[2];
  if (level == r->p.header[H_LEVELS]) return 1ll << r->p.header[H_PRECISION];
  if (!has_intervals(r->p.header)) return level ? r->weights[level - 1] : 0;
  r->level->digits(&r->p, params, pixel, r->height * r->width, c, level, 0, interval, r->parts);
  return interval[0];
}

/* Decode a level of an image [c, h, w] by its decisions, or code what it is: of each decision the size of its interval in 2^16, which is the
   last one if it is above and else, with its sign turned, the first. Set its error, and add
   to `bits` what it takes without the stage, in 2^-20; return it. `learned`: `STATE` numbers of each channel, of which those from the third on have the same. */
static i64 learn_level(pt_run *r, pt_decoder *d, i32 **decisions, const i32 *params, i64 *levels, i64 *errors, i32 *learned, volatile i64 *bits, i64 row, i64 column, i64 c) {
  const i32 *h = r->p.header, *exp2 = constant(&r->p, h[H_EXP2]);
  i64 plane = r->height * r->width, at = row * r->width + column, left = bits_of(h[H_LEVELS] - 1), low = 0, median = 0, context[TERMS];
  i64 turns = h[H_S_CURVE] && (row & 1), *pixel = levels + at;
  if (!has_intervals(h)) {
    r->level->frequencies(&r->p, params, pixel, plane, c, r->weights, r->parts);
    for (i64 k = 1; k < h[H_LEVELS]; k++) r->weights[k] += r->weights[k - 1];
  }
  for (i64 step = 1ll << (left - 1); step > 0; step >>= 1)
    if (median + step < h[H_LEVELS] && 2 * start_of(r, params, pixel, c, median + step) <= 1ll << h[H_PRECISION]) median += step;
  location l = {row, turns ? r->width - 1 - column : column, r->width, at, turns ? 1 : -1};
  look(levels, errors, plane, c, h[H_CHANNELS], &l, median, context);
  while (left-- > 0) {
    i64 middle = low + (1ll << left), above, first, here, last, s, sum, p;
    i32 *terms[TERMS];
    if (middle >= h[H_LEVELS]) continue;
    first = start_of(r, params, pixel, c, low), here = start_of(r, params, pixel, c, middle);
    last = start_of(r, params, pixel, c, smaller(low + (2ll << left), h[H_LEVELS]));
    s = smaller(larger((logarithm(r, last - here) - logarithm(r, here - first)) >> 8, -SURE), SURE);
    sum = weigh_decision(learned + smaller(c, 2) * STATE, context, middle - median, left, s, terms);
    p = probability_of(exp2, sum);
    above = d ? place_of(d) >> 8 >= (1 << 16) - p : pixel[c * plane] >= middle;
    if (d && d->is_wrong) return 0;
    i64 below = (1 << 16) - p;
    if (d) consume(d, above ? below << 8 : 0, (above ? p : below) << 8);
    else *(*decisions)++ = (i32)(above ? p : -below);
    learn(terms, s, above, p);
    if (above) low = middle;
  }
  if (bits) *bits += ((i64)h[H_PRECISION] << 20) - logarithm(r, start_of(r, params, pixel, c, low + 1) - start_of(r, params, pixel, c, low));
  errors[c * plane + at] = low - median;
  return low;
}
