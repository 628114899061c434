/* An account: its list of mailboxes, and the subscriptions. */
#include "store/account.h"

#include "base/durable.h"
#include "base/io.h"
#include "store/folder.h"
#include "store/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const char subscriptions[] = "subscriptions";
/* Courier's; read as long as there are none of ours. */
static const char courier[] = "courierimapsubscribed";

enum {
	SUBSCRIPTIONS = 4194304 /* bytes of the file */
};

static void
list_begin(struct account_list *l)
{
	*l = (struct account_list){ .table = buf_new(ACCOUNT_LIST),
		.text = arena_new(ACCOUNT_LIST) };
}

static int
list_add(struct account_list *l, const char *name)
{
	struct span copy = arena_copy(&l->text, span_str(name));

	if (copy.p == NULL)
		return -1;
	return buf_add(&l->table, &copy.p, sizeof copy.p);
}

static int
compare(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	int inbox = (strcmp(*y, "INBOX") == 0) - (strcmp(*x, "INBOX") == 0);

	return inbox ? inbox : strcmp(*x, *y);
}

/* Sorted, each once. */
static void
list_end(struct account_list *l)
{
	size_t n = l->table.n / sizeof *l->name, kept = 0;

	l->name = (char **)(void *)l->table.p;
	if (n == 0)
		return;
	qsort(l->name, n, sizeof *l->name, compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(l->name[kept - 1], l->name[i]) != 0)
			l->name[kept++] = l->name[i];
	l->n = kept;
}

void
account_list_free(struct account_list *l)
{
	buf_free(&l->table);
	arena_free(&l->text);
	l->name = NULL;
	l->n = 0;
}

static int
add_folder(const struct account *a, struct account_list *l, const char *folder)
{
	char name[MAILBOX_NAME];
	int there;

	if (!account_name(span_str(folder), name))
		return 0;
	there = account_exists(a, span_str(name));
	if (there == -1 && errno != ELOOP && errno != EACCES)
		return -1;
	return there == 1 ? list_add(l, name) : 0;
}

int
account_list(const struct account *a, struct account_list *l)
{
	DIR *dir = folder_list(a->dir, ".");
	struct dirent *e;
	int error;

	list_begin(l);
	if (dir == NULL)
		return -1;
	while (errno = 0, (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, "..") != 0 &&
		    add_folder(a, l, e->d_name) == -1)
			break;
	error = errno;
	closedir(dir);
	list_end(l);
	if (error == 0)
		return 0;
	account_list_free(l);
	errno = error;
	return -1;
}

/*
 * Dovecot's second version has a head, a tab between levels, and dots that
 * are just dots; so has a line with slashes, which no folder's name holds.
 * Elsewhere a line is the folder without its first dot.
 */
static bool
read_line(struct span line, bool tabs, char out[MAILBOX_NAME])
{
	struct buf folder = buf_new(MAILBOX_FOLDER);
	char between = tabs ? '\t' : '/';
	bool good;

	tabs |= span_find(line, '/') < line.n;
	if (span_is(line, "INBOX"))
		return span_copy(line, out, MAILBOX_NAME) == 0;
	buf_add_byte(&folder, '.');
	for (size_t i = 0; i < line.n; i++)
		if (tabs && line.p[i] == between)
			buf_add_byte(&folder, '.');
		else if (tabs && line.p[i] == '.')
			buf_add_str(&folder, "&AC4-");
		else
			buf_add_byte(&folder, line.p[i]);
	good = !folder.full && account_name(buf_span(&folder), out);
	buf_free(&folder);
	return good;
}

/* In UTF-8: Courier since its version 5, Dovecot where it is told to. */
static bool
read_utf8_line(struct span line, bool tabs, char out[MAILBOX_NAME])
{
	char slashed[MAILBOX_NAME], folder[MAILBOX_NAME * 3];

	if (span_copy(line, slashed, sizeof slashed) == -1)
		return false;
	for (size_t i = 0; i < line.n; i++)
		if (slashed[i] == (tabs ? '\t' : '.'))
			slashed[i] = '/';
	return account_folder(span_str(slashed), folder) == 0 &&
	       account_name(span_str(folder), out);
}

/*
 * Old Dovecots and Courier write the namespace's prefix, too: where there is
 * no INBOX/Sent, but a Sent, that is meant.
 */
static const char *
without_prefix(const struct account *a, const char *name)
{
	static const char prefix[] = "INBOX/";
	const char *rest = name + sizeof prefix - 1;

	if (strncmp(name, prefix, sizeof prefix - 1) == 0 &&
	    account_exists(a, span_str(name)) == 0 &&
	    account_exists(a, span_str(rest)) == 1)
		return rest;
	return name;
}

/*
 * The mailbox of a line; false: it cannot be read.  Courier's lines all begin
 * with `INBOX.'.  What could only be the name of a folder that is not ours is
 * a mailbox where there is such a folder.
 */
static bool
line_name(const struct account *a, struct span line, bool tabs, bool couriers,
    char out[MAILBOX_NAME])
{
	char name[MAILBOX_NAME];
	bool plain;

	if (couriers && span_starts_nocase(line, "INBOX."))
		line = span_skip(line, strlen("INBOX."));
	plain = read_line(line, tabs, name);
	if ((!plain || account_is_raw(span_str(name))) &&
	    !read_utf8_line(line, tabs, name) &&
	    (!plain || !read_line(line, tabs, name) ||
		account_exists(a, span_str(name)) != 1))
		return false;
	return span_copy(span_str(without_prefix(a, name)), out,
		   MAILBOX_NAME) == 0;
}

