/* Replies of servers: what is kept is printable, bounded and in step. */
#include <stdint.h>
#include <stdlib.h>

#include "net/smtp-reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);
	struct smtp_reply r = { 0 };
	char status[SMTP_STATUS];
	int last = 0;

	while (last == 0 && rest.n > 0)
		last = smtp_reply_line(&r, span_take(&rest, '\n'));
	if (r.n > SMTP_REPLY_TEXT || strlen(r.text) != r.n ||
	    r.lines > SMTP_REPLY_LINES + 1)
		abort();
	for (size_t i = 0; i < r.n; i++)
		if (r.text[i] < ' ' || r.text[i] > '~')
			abort();
	if (last != 1)
		return 0;
	if (r.code < 200 || r.code > 599)
		abort();
	smtp_reply_status(&r, status);
	if (status[0] != (char)('0' + r.code / 100) || status[1] != '.' ||
	    strlen(status) >= sizeof status)
		abort();
	return 0;
}
