/* postern mailbox list */
#include "mailbox.h"

#include "base/err.h"
#include "store/mailbox.h"

#include <getopt.h>
#include <stdio.h>

struct listing {
	struct account_list subscribed;
	size_t mailboxes;
	struct mailbox_status total;
};

static bool
is_subscribed(const struct listing *l, const char *name)
{
	for (size_t i = 0; i < l->subscribed.n; i++)
		if (strcmp(l->subscribed.name[i], name) == 0)
			return true;
	return false;
}

static void
print_counts(const struct mailbox_status *s)
{
	printf("\"messages\":%lu,\"unseen\":%lu,\"recent\":%lu,\"size\":%llu",
	    (unsigned long)s->messages, (unsigned long)s->unseen,
	    (unsigned long)s->recent, (unsigned long long)s->size);
}

static void
print_json(
    const struct listing *l, const char *name, const struct mailbox_status *s)
{
	const char *special = account_special_use(span_str(name));

	putchar('{');
	mailbox_json("mailbox", span_str(name));
	putchar(',');
	print_counts(s);
	printf(",\"uidvalidity\":%lu,\"uidnext\":%lu,",
	    (unsigned long)s->uidvalidity, (unsigned long)s->uidnext);
	if (special)
		mailbox_json("special_use", span_str(special));
	else
		printf("\"special_use\":null");
	printf(
	    ",\"subscribed\":%s}\n", is_subscribed(l, name) ? "true" : "false");
}

static void
print_text(
    const struct listing *l, const char *name, const struct mailbox_status *s)
{
	const char *special = account_special_use(span_str(name));

	printf("%8lu %8lu %8lu %13llu %11lu %10lu  %s%s%s%s\n",
	    (unsigned long)s->messages, (unsigned long)s->unseen,
	    (unsigned long)s->recent, (unsigned long long)s->size,
	    (unsigned long)s->uidvalidity, (unsigned long)s->uidnext, name,
	    is_subscribed(l, name) ? " subscribed" : "", special ? " " : "",
	    special ? special : "");
}

static int
list_one(struct mailbox_tool *t, const char *name, void *ctx)
{
	struct listing *l = ctx;
	struct mailbox_status s;

	if (mailbox_status(&t->a, span_str(name), true, &s) == -1) {
		err_warn_sys("%s", name);
		return EXIT_LATER;
	}
	l->mailboxes++;
	l->total.messages += s.messages;
	l->total.unseen += s.unseen;
	l->total.recent += s.recent;
	l->total.size += s.size;
	if (t->json)
		print_json(l, name, &s);
	else
		print_text(l, name, &s);
	return 0;
}

static void
print_total(const struct mailbox_tool *t, const struct listing *l)
{
	const struct mailbox_status *s = &l->total;

	if (t->json) {
		printf("{\"mailboxes\":%zu,", l->mailboxes);
		print_counts(s);
		puts("}");
		return;
	}
	printf("%8lu %8lu %8lu %13llu %11s %10s  in %zu mailboxes\n",
	    (unsigned long)s->messages, (unsigned long)s->unseen,
	    (unsigned long)s->recent, (unsigned long long)s->size, "", "",
	    l->mailboxes);
}

static int
list_all(struct mailbox_tool *t, void *ctx)
{
	struct listing *l = ctx;
	int code;

	mailbox_jail(t, NULL, false);
	if (account_subscriptions(&t->a, &l->subscribed) == -1) {
		err_warn_sys("%s: subscriptions", t->path);
		return EXIT_LATER;
	}
	if (!t->json)
		printf("%8s %8s %8s %13s %11s %10s  %s\n", "messages", "unseen",
		    "recent", "size", "uidvalidity", "uidnext", "mailbox");
	code = mailbox_each(t, list_one, l);
	print_total(t, l);
	account_list_free(&l->subscribed);
	return code;
}

int
mailbox_list(struct conf *c, int argc, char **argv)
{
	static const struct option options[] = { MAILBOX_OPTIONS,
		{ NULL, 0, NULL, 0 } };
	struct mailbox_tool t = { .c = c };
	struct listing l = { 0 };
	const char *command = argv[0];
	int o;

	while (
	    (o = getopt_long(argc, argv, MAILBOX_SHORT, options, NULL)) != -1)
		if (!mailbox_option(&t, o, optarg))
			mailbox_usage(command);
	mailbox_user(&t, &argc, &argv);
	if (argc != 0)
		mailbox_usage(command);
	return mailbox_as_owner(&t, list_all, &l);
}
