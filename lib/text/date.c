/* Dates of mail and of IMAP. */
#include "text/date.h"

#include "base/num.h"

#include <stdio.h>
#include <time.h>

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char weekdays[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };

enum {
	DAY = 86400,
	ERA_DAYS = 146097, /* of 400 years */
	YEAR_MAX = 9999
};

/*
 * Days since 1970-01-01.  Years are counted from March, so that the leap day
 * is the last of its year.
 */
static int64_t
days_from_civil(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 +
	    of_year - 1 - 719468;
}

int64_t
date_seconds(const struct date *d)
{
	int64_t days = days_from_civil(d->year, d->month, d->day);
	int64_t minutes = (int64_t)d->hour * 60 + d->minute - d->zone;

	return days * DAY + minutes * 60 + d->second;
}

struct date
date_civil(int64_t seconds, int zone)
{
	struct date d = { .zone = zone };
	int64_t limit = days_from_civil(YEAR_MAX + 1, 1, 1) * DAY - 1 - DAY;
	int64_t local, days, rest, era, of_era, y, of_year, m;

	/* What no four-digit year can say is cut to the nearest that can. */
	seconds = seconds > limit ? limit : seconds;
	limit = days_from_civil(1, 1, 1) * DAY + DAY;
	seconds = seconds < limit ? limit : seconds;
	local = seconds + (int64_t)zone * 60;
	days = local / DAY - (local % DAY < 0);
	rest = local - days * DAY;
	days += 719468;
	era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
	of_era = days - era * ERA_DAYS;
	y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * y + y / 4 - y / 100);
	m = (5 * of_year + 2) / 153;
	d.day = (int)(of_year - (153 * m + 2) / 5 + 1);
	d.month = (int)(m < 10 ? m + 3 : m - 9);
	d.year = (int)(y + era * 400 + (d.month <= 2));
	d.hour = (int)(rest / 3600);
	d.minute = (int)(rest / 60 % 60);
	d.second = (int)(rest % 60);
	return d;
}

