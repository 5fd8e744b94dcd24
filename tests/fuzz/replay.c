/* replay.c - a main for fuzz targets in builds without libFuzzer: feeds them the files it is given.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

#include "base/file.h"

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		autofree char *text = NULL;
		struct err e = ERR_INIT;
		size_t len;
		if (file_read(&text, &len, argv[i], 16u << 20, &e) < 0) {
			(void)fprintf(stderr, "%s\n", e.msg);
			return 1;
		}
		/* Exactly as long as the input, so that the sanitizer sees a look beyond its end.
		 */
		autofree unsigned char *bytes = xmalloc(len);
		for (size_t k = 0; k < len; k++)
			bytes[k] = (unsigned char)text[k];
		(void)LLVMFuzzerTestOneInput(bytes, len);
		(void)printf("ok %s\n", argv[i]);
		(void)fflush(stdout);
	}
	return 0;
}
