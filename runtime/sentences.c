/* Sentences on rules that cannot be met; see sentences.h. No library, no allocation. */
#include "sentences.h"

#include "solver.h"

void pt_add_text(char **at, const char *end, const char *text) {
  while (*text && *at < end) *(*at)++ = *text++;
  **at = 0;
}

void pt_add_number(char **at, const char *end, int64_t number) {
  char digits[24], *first = digits + 23;
  uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
  for (*first = 0; left || !*first; left /= 10) *--first = (char)('0' + left % 10);
  if (number < 0) *--first = '-';
  pt_add_text(at, end, first);
}

void pt_failures_begin(pt_failures *f, int64_t count) {
  f->count = count;
  for (int64_t i = 0; i <= count; i++) f->failed[i] = 0, f->order[i] = INT64_MAX;
}

void pt_failures_add(pt_failures *f, const int64_t *state) {
  int64_t check = state[PT_BROKEN] < 0 ? f->count : state[PT_BROKEN], tries = 0;
  for (int64_t i = 0; i <= f->count; i++) tries += f->failed[i];
  if (!f->failed[check]++) f->order[check] = tries;
}

int64_t pt_failures_most(const pt_failures *f) {
  int64_t most = f->count;
  for (int64_t i = 0; i <= f->count; i++)
    if (f->failed[i] > f->failed[most] || (f->failed[i] == f->failed[most] && f->order[i] < f->order[most])) most = i;
  return most;
}
