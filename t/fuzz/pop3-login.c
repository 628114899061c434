/* What pop3-login answers to any bytes. */
#define main login_main
int login_main(int argc, char *argv[]);
#include "../../handlers/pop3/pop3-login.c"
#undef main

#include "login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run_connection(struct feed *f)
{
	struct pop3 s;
	enum verdict v = GO_ON;

	s = (struct pop3){ .session = -1 };
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
