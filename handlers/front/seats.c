/* Whom the connections of a listener count for. */
#include "porter.h"

#include "base/io.h"

#include <stdlib.h>

enum {
	SPARE = 16 /* seats of some that are about to go */
};

/* IPv4 addresses, and networks of IPv6 as long as this, are one source. */
static uint64_t
prefix(const struct peer *p)
{
	uint64_t address = 0;

	for (size_t i = 0; i < (p->family == AF_INET ? 4 : 8); i++)
		address = address << 8 | p->address[i];
	return address;
}

struct seats *
porter_seats_new(size_t n)
{
	size_t all = n + n / 4 + SPARE;
	struct seats *s = calloc(1, sizeof *s + all * sizeof *s->all);

	if (s == NULL)
		return NULL;
	s->n = all;
	s->limit = n;
	for (size_t i = 0; i < all; i++)
		s->all[i].sock = s->all[i].session = -1;
	return s;
}

void
porter_seat_for(struct seat *seat, const struct peer *p)
{
	bool counts = p->family == AF_INET || p->family == AF_INET6;

	seat->address = prefix(p);
	seat->family = counts ? p->family : AF_UNSPEC;
}

struct seat *
porter_seats_take(struct seats *s, const struct peer *p)
{
	struct seat *seat = s->all;

	while (seat->pid != 0)
		seat++;
	*seat = (struct seat){ .since_ms = io_now_ms(),
		.sock = -1,
		.session = -1 };
	porter_seat_for(seat, p);
	return seat;
}

uint64_t
porter_seats_count(const struct seats *s, const struct peer *p)
{
	uint64_t n = 0, address = prefix(p);

	if (p->family != AF_INET && p->family != AF_INET6)
		return 0;
	for (size_t i = 0, seen = 0; seen < s->used && i < s->n; i++) {
		const struct seat *seat = &s->all[i];

		if (seat->pid == 0)
			continue;
		seen++;
		n += seat->stage != SEAT_LOST && seat->family == p->family &&
		     seat->address == address;
	}
	return n;
}

void
porter_seat_keep(struct seats *s, struct seat *seat)
{
	if (seat->stage == SEAT_LOST)
		s->lost--;
	seat->stage = SEAT_KEPT;
}

void
porter_seat_leave(struct seats *s, struct seat *seat)
{
	porter_seat_keep(s, seat);
	seat->pid = 0;
	s->used--;
}
