/* The distribution of a level: from parameters to frequencies. Part of pointillist.c.

   Of the logits l_k, in steps of 2^-8, m their maximum, E the table of 2^24 exp(-i / 256) and P the precision:
   e_k = E[m - l_k];  r = floor(2^(P + 32) / sum of e);  f_k = max(1, floor(e_k r / 2^32)),
   and the first largest f_k takes what is missing to 2^P. */

/* The digits of a level in two factors: how many low ones, and how many high ones. */
INLINE i64 low_digits(i64 levels) {
  i64 low = 1;
  while (low * low < levels) low++;
  return low;
}
INLINE i64 high_digits(i64 levels, i64 low) { return (levels + low - 1) / low; }

/* Numbers of 64 bits that the distribution computes with: of each component, and the edges of digits. */
static i64 parts_of(const i32 *h) { return 4 * ((i64)h[H_MIXTURES] + 1) + 2 * (DIGITS + 1); }

/* The tables of the distribution, and room for its parameters. */
static int check_head(const program *p) {
  const i32 *h = p->header;
  i64 c = h[H_CHANNELS], levels = h[H_LEVELS], m = h[H_MIXTURES], steps = h[H_SUB_STEPS], due = 0;
  if (c < 1 || c > 1024 || levels < 2 || levels > 1 << 16 || m < 0 || m > 1024) return 0;
  if (h[H_PRECISION] < 8 || h[H_PRECISION] > 24 || levels > 1 << h[H_PRECISION]) return 0;
  if (steps < 1 || c % steps || h[H_WIDTH_OF_LEVEL] < 1 || h[H_WIDTH_OF_LEVEL] > MOST) return 0;
  if ((p->maps[0] != INT8 && p->maps[0] != INT32) || p->maps[1] != c * h[H_WIDTH_OF_LEVEL] || p->maps[2]) return 0;
  if (p->maps[0] == INT32 ? h[H_WIDTH_OF_LEVEL] != 1 : !is_constant(p, h[H_VALUES], INT8, levels * h[H_WIDTH_OF_LEVEL])) return 0;
  if (!is_constant(p, h[H_EXP], INT32, 0) || !in_range(p, h[H_EXP], 0, 1 << 24)) return 0;
  if (((const i32 *)constant(p, h[H_EXP]))[0] < 1) return 0;
  if (!is_constant(p, h[H_LOG2], INT32, 257) || !in_range(p, h[H_LOG2], 0, 1 << 20)) return 0;
  if (!is_constant(p, h[H_EXP2], INT32, 257) || !in_range(p, h[H_EXP2], 1, 1 << 30)) return 0;
  if (h[H_KIND] == BERNOULLI) due = levels == 2 ? c : -1;
  if (h[H_KIND] == CATEGORICAL) due = c * levels;
  if (h[H_KIND] == MIXTURE) {
    if (m < 1 || !is_constant(p, h[H_SIGMOID], INT32, 0) || !in_range(p, h[H_SIGMOID], 0, 1 << 24)) return 0;
    if (!is_constant(p, h[H_TANH], INT32, 0) || !in_range(p, h[H_TANH], -(1 << 16), 1 << 16)) return 0;
    if (!is_constant(p, h[H_INVERSE], INT32, 0) || !in_range(p, h[H_INVERSE], 0, INT32_MAX)) return 0;
    if (count_of(p, h[H_INVERSE]) <= 8 * 256 || count_of(p, h[H_INVERSE]) > 24 * 256 + 1) return 0; /* the last is of 8 */
    if (count_of(p, h[H_SIGMOID]) < 3 || count_of(p, h[H_TANH]) < 3) return 0;
    const i32 *s = constant(p, h[H_SIGMOID]);
    for (i64 i = 1; i < count_of(p, h[H_SIGMOID]); i++)
      if (s[i] < s[i - 1]) return 0;
    due = m * (1 + 2 * c + c * (c - 1) / 2);
  }
  if (h[H_KIND] == FACTORED) {
    if (m < 1 || ((const i32 *)constant(p, h[H_EXP]))[0] != 1 << 24) return 0; /* no sum of shares is 0 then */
    due = c * m * (1 + low_digits(levels) + high_digits(levels, low_digits(levels)));
  }
  const i32 operation[OPERATION] = {[O_PART] = POST}, *params = h + H_PARAMS;
  return due > 0 && is_operand(p, operation, params) && !is_narrow(p, params) && params[3] >= due;
}

