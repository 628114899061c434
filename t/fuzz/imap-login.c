/* What imap-login answers to any bytes. */
#define main login_main
int login_main(int argc, char *argv[]);
#include "../../handlers/imap/imap-login.c"
#undef main

#include "login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run_connection(struct feed *f)
{
	struct imap s;
	enum verdict v = GO_ON;

	s = (struct imap){ .session = -1 };
	feed_connect(&s.l, f);
	while (v == GO_ON)
		v = next(&s);
	(void)out_flush(&s.l.c.out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	feed_both(data, size, run_connection);
	return 0;
}
