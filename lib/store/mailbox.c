/* A mailbox: opened, closed, counted. */
#include "store/mailbox.h"

#include "base/io.h"
#include "store/cache.h"
#include "store/folder.h"
#include "store/state.h"
#include "store/sum.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	TMP_S = 36 * 3600 /* by then nobody is writing it any more */
};

/* cur makes the mailbox; backups like to leave out empty folders. */
static int
open_folders(struct mailbox *m)
{
	struct mailbox_state *s = m->state;

	s->cur = folder_open(s->dir, "cur");
	if (s->cur == -1)
		return -1;
	s->fresh = folder_open(s->dir, "new");
	if (s->fresh == -1 && errno == ENOENT &&
	    maildir_create(s->dir, ".") == 0)
		s->fresh = folder_open(s->dir, "new");
	return s->fresh == -1 ? -1 : 0;
}

struct mailbox *
view_open(const struct account *a, struct span name, bool read_only, bool light)
{
	int dir = account_folder_open(a, name), root, error;
	struct mailbox *m;

	if (dir == -1)
		return NULL;
	root = fcntl(a->dir, F_DUPFD_CLOEXEC, 3);
	m = view_make(root, dir, light);
	m->read_only = read_only;
	if (root != -1 && open_folders(m) == 0 && view_load(m) == 0)
		return m;
	error = errno;
	view_free(m);
	errno = error;
	return NULL;
}

/* A copy that could not be moved to cur/ yet is the message's only file. */
static bool
is_unfinished(const struct mailbox *m, const char *file)
{
	uint64_t id = sum_id(scan_base(file));

	for (size_t i = 0; i < m->n; i++)
		if (m->msgs[i].id == id && !m->msgs[i].gone &&
		    strcmp(mailbox_file(m, i), file) == 0)
			return read_exists(m->state->cur, file) != 1;
	return false;
}

/* By the time of the last change of the file itself, not of its bytes: a
 * copy's second name in tmp/ is as old as the message otherwise. */
static void
sweep_tmp(const struct mailbox *m)
{
	DIR *dir = folder_list(m->state->dir, "tmp");
	struct dirent *e;
	int64_t now;
	uint32_t usec;
	int fd;

	if (dir == NULL)
		return;
	fd = dirfd(dir);
	io_wall(&now, &usec);
	while ((e = readdir(dir)) != NULL) {
		struct stat st;

		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_ctime < now - TMP_S &&
		    !is_unfinished(m, e->d_name))
			(void)unlinkat(fd, e->d_name, 0);
	}
	closedir(dir);
}

static struct mailbox *
open_view(
    const struct account *a, struct span name, bool read_only, bool vague)
{
	struct mailbox *m = view_open(a, name, read_only, false);
	int r, error;

	if (m == NULL)
		return NULL;
	m->state->may_be_vague = vague;
	r = mailbox_sync(m);
	if (r == -1 && errno == ESTALE) {
		/* Renumbered just now. */
		view_free(m);
		m = view_open(a, name, read_only, false);
		if (m == NULL)
			return NULL;
		m->state->may_be_vague = vague;
		r = mailbox_sync(m);
	}
	if (r == -1) {
		error = errno;
		view_free(m);
		errno = error;
		return NULL;
	}
	if (!m->read_only)
		sweep_tmp(m);
	mailbox_forget(m);
	if (!m->read_only) {
		index_tighten(m);
		mailbox_forget(m); /* what went meanwhile */
	}
	m->state->marks = true;
	return m;
}

struct mailbox *
mailbox_open(const struct account *a, struct span name, bool read_only)
{
	return open_view(a, name, read_only, false);
}

struct mailbox *
mailbox_open_vague(const struct account *a, struct span name, bool read_only)
{
	return open_view(a, name, read_only, true);
}

void
mailbox_close(struct mailbox *m)
{
	if (m == NULL)
		return;
	facts_keep(m, true);
	if (m->state->folded && !m->state->stale)
		cache_trim(m);
	view_free(m);
}

int
mailbox_status(const struct account *a, struct span name, bool size,
    struct mailbox_status *out)
{
	struct mailbox *m = open_view(a, name, true, !size);

	if (m == NULL)
		return -1;
	*out = (struct mailbox_status){ .messages = (uint32_t)m->n,
		.recent = (uint32_t)m->state->in_new,
		.uidnext = m->uidnext,
		.uidvalidity = m->uidvalidity,
		.highestmodseq = m->highestmodseq };
	for (size_t i = 0; i < m->n; i++) {
		out->unseen += !(m->msgs[i].flags & FLAG_SEEN);
		if (m->msgs[i].flags & FLAG_DELETED) {
			out->deleted++;
			out->deleted_size += m->msgs[i].size;
		}
		out->size += m->msgs[i].wire;
	}
	mailbox_close(m);
	return 0;
}
