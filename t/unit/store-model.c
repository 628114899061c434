/*
 * Several processes change one mailbox at once, by lib/store and behind its
 * back, and each notes what it saw and did; then the notes must agree.
 *
 *   store-model MAILDIR SECONDS SEED [kill]
 *
 * With `kill', one of them is killed every now and then, wherever it is, and
 * another one takes its place.
 *
 * Every message has a text of its own.  What must hold: a UID names one
 * text and a text has one UID; nothing that was acknowledged is missing
 * unless somebody removed it; UIDNEXT and HIGHESTMODSEQ never go back; and
 * UIDVALIDITY stays.  Writes TAP to fd 1.
 */
#include "base/err.h"
#include "base/io.h"
#include "store/account.h"
#include "store/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3, OUTSIDERS = 2, TEXT = 64, NOTES = 400000 };

struct worker {
	struct account a;
	struct mailbox *m;
	uint64_t random;
	unsigned serial;
	int id, notes;
	uint32_t uidnext;
	uint64_t modseq;
	int64_t end;
};

static uint32_t
pick(struct worker *w, uint32_t below)
{
	w->random = w->random * 6364136223846793005U + 1442695040888963407U;
	return below ? (uint32_t)(w->random >> 33) % below : 0;
}

/* One line, written at once. */
static void
note(struct worker *w, char what, uint32_t uid, const char *text)
{
	char line[128];
	int n = snprintf(line, sizeof line, "%c %u %s\n", what, uid, text);

	if (write(w->notes, line, (size_t)n) != n)
		err_die_sys(EXIT_LATER, "notes");
}

_Noreturn static void
fail(struct worker *w, const char *what)
{
	note(w, '!', 0, what);
	fprintf(stderr, "# worker %d: %s: %s\n", w->id, what, strerror(errno));
	exit(1);
}