static int
add_lines(const struct account *a, struct account_list *l, struct span text,
    bool couriers)
{
	bool tabs = span_starts(text, "V\t2\n");

	if (tabs)
		(void)span_take(&text, '\n');
	while (text.n > 0) {
		char name[MAILBOX_NAME];
		struct span line = span_take(&text, '\n');

		if (couriers)
			line = span_trim(line);
		if (line.n == 0)
			continue;
		if (!line_name(a, line, tabs, couriers, name))
			l->skipped++;
		else if (list_add(l, name) == -1)
			return -1;
	}
	return 0;
}

/* The text of the file: 1, and whether it is Courier's; 0: none; -1. */
static int
read_text(const struct account *a, struct buf *text, bool *is_courier)
{
	int r = io_slurp(a->dir, subscriptions, text);

	*is_courier = r == 0;
	return r == 0 ? io_slurp(a->dir, courier, text) : r;
}

int
account_subscriptions(const struct account *a, struct account_list *l)
{
	struct buf text = buf_new(SUBSCRIPTIONS);
	bool is_courier;
	int r = read_text(a, &text, &is_courier), error;

	list_begin(l);
	if (r == 1)
		r = add_lines(a, l, buf_span(&text), is_courier);
	error = errno;
	buf_free(&text);
	if (r == -1)
		account_list_free(l);
	else
		list_end(l);
	errno = error;
	return r == -1 ? -1 : 0;
}

/* A line for the mailbox, as Dovecot's second form has it (tabs) or not. */
static void
write_line(struct buf *out, const char *name, bool tabs)
{
	char folder[MAILBOX_NAME * 3];
	struct span level;

	if (strcmp(name, "INBOX") == 0) {
		buf_add_str(out, "INBOX\n");
		return;
	}
	if (account_folder(span_str(name), folder) == -1)
		return;
	level = span_str(folder + 1);
	while (tabs && level.n > 0) {
		if (span_starts(level, "&AC4-")) {
			buf_add_byte(out, '.');
			level = span_skip(level, strlen("&AC4-"));
			continue;
		}
		buf_add_byte(out, level.p[0] == '.' ? '\t' : level.p[0]);
		level = span_skip(level, 1);
	}
	buf_add_span(out, level);
	buf_add_byte(out, '\n');
}

/*
 * All lines but those of `removed', as they are: what they mean to other
 * programs is theirs.  Courier's are put into our form where they can be read.
 */
static void
keep_lines(const struct account *a, struct buf *out, struct span text,
    const char *removed, bool tabs, bool couriers)
{
	while (text.n > 0) {
		char name[MAILBOX_NAME];
		struct span line = span_take(&text, '\n');
		bool known;

		if (couriers)
			line = span_trim(line);
		known = line_name(a, line, tabs, couriers, name);
		if (line.n == 0 ||
		    (known && removed && strcmp(name, removed) == 0))
			continue;
		if (known && couriers) {
			write_line(out, name, false);
			continue;
		}
		buf_add_span(out, line);
		buf_add_byte(out, '\n');
	}
}

static int
write_subscriptions(const struct account *a, struct span text, bool is_courier,
    const char *added, const char *removed)
{
	struct buf out = buf_new(SUBSCRIPTIONS);
	bool tabs = !is_courier && span_starts(text, "V\t2\n");
	int r = -1;

	if (tabs) {
		buf_add_str(&out, "V\t2\n\n");
		(void)span_take(&text, '\n');
	}
	keep_lines(a, &out, text, removed, tabs, is_courier);
	if (added)
		write_line(&out, added, tabs);
	if (out.full)
		errno = ENOSPC;
	else
		r = durable_replace(
		    a->dir, subscriptions, buf_span(&out), 0600);
	buf_free(&out);
	return r;
}

static bool
is_listed(const struct account_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->name[i], name) == 0)
			return true;
	return false;
}

static int
change_subscription(const struct account *a, const char *name, bool on)
{
	struct buf text = buf_new(SUBSCRIPTIONS);
	struct account_list l;
	bool is_courier;
	int r = read_text(a, &text, &is_courier), error;

	list_begin(&l);
	if (r == 1)
		r = add_lines(a, &l, buf_span(&text), is_courier);
	list_end(&l);
	if (r != -1 && is_listed(&l, name) != on)
		r = write_subscriptions(a, buf_span(&text), is_courier,
		    on ? name : NULL, on ? NULL : name);
	error = errno;
	account_list_free(&l);
	buf_free(&text);
	errno = error;
	return r == -1 ? -1 : 0;
}

int
account_subscribe(const struct account *a, struct span name, bool on)
{
	char folder[MAILBOX_NAME * 3], canonical[MAILBOX_NAME];
	int lock, r;

	if (account_folder(name, folder) == -1)
		return -1;
	if (!account_name(span_str(folder), canonical)) {
		errno = EINVAL;
		return -1;
	}
	lock = lock_account(a->dir);
	if (lock == -1)
		return -1;
	r = change_subscription(a, canonical, on);
	io_close(lock);
	return r;
}
