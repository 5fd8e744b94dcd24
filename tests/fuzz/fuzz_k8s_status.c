/* fuzz_k8s_status.c - what an API server or an exec plugin answers: always an error with words, or credentials. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#include "k8s/cred.h"
#include "k8s/k8s.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int codes[] = {400, 401, 403, 404, 409, 410, 422, 429, 500, 504, 302};
	struct exec_answer a = {0};
	struct http_resp r = {.body = BUF_INIT(1u << 20)};
	struct err e = ERR_INIT;

	if (size > (1u << 19))
		return 0;
	MUST(buf_add(&r.body, data, size, &e) == 0);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		r.status = codes[i];
		MUST(k8s_status_err(&r, &e) == -1);
		MUST(e.code != ERR_OK && e.msg[0] && e.http == codes[i] && e.retry_after >= 0);
		MUST(strlen(e.msg) < sizeof(e.msg));
		err_clear(&e);
		(void)k8s_status_too_new(&r);
	}
	if (exec_decode(&a, buf_str(&r.body), size, "client.authentication.k8s.io/v1", &e) < 0)
		MUST(e.code != ERR_OK && !a.token && !a.cert_pem);
	else
		MUST((a.token || a.cert_pem) && !a.cert_pem == !a.key_pem);
	exec_answer_release(&a);
	http_resp_release(&r);
	return 0;
}