static int
month_days(int year, int month)
{
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (month == 2)
		return leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static bool
is_date(const struct date *d)
{
	return d->year >= 1 && d->year <= YEAR_MAX && d->month >= 1 &&
	    d->month <= 12 && d->day >= 1 &&
	    d->day <= month_days(d->year, d->month) && d->hour >= 0 &&
	    d->hour <= 23 && d->minute >= 0 && d->minute <= 59 &&
	    d->second >= 0 && d->second <= 60;
}

/* A month by its first three letters: 1 to 12, or 0. */
static int
month_of(struct span word)
{
	for (int i = 0; i < 12; i++)
		if (span_is_nocase(span_head(word, 3), months[i]))
			return i + 1;
	return 0;
}

static bool
is_letter(int c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* The length of the comment at the front of s, to the end if unclosed. */
static size_t
comment_length(struct span s)
{
	size_t depth = 0, i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

/* Passes over blanks, comments and the punctuation that mail programs put
 * between the pieces of a date. */
static void
skip_between(struct span *s, const char *also)
{
	while (s->n > 0) {
		char c = s->p[0];

		if (c == '(')
			*s = span_skip(*s, comment_length(*s));
		else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' ||
		    (c != '\0' && strchr(also, c)))
			*s = span_skip(*s, 1);
		else
			return;
	}
}

static struct span
take_letters(struct span *s)
{
	struct span word = *s;
	size_t n = 0;

	while (is_letter(span_at(*s, n)))
		n++;
	word.n = n;
	*s = span_skip(*s, n);
	return word;
}

static bool
take_int(struct span *s, uint64_t max, int *out)
{
	uint64_t v;

	if (!num_take(s, max, &v))
		return false;
	*out = (int)v;
	return true;
}

/* "+0100", as minutes. */
static bool
take_zone_digits(struct span *s, int *zone)
{
	bool west = span_at(*s, 0) == '-';
	struct span digits = span_head(span_skip(*s, 1), 4);
	uint64_t v;

	if (!num_parse(digits, 9999, &v) || digits.n != 4 || v % 100 > 59)
		return false;
	*zone = (int)(v / 100 * 60 + v % 100);
	*zone = west ? -*zone : *zone;
	*s = span_skip(*s, 5);
	return true;
}

/* RFC 5322 4.3; a name that says nothing is -0000, that is UTC. */
static int
zone_by_name(struct span name)
{
	static const struct {
		char name[4];
		int zone;
	} zones[] = { { "EST", -300 }, { "EDT", -240 }, { "CST", -360 },
		{ "CDT", -300 }, { "MST", -420 }, { "MDT", -360 },
		{ "PST", -480 }, { "PDT", -420 } };

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (span_is_nocase(name, zones[i].name))
			return zones[i].zone;
	return 0;
}

static int
take_zone(struct span *s)
{
	int zone = 0;

	skip_between(s, ",");
	if (s->n > 0 && (s->p[0] == '+' || s->p[0] == '-')) {
		(void)take_zone_digits(s, &zone); /* without: UTC */
		return zone;
	}
	return zone_by_name(take_letters(s));
}

/* RFC 5322 4.3: two digits are 1950 to 2049, three are after 1900. */
static int
full_year(int year, size_t digits)
{
	if (digits >= 4 || year > 999)
		return year;
	if (digits == 3)
		return year + 1900;
	return year + (year < 50 ? 2000 : 1900);
}

static bool
take_year(struct span *s, int *year)
{
	size_t before = s->n;
	int v;

	if (!take_int(s, YEAR_MAX, &v))
		return false;
	*year = full_year(v, before - s->n);
	return true;
}

/* "AM" and "PM", which a few programs write. */
static void
take_half(struct span *s, struct date *d)
{
	struct span rest = *s, word;

	skip_between(&rest, "");
	word = take_letters(&rest);
	if (d->hour > 12 || d->hour == 0 ||
	    !(span_is_nocase(word, "AM") || span_is_nocase(word, "PM")))
		return;
	*s = rest;
	d->hour = d->hour % 12 + (span_is_nocase(word, "PM") ? 12 : 0);
}

static bool
take_seconds(struct span *s, struct date *d)
{
	skip_between(s, "");
	d->second = 0;
	if (span_at(*s, 0) != ':' && span_at(*s, 0) != '.')
		return true;
	skip_between(s, ":.");
	return take_int(s, 60, &d->second);
}

static bool
take_time(struct span *s, struct date *d)
{
	if (!take_int(s, 23, &d->hour))
		return false;
	skip_between(s, "");
	if (span_at(*s, 0) != ':' && span_at(*s, 0) != '.')
		return false;
	skip_between(s, ":.");
	if (!take_int(s, 59, &d->minute))
		return false;
	if (!take_seconds(s, d))
		return false;
	take_half(s, d);
	return true;
}

/* A time and its zone; none is midnight UTC. */
static void
take_time_zone(struct span *s, struct date *d)
{
	/* A date without a time: seen from old list servers. */
	if (is_digit(span_at(*s, 0)) && take_time(s, d))
		d->zone = take_zone(s);
	else
		d->hour = d->minute = d->second = 0;
}

/* "Jul 17 02:44:25 1996", the rest of a date as asctime writes it; or
 * "July 17, 1996 2:44 AM". */
static bool
parse_asctime(struct span s, int month, struct date *d)
{
	d->month = month;
	skip_between(&s, ",.");
	if (!take_int(&s, 31, &d->day))
		return false;
	skip_between(&s, ",");
	if (is_digit(span_at(s, 2)) && is_digit(span_at(s, 3))) {
		if (!take_year(&s, &d->year))
			return false;
		skip_between(&s, ",");
		take_time_zone(&s, d);
		return is_date(d);
	}
	if (!take_time(&s, d))
		return false;
	d->zone = 0;
	skip_between(&s, "");
	if (is_letter(span_at(s, 0)) || span_at(s, 0) == '+' ||
	    span_at(s, 0) == '-')
		d->zone = take_zone(&s);
	skip_between(&s, "");
	return take_year(&s, &d->year) && is_date(d);
}

bool
date_parse_mail(struct span s, struct date *d)
{
	struct date got = { 0 };
	struct span word;

	skip_between(&s, ",");
	word = take_letters(&s); /* the day of the week says nothing new */
	skip_between(&s, ",.");
	if (word.n > 0 && is_letter(span_at(s, 0))) {
		word = take_letters(&s);
		*d = got;
		return month_of(word) > 0 &&
		    parse_asctime(s, month_of(word), d);
	}
	if (!take_int(&s, 31, &got.day))
		return false;
	skip_between(&s, "-.");
	got.month = month_of(take_letters(&s));
	skip_between(&s, "-.,");
	if (!take_year(&s, &got.year))
		return false;
	skip_between(&s, ",");
	take_time_zone(&s, &got);
	if (!is_date(&got))
		return false;
	*d = got;
	return true;
}

static bool
take_char(struct span *s, char c)
{
	if (span_at(*s, 0) != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* Just n digits. */
static bool
take_digits(struct span *s, size_t n, int *out)
{
	uint64_t v;

	if (s->n < n || !num_parse(span_head(*s, n), YEAR_MAX, &v))
		return false;
	*out = (int)v;
	*s = span_skip(*s, n);
	return true;
}

/* "17-Jul-1996" after the day. */
static bool
take_imap_month(struct span *s, struct date *d)
{
	if (!take_char(s, '-'))
		return false;
	d->month = month_of(span_head(*s, 3));
	*s = span_skip(*s, 3);
	return d->month > 0 && take_char(s, '-') &&
	    take_digits(s, 4, &d->year);
}

bool
date_parse_imap(struct span s, struct date *d)
{
	struct date got = { 0 };
	size_t digits = 2;

	if (take_char(&s, ' ')) /* date-day-fixed */
		digits = 1;
	if (!take_digits(&s, digits, &got.day) || !take_imap_month(&s, &got) ||
	    !take_char(&s, ' ') || !take_digits(&s, 2, &got.hour) ||
	    !take_char(&s, ':') || !take_digits(&s, 2, &got.minute) ||
	    !take_char(&s, ':') || !take_digits(&s, 2, &got.second) ||
	    !take_char(&s, ' '))
		return false;
	if (span_at(s, 0) != '+' && span_at(s, 0) != '-')
		return false;
	if (!take_zone_digits(&s, &got.zone) || s.n > 0 || !is_date(&got))
		return false;
	*d = got;
	return true;
}

bool
date_parse_imap_day(struct span s, struct date *d)
{
	struct date got = { 0 };

	if (!take_digits(&s, is_digit(span_at(s, 1)) ? 2 : 1, &got.day) ||
	    !take_imap_month(&s, &got) || s.n > 0 || !is_date(&got))
		return false;
	*d = got;
	return true;
}

static int
zone_number(int zone)
{
	int minutes = zone < 0 ? -zone : zone;

	return minutes / 60 * 100 + minutes % 60;
}

const char *
date_mail(int64_t seconds, int zone, char out[DATE_TEXT])
{
	struct date d = date_civil(seconds, zone);
	int64_t days = days_from_civil(d.year, d.month, d.day);

	snprintf(out, DATE_TEXT, "%s, %02d %s %04d %02d:%02d:%02d %c%04d",
	    weekdays[((days + 4) % 7 + 7) % 7], d.day, months[d.month - 1],
	    d.year, d.hour, d.minute, d.second, zone < 0 ? '-' : '+',
	    zone_number(zone) % 10000);
	return out;
}

/* Two digits and what stands behind them: where the next goes. */
static char *
put_two(char *to, int n, char then)
{
	*to++ = (char)('0' + n / 10 % 10);
	*to++ = (char)('0' + n % 10);
	*to = then;
	return to + (then != '\0');
}

/* Without printf: a client asks for that of each message. */
const char *
date_imap(int64_t seconds, int zone, char out[DATE_TEXT])
{
	struct date d = date_civil(seconds, zone);
	char *to = put_two(out, d.day, '-');

	memcpy(to, months[d.month - 1], 3);
	to[3] = '-';
	to = put_two(to + 4, d.year / 100, '\0');
	to = put_two(to, d.year % 100, ' ');
	to = put_two(to, d.hour, ':');
	to = put_two(to, d.minute, ':');
	to = put_two(to, d.second, ' ');
	*to++ = zone < 0 ? '-' : '+';
	to = put_two(to, zone_number(zone) / 100, '\0');
	(void)put_two(to, zone_number(zone) % 100, '\0');
	return out;
}

int
date_zone(int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL)
		return 0;
	return (int)(tm.tm_gmtoff / 60);
}
