/* Addresses of SMTP commands: what is taken is printable, and its canonical
 * form is taken again as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "net/smtp-path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const struct smtp_path *p)
{
	char text[SMTP_ADDRESS], again[SMTP_ADDRESS];
	struct smtp_path q;

	smtp_path_text(p, text);
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			abort();
	if (p->domain.n == 0)
		return;
	if (!smtp_mailbox(span_str(text), &q) || q.literal != p->literal)
		abort();
	smtp_path_text(&q, again);
	if (strcmp(text, again) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size), rest = s;
	char out[SMTP_ADDRESS];
	struct smtp_path p;
	size_t n;

	if (smtp_path_take(&rest, &p)) {
		if (rest.n >= s.n)
			abort();
		check_text(&p);
	}
	if (smtp_mailbox(s, &p))
		check_text(&p);
	if (smtp_xtext(s, out, sizeof out, &n))
		for (size_t i = 0; i < n; i++)
			if (out[i] <= ' ' || out[i] > '~')
				abort();
	(void)smtp_is_domain(s);
	return 0;
}
