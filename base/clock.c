/* clock.c - the clocks, and times as text. Everything but the two clocks is pure. */
#include "base/clock.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static ns_t fake_mono = -1, fake_wall = -1;

static ns_t read_clock(clockid_t id)
{
	struct timespec ts = {0};

	(void)clock_gettime(id, &ts);
	return (ns_t)ts.tv_sec * NS_SEC + ts.tv_nsec;
}

ns_t clock_mono(void)
{
	return fake_mono >= 0 ? fake_mono : read_clock(CLOCK_MONOTONIC);
}

ns_t clock_wall(void)
{
	return fake_wall >= 0 ? fake_wall : read_clock(CLOCK_REALTIME);
}

void clock_fake(ns_t mono, ns_t wall)
{
	fake_mono = mono;
	fake_wall = wall;
}

void time_format(char out[TIME_RFC3339_SIZE], ns_t wall)
{
	struct tm tm = {0};
	time_t seconds = (time_t)(wall / NS_SEC - (wall % NS_SEC < 0));

	(void)gmtime_r(&seconds, &tm);
	if (strftime(out, TIME_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
}

/* Exactly n digits at *p; moves on. */
static bool take_digits(const char **p, int n, int *value)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		v = v * 10 + (**p - '0');
	}
	*value = v;
	return true;
}

static bool take_char(const char **p, const char *any)
{
	if (!**p || !strchr(any, **p))
		return false;
	(*p)++;
	return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar: years begin in March. */
static int64_t days_from_civil(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = (y >= 0 ? y : y - 399) / 400;
	int year_of_era = y - era * 400;
	int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (int64_t)era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* ".123456789"; digits beyond nanoseconds are dropped. */
static bool take_fraction(const char **p, ns_t *ns)
{
	ns_t unit = NS_SEC / 10;

	*ns = 0;
	if (**p != '.')
		return true;
	(*p)++;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*ns += (**p - '0') * unit;
	return true;
}

static bool take_offset(const char **p, int64_t *seconds)
{
	int hours, minutes;
	bool west = **p == '-';

	*seconds = 0;
	if (take_char(p, "Zz"))
		return true;
	if (!take_char(p, "+-") || !take_digits(p, 2, &hours) || !take_char(p, ":") ||
	    !take_digits(p, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

int time_parse(ns_t *wall, const char *text, struct err *e)
{
	const char *p = text;
	int year, month, day, hour, minute, second;
	int64_t offset, total;
	ns_t fraction;

	if (!take_digits(&p, 4, &year) || !take_char(&p, "-") || !take_digits(&p, 2, &month) ||
	    !take_char(&p, "-") || !take_digits(&p, 2, &day) || !take_char(&p, "Tt") ||
	    !take_digits(&p, 2, &hour) || !take_char(&p, ":") || !take_digits(&p, 2, &minute) ||
	    !take_char(&p, ":") || !take_digits(&p, 2, &second) || !take_fraction(&p, &fraction) ||
	    !take_offset(&p, &offset) || *p)
		return err_set(e, ERR_INVALID, "\"%.64s\" is not a time like 2019-08-01T10:20:30Z",
			       text);
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
	    minute > 59 || second > 59)
		return err_set(e, ERR_INVALID, "\"%.64s\" is not a time that exists", text);
	total = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
		offset;
	/* Nanoseconds since 1970 in 64 bits end in 1677 and 2262. */
	if (total < INT64_MIN / NS_SEC + 1 || total > INT64_MAX / NS_SEC - 1)
		return err_set(e, ERR_INVALID, "\"%.64s\" is not between the years 1678 and 2262",
			       text);
	*wall = total * NS_SEC + fraction;
	return 0;
}

struct unit {
	const char *name;
	ns_t ns;
};

/* Longer names first where one is the start of another. */
static const struct unit units[] = {
	{"ns", 1},     {"us", NS_US}, {"\xC2\xB5s", NS_US}, {"\xCE\xBCs", NS_US},
	{"ms", NS_MS}, {"s", NS_SEC}, {"m", 60 * NS_SEC},   {"h", 3600 * NS_SEC},
};

static const struct unit *take_unit(const char **p)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (starts_with(*p, units[i].name)) {
			*p += strlen(units[i].name);
			return &units[i];
		}
	}
	return NULL;
}

/* One "1.5h" added to *sum. False when it is malformed or does not fit. */
static bool take_part(const char **p, ns_t *sum)
{
	int64_t whole = 0, fraction = 0, scale = 1;
	bool digits = false;

	for (; **p >= '0' && **p <= '9'; (*p)++, digits = true)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, **p - '0', &whole))
			return false;
	if (**p == '.') {
		(*p)++;
		for (; **p >= '0' && **p <= '9'; (*p)++, digits = true) {
			if (scale >= 100000000000000LL) /* finer than any unit's nanosecond */
				continue;
			fraction = fraction * 10 + (**p - '0');
			scale *= 10;
		}
	}
	if (!digits)
		return false;
	const struct unit *u = take_unit(p);
	if (!u || __builtin_mul_overflow(whole, u->ns, &whole) ||
	    __builtin_add_overflow(*sum, whole, sum))
		return false;
	ns_t small = (ns_t)((__int128)fraction * u->ns / scale);
	return !__builtin_add_overflow(*sum, small, sum);
}

