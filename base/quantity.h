/*
 * quantity.h - amounts as Kubernetes writes them (apimachinery's resource.Quantity grammar:
 * a decimal number, then Ki Mi Gi Ti Pi Ei, or n u m k M G T P E, or e<int>/E<int>).
 */
#ifndef BASE_QUANTITY_H
#define BASE_QUANTITY_H

#include "base/err.h"

/* quantity_to_bytes - a memory amount, rounded up; no sign. ERR_INVALID: syntax or overflow. */
int quantity_to_bytes(int64_t *out, const char *text, struct err *e) MUST_CHECK;
/* quantity_to_milli - a CPU amount in thousandths, rounded up: "2" = 2000, "250m" = 250. */
int quantity_to_milli(int64_t *out, const char *text, struct err *e) MUST_CHECK;
/* quantity_equal - the same amount in any spelling ("1Gi" and "1024Mi"); texts that do not parse
 * are equal only when they are the same text. */
bool quantity_equal(const char *a, const char *b);
#define QUANTITY_SIZE 32
/* quantity_format_bytes - "1.5Gi", "512Mi", "100Ki": at most two decimals, for people. */
void quantity_format_bytes(char out[QUANTITY_SIZE], int64_t bytes);
/* quantity_format_milli - "2", "250m", "1.5" for people. */
void quantity_format_milli(char out[QUANTITY_SIZE], int64_t milli);

#endif
