/* quantity.c - Kubernetes amounts in exact integer arithmetic. */
#include "base/quantity.h"

#include <string.h>

typedef unsigned __int128 wide;

/* 10^20 * 2^60 < 2^128: so many digits and the largest binary suffix never overflow. */
#define MAX_DIGITS 20

/* digits * 2^binary * 10^decimal */
struct amount {
	wide digits;
	int binary, decimal;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "12.50": false when there is no digit at all, or there are too many that matter. */
static bool take_number(const char **p, struct amount *a)
{
	int significant = 0, zeros = 0, fraction = 0;
	bool any = false, point = false;

	for (; is_digit(**p) || (**p == '.' && !point); (*p)++) {
		if (**p == '.') {
			point = true;
			continue;
		}
		any = true;
		fraction += point;
		/* Zeros matter only between other digits: "0001.50000" has two digits. */
		if (**p == '0') {
			zeros += significant > 0;
			continue;
		}
		significant += zeros + 1;
		if (significant > MAX_DIGITS)
			return false;
		for (; zeros >= 0; zeros--)
			a->digits *= 10;
		a->digits += (unsigned)(**p - '0');
		zeros = 0;
	}
	a->decimal = zeros - fraction;
	return any;
}

static bool take_exponent(const char *p, struct amount *a)
{
	bool minus = *p == '-';
	int n = 0;

	if (*p == '-' || *p == '+')
		p++;
	if (!is_digit(*p))
		return false;
	for (; is_digit(*p); p++)
		n = n < 1000 ? n * 10 + (*p - '0') : n; /* beyond any amount, either way */
	a->decimal += minus ? -n : n;
	return *p == '\0';
}

static bool take_suffix(const char *p, struct amount *a)
{
	static const struct {
		const char *text;
		int binary, decimal;
	} suffixes[] = {
		{"", 0, 0},    {"Ki", 10, 0}, {"Mi", 20, 0}, {"Gi", 30, 0},
		{"Ti", 40, 0}, {"Pi", 50, 0}, {"Ei", 60, 0}, {"n", 0, -9},
		{"u", 0, -6},  {"m", 0, -3},  {"k", 0, 3},   {"M", 0, 6},
		{"G", 0, 9},   {"T", 0, 12},  {"P", 0, 15},  {"E", 0, 18},
	};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		if (streq(p, suffixes[i].text)) {
			a->binary += suffixes[i].binary;
			a->decimal += suffixes[i].decimal;
			return true;
		}
	}
	return (*p == 'e' || *p == 'E') && take_exponent(p + 1, a);
}

/* The amount in units of 10^-scale, rounded up. False when it is larger than max. */
static bool scaled(wide *out, struct amount a, int scale, wide max)
{
	wide n = a.digits << a.binary;
	bool rest = false;

	if (n == 0) {
		*out = 0;
		return true;
	}
	for (a.decimal += scale; a.decimal > 0; a.decimal--) {
		if (__builtin_mul_overflow(n, (wide)10, &n))
			return false;
	}
	for (; a.decimal < 0 && n; a.decimal++) {
		rest |= n % 10 != 0;
		n /= 10;
	}
	n += rest;
	if (n > max)
		return false;
	*out = n;
	return true;
}

static bool parse(struct amount *a, const char *text)
{
	const char *p = text;

	*a = (struct amount){0};
	return take_number(&p, a) && take_suffix(p, a);
}

static int convert(int64_t *out, const char *text, int scale, const char *like, struct err *e)
{
	struct amount a;
	wide n;

	if (*text == '-' || *text == '+')
		return err_set(e, ERR_INVALID, "\"%.64s\" has a sign: an amount is like %s", text,
			       like);
	if (!parse(&a, text))
		return err_set(e, ERR_INVALID, "\"%.64s\" is not an amount like %s", text, like);
	if (!scaled(&n, a, scale, INT64_MAX))
		return err_set(e, ERR_INVALID, "\"%.64s\" is too large", text);
	*out = (int64_t)n;
	return 0;
}

int quantity_to_bytes(int64_t *out, const char *text, struct err *e)
{
	return convert(out, text, 0, "512Mi or 2Gi", e);
}

int quantity_to_milli(int64_t *out, const char *text, struct err *e)
{
	return convert(out, text, 3, "500m or 2", e);
}

bool quantity_equal(const char *a, const char *b)
{
	/* Kubernetes keeps amounts up to 2^63 - 1 in billionths, rounded up. */
	const wide max = (wide)INT64_MAX * 1000000000u;
	struct amount x, y;
	wide m, n;

	if (streq(a, b))
		return true;
	return parse(&x, a) && parse(&y, b) && scaled(&m, x, 9, max) && scaled(&n, y, 9, max) &&
	       m == n;
}

/* hundredths or thousandths as "1.5": no zeros at the end. */
static void format(char *out, const char *sign, uint64_t n, unsigned decimals, const char *unit)
{
	unsigned scale = 1;

	for (unsigned i = 0; i < decimals; i++)
		scale *= 10;
	while (decimals > 0 && n % 10 == 0) {
		n /= 10;
		scale /= 10;
		decimals--;
	}
	if (decimals == 0)
		(void)snprintf(out, QUANTITY_SIZE, "%s%llu%s", sign, (unsigned long long)n, unit);
	else
		(void)snprintf(out, QUANTITY_SIZE, "%s%llu.%0*u%s", sign,
			       (unsigned long long)n / scale, (int)decimals, (unsigned)(n % scale),
			       unit);
}

void quantity_format_bytes(char out[QUANTITY_SIZE], int64_t bytes)
{
	static const char *const names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
	uint64_t n = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
	size_t unit = 0;
	wide hundredths = 0;

	/* The next unit as soon as rounding would say 1024 of this one. */
	for (; unit < ARRAY_LEN(names); unit++) {
		uint64_t size = 1ull << (10 * unit);
		hundredths = ((wide)n * 100 + size / 2) / size;
		if (hundredths < 102400 || unit == ARRAY_LEN(names) - 1)
			break;
	}
	format(out, bytes < 0 ? "-" : "", (uint64_t)hundredths, 2, names[unit]);
}

void quantity_format_milli(char out[QUANTITY_SIZE], int64_t milli)
{
	uint64_t n = milli < 0 ? 0 - (uint64_t)milli : (uint64_t)milli;

	if (n < 1000)
		format(out, milli < 0 ? "-" : "", n, 0, n ? "m" : "");
	else
		format(out, milli < 0 ? "-" : "", n, 3, "");
}