INLINE i64 softmax_weights(const i32 *logits, i64 levels, const i32 *exp, i64 last, i64 *restrict weights) {
  i32 largest = logits[0];
  i64 total = 0;
  for (i64 k = 1; k < levels; k++) largest = logits[k] > largest ? logits[k] : largest;
  for (i64 k = 0; k < levels; k++) {
    i64 below = (i64)largest - logits[k];
    weights[k] = exp[below < last ? below : last];
    total += weights[k];
  }
  return total;
}

/* A table of odd length at an argument in steps of 2^-16, 0 in its middle, by linear interpolation. Two entries are one load of
   64 bits, and products have factors of 32 bits, which vectors of 512 bits multiply in one operation instead of three. */
INLINE i64 interpolate(const i32 *table, i64 size, i64 x) {
  i64 place = smaller(larger(x + size / 2 * 256, 0), (size - 1) * 256), index = smaller(place >> 8, size - 2), both;
  i32 inside = (i32)(place - index * 256);
  __builtin_memcpy(&both, table + index, sizeof both);
  return ((i64)(i32)both * (256 - inside) + (both >> 32) * inside) >> 8;
}

/* A mixture of logistics. Positions count levels in steps of 2^-17. With S the table of 2^24 sigmoid, I that of
   2^24 exp(-log scale) 2 / (levels - 1), and z_m(k) = floor(((k + 1/2) 2^17 - mean_m) I_m / 2^25):
   C(k) = sum over m of w_m S(z_m(k)), and the weight of level k is floor(C(k) / 2^24) - floor(C(k - 1) / 2^24).
   Beyond 256 levels means count 2^-22 and positions 2^-9 of a level, and no table is made: level k starts at
   k + floor(floor(C(k - 1) / 2^24) (2^P - levels) / sum of w). */
enum { MANY = 256 };
typedef struct {
  const i32 *exp, *sigmoid, *tanh, *inverse, *params;
  i64 exp_last, sigmoid_size, tanh_size, inverse_last, m, channels, top, fine, unit; /* bits of a mean, and of a position */
  i64 *weight, *mean, *scale;
} mixture;

/* Set the position of the mean and the inverse scale of each component of a channel. */
INLINE void place(const mixture *x, const i64 *pixel, i64 stride, i64 channel) {
  const i32 *p = x->params, *first = p + x->m * (1 + 2 * x->channels + channel * (channel - 1) / 2);
  for (i64 i = 0; i < x->m; i++) {
    i64 position = (((i64)p[x->m * (1 + channel) + i] + (1ll << x->fine)) * x->top) >> (x->fine + 1 - x->unit);
    for (i64 before = 0; before < channel; before++)
      position += (interpolate(x->tanh, x->tanh_size, first[x->m * before + i]) * (2 * pixel[before * stride] - x->top)) >> (17 - x->unit);
    i64 index = (i64)p[x->m * (1 + x->channels + channel) + i] + x->inverse_last - 8 * 256;
    x->mean[i] = position, x->scale[i] = x->inverse[smaller(larger(index, 0), x->inverse_last)];
  }
}

/* 2^24 times the CDF of a component at the edge above a level. */
INLINE i64 edge(const mixture *x, i64 i, i64 level) {
  i64 distance = smaller(larger((level << x->unit) + (1ll << (x->unit - 1)) - x->mean[i], -(1 << 28)), 1 << 28);
  return interpolate(x->sigmoid, x->sigmoid_size, ((i64)(i32)distance * (i32)x->scale[i]) >> (x->unit + 8));
}

/* The levels above which the edge of a component is neither the first entry of the table nor the last: `low` to `high` - 1. At
   that distance from the mean the product with the scale is beyond the table, or it is cut before it comes there. */
INLINE void rise(const mixture *x, i64 i, i64 *low, i64 *high) {
  i64 scale = x->scale[i], reach = scale > 0 ? ((x->sigmoid_size / 2) << (x->unit + 16)) / scale + 1 : 1ll << 40;
  i64 middle = x->mean[i] - (1ll << (x->unit - 1));
  *low = 0, *high = x->top;
  if (reach > 1 << 28) return;
  *low = smaller(larger(((middle - reach) >> x->unit) + 1, 0), x->top);
  *high = smaller(larger(-((-middle - reach) >> x->unit), *low), x->top);
}

