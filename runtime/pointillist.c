/* Run integer programs; see pointillist.h. Freestanding C11: no library, no allocation, no global state.

   This file joins files of one idea each, in order; `pointillist.engine.library.runtime_text` writes them as one, which is
   what people drop into a project. solver.c is for rules, particles.c for these and rules, archive.c writes archives.

   A PROGRAM is a block of little-endian numbers of 32 bits, followed by constants:

       header       `HEADER` numbers: what `H_*` name
       buffers      type, channels, scale, phase                          values at a site, in a row, or of an image
       maps         type, channels, scale, up, left, right, above, left   values at every site, of the rows still read
       caches       channels, channels of the keys, heads                 keys and values of attention
       inputs       kind (0 vector, 1 map), channels                      conditions
       operations   `OPERATION` numbers each: what `O_*` name
       taps         row, column                                           neighbours of a site, up and to the left
       constants    type, offset in bytes, count

   A scale s means a grid of every 2^s-th row and column. Integers are NARROW, a byte each, or WIDE, 32 bits and at most
   LIMIT in magnitude. A signed narrow integer x is stored as x + 128, so that a product is always of an unsigned byte and
   a signed weight; what that adds is taken off the bias when the program is made.

       shift(x, s) = floor((x + 2^(s-1)) / 2^s)   for s > 0: to the nearest, halves upwards
       shift(x, s) = x 2^-s                       for s <= 0
*/
#include "pointillist.h"
#include "core/base.c"
#include "core/opcodes.h"
#include "core/head.c"
#include "core/transform.c"
#include "core/check.c"
#include "core/layout.c"
#include "core/products.c"
#include "core/elementwise.c"
#include "core/rows_512.c"
#include "core/mixing.c"
#include "core/attention.c"
#include "core/local_gain.c"
#include "core/instruction_sets.c"
#include "core/run.c"
#include "core/draw.c"
#include "core/decode.c"
#include "core/stage.c"
#include "core/score.c"
#include "solver.c"
#include "particles.c"
#include "archive.c"
#include "core/freestanding.c"
