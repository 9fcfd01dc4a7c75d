/* Sentences on rules that cannot be met, in the words of Python: for maps.c and rules.c. */
#ifndef POINTILLIST_SENTENCES_H
#define POINTILLIST_SENTENCES_H
#include <stdint.h>

enum { PT_SENTENCE = 512 };

/* Append to a sentence, up to its last byte `end`. */
void pt_add_text(char **at, const char *end, const char *text);
void pt_add_number(char **at, const char *end, int64_t number);

/* How often each of `count` checks failed, and since when; and after them dead ends: [count + 1]. */
typedef struct {
  int64_t count, *failed, *order;
} pt_failures;
void pt_failures_begin(pt_failures *failures, int64_t count);

/* Count the failure of an image that is not alive. */
void pt_failures_add(pt_failures *failures, const int64_t *state);

/* Return the check that failed most often, of several the first one; `count`: dead ends. */
int64_t pt_failures_most(const pt_failures *failures);
#endif
