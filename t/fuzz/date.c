/* Dates: what is read can be written and read again. */
#include <stdlib.h>

#include "text/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct date *d)
{
	struct date again;
	char text[DATE_TEXT];
	int64_t t = date_seconds(d);

	/* A leap second, and years that a zone moves past four digits. */
	if (d->second == 60 || d->year < 2 || d->year > 9998)
		return;
	again = date_civil(t, d->zone);
	if (date_seconds(&again) != t || again.day != d->day ||
	    again.month != d->month || again.year != d->year)
		abort();
	if (!date_parse_mail(span_str(date_mail(t, d->zone, text)), &again) ||
	    date_seconds(&again) != t)
		abort();
	if (!date_parse_imap(span_str(date_imap(t, d->zone, text)), &again) ||
	    date_seconds(&again) != t)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of((const char *)data, size);
	struct date d;

	if (date_parse_mail(s, &d))
		check(&d);
	if (date_parse_imap(s, &d))
		check(&d);
	if (date_parse_imap_day(s, &d))
		check(&d);
	return 0;
}