int duration_parse(ns_t *out, const char *text, struct err *e)
{
	const char *p = text;
	ns_t sum = 0;
	bool good = *p != '\0';

	if (streq(text, "0")) {
		*out = 0;
		return 0;
	}
	while (good && *p)
		good = take_part(&p, &sum);
	if (!good)
		return err_set(e, ERR_INVALID, "\"%.64s\" is not a duration like 90s, 1m30s or 2h",
			       text);
	*out = sum;
	return 0;
}

void duration_format(char out[DURATION_SIZE], ns_t d)
{
	int64_t s = d / NS_SEC;

	if (d <= 0)
		(void)snprintf(out, DURATION_SIZE, "0s");
	else if (s == 0)
		(void)snprintf(out, DURATION_SIZE, "%" PRId64 "ms", (int64_t)(d / NS_MS));
	else if (s < 60)
		(void)snprintf(out, DURATION_SIZE, "%" PRId64 "s", s);
	else if (s < 3600)
		(void)snprintf(out, DURATION_SIZE, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else
		(void)snprintf(out, DURATION_SIZE, "%" PRId64 "h%02" PRId64 "m", s / 3600,
			       s / 60 % 60);
}

/* "3m20s", or "3m" when the second part is nothing. */
static void two_parts(char *out, int64_t a, char a_unit, int64_t b, char b_unit)
{
	if (b)
		(void)snprintf(out, DURATION_SIZE, "%" PRId64 "%c%" PRId64 "%c", a, a_unit, b,
			       b_unit);
	else
		(void)snprintf(out, DURATION_SIZE, "%" PRId64 "%c", a, a_unit);
}

void age_format(char out[DURATION_SIZE], ns_t d)
{
	int64_t s = d > 0 ? d / NS_SEC : 0, m = s / 60, h = s / 3600, days = h / 24,
		years = days / 365;

	/* kubectl's steps: two units while the second one still says something. */
	if (m < 2)
		two_parts(out, s, 's', 0, 0);
	else if (m < 10)
		two_parts(out, m, 'm', s % 60, 's');
	else if (h < 3)
		two_parts(out, m, 'm', 0, 0);
	else if (h < 8)
		two_parts(out, h, 'h', m % 60, 'm');
	else if (h < 48)
		two_parts(out, h, 'h', 0, 0);
	else if (days < 8)
		two_parts(out, days, 'd', h % 24, 'h');
	else if (years < 2)
		two_parts(out, days, 'd', 0, 0);
	else if (years < 8)
		two_parts(out, years, 'y', days % 365, 'd');
	else
		two_parts(out, years, 'y', 0, 0);
}
