/*
 * log.h - lines on stderr: text for people, or one JSON object a line; with a register of secrets
 * that are replaced by "[redacted]" wherever they would appear.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG_LEVEL, LOG_INFO_LEVEL, LOG_WARN_LEVEL, LOG_ERROR_LEVEL };

void log_setup(enum log_level least, bool json);
bool log_enabled(enum log_level level);
/*
 * log_at - one line. @key names the object it is about ("default/example"), NULL for none.
 * Control characters are escaped.
 */
void log_at(enum log_level level, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define log_debug(key, ...) log_at(LOG_DEBUG_LEVEL, key, __VA_ARGS__)
#define log_info(key, ...)  log_at(LOG_INFO_LEVEL, key, __VA_ARGS__)
#define log_warn(key, ...)  log_at(LOG_WARN_LEVEL, key, __VA_ARGS__)
#define log_error(key, ...) log_at(LOG_ERROR_LEVEL, key, __VA_ARGS__)
/* log_err - an error with its hint. */
void log_err(enum log_level level, const char *key, const struct err *e, const char *doing);
/*
 * log_secret - remember a secret of at least 6 characters, so that it never reaches a line. The
 * last 64 are kept, in memory that is wiped at exit; NULL and shorter ones are ignored.
 */
void log_secret(const char *secret);
/*
 * log_redact - in place, replace known secrets, and the x of "Bearer x", "token=x" and "password: x"
 * forms, by "[redacted]", or by "***" where that would not fit. Never makes the text longer.
 */
void log_redact(char *text);

#endif
