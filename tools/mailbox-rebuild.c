/* postern mailbox rebuild */
#include "mailbox.h"

#include "base/err.h"
#include "store/inspect.h"
#include "store/quota.h"

#include <errno.h>
#include <stdio.h>

/* What becomes of one mailbox. */
struct rebuilding {
	struct mailbox_tool *t;
	const char *name;
	uint32_t before; /* UIDVALIDITY; 0: not known */
	size_t damaged;
};

/* inspect_found */
static void
note_damage(void *ctx, const char *file, const char *what)
{
	struct rebuilding *r = ctx;

	r->damaged++;
	err_warn("%s: %s: %s", r->name, file, what);
}

/* mailbox_step */
static void
step(void *ctx, size_t done, size_t all)
{
	struct rebuilding *r = ctx;

	progress_show(
	    &r->t->progress, "%s: cache: %zu of %zu", r->name, done, all);
}

static void
look(struct rebuilding *r)
{
	bool failed;
	struct mailbox *m =
	    inspect_open(&r->t->a, span_str(r->name), note_damage, r, &failed);

	r->before = m ? m->uidvalidity
		      : inspect_uidvalidity(&r->t->a, span_str(r->name));
	inspect_close(m);
}

static void
report(const struct rebuilding *r, const struct mailbox *m)
{
	progress_hide(&r->t->progress);
	if (r->t->json) {
		putchar('{');
		mailbox_json("mailbox", span_str(r->name));
		printf(",\"messages\":%zu,\"damaged\":%zu,\"uidvalidity\":%lu,"
		       "\"uidvalidity_before\":%lu}\n",
		    m->n, r->damaged, (unsigned long)m->uidvalidity,
		    (unsigned long)r->before);
		return;
	}
	printf(
	    "%s: index and cache of %zu messages made anew; ", r->name, m->n);
	if (r->before == m->uidvalidity)
		puts("UIDs are kept");
	else
		printf("UIDs are new, UIDVALIDITY %lu\n",
		    (unsigned long)m->uidvalidity);
}

static int
rebuild_one(struct mailbox_tool *t, const char *name, void *ctx)
{
	struct rebuilding r = { .t = t, .name = name };
	struct mailbox *m;
	int code = 0;

	(void)ctx;
	look(&r);
	m = mailbox_open(&t->a, span_str(name), false);
	if (m == NULL || mailbox_rebuild(m, step, &r) == -1) {
		progress_hide(&t->progress);
		err_warn_sys("%s", name);
		code = EXIT_LATER;
	} else {
		report(&r, m);
	}
	mailbox_close(m);
	return code;
}

static int
rebuild_size(struct mailbox_tool *t)
{
	struct quota_usage u;
	int r = quota_recount(&t->a, &u);

	if (r == -1) {
		err_warn_sys("maildirsize");
		return EXIT_LATER;
	}
	if (r == 0)
		return 0;
	if (t->json)
		printf("{\"maildirsize\":true,\"bytes\":%llu,\"messages\":%llu"
		       "}\n",
		    (unsigned long long)u.bytes, (unsigned long long)u.count);
	else
		printf("maildirsize: %llu bytes in %llu messages\n",
		    (unsigned long long)u.bytes, (unsigned long long)u.count);
	return 0;
}

int
mailbox_rebuild_command(struct conf *c, int argc, char **argv)
{
	return mailbox_some(c, argc, argv, rebuild_one, rebuild_size);
}
