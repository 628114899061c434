/* postern-adopt: one mailbox. */
#include "adopt.h"

#include "base/err.h"
#include "base/io.h"
#include "store/folder.h"
#include "store/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void
note(struct report *r, bool it_is_so, const char *text)
{
	if (it_is_so && r->nnotes < ADOPT_NOTES)
		snprintf(r->notes[r->nnotes++], ADOPT_NOTE, "%s", text);
}

static void
note_count(struct report *r, size_t n, const char *text)
{
	if (n > 0 && r->nnotes < ADOPT_NOTES)
		snprintf(r->notes[r->nnotes++], ADOPT_NOTE, "%zu %s", n, text);
}

static uint32_t
listed_uid(const struct report *r, const char *file)
{
	struct maildir_name name;

	if (r->a.from == NULL || !maildir_parse(span_str(file), &name))
		return 0;
	return uidlist_find(&r->a.uids, name.base);
}

static bool
is_message(int dir, const struct dirent *e)
{
	struct maildir_name name;
	struct stat st;

	if (!maildir_parse(span_str(e->d_name), &name))
		return false;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

static void
count_entry(struct report *r, int dir, const char *sub, const struct dirent *e)
{
	bool listed = listed_uid(r, e->d_name) > 0;
	struct maildir_name parsed;
	char name[MAILDIR_NAME];

	if (is_message(dir, e)) {
		r->messages++;
		r->kept += listed;
		r->with_id += maildir_parse(span_str(e->d_name), &parsed) &&
			      uidls_find(&r->ids, parsed.base) != NULL;
		r->arrived += !listed && strcmp(sub, "new") == 0;
	} else if (r->strange++ == 0) {
		print_name(span_str(e->d_name), name, sizeof name);
		snprintf(r->example, sizeof r->example, "%s/%s", sub, name);
	}
}

static int
count_files(struct report *r, int dir, const char *sub)
{
	DIR *d = folder_list(dir, sub);
	const struct dirent *e;

	if (d == NULL)
		return errno == ENOENT ? 0 : -1;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			count_entry(r, dirfd(d), sub, e);
	closedir(d);
	return 0;
}

/* What would happen, by the names alone. */
static int
foresee(struct report *r, int dir)
{
	r->uidvalidity = r->a.uids.uidvalidity;
	r->same = r->a.from != NULL;
	if (count_files(r, dir, "cur") == -1)
		return -1;
	return count_files(r, dir, "new");
}

/* The first opening does it; then the two are compared. */
static int
carry_out(struct job *j, struct report *r)
{
	struct mailbox *m = mailbox_open(&j->a, span_str(r->name), true);

	if (m == NULL)
		return -1;
	r->unshown = r->messages > m->n ? r->messages - m->n : 0;
	r->messages = m->n;
	r->kept = 0;
	r->uidvalidity = m->uidvalidity;
	r->same = r->a.from && m->uidvalidity == r->a.uids.uidvalidity;
	for (size_t i = 0; r->same && i < m->n; i++)
		r->kept += m->msgs[i].uid == listed_uid(r, mailbox_file(m, i));
	mailbox_close(m);
	return 0;
}

static bool
is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Courier says in every folder that its owner may do all. */
static bool
names_others(int dir, const char *file)
{
	struct buf text = buf_new(ADOPT_ACL);
	struct span rest;
	bool others = false;

	if (io_slurp(dir, file, &text) == -1)
		others = is_there(dir, file);
	for (rest = buf_span(&text); rest.n > 0;) {
		struct span line = span_take(&rest, '\n');

		others |= line.n > 0 && !span_starts(line, "owner ") &&
			  !span_starts(line, "administrators ");
	}
	buf_free(&text);
	return others;
}

static bool
has_index(int dir)
{
	struct stat st;

	return (fstatat(dir, "postern.journal", &st, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
		   st.st_size > 0) ||
	       is_there(dir, "postern.index");
}

static bool
is_locked(int dir)
{
	struct stat st;
	int64_t now;
	uint32_t usec;

	if (fstatat(dir, "dovecot-uidlist.lock", &st, AT_SYMLINK_NOFOLLOW) ==
	    -1)
		return false;
	io_wall(&now, &usec);
	return st.st_mtime > now - ADOPT_LOCK_S;
}

/* Dovecot has letters for 26 keywords; where all are taken, there may be
 * more in its index. */
static bool
letters_are_used_up(const struct report *r)
{
	for (size_t i = 0; i < KWLIST_LETTERS; i++)
		if (r->a.keywords.letter[i] == KWLIST_NONE)
			return false;
	return true;
}

static void
explain_list(struct report *r)
{
	const struct uidlist *l = &r->a.uids;
	size_t listed = uidlist_count(l);

	if (r->messages > r->kept + r->arrived)
		note_count(r, r->messages - r->kept - r->arrived,
		    "messages are not in the list: their UIDs are new");
	note_count(r, r->arrived,
	    "messages came after the list was written: their UIDs are new");
	if (listed > r->kept)
		note_count(r, listed - r->kept,
		    "messages of the list are gone: so are their UIDs");
	note_count(r, l->bad, "lines of the list make no sense");
	note(r, l->torn, "the end of the list is missing");
}

static void
explain_none(struct report *r)
{
	note(r, r->a.damaged,
	    "the list of UIDs is damaged: UIDs and UIDVALIDITY are new");
	note(r, !r->a.damaged && r->messages > 0,
	    "there is no list of UIDs: UIDs and UIDVALIDITY are new");
}

static void
explain_ours(struct report *r)
{
	note(r, r->a.done, "was taken over before: nothing to do");
	note(r, !r->a.done && r->a.from == NULL,
	    "has an index of ours already: nothing to do");
	note(r, !r->a.done && r->a.from,
	    "was opened by Postern before there was a list of UIDs: the UIDs "
	    "of the list are not kept");
}

static void
explain(struct report *r, int dir)
{
	if (r->ours)
		explain_ours(r);
	else if (r->a.done)
		note(r, true,
		    "was taken over before, and its index is lost: UIDs are "
		    "new");
	else if (r->a.from)
		explain_list(r);
	else
		explain_none(r);
	note_count(
	    r, r->unshown, "files are too large, or gone, or wait for room");
	note_count(r, r->with_id, "messages keep a POP3 id of their own");
	note_count(r, r->a.keywords.refused, "keywords cannot be kept");
	note(r, !r->ours && letters_are_used_up(r),
	    "all 26 letters for keywords are in use: keywords that only "
	    "Dovecot's index knows are not kept");
	if (r->strange > 0 && r->nnotes < ADOPT_NOTES)
		snprintf(r->notes[r->nnotes++], ADOPT_NOTE,
		    "%zu files are no messages and stay as they are (%s)",
		    r->strange, r->example);
	note(r,
	    names_others(dir, "dovecot-acl") ||
		names_others(dir, "courierimapacl"),
	    "rights of other users (ACL) are not kept");
	note(r, r->locked,
	    "dovecot-uidlist.lock is held: is Dovecot still running?");
}

/* Messages that came last never had a UID that a client could know. */
static bool
is_lost(const struct report *r)
{
	if (r->unshown > 0)
		return true;
	if (r->ours)
		return !r->a.done && r->a.from && r->messages > 0;
	if (r->a.from == NULL)
		return r->messages > 0;
	return r->messages > r->kept + r->arrived ||
	       r->a.keywords.refused > 0 || letters_are_used_up(r);
}

static int
report_box(struct job *j, struct report *r, int dir)
{
	r->ours = has_index(dir);
	r->locked = is_locked(dir);
	if (adopt_read(dir, &r->a) == -1 || uidls_read(dir, &r->ids) == -1 ||
	    foresee(r, dir) == -1)
		return -1;
	if (r->locked)
		j->code = EXIT_LATER;
	else if (!j->dry && carry_out(j, r) == -1)
		return -1;
	explain(r, dir);
	if (is_lost(r) && j->code == 0)
		j->code = EXIT_NO;
	if (r->ours)
		r->kept = r->messages;
	print_box(j, r);
	j->folders++;
	j->messages += r->messages;
	j->kept += r->kept;
	return 0;
}

int
adopt_box(struct job *j, const char *name)
{
	struct report r = {
		.name = name, .a.keywords = kwlist_new(), .ids = uidls_new()
	};
	int dir = account_folder_open(&j->a, span_str(name)), result, error;

	if (dir == -1)
		return -1;
	result = report_box(j, &r, dir);
	error = errno;
	close(dir);
	adopt_free(&r.a);
	uidls_free(&r.ids);
	errno = error;
	return result;
}
