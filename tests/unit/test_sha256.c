#include "tests/unit/unit.h"

#include <openssl/evp.h>

#include "base/sha256.h"

static void hex_of(const char *text, char out[SHA256_HEX_SIZE])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, text, strlen(text));
	sha256_hex(&s, out);
}

static void known_answers(void **state UNUSED)
{
	char hex[SHA256_HEX_SIZE];

	hex_of("", hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hex_of("abc", hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", hex);
	assert_string_equal(hex,
			    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void agrees_with_openssl_at_every_length_and_cut(void **state UNUSED)
{
	unsigned char bytes[300], ours[32], theirs[32];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + 1);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct sha256 s;
		size_t cut = len * 37 % (len + 1);
		sha256_init(&s);
		sha256_add(&s, bytes, cut);
		sha256_add(&s, bytes + cut, len - cut);
		sha256_end(&s, ours);
		assert_int_equal(EVP_Digest(bytes, len, theirs, NULL, EVP_sha256(), NULL), 1);
		assert_memory_equal(ours, theirs, 32);
	}
}

static void strings_are_kept_apart(void **state UNUSED)
{
	struct sha256 a, b;
	char x[SHA256_HEX_SIZE], y[SHA256_HEX_SIZE];

	sha256_init(&a);
	sha256_adds(&a, "ab");
	sha256_adds(&a, "c");
	sha256_init(&b);
	sha256_adds(&b, "a");
	sha256_adds(&b, "bc");
	sha256_hex(&a, x);
	sha256_hex(&b, y);
	assert_string_not_equal(x, y);
}

static void base36_is_the_start_of_one_big_number(void **state UNUSED)
{
	unsigned char zero[32] = {0}, small[32] = {0}, ones[32], digest[32];
	struct sha256 s;
	char out[41];

	sha256_base36(zero, out, 4);
	assert_string_equal(out, "0000");
	small[31] = 35;
	small[30] = 1; /* 291 = 8 * 36 + 3 */
	sha256_base36(small, out, 2);
	assert_string_equal(out, "83");
	sha256_base36(small, out, 5);
	assert_string_equal(out, "00083");
	memset(ones, 0xFF, sizeof(ones));
	sha256_base36(ones, out, 10);
	assert_string_equal(out, "6dp5qcb22i");
	sha256_init(&s);
	sha256_add(&s, "abc", 3);
	sha256_end(&s, digest);
	sha256_base36(digest, out, 10);
	assert_string_equal(out, "4nb7oofka9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(agrees_with_openssl_at_every_length_and_cut),
		cmocka_unit_test(strings_are_kept_apart),
		cmocka_unit_test(base36_is_the_start_of_one_big_number),
	};

	return RUN(tests);
}
