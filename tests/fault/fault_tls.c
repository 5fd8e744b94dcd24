/*
 * fault_tls.c - a CA for this run of the test, a certificate for the server and one for a client.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault_internal.h"

#define MUST(condition)                                                    \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "fault server: %s\n", #condition); \
			abort();                                           \
		}                                                          \
	} while (0)

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(ext && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static X509 *make_cert(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	MUST(X509_set_version(cert, X509_VERSION_3) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
	X509_set_pubkey(cert, key);
	MUST(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name,
					-1, -1, 0) == 1);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	if (!issuer) {
		add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else {
		add_extension(cert, issuer, NID_subject_alt_name,
			      "IP:127.0.0.1,IP:::1,DNS:localhost");
	}
	MUST(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
	return cert;
}

static char *pem_text(BIO *bio)
{
	char *data, *text;
	long n = BIO_get_mem_data(bio, &data);

	text = xstrndup(data, (size_t)n);
	BIO_free(bio);
	return text;
}

static char *cert_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	MUST(PEM_write_bio_X509(bio, cert) == 1);
	return pem_text(bio);
}

static char *key_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	MUST(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	return pem_text(bio);
}

void fault_tls_init(struct fault_tls *t, bool client_cert)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	EVP_PKEY *client_key = EVP_EC_gen("P-256");
	X509 *ca, *cert, *client;

	MUST(ca_key && key && client_key);
	ca = make_cert("fault test CA", ca_key, NULL, ca_key);
	cert = make_cert("localhost", key, ca, ca_key);
	client = make_cert("test-client", client_key, ca, ca_key);
	t->ctx = SSL_CTX_new(TLS_server_method());
	MUST(t->ctx && SSL_CTX_use_certificate(t->ctx, cert) == 1);
	MUST(SSL_CTX_use_PrivateKey(t->ctx, key) == 1);
	if (client_cert) {
		MUST(X509_STORE_add_cert(SSL_CTX_get_cert_store(t->ctx), ca) == 1);
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	t->ca = cert_pem(ca);
	t->client_cert = cert_pem(client);
	t->client_key = key_pem(client_key);
	X509_free(ca);
	X509_free(cert);
	X509_free(client);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(client_key);
}

void fault_tls_release(struct fault_tls *t)
{
	SSL_CTX_free(t->ctx);
	free(t->ca);
	free(t->client_cert);
	free(t->client_key);
}