/* The weights of the components: those of a softmax, times what each gave to the levels of the channels before. */
INLINE void weigh(const mixture *x, const i64 *pixel, i64 stride, i64 channel) {
  softmax_weights(x->params, x->m, x->exp, x->exp_last, x->weight);
  for (i64 before = 0; before < channel; before++) {
    i64 level = pixel[before * stride], largest = 0, bits = 0;
    place(x, pixel, stride, before);
    for (i64 i = 0; i < x->m; i++) {
      i64 upper = level < x->top ? edge(x, i, level) : 1 << 24, lower = level > 0 ? edge(x, i, level - 1) : 0;
      x->weight[i] *= larger(1, upper - lower);
      largest = larger(largest, x->weight[i]);
    }
    while (largest >> bits > 0) bits++;
    for (i64 i = 0; i < x->m; i++) x->weight[i] >>= larger(0, bits - 25);
  }
}

static __attribute__((noinline)) mixture open_mixture(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *parts) {
  const i32 *h = p->header;
  i64 m = h[H_MIXTURES], levels = h[H_LEVELS], many = levels > MANY;
  mixture x = {constant(p, h[H_EXP]), constant(p, h[H_SIGMOID]), constant(p, h[H_TANH]), constant(p, h[H_INVERSE]), params,
               count_of(p, h[H_EXP]) - 1, count_of(p, h[H_SIGMOID]), count_of(p, h[H_TANH]), count_of(p, h[H_INVERSE]) - 1, m, h[H_CHANNELS], levels - 1,
               many ? 22 : 16, many ? 9 : 17, parts, parts + m, parts + 2 * m};
  weigh(&x, pixel, stride, channel);
  place(&x, pixel, stride, channel);
  return x;
}

/* The start of a level of many; of the number of levels, the end of the last. */
static __attribute__((noinline)) i64 start_of_level(const mixture *x, i64 level, i64 total, i64 places) {
  i64 sum = 0;
  if (level > x->top) return places + level;
  if (level > 0) for (i64 i = 0; i < x->m; i++) sum += x->weight[i] * edge(x, i, level - 1);
  return level + (sum >> 24) * places / total;
}

/* As `digits`, of a mixture of many levels: where a level is to be found, by halving. */
static __attribute__((noinline)) i64 level_of_mixture(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 level, i64 target, i64 *interval, i64 *parts) {
  mixture x = open_mixture(p, params, pixel, stride, channel, parts);
  i64 places = (1ll << p->header[H_PRECISION]) - p->header[H_LEVELS], total = 0;
  for (i64 i = 0; i < x.m; i++) total += x.weight[i];
  if (level < 0) {
    level = 0;
    for (i64 step = 1 << 15; step > 0; step >>= 1)
      if (level + step <= x.top && start_of_level(&x, level + step, total, places) <= target) level += step;
  }
  interval[0] = start_of_level(&x, level, total, places);
  interval[1] = start_of_level(&x, level + 1, total, places) - interval[0];
  return level;
}

/* The frequencies of all of many levels. Far from the components each level has its one place, so pieces are tried that
   double in length: one whose end is as many places on as it has levels needs no other edge. One function for all kernels: it
   is seldom called, and long. */
static __attribute__((noinline)) void mixture_frequencies(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *restrict result, i64 *parts) {
  mixture x = open_mixture(p, params, pixel, stride, channel, parts);
  i64 levels = p->header[H_LEVELS], places = (1ll << p->header[H_PRECISION]) - levels, total = 0, start = 0, count = 1;
  for (i64 i = 0; i < x.m; i++) total += x.weight[i];
  for (i64 k = 0; k < levels;) {
    i64 size, end;
    count = smaller(count, levels - k);
    end = start_of_level(&x, k + count, total, places), size = end - start;
    if (size != count && count > 1) {
      count >>= 1;
      continue;
    }
    for (i64 j = 0; j < count; j++) result[k + j] = count == 1 ? size : 1;
    k += count, start = end, count = size == count ? 2 * count : 1;
  }
}

