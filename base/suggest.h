/*
 * suggest.h - "did you mean": the nearest of some known words.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/*
 * suggest - the word with the smallest edit distance (with transpositions, case folded), if that is
 * at most a third of the longer word's length, at least 1. Borrowed from words, or NULL.
 */
const char *suggest(const char *got, const char *const *words, size_t n);

#endif
