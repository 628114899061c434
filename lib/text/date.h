/* Dates: of mail headers (RFC 5322 3.3), of IMAP, and as text. */
#ifndef POSTERN_TEXT_DATE_H
#define POSTERN_TEXT_DATE_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DATE_TEXT = 48
};

/* A date of the civil calendar; zone in minutes east of UTC. */
struct date {
	int year, month, day; /* month 1..12 */
	int hour, minute, second;
	int zone;
};

/* Seconds since 1970 UTC, and back (in the given zone). */
int64_t date_seconds(const struct date *d);
struct date date_civil(int64_t seconds, int zone);

/* A Date: field's value, with obsolete forms; a time that is none is midnight
 * UTC (RFC 5256 2.2).  False: no date. */
bool date_parse_mail(struct span s, struct date *d);
/* "17-Jul-1996 02:44:25 -0700" (RFC 3501 date-time); false: not one. */
bool date_parse_imap(struct span s, struct date *d);
/* "17-Jul-1996" (RFC 3501 date). */
bool date_parse_imap_day(struct span s, struct date *d);

/* "Wed, 17 Jul 1996 02:44:25 -0700" and "17-Jul-1996 02:44:25 -0700". */
const char *date_mail(int64_t seconds, int zone, char out[DATE_TEXT]);
const char *date_imap(int64_t seconds, int zone, char out[DATE_TEXT]);
/* Minutes east of UTC here at that time. */
int date_zone(int64_t seconds);

#endif