INLINE i64 mixture_weights(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *restrict result, i64 *parts) {
  const mixture x = open_mixture(p, params, pixel, stride, channel, parts);
  i64 m = x.m, levels = x.top + 1, total = 0, before = 0;
  for (i64 k = 0; k < levels; k++) result[k] = 0;
  for (i64 i = 0; i < m; i++) {
    i64 weight = x.weight[i], low, high;
    total += weight;
    rise(&x, i, &low, &high);
    low &= ~(i64)7, high = smaller((high + 7) & ~(i64)7, levels - 1); /* whole vectors: the edges around are those of the ends */
    for (i64 k = 0; k < low; k++) result[k] += weight * x.sigmoid[0];
    for (i64 k = low; k < high; k++) result[k] += (i64)(i32)weight * (i32)edge(&x, i, k); /* both of 32 bits */
    for (i64 k = high; k < levels - 1; k++) result[k] += weight * x.sigmoid[x.sigmoid_size - 1];
  }
  for (i64 k = 0; k < levels - 1; k++) {
    i64 below = result[k] >> 24;
    result[k] = below - before;
    before = below;
  }
  result[levels - 1] = total - before;
  return total;
}

/* Frequencies in proportion to weights: at least 1 each (or 0 where a weight is 0), and 2^precision in all. */
INLINE void normalise_weights(i64 *restrict result, i64 levels, i64 total, i64 precision, int zeros) {
  i64 ratio = (1ll << (precision + 32)) / total, most = -1, best = 0, missing = 1ll << precision;
  for (i64 k = 0; k < levels; k++) {
    result[k] = zeros && !result[k] ? 0 : larger(1, (result[k] * ratio) >> 32);
    missing -= result[k];
    most = larger(most, result[k]);
  }
  while (result[best] != most) best++;
  result[best] += missing;
}

/* A level in two factors, h L + l, under components i: exponentials e_i(k) of the logits of a digit, which has the share
   s_i(k) = floor(e_i(k) floor(2^56 / sum of e_i) / 2^32). With weights w of the components, the sums
   A_k = floor(sum over i of w_i s_i(k) / 2^24) divide `places` numbers, of which each level of a digit has one beforehand:
   edge k = levels before k + floor((A_0 + .. + A_(k-1)) (places - levels) / sum of A). */
typedef struct {
  const i32 *exp, *params;
  i64 last, m, low, high, levels, places;
  i64 *weight, *within, *ratio, *top; /* of each component: its weight, the same given a high digit, and of its high digits */
  i64 *highs, *lows;                  /* edges */
} factors;

INLINE i64 exponential(const factors *f, i64 below) { return f->exp[below < f->last ? below : f->last]; }

/* The largest of `n` logits of a component, and floor(2^56 / sum of their exponentials). */
INLINE void ratio_of(const factors *f, const i32 *logits, i64 n, i64 *top, i64 *ratio) {
  i64 largest = logits[0], sum = 0;
  for (i64 k = 1; k < n; k++) largest = larger(largest, logits[k]);
  for (i64 k = 0; k < n; k++) sum += exponential(f, largest - logits[k]);
  *top = largest, *ratio = (1ll << 56) / sum;
}

/* Set the edges of `n` digits of `each` levels, but for the last, of `levels` in all. */
INLINE void set_edges(const factors *f, const i32 *logits, i64 stride, i64 n, i64 each, i64 levels, i64 places, const i64 *weight,
                      i64 *tops, i64 *ratios, i64 *restrict edges) {
  for (i64 k = 0; k <= n; k++) edges[k] = 0;
  for (i64 i = 0; i < f->m; i++, logits += stride) {
    i64 top, ratio;
    ratio_of(f, logits, n, &top, &ratio);
    if (tops) tops[i] = top, ratios[i] = ratio;
    for (i64 k = 0; k < n; k++) edges[k + 1] += weight[i] * ((exponential(f, top - logits[k]) * ratio) >> 32);
  }
  for (i64 k = 0; k < n; k++) edges[k + 1] = edges[k] + (edges[k + 1] >> 24);
  i64 sum = edges[n];
  for (i64 k = 1; k <= n; k++) edges[k] = (k < n ? k * each : levels) + edges[k] * (places - levels) / sum;
}

