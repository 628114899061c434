/*
 * Drives lib/store for the tests: a Maildir as argument, commands on fd 0,
 * one a line, answers on fd 1.
 *
 *   create|delete|exists NAME      rename FROM TO      list   subs
 *   subscribe|unsubscribe NAME     folder NAME
 *   deliver NAME TEXT              append NAME FLAGS TEXT
 *   open NAME   examine NAME   close   sync   forget   ls   names
 *   follow (sync without the folder)
 *   add|remove|set UID FLAGS [KEYWORD]     expunge UID
 *   copy UID NAME   move UID NAME   read UID   wait MS
 *   status NAME     validity        exhaust NAME (UIDs: few are left)
 *   fold NAME (into a new snapshot)
 *   quota (bytes, messages and their limits)   recount (the same, by looking)
 *   modseq (the highest, and the expunge record's floor)
 *   vanished MODSEQ (UIDs expunged since)
 *
 * FLAGS are Maildir letters, - for none; TEXT runs to the end of the line.
 * UID may be * for all.  Exits with 0; a command that fails says "error".
 */
#include "base/err.h"
#include "base/io.h"
#include "base/num.h"
#include "store/account.h"
#include "store/mailbox.h"
#include "store/maildir.h"
#include "store/quota.h"
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST = 100000 };

struct tool {
	struct account a;
	struct mailbox *m;
	size_t which[MOST], n;
	uint32_t uids[MOST];
};

static int
answer(int r)
{
	if (r == -1)
		printf("error %s\n", strerrorname_np(errno));
	else
		printf("ok\n");
	return r;
}

static unsigned
flags_of(struct span letters)
{
	static const char known[] = "RFTSDP";
	unsigned flags = 0;

	for (size_t i = 0; i < letters.n; i++) {
		const char *at = memchr(known, letters.p[i], 6);

		if (at)
			flags |= 1U << (at - known);
	}
	return flags;
}

static void
print_flags(unsigned flags)
{
	static const char known[] = "RFTSDP";

	for (size_t i = 0; i < 6; i++)
		if (flags >> i & 1)
			putchar(known[i]);
	if (flags == 0)
		putchar('-');
}

