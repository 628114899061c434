/* Whom the connections of a listener count for. */
#include "porter.h"

#include "base/io.h"

#include <sys/mman.h>

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
	struct seats *s = mmap(NULL, sizeof *s + all * sizeof *s->all,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return NULL;
	s->n = all;
	s->limit = n;
	return s;
}

void
porter_seat_for(struct seat *seat, const struct peer *p)
{
	bool counts = p->family == AF_INET || p->family == AF_INET6;

	seat->family = AF_UNSPEC;
	seat->address = prefix(p);
	seat->family = counts ? p->family : AF_UNSPEC;
}

struct seat *
porter_seats_take(struct seats *s, const struct peer *p)
{
	struct seat *seat = s->all;

	while (seat->pid != 0)
		seat++;
	seat->stage = SEAT_OPEN;
	seat->since_ms = io_now_ms();
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

bool
porter_seats_may_tell(struct seats *s)
{
	int64_t last = s->told_ms, now = io_now_ms();

	return (last == 0 || now >= last + PORTER_PAUSE_MS) &&
	       atomic_compare_exchange_strong(&s->told_ms, &last, now);
}
