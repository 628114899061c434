/*
 * Seats that are lost: where all are taken, an honest client must not wait
 * until those who do nothing have done so for long enough.
 *
 * Some seats of those who have not logged in are looked at, at random, which
 * finds a source the sooner the more it has.  Nobody who has no more than
 * others loses a seat to them within the time that a login takes.
 */
#include "porter.h"

#include "base/io.h"

#include <sys/random.h>

enum {
	SAMPLE = 16,
	SAMPLE_FEW = 4 /* for one who has a seat: it should cost us little */
};

/* How many without a login are of the seat's source. */
static uint64_t
weigh(const struct seats *s, const struct seat *seat)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->all[i].pid != 0 && s->all[i].stage == SEAT_OPEN &&
		     s->all[i].family == seat->family &&
		     s->all[i].address == seat->address;
	return n;
}

/* The next one that can be lost, from a place on, or NULL. */
static struct seat *
next_open(struct seats *s, size_t at)
{
	for (size_t i = 0; i < s->n; i++) {
		struct seat *seat = &s->all[(at + i) % s->n];

		if (seat->sock != -1 && seat->stage == SEAT_OPEN)
			return seat;
	}
	return NULL;
}

/* The heaviest of a sample of n, or NULL. */
static struct seat *
find_heaviest(struct seats *s, size_t n, uint64_t *weight)
{
	uint32_t at[SAMPLE];
	struct seat *heaviest = NULL;

	*weight = 0;
	if (getrandom(at, sizeof at, 0) != (ssize_t)sizeof at)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct seat *seat = next_open(s, at[i]);
		uint64_t w;

		if (seat == NULL)
			return NULL;
		w = seat->family == AF_UNSPEC ? 1 : weigh(s, seat);
		if (heaviest == NULL || w > *weight ||
		    (w == *weight && seat->since_ms < heaviest->since_ms)) {
			*weight = w;
			heaviest = seat;
		}
	}
	return heaviest;
}

/* Its process may just have ended.  Where somebody has just logged in it will
 * say so, and there is one more than there should be, for once. */
static bool
take_away(struct seats *s, struct seat *seat)
{
	const uint32_t lost = SEAT_TOLD_LOST;

	if (io_send(seat->sock, &lost, sizeof lost, NULL, 0) == -1)
		return false;
	seat->stage = SEAT_LOST;
	s->lost++;
	return true;
}

/* Who has seats must not throw out others of about as many, again and again,
 * nor take up the room that is there for those who have none. */
static bool
is_due(const struct seats *s, const struct seat *seat, uint64_t own,
    uint64_t weight)
{
	if (own > 0)
		return weight > 2 * own && s->lost < (s->n - s->limit) / 2;
	return weight > 1 || io_now_ms() - seat->since_ms >= PORTER_EARLY_MS;
}

bool
porter_seats_free(struct seats *s, const struct peer *p)
{
	uint64_t own, weight;
	struct seat new, *seat;

	if (s->used - s->lost < s->limit)
		return true;
	if (s->used == s->n)
		return false;
	porter_seat_for(&new, p);
	own = new.family == AF_UNSPEC ? 0 : weigh(s, &new);
	seat = find_heaviest(s, own > 0 ? SAMPLE_FEW : SAMPLE, &weight);
	return seat && is_due(s, seat, own, weight) && take_away(s, seat);
}