static bool
text_of(struct worker *w, size_t i, char text[TEXT])
{
	uint64_t size;
	int fd = mailbox_read(w->m, i, &size);
	ssize_t n;

	if (fd == -1) {
		if (errno != ENOENT)
			fail(w, "read");
		return false;
	}
	n = io_read_full(fd, text, TEXT - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text[0] != '\0';
}

static void
look_at_all(struct worker *w, size_t from)
{
	char text[TEXT];

	for (size_t i = from; i < w->m->n; i++)
		if (!w->m->msgs[i].gone && text_of(w, i, text))
			note(w, 'U', w->m->msgs[i].uid, text);
}

static void
check_numbers(struct worker *w)
{
	if (w->m->uidnext < w->uidnext)
		fail(w, "UIDNEXT went back");
	if (w->m->highestmodseq < w->modseq)
		fail(w, "HIGHESTMODSEQ went back");
	w->uidnext = w->m->uidnext;
	w->modseq = w->m->highestmodseq;
	for (size_t i = 0; i + 1 < w->m->n; i++)
		if (w->m->msgs[i].uid >= w->m->msgs[i + 1].uid)
			fail(w, "UIDs out of order");
	if (w->m->n > 0 && w->m->msgs[w->m->n - 1].uid >= w->uidnext)
		fail(w, "UID above UIDNEXT");
}

static void
sync_now(struct worker *w)
{
	size_t before = w->m->n;

	if (mailbox_sync(w->m) == -1)
		fail(w, "sync");
	check_numbers(w);
	look_at_all(w, before);
	mailbox_forget(w->m);
}

static void
make_text(struct worker *w, char text[TEXT])
{
	snprintf(text, TEXT, "m-%d-%u", w->id, w->serial++);
}

static void
add(struct worker *w, bool append)
{
	struct maildir_draft d;
	char text[TEXT], name[MAILDIR_NAME];
	uint32_t uid = 0, validity;

	make_text(w, text);
	if (maildir_begin(&d, w->a.dir) == -1 ||
	    maildir_write(&d, span_str(text)) == -1 ||
	    maildir_write(&d, span_str("\n")) == -1)
		fail(w, "draft");
	if (append ? mailbox_append(&w->a, span_str("INBOX"), &d, FLAG_SEEN,
			 NULL, 0, -1, &uid, &validity)
		   : maildir_commit(&d, -1, name))
		fail(w, append ? "append" : "deliver");
	if (append)
		note(w, 'U', uid, text);
	note(w, 'A', 0, text);
}

static void
change_flags(struct worker *w)
{
	size_t which[4], n = 0;

	while (n < 4 && w->m->n > 0)
		which[n++] = pick(w, (uint32_t)w->m->n);
	if (mailbox_store(w->m, which, n, pick(w, 2) ? FLAGS_ADD : FLAGS_REMOVE,
		1U << pick(w, 6), 0) == -1)
		fail(w, "store");
}

static void
expunge(struct worker *w)
{
	char text[TEXT];
	size_t i;

	if (w->m->n < 20)
		return;
	i = pick(w, (uint32_t)w->m->n);
	if (w->m->msgs[i].gone || !text_of(w, i, text))
		return;
	note(w, 'E', w->m->msgs[i].uid, text);
	if (mailbox_expunge(w->m, &i, 1) == -1)
		fail(w, "expunge");
}

static void
reopen(struct worker *w, bool read_only)
{
	mailbox_close(w->m);
	w->m = mailbox_open(&w->a, span_str("INBOX"), read_only);
	if (w->m == NULL)
		fail(w, "open");
	check_numbers(w);
	look_at_all(w, 0);
	if (!read_only)
		return;
	reopen(w, false);
}

static void
work(struct worker *w)
{
	reopen(w, false);
	while (io_now_ms() < w->end) {
		switch (pick(w, 12)) {
		case 0:
		case 1:
			add(w, true);
			break;
		case 2:
			add(w, false);
			break;
		case 3:
		case 4:
		case 5:
			change_flags(w);
			break;
		case 6:
			expunge(w);
			break;
		case 7:
			if (pick(w, 10) == 0)
				reopen(w, pick(w, 2) == 0);
			break;
		default:
			sync_now(w);
		}
	}
	mailbox_close(w->m);
}

/* Another Maildir program: renames for flags, removes, in cur/. */
static void
meddle_with(struct worker *w, int cur, const char *name)
{
	char fresh[MAILDIR_NAME], text[TEXT] = "";
	struct maildir_name parsed;
	int fd;

	if (!maildir_parse(span_str(name), &parsed))
		return;
	if (pick(w, 150) > 0) {
		if (maildir_rename(
			span_str(name), 0, pick(w, FLAG_ALL + 1), fresh) == 0)
			(void)!renameat(cur, name, cur, fresh);
		return;
	}
	fd = openat(cur, name, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	if (io_read_full(fd, text, sizeof text - 1) > 0) {
		text[strcspn(text, "\n")] = '\0';
		note(w, 'E', 0, text);
		(void)unlinkat(cur, name, 0);
	}
	close(fd);
}

static void
meddle(struct worker *w)
{
	int cur = openat(w->a.dir, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (io_now_ms() < w->end) {
		DIR *dir = fdopendir(dup(cur));
		struct dirent *e;

		rewinddir(dir);
		while ((e = readdir(dir)) != NULL && io_now_ms() < w->end)
			if (pick(w, 6) == 0)
				meddle_with(w, cur, e->d_name);
		closedir(dir);
		usleep(2000);
	}
	close(cur);
}

struct line {
	char what;
	uint32_t uid;
	char text[TEXT];
};

static int
by_text(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	return r ? r : (x->uid > y->uid) - (x->uid < y->uid);
}

static int
by_uid(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static size_t
read_notes(const char *path, struct line *lines)
{
	FILE *f = fopen(path, "r");
	size_t n = 0;

	if (f == NULL)
		err_die_sys(EXIT_LATER, "%s", path);
	while (n < NOTES) {
		char text[256], *space;

		if (fgets(text, sizeof text, f) == NULL)
			break;
		text[strcspn(text, "\n")] = '\0';
		lines[n].what = text[0];
		lines[n].uid = (uint32_t)strtoul(text + 2, &space, 10);
		snprintf(lines[n].text, TEXT, "%.60s", space + 1);
		n++;
	}
	fclose(f);
	return n;
}

static size_t
keep(const struct line *from, size_t n, const char *what, struct line *to)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (strchr(what, from[i].what))
			to[kept++] = from[i];
	return kept;
}

static bool
has_text(struct line *sorted, size_t n, const char *text)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = strcmp(sorted[middle].text, text);

		if (r == 0)
			return true;
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void
ok(bool good, const char *what)
{
	static unsigned n;

	printf("%sok %u - %s\n", good ? "" : "not ", ++n, what);
}

/* u: the sightings; notes as they were written. */
static void
judge(const char *path)
{
	struct line *all = calloc(NOTES, sizeof *all);
	struct line *u = calloc(NOTES, sizeof *u);
	struct line *e = calloc(NOTES, sizeof *e);
	size_t n = read_notes(path, all), nu = keep(all, n, "U", u),
	       ne = keep(all, n, "E", e);
	size_t doubles = 0, moved = 0, lost = 0, wrong = 0;
	struct line *f = calloc(NOTES, sizeof *f);
	size_t nf = keep(all, n, "F", f), na = 0;

	qsort(u, nu, sizeof *u, by_uid);
	for (size_t i = 1; i < nu; i++)
		doubles += u[i].uid == u[i - 1].uid &&
			   strcmp(u[i].text, u[i - 1].text) != 0;
	qsort(u, nu, sizeof *u, by_text);
	for (size_t i = 1; i < nu; i++)
		if (u[i].uid != u[i - 1].uid &&
		    strcmp(u[i].text, u[i - 1].text) == 0) {
			moved++;
			printf(
			    "# %s: %u %u\n", u[i].text, u[i - 1].uid, u[i].uid);
		}
	qsort(e, ne, sizeof *e, by_text);
	qsort(f, nf, sizeof *f, by_text);
	for (size_t i = 0; i < n; i++) {
		wrong += all[i].what == '!';
		na += all[i].what == 'A';
		if (all[i].what != 'A' || has_text(e, ne, all[i].text) ||
		    has_text(f, nf, all[i].text))
			continue;
		lost++;
		printf("# lost: %s\n", all[i].text);
	}
	printf(
	    "# %zu added, %zu removed, %zu left, %zu notes\n", na, ne, nf, n);
	ok(wrong == 0, "no worker failed");
	ok(doubles == 0, "a UID names one message");
	ok(moved == 0, "a message has one UID");
	ok(lost == 0, "nothing is lost");
	ok(na > 20 && ne > 0, "something happened");
	free(all);
	free(u);
	free(e);
	free(f);
}

/* The end: two fresh views, and the folder, agree. */
static void
finish(struct worker *w)
{
	struct mailbox *one, *two;
	bool same;

	/* A clock tick, behind which the last change is sure to be seen. */
	usleep(100000);
	one = mailbox_open(&w->a, span_str("INBOX"), false);

	if (one == NULL)
		fail(w, "open");
	w->m = one;
	for (size_t i = 0; i < one->n; i++) {
		char text[TEXT];

		if (text_of(w, i, text))
			note(w, 'F', one->msgs[i].uid, text);
		else
			note(w, '!', one->msgs[i].uid, "unreadable");
	}
	two = mailbox_open(&w->a, span_str("INBOX"), true);
	if (two == NULL)
		fail(w, "open");
	same = one->n == two->n && one->uidvalidity == two->uidvalidity;
	for (size_t i = 0; same && i < one->n; i++) {
		const struct message *x = &one->msgs[i], *y = &two->msgs[i];
		struct maildir_name name;

		same = x->uid == y->uid && x->flags == y->flags &&
		       maildir_parse(span_str(mailbox_file(one, i)), &name) &&
		       name.flags == x->flags;
		if (!same)
			printf("# %u %u, flags %x %x, %s %s\n", x->uid, y->uid,
			    x->flags, y->flags, mailbox_file(one, i),
			    mailbox_file(two, i));
	}
	printf("# %zu and %zu messages\n", one->n, two->n);
	ok(same, "two views agree");
	mailbox_close(one);
	mailbox_close(two);
}

static void
run(struct worker *w, const char *dir, int id)
{
	w->id = id;
	w->random += (uint64_t)id * 0x9e3779b97f4a7c15U;
	account_close(&w->a);
	if (account_open(&w->a, dir, false) == -1)
		fail(w, "account");
	if (id < WORKERS)
		work(w);
	else
		meddle(w);
	account_close(&w->a);
	exit(0);
}

static pid_t
start(const struct worker *w, const char *dir, int id)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct worker own = *w;

		run(&own, dir, id);
	}
	return pid;
}

static void
start_all(struct worker *w, const char *dir, pid_t pids[WORKERS])
{
	for (int i = 0; i < WORKERS + OUTSIDERS; i++) {
		pid_t pid = start(w, dir, i);

		if (i < WORKERS)
			pids[i] = pid;
	}
}

/* Texts of a worker that takes another's place are of its own, too. */
static void
kill_some(struct worker *w, const char *dir, pid_t pids[WORKERS])
{
	for (int id = WORKERS + OUTSIDERS; io_now_ms() < w->end; id++) {
		uint32_t victim = pick(w, WORKERS);

		usleep(20000 + pick(w, 100000));
		kill(pids[victim], SIGKILL);
		waitpid(pids[victim], NULL, 0);
		pids[victim] = start(w, dir, -id);
	}
}

int
main(int argc, char **argv)
{
	pid_t pids[WORKERS];
	struct worker w = { .a.dir = -1 };
	char path[4096];
	int status;
	bool fine = true;

	if (argc != 4 && argc != 5)
		err_die(EXIT_NEVER,
		    "usage: store-model MAILDIR SECONDS SEED [kill]");
	printf("# seed %s\n", argv[3]);
	fflush(stdout);
	w.random = strtoul(argv[3], NULL, 10);
	w.end = io_now_ms() + (int64_t)strtoul(argv[2], NULL, 10) * 1000;
	snprintf(path, sizeof path, "%s.notes", argv[1]);
	w.notes = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (account_open(&w.a, argv[1], true) == -1 || w.notes == -1)
		err_die_sys(EXIT_LATER, "%s", argv[1]);
	start_all(&w, argv[1], pids);
	if (argc == 5)
		kill_some(&w, argv[1], pids);
	while (wait(&status) > 0)
		fine &= status == 0;
	ok(fine, "all ended well");
	finish(&w);
	account_close(&w.a);
	judge(path);
	printf("1..7\n");
	return 0;
}
