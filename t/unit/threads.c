/* Base subjects and message identifiers; prints TAP. */
#include "tap.h"

#include "mail/msgid.h"
#include "mail/subject.h"

static void
test_subject(struct tap *t)
{
	static const struct {
		const char *subject, *base;
		bool reply;
	} rows[] = {
		{ "", "", false }, { "  ", "", false },
		{ "hello", "hello", false }, { "Re: hello", "hello", true },
		{ "RE:hello", "hello", true }, { "re : hello", "hello", true },
		{ "Fw: hello", "hello", true }, { "FWD: hello", "hello", true },
		{ "Re: Re: Fwd: hello", "hello", true },
		{ "Re [list]: hello", "hello", true },
		{ "[list] hello", "hello", false },
		{ "[a] [b] hello", "hello", false },
		{ "[list] Re: hello", "hello", true },
		{ "Re: [list] Re: [b] hello", "hello", true },
		{ "[list]", "[list]", false }, { "[a] [b] ", "[b]", false },
		{ "Re: [list]", "[list]", true },
		{ "[a[b] hello", "[a[b] hello", false },
		{ "[] hello", "hello", false },
		{ "hello (fwd)", "hello", true },
		{ "hello (FWD) (fwd) ", "hello", true },
		{ "[fwd: hello]", "hello", true },
		{ "[Fwd: Re: hello (fwd)]", "hello", true },
		{ "Re: [fwd: [fwd: hello]] (fwd)", "hello", true },
		{ "[fwd:]", "", true },
		{ "hello\t \tworld", "hello world", false },
		{ "Reply: hello", "Reply: hello", false },
		{ "Re hello", "Re hello", false },
		{ "AW: hello", "AW: hello", false },
		{ "Re:", "", true }, { "(fwd)", "", true },
		{ "Gr\xc3\xbc\xc3\x9f" "e", "Gr\xc3\xbc\xc3\x9f" "e", false },
	};
	struct buf out = buf_new(1000), little = buf_new(3);
	bool reply;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_reset(&out);
		(void)subject_base(span_str(rows[i].subject), &out, &reply);
		tap_is(t, buf_span(&out), rows[i].base, rows[i].subject);
		tap_ok(t, reply == rows[i].reply, rows[i].reply ? "a reply" :
		    "no reply");
	}
	tap_ok(t, subject_base(span_str("long"), &little, &reply) == -1,
	    "a base subject without room");
	buf_free(&out);
	buf_free(&little);
}

static void
test_msgid(struct tap *t)
{
	static const char *const rows[][2] = {
		{ "<a@b>", "a@b;" }, { " <a@b>\r\n\t<c@d>", "a@b;c@d;" },
		{ "<a@b><c@d>", "a@b;c@d;" }, { "<\"a\"@b>", "a@b;" },
		{ "<01KF8JCEOCBS0045PS@xxx.yyy.com>",
		    "01KF8JCEOCBS0045PS@xxx.yyy.com;" },
		{ "<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>",
		    "01KF8JCEOCBS0045PS@xxx.yyy.com;" },
		{ "Your message of \"Mon <no@x>\" (<c@x>) <a@b>", "a@b;" },
		{ "a@b", "" }, { "<ab>", "" }, { "<a@b", "" },
		{ "<a <b@c>", "b@c;" }, { "<a@\r\n b>", "a@b;" },
		{ "<a@b> \"open <c@d>", "a@b;c@d;" }, { "(open <a@b>", "" },
		{ "<\"a\\\"b\"@c>", "a\"b@c;" }, { "\\\"<a@b>\"", "a@b;" },
		{ "<>", "" }, { "", "" },
	};
	struct buf out = buf_new(1000), id = buf_new(100);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span rest = span_str(rows[i][0]);

		buf_reset(&out);
		while (msgid_next(&rest, &id) == 1) {
			(void)buf_add_span(&out, buf_span(&id));
			(void)buf_add_byte(&out, ';');
		}
		tap_is(t, buf_span(&out), rows[i][1], rows[i][0]);
	}
	buf_free(&out);
	buf_free(&id);
}

int
main(void)
{
	struct tap t = { 0, 0 };

	test_subject(&t);
	test_msgid(&t);
	return tap_end(&t);
}