INLINE factors open_factors(const program *p, const i32 *params, i64 channel, i64 *parts) {
  const i32 *h = p->header;
  i64 m = h[H_MIXTURES], low = low_digits(h[H_LEVELS]), high = high_digits(h[H_LEVELS], low);
  factors f = {constant(p, h[H_EXP]), params + channel * m * (1 + low + high), count_of(p, h[H_EXP]) - 1, m, low, high, h[H_LEVELS],
               1ll << h[H_PRECISION], parts, parts + m, parts + 2 * m, parts + 3 * m, parts + 4 * m, parts + 4 * m + DIGITS + 1};
  softmax_weights(f.params, m, f.exp, f.last, f.weight);
  set_edges(&f, f.params + m, high, high, low, f.levels, f.places, f.weight, f.top, f.ratio, f.highs);
  return f;
}

/* Set the edges of the low digits of a high one, counted from its own; return how many there are. */
INLINE i64 open_digit(const factors *f, i64 digit) {
  i64 n = digit < f->high - 1 ? f->low : f->levels - digit * f->low, largest = 0, bits = 0;
  for (i64 i = 0; i < f->m; i++) {
    i64 logit = f->params[f->m + i * f->high + digit], share = (exponential(f, f->top[i] - logit) * f->ratio[i]) >> 32;
    f->within[i] = f->weight[i] * larger(1, share);
    largest = larger(largest, f->within[i]);
  }
  while (largest >> bits > 0) bits++;
  for (i64 i = 0; i < f->m; i++) f->within[i] >>= larger(0, bits - 25);
  set_edges(f, f->params + f->m * (1 + f->high), f->low, n, 1, n, f->highs[digit + 1] - f->highs[digit], f->within, 0, 0, f->lows);
  return n;
}

/* The frequencies of all levels in two factors. */
INLINE void factored_frequencies(const program *p, const i32 *params, i64 channel, i64 *restrict result, i64 *parts) {
  factors f = open_factors(p, params, channel, parts);
  for (i64 digit = 0; digit < f.high; digit++) {
    i64 n = open_digit(&f, digit);
    for (i64 k = 0; k < n; k++) result[digit * f.low + k] = f.lows[k + 1] - f.lows[k];
  }
}

/* Set the start and the frequency of a level in two factors, or, where it is below 0, find the one whose interval holds
   `target`; return the level. */
INLINE i64 digits(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 level, i64 target, i64 *interval, i64 *parts) {
  if (p->header[H_KIND] == MIXTURE) return level_of_mixture(p, params, pixel, stride, channel, level, target, interval, parts);
  factors f = open_factors(p, params, channel, parts);
  i64 digit = level < 0 ? 0 : level / f.low, k = level < 0 ? 0 : level - digit * f.low;
  if (level < 0) while (digit < f.high - 1 && f.highs[digit + 1] <= target) digit++;
  i64 n = open_digit(&f, digit), start = f.highs[digit];
  if (level < 0) while (k < n - 1 && start + f.lows[k + 1] <= target) k++;
  interval[0] = start + f.lows[k], interval[1] = f.lows[k + 1] - f.lows[k];
  return digit * f.low + k;
}

/* True if levels are found in their intervals, as a table of all of them is not made. */
INLINE int has_intervals(const i32 *h) { return h[H_KIND] == FACTORED || (h[H_KIND] == MIXTURE && h[H_LEVELS] > MANY); }

/* The frequencies of the levels of a channel: at least 1 each, 2^precision in all. `stride`: from channel to channel. */
INLINE void frequencies(const program *p, const i32 *params, const i64 *pixel, i64 stride, i64 channel, i64 *restrict result, i64 *parts) {
  const i32 *h = p->header, *exp = constant(p, h[H_EXP]);
  i64 levels = h[H_LEVELS], total, last = count_of(p, h[H_EXP]) - 1;
  if (h[H_KIND] == FACTORED) {
    factored_frequencies(p, params, channel, result, parts);
    return;
  }
  if (h[H_KIND] == MIXTURE && levels > MANY) {
    mixture_frequencies(p, params, pixel, stride, channel, result, parts);
    return;
  }
  if (h[H_KIND] == MIXTURE) {
    total = mixture_weights(p, params, pixel, stride, channel, result, parts);
  } else if (h[H_KIND] == BERNOULLI) {
    const i32 logits[2] = {0, params[channel]};
    total = softmax_weights(logits, 2, exp, last, result);
  } else {
    total = softmax_weights(params + channel * levels, levels, exp, last, result);
  }
  normalise_weights(result, levels, total, h[H_PRECISION], 0);
}

