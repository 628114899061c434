/*
 * File names of messages: DATE_TIME_FROM_SUBJECT.ID.
 *
 * Made of letters and digits of any script, `@.+=,' inside a field and `-'
 * for every run of anything else: no name needs quotes in a shell, hides a
 * character or moves a terminal's cursor.  Names never change while the
 * message lives.  Pure functions of their arguments.
 */
#ifndef POSTERN_MAILFS_NAMES_H
#define POSTERN_MAILFS_NAMES_H

#include "base/span.h"

#include <locale.h>
#include <stdint.h>
#include <wctype.h>

enum {
	NAMES_ID = 12, /* base32 digits of an instance id */
	NAMES_WHEN = 15,
	NAMES_FROM = 24, /* bytes */
	NAMES_SUBJECT = 64,
	NAMES_LONGEST = 120, /* bytes of a name with the longest suffix */
	NAMES_SIZE = 160     /* room for one in the making */
};

/* The classes of characters that names are made by. */
struct names {
	locale_t locale;
	wctype_t alnum, mark;
};

/* 0, or -1 with errno where there is no UTF-8 locale. */
int names_init(struct names *n);

/* The stem of the message with this header: always a name. */
void names_stem(const struct names *n, struct span header, int64_t date,
    uint64_t id, char out[NAMES_SIZE]);

/* The same from what a header says: its sender (mail/address.h) and its
 * subject, decoded. */
void names_make(const struct names *n, struct span from, struct span subject,
    int64_t date, uint64_t id, char out[NAMES_SIZE]);

/* Day and minute in UTC: 2026-11-23_0320. */
void names_when(int64_t date, char out[NAMES_WHEN + 1]);

/* Text as one field of at most max bytes (max + 1 with the NUL), or
 * `otherwise' where nothing is left of it. */
void names_clean(const struct names *n, struct span text, size_t max,
    const char *otherwise, char *out);

/* Instance ids as text: 12 digits of base32 without i, l, o and u. */
void names_id(uint64_t id, char out[NAMES_ID + 1]);
bool names_parse_id(struct span s, uint64_t *id);

#endif
