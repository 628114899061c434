/* Messages that are done: their removal is what says so. */
#include <errno.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/log.h"
#include "qsend.h"

int
gone_remove(struct qsend *q, const char *id, bool has_state)
{
	if (unlinkat(q->queue.mess, id, 0) == -1 && errno != ENOENT)
		return -1;
	q->unsynced++;
	/* Without memory the state stays until the next qsend looks. */
	if (has_state)
		(void)buf_add(&q->states, id, QUEUE_ID);
	return 0;
}

void
gone_sync(struct qsend *q)
{
	struct span ids = buf_span(&q->states);

	if (q->unsynced == 0)
		return;
	q->unsynced = 0;
	if (durable_sync(q->queue.mess) == -1) {
		/* At worst those messages go out twice. */
		log_error("not-synced", "mess", errno);
		ids.n = 0;
	}
	for (; ids.n > 0; ids = span_skip(ids, QUEUE_ID))
		if (unlinkat(q->queue.state, ids.p, 0) == -1)
			log_error("not-removed", "state", errno);
	buf_reset(&q->states);
}