#if X86
/* A bit for each of the up to 16 channels from j on. */
INLINE u32 mask_of(i64 n, i64 j) { return n - j >= COLUMNS ? 0xFFFF : (1u << (n - j)) - 1; }

/* `find` by softmax: with frequencies of 32 bits, which are added one by one among 16 levels alone. Return -1 where the
   ratio does not fit in 32 bits, or where so many levels have a frequency of 1 that the largest is below 0. `scratch`: a
   number for each level. */
AVX512 static i64 find_512(const i32 *logits, i64 levels, const i32 *exp, i64 last, i64 precision, i64 level, i64 target, i32 *scratch, i64 *interval) {
  const __m512i least = _mm512_set1_epi32(INT32_MIN), one = _mm512_set1_epi32(1), ends = _mm512_set1_epi32((i32)smaller(last, INT32_MAX));
  __m512i largest = least, total = _mm512_setzero_si512(), most = one, sum = total;
  for (i64 k = 0; k < levels; k += COLUMNS) {
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    largest = _mm512_max_epi32(largest, _mm512_mask_loadu_epi32(least, mask, logits + k));
  }
  largest = _mm512_set1_epi32(_mm512_reduce_max_epi32(largest));
  for (i64 k = 0; k < levels; k += COLUMNS) { /* a difference of logits is at most 2^27 */
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    __m512i below = _mm512_sub_epi32(largest, _mm512_maskz_loadu_epi32(mask, logits + k));
    __m512i weights = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask, _mm512_min_epi32(below, ends), exp, 4);
    _mm512_mask_storeu_epi32(scratch + k, mask, weights);
    total = _mm512_add_epi64(total, _mm512_add_epi64(_mm512_srli_epi64(weights, 32), _mm512_and_si512(weights, _mm512_set1_epi64(0xFFFFFFFF))));
  }
  u64 ratio = (1ull << (precision + 32)) / (u64)_mm512_reduce_add_epi64(total);
  if (ratio >> 32) return -1;
  const __m512i by = _mm512_set1_epi64((i64)ratio);
  for (i64 k = 0; k < levels; k += COLUMNS) {
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    __m512i weights = _mm512_maskz_loadu_epi32(mask, scratch + k);
    __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(weights, by), 32), odd = _mm512_mul_epu32(_mm512_srli_epi64(weights, 32), by);
    __m512i numbers = _mm512_maskz_max_epi32(mask, _mm512_mask_blend_epi32(0xAAAA, even, odd), one);
    _mm512_mask_storeu_epi32(scratch + k, mask, numbers);
    most = _mm512_max_epi32(most, numbers), sum = _mm512_add_epi32(sum, numbers);
  }
  i32 best = _mm512_reduce_max_epi32(most), missing = (i32)(1ll << precision) - _mm512_reduce_add_epi32(sum);
  if (best < -missing) return -1; /* cumulative frequencies would not rise */
  i64 start = 0, k = 0, end = level < 0 ? levels - 1 : level;
  for (int is_given = 0; k < levels; k += COLUMNS) { /* the first of the largest takes what is missing */
    __mmask16 mask = (__mmask16)mask_of(levels, k);
    __m512i numbers = _mm512_maskz_loadu_epi32(mask, scratch + k);
    __mmask16 at = _mm512_mask_cmpeq_epi32_mask(mask, numbers, _mm512_set1_epi32(best));
    if (at && !is_given) scratch[k + __builtin_ctz(at)] += missing, numbers = _mm512_maskz_loadu_epi32(mask, scratch + k), is_given = 1;
    i64 here = _mm512_reduce_add_epi32(numbers);
    if (level < 0 ? start + here > target : level < k + COLUMNS) break;
    start += here;
  }
  while (k < end && (level >= 0 || start + scratch[k] <= target)) start += scratch[k++];
  interval[0] = start, interval[1] = scratch[k];
  return k;
}
#endif
