/* text_width.h - how many columns of a terminal a UTF-8 text takes. */
#ifndef PROVISION_TEXT_WIDTH_H
#define PROVISION_TEXT_WIDTH_H

#include <stddef.h>

/* text_width - wide characters count two, combining ones none, what is not UTF-8 one per byte.
 * Independent of the locale. */
size_t text_width(const char *text);

#endif
