/* main.c - prestoctl. Everything is in app.c, so that tests can link it. */
#include "provision/app.h"

int main(int argc, char **argv)
{
	return app_main(argc, argv);
}
