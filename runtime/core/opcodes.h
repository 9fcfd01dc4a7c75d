/* Likelihoods and opcodes, by tools/make_opcodes.py from the package: do not edit. */
enum { BERNOULLI, CATEGORICAL, MIXTURE, FACTORED };
enum {
  ADD, ATTEND, CONSTANT, COPY, CROSS_ATTEND, GATE, GATHER, INPUT, LINEAR,
  LOOKUP, MAP_CONSTANT, MULTIPLY, NARROW, NORMALISE, OFFSET, PLACE, PREDICT, PROJECT,
  RECTIFIED_LOOKUP, RELU, RESCALE, RMS_NORM, SCALE, SCAN, STORE_KV, UPSAMPLE, CODES
};
static const opcode_rule RULES[CODES] = {
  [ADD] = {2, 2, WORDS, WORDS, 1, 2, {{INT8, OF_Y, -3, 31}, {INT8, OF_Y, -3, 31}}},
  [ATTEND] = {1, 1, BYTES, WORDS, 0, 2, {{INT32, A_TABLE, 0, 16777216}, {INT64, ONE, 0, 0}}},
  [CONSTANT] = {0, 0, ANY, WORDS, 0, 1, {{INT32, OF_Y, -67108864, 67108864}}},
  [COPY] = {1, 1, ANY, ANY, 1, 0, {{0}}},
  [CROSS_ATTEND] = {3, 3, BYTES, WORDS, 0, 3, {{INT32, A_TABLE, 0, 16777216}, {INT64, ONE, 0, 0}, {INT32, ONE, 1, 1048576}}},
  [GATE] = {2, 2, WORDS, ANY, 1, 5, {{INT16, A_TABLE, 0, 0}, {INT16, A_TABLE, 0, 0}, {INT8, OF_Y, -4, 31}, {INT8, OF_Y, -4, 31}, {INT8, OF_Y, -30, 31}}},
  [GATHER] = {0, 0, ANY, ANY, 0, 0, {{0}}},
  [INPUT] = {0, 0, ANY, ANY, 0, 0, {{0}}},
  [LINEAR] = {1, 2, BYTES, WORDS, 0, 0, {{0}}},
  [LOOKUP] = {1, 1, WORDS, WORDS, 1, 2, {{INT32, A_TABLE, -1073741824, 1073741824}, {INT8, OF_Y, -4, 31}}},
  [MAP_CONSTANT] = {0, 0, ANY, WORDS, 0, 1, {{INT32, OF_SITES, -67108864, 67108864}}},
  [MULTIPLY] = {2, 2, WORDS, WORDS, 1, 1, {{INT8, OF_Y, -10, 62}}},
  [NARROW] = {1, 1, WORDS, BYTES, 1, 1, {{INT8, OF_Y, -4, 31}}},
  [NORMALISE] = {3, 3, ANY, ANY, 0, 0, {{0}}},
  [OFFSET] = {1, 1, WORDS, WORDS, 1, 1, {{INT32, OF_Y, -67108864, 67108864}}},
  [PLACE] = {2, 2, ANY, ANY, 0, 0, {{0}}},
  [PREDICT] = {2, 2, ANY, ANY, 0, 0, {{0}}},
  [PROJECT] = {1, 1, WORDS, WORDS, 0, 3, {{INT16, OF_X_AND_Y, 0, 0}, {INT64, OF_Y, 0, 0}, {INT8, OF_Y, -62, 62}}},
  [RECTIFIED_LOOKUP] = {1, 1, WORDS, WORDS, 1, 2, {{INT32, A_TABLE, -1073741824, 1073741824}, {INT8, OF_Y, -4, 31}}},
  [RELU] = {1, 1, WORDS, WORDS, 1, 0, {{0}}},
  [RESCALE] = {1, 1, ANY, WORDS, 1, 1, {{INT8, OF_Y, -22, 31}}},
  [RMS_NORM] = {1, 1, WORDS, WORDS, 0, 3, {{INT16, A_TABLE, 0, 32767}, {INT32, ONE, 1, 1073741824}, {INT8, OF_Y, -20, 24}}},
  [SCALE] = {1, 1, WORDS, WORDS, 1, 2, {{INT16, OF_Y, 0, 0}, {INT8, OF_Y, -10, 62}}},
  [SCAN] = {1, 1, WORDS, WORDS, 0, 0, {{0}}},
  [STORE_KV] = {1, 1, BYTES, ANY, 0, 0, {{0}}},
  [UPSAMPLE] = {0, 0, ANY, ANY, 0, 0, {{0}}},
};
