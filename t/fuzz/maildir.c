/* Maildir file names, modified UTF-7 and mailbox names. */
#include "store/maildir.h"
#include "store/account.h"
#include "text/utf7.h"
#include "text/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

/* What is taken apart and put together again says the same. */
static void
file_name(struct span in)
{
	struct maildir_name one, two;
	char out[MAILDIR_NAME];

	if (!maildir_parse(in, &one) ||
	    maildir_rename(in, 77, FLAG_SEEN | FLAG_DRAFT, out) == -1)
		return;
	must(maildir_parse(span_str(out), &two));
	must(span_eq(one.base, two.base) && two.uid == 77);
	must(two.flags == (FLAG_SEEN | FLAG_DRAFT));
	must(two.size == one.size && two.wire == one.wire);
	for (size_t i = 0; i < one.others.n; i++) {
		char c = one.others.p[i];

		must(strchr("RFTSDP", c) ||
		     span_find(two.others, c) < two.others.n);
	}
}

static void
utf7(struct span in)
{
	struct buf a = buf_new(1 << 20), b = buf_new(1 << 20);

	if (utf7_encode(in, &a)) {
		must(utf8_valid(in));
		must(utf7_decode(buf_span(&a), &b));
		must(span_eq(buf_span(&b), in));
	}
	buf_reset(&a);
	buf_reset(&b);
	if (utf7_decode(in, &a)) {
		must(utf8_valid(buf_span(&a)));
		must(utf7_encode(buf_span(&a), &b));
		must(span_eq(buf_span(&b), in));
	}
	buf_free(&a);
	buf_free(&b);
}

/* A folder is one name in a folder, and names one mailbox. */
static void
mailbox_name(struct span in)
{
	char folder[MAILBOX_NAME * 3], name[MAILBOX_NAME],
	    again[MAILBOX_NAME * 3];

	if (account_folder(in, folder) == 0) {
		must(folder[0] == '.' && strchr(folder, '/') == NULL);
		must(strcmp(folder, "..") != 0 && strlen(folder) < 256);
		must(account_name(span_str(folder), name));
		must(account_folder(span_str(name), again) == 0);
		must(strcmp(folder, again) == 0);
	}
	if (account_name(in, name)) {
		must(account_folder(span_str(name), folder) == 0);
		must(span_is(in, folder));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);

	file_name(in);
	utf7(in);
	mailbox_name(in);
	return 0;
}