static void
print_list(struct account_list *l, int r)
{
	if (r == -1) {
		answer(-1);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		printf("%s%s", i ? " " : "", l->name[i]);
	putchar('\n');
	account_list_free(l);
}

static int
write_draft(struct tool *t, struct maildir_draft *d, int dir, struct span text)
{
	if (maildir_begin(d, dir) == -1)
		return -1;
	if (maildir_write(d, text) == 0 &&
	    maildir_write(d, span_str("\r\n")) == 0)
		return 0;
	maildir_abort(d);
	return -1;
}

static void
deliver(struct tool *t, struct span name, struct span text)
{
	struct maildir_draft d;
	char file[MAILDIR_NAME];
	int dir = account_folder_open(&t->a, name);

	if (dir == -1 || write_draft(t, &d, dir, text) == -1 ||
	    maildir_commit(&d, -1, file) == -1) {
		answer(-1);
		return;
	}
	close(dir);
	answer(0);
}

static void
append(struct tool *t, struct span name, struct span flags, struct span text)
{
	struct maildir_draft d;
	uint32_t uid, validity;
	struct span keyword = span_str("appended");

	if (write_draft(t, &d, t->a.dir, text) == -1 ||
	    mailbox_append(&t->a, name, &d, flags_of(flags), &keyword, 1,
		1000000000, &uid, &validity) == -1)
		answer(-1);
	else
		printf("uid %lu\n", (unsigned long)uid);
}

static void
open_mailbox(struct tool *t, struct span name, bool read_only)
{
	mailbox_close(t->m);
	t->m = mailbox_open(&t->a, name, read_only);
	answer(t->m ? 0 : -1);
}

static void
list_messages(const struct tool *t, bool names)
{
	for (size_t i = 0; i < t->m->n; i++) {
		const struct message *msg = &t->m->msgs[i];

		printf("%lu ", (unsigned long)msg->uid);
		print_flags(msg->flags);
		for (size_t k = 0; k < t->m->nkeywords; k++)
			if (msg->keywords >> k & 1)
				printf(" %s", t->m->keyword[k]);
		printf("%s%s%s%s", msg->recent ? " recent" : "",
		    msg->changed ? " changed" : "", msg->gone ? " gone" : "",
		    msg->in_new ? " new" : "");
		if (names)
			printf(" size=%llu wire=%llu modseq=%llu id=%llx "
			       "date=%lld saved=%lu %s",
			    (unsigned long long)msg->size,
			    (unsigned long long)msg->wire,
			    (unsigned long long)msg->modseq,
			    (unsigned long long)msg->id, (long long)msg->date,
			    (unsigned long)msg->saved, mailbox_file(t->m, i));
		putchar('\n');
	}
	printf("end\n");
}

static void
list_vanished(const struct tool *t, struct span since)
{
	const struct vanished *v = (const void *)t->m->state->vanished.p;
	size_t n = t->m->state->vanished.n / sizeof *v;
	uint64_t modseq = 0;

	(void)num_parse(since, UINT64_MAX, &modseq);
	for (size_t i = 0; i < n; i++)
		if (v[i].modseq > modseq)
			printf("%lu ", (unsigned long)v[i].uid);
	printf("end\n");
}

static bool
select_messages(struct tool *t, struct span uid)
{
	uint32_t u;
	size_t i;

	t->n = 0;
	if (t->m == NULL)
		return false;
	if (span_is(uid, "*")) {
		for (i = 0; i < t->m->n; i++)
			t->which[t->n++] = i;
		return true;
	}
	if (!num_parse_u32(uid, UINT32_MAX, &u))
		return false;
	i = mailbox_find(t->m, u);
	if (i == t->m->n || t->m->msgs[i].uid != u) {
		errno = ENOENT;
		return false;
	}
	t->which[t->n++] = i;
	return true;
}

static void
store(struct tool *t, enum flag_op op, struct span *args)
{
	struct span uid = span_take(args, ' '), flags = span_take(args, ' ');
	uint64_t bit = 0;

	if (!select_messages(t, uid) ||
	    (args->n > 0 && mailbox_keyword(t->m, *args, true, &bit) == -1))
		answer(-1);
	else
		answer(mailbox_store(
		    t->m, t->which, t->n, op, flags_of(flags), bit));
}

static void
copy(struct tool *t, bool move, struct span *args)
{
	struct span uid = span_take(args, ' ');
	uint32_t validity;
	int r = -1;

	if (select_messages(t, uid))
		r = (move ? mailbox_move : mailbox_copy)(
		    t->m, t->which, t->n, &t->a, *args, t->uids, &validity);
	if (r == -1) {
		answer(-1);
		return;
	}
	printf("uids");
	for (size_t k = 0; k < t->n; k++)
		printf(" %lu", (unsigned long)t->uids[k]);
	putchar('\n');
}

static void
read_message(struct tool *t, struct span uid)
{
	char text[8192];
	uint64_t size;
	ssize_t n;
	int fd = -1;

	if (select_messages(t, uid))
		fd = mailbox_read(t->m, t->which[0], &size);
	if (fd == -1) {
		answer(-1);
		return;
	}
	n = io_read_full(fd, text, sizeof text);
	close(fd);
	printf("%llu ", (unsigned long long)size);
	fwrite(text, 1, n > 0 ? (size_t)n : 0, stdout);
}

static void
wait_for_news(struct tool *t, struct span ms)
{
	uint64_t limit = 0;
	int fd = mailbox_watch(t->m);
	int64_t again, end;

	(void)num_parse(ms, 60000, &limit);
	printf("ready\n");
	fflush(stdout);
	if (fd == -1)
		answer(-1);
	else {
		again = mailbox_again_ms(t->m);
		end = io_now_ms() + (int64_t)limit;
		/* Waiting to its end is being told to look, too. */
		if (again != -1 && again < end)
			answer(io_wait(fd, POLLIN, again) * 0);
		else
			answer(io_wait(fd, POLLIN, end));
	}
}

static void
status(struct tool *t, struct span name)
{
	struct mailbox_status s;

	if (mailbox_status(&t->a, name, true, &s) == -1)
		answer(-1);
	else
		printf("messages=%lu recent=%lu unseen=%lu uidnext=%lu "
		       "size=%llu\n",
		    (unsigned long)s.messages, (unsigned long)s.recent,
		    (unsigned long)s.unseen, (unsigned long)s.uidnext,
		    (unsigned long long)s.size);
}

static void
fold(struct tool *t, struct span name)
{
	struct mailbox *m = view_open(&t->a, name, true, false);
	int r = m ? view_lock(m) : -1;

	if (r == 0) {
		r = index_write(m);
		view_unlock(m);
	}
	answer(r);
	if (m)
		view_free(m);
}

/* A journal of an empty mailbox that has given out nearly all UIDs. */
static void
exhaust(struct tool *t, struct span name)
{
	struct journal_head h = { .uidvalidity = 1000,
		.generation = 1,
		.mailbox_id = 1,
		.uidnext = UINT32_MAX - 100,
		.modseq = 1 };
	char head[JOURNAL_HEAD];
	int dir = account_folder_open(&t->a, name), fd;

	journal_head_write(head, &h);
	fd = openat(
	    dir, JOURNAL_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	answer(fd == -1 ? -1 : io_write(fd, head, sizeof head));
	close(fd);
	close(dir);
}

static bool
do_account(struct tool *t, struct span verb, struct span args)
{
	struct account_list l;
	char folder[MAILBOX_NAME * 3], name[MAILBOX_NAME];

	if (span_is(verb, "create"))
		answer(account_create(&t->a, args));
	else if (span_is(verb, "delete"))
		answer(account_delete(&t->a, args));
	else if (span_is(verb, "exists"))
		printf("%d\n", account_exists(&t->a, args));
	else if (span_is(verb, "list"))
		print_list(&l, account_list(&t->a, &l));
	else if (span_is(verb, "subs"))
		print_list(&l, account_subscriptions(&t->a, &l));
	else if (span_is(verb, "subscribe"))
		answer(account_subscribe(&t->a, args, true));
	else if (span_is(verb, "unsubscribe"))
		answer(account_subscribe(&t->a, args, false));
	else if (span_is(verb, "rename"))
		answer(account_rename(&t->a, span_take(&args, ' '), args));
	else if (span_is(verb, "fold"))
		fold(t, args);
	else if (span_is(verb, "exhaust"))
		exhaust(t, args);
	else if (!span_is(verb, "folder"))
		return false;
	else if (account_folder(args, folder) == -1)
		answer(-1);
	else if (!account_name(span_str(folder), name))
		printf("%s has no name\n", folder);
	else
		printf("%s %s\n", folder, name);
	return true;
}

static bool
do_quota(const struct tool *t, struct span verb)
{
	struct quota_usage u;
	int r;

	if (span_is(verb, "quota"))
		r = quota_read(&t->a, &u);
	else if (span_is(verb, "recount"))
		r = quota_recount(&t->a, &u);
	else
		return false;
	if (r == 1)
		printf("%llu %llu %llu %llu\n", (unsigned long long)u.bytes,
		    (unsigned long long)u.count,
		    (unsigned long long)u.limits.bytes,
		    (unsigned long long)u.limits.count);
	else
		answer(r);
	return true;
}

static bool
do_view(struct tool *t, struct span verb, struct span args)
{
	if (t->m == NULL)
		return false;
	if (span_is(verb, "close")) {
		mailbox_close(t->m);
		t->m = NULL;
		answer(0);
	} else if (span_is(verb, "sync"))
		answer(mailbox_sync(t->m));
	else if (span_is(verb, "follow"))
		answer(view_follow(t->m));
	else if (span_is(verb, "forget"))
		mailbox_forget(t->m);
	else if (span_is(verb, "ls"))
		list_messages(t, false);
	else if (span_is(verb, "names"))
		list_messages(t, true);
	else if (span_is(verb, "add"))
		store(t, FLAGS_ADD, &args);
	else if (span_is(verb, "remove"))
		store(t, FLAGS_REMOVE, &args);
	else if (span_is(verb, "set"))
		store(t, FLAGS_SET, &args);
	else if (span_is(verb, "expunge"))
		answer(select_messages(t, args)
			   ? mailbox_expunge(t->m, t->which, t->n)
			   : -1);
	else if (span_is(verb, "copy"))
		copy(t, false, &args);
	else if (span_is(verb, "move"))
		copy(t, true, &args);
	else if (span_is(verb, "read"))
		read_message(t, args);
	else if (span_is(verb, "wait"))
		wait_for_news(t, args);
	else if (span_is(verb, "validity"))
		printf("%lu %s %lu\n", (unsigned long)t->m->uidvalidity,
		    t->m->mailbox_id, (unsigned long)t->m->uidnext);
	else if (span_is(verb, "modseq"))
		printf("%llu %llu\n", (unsigned long long)t->m->highestmodseq,
		    (unsigned long long)t->m->state->vanished_floor);
	else if (span_is(verb, "vanished"))
		list_vanished(t, args);
	else
		return false;
	return true;
}

static void
do_line(struct tool *t, struct span line)
{
	struct span verb = span_take(&line, ' '), name;

	if (do_account(t, verb, line) || do_quota(t, verb) ||
	    do_view(t, verb, line))
		return;
	if (span_is(verb, "open"))
		open_mailbox(t, line, false);
	else if (span_is(verb, "examine"))
		open_mailbox(t, line, true);
	else if (span_is(verb, "status"))
		status(t, line);
	else if (span_is(verb, "deliver")) {
		name = span_take(&line, ' ');
		deliver(t, name, line);
	} else if (span_is(verb, "append")) {
		struct span flags;

		name = span_take(&line, ' ');
		flags = span_take(&line, ' ');
		append(t, name, flags, line);
	} else
		printf("what?\n");
}

int
main(int argc, char **argv)
{
	static struct tool t;
	char line[16384];

	if (argc != 2)
		err_die(EXIT_NEVER, "usage: store-tool MAILDIR");
	if (account_open(&t.a, argv[1], true) == -1)
		err_die_sys(EXIT_LATER, "%s", argv[1]);
	setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof line, stdin)) {
		do_line(&t, span_trim(span_str(line)));
		fflush(stdout);
	}
	mailbox_close(t.m);
	account_close(&t.a);
	return 0;
}
