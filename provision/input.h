/*
 * input.h - whole texts from files and standard input, before anything has been made.
 */
#ifndef PROVISION_INPUT_H
#define PROVISION_INPUT_H

#include "base/err.h"

/*
 * input_read - all of a file, a pipe, or standard input ("-"), at most @max bytes, ended by a NUL.
 * It may wait for a writer or for somebody at a keyboard, so SIGINT and SIGTERM take their usual effect meanwhile:
 * they end the program. Returns 0 and owned text, or -1.
 */
int input_read(char **out, size_t *len, const char *path, size_t max, struct err *e) MUST_CHECK;

#endif
