/* jwt.c - a signed assertion: RSASSA-PKCS1-v1_5 with SHA-256 over base64url. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "gke/auth_internal.h"

static void free_bio(BIO **b)
{
	BIO_free(*b);
}

static void free_key(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void free_ctx(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

/* OpenSSL would ask on the terminal. */
static int no_password(char *out UNUSED, int size UNUSED, int writing UNUSED, void *arg UNUSED)
{
	return -1;
}

static int load_key(EVP_PKEY **out, const char *pem, struct err *e)
{
	AUTO(free_bio) BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	ERR_clear_error();
	if (!key)
		return err_set(e, ERR_INVALID, "private_key is not an unlocked PEM key");
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < 1024) {
		EVP_PKEY_free(key);
		return err_set(e, ERR_INVALID, "private_key is not an RSA key");
	}
	*out = key;
	return 0;
}

static int sign(char **out, const char *text, EVP_PKEY *key, struct err *e)
{
	AUTO(free_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[2048];
	size_t len = sizeof(signature);

	if (!ctx || EVP_PKEY_get_size(key) > (int)sizeof(signature) ||
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) <= 0 ||
	    EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text, strlen(text)) <= 0) {
		ERR_clear_error();
		return err_set(e, ERR_INVALID, "private_key cannot sign");
	}
	*out = base64url_encode(signature, len);
	return 0;
}

int jwt_rs256(char **out, const char *kid, const json_t *claims, const char *pem, struct err *e)
{
	AUTO(free_key) EVP_PKEY *key = NULL;
	autojson json_t *header = json_pack("{s:s,s:s}", "alg", "RS256", "typ", "JWT");
	autofree char *text = NULL, *body = NULL, *head64 = NULL, *body64 = NULL, *signature = NULL;

	if (load_key(&key, pem, e) < 0)
		return -1;
	if (kid)
		json_object_set_new(header, "kid", jx_strf("%s", kid));
	text = jx_canonical(header);
	body = jx_canonical(claims);
	head64 = base64url_encode(text, strlen(text));
	body64 = base64url_encode(body, strlen(body));
	autofree char *whole = xasprintf("%s.%s", head64, body64);
	if (sign(&signature, whole, key, e) < 0)
		return -1;
	*out = xasprintf("%s.%s", whole, signature);
	return 0;
}
