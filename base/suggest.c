/* suggest.c - optimal string alignment distance over a handful of words. */
#include "base/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define LONGEST 64 /* nobody mistypes a longer word in a way that we could tell */

static int fold(char c)
{
	return tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows are enough: this one, the one before, and the one before that for transpositions. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][LONGEST + 1];

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t differs = fold(a[i - 1]) != fold(b[j - 1]);
			now[j] = least(before[j - 1] + differs, least(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				now[j] = least(now[j], older[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

const char *suggest(const char *got, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX, len = strnlen(got, LONGEST + 1);

	if (len > LONGEST)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t word_len = strnlen(words[i], LONGEST + 1);
		if (word_len > LONGEST)
			continue;
		size_t far = distance(got, len, words[i], word_len);
		size_t allowed = (len > word_len ? len : word_len) / 3;
		if (far <= (allowed ? allowed : 1) && far < best_distance) {
			best = words[i];
			best_distance = far;
		}
	}
	return best;
}
