/* Message files: where they are now, and their bytes. */
#include "base/io.h"
#include "store/folder.h"
#include "store/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
read_dir_of(const struct mailbox *m, const struct message *msg)
{
	return msg->in_new ? m->state->fresh : m->state->cur;
}

/* 1, 0, or -1 with errno. */
int
read_exists(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(st.st_mode) ? 1 : 0;
	return errno == ENOENT ? 0 : -1;
}

int
read_names(struct mailbox *m, size_t i, bool *seen)
{
	struct scan s;
	struct sighting *at;
	size_t n;
	int r = scan_folder(m, &s, false);

	at = sightings(&s.moved, &n);
	for (size_t k = 0; r == 0 && k < n; k++) {
		const struct message *msg = &m->msgs[at[k].i];

		if (s.seen.p[at[k].i] == 2 &&
		    read_exists(read_dir_of(m, msg),
			mailbox_file(m, at[k].i)) != 0)
			continue;
		r = view_set_name(
		    m, at[k].i, span_str(at[k].name), at[k].in_new);
		view_edit(m, at[k].i)->looked_up = true;
	}
	*seen = r == 0 && s.seen.p[i] != 0;
	scan_free(&s);
	return r;
}

static int
open_message(const struct mailbox *m, size_t i, uint64_t *size)
{
	struct stat st;
	int fd = folder_file(
	    read_dir_of(m, &m->msgs[i]), mailbox_file(m, i), &st);

	if (fd != -1)
		*size = (uint64_t)st.st_size;
	return fd;
}

/* A copy that was cut off between its two steps: the file is in tmp/. */
static int
open_unfinished(const struct mailbox *m, size_t i, uint64_t *size)
{
	int tmp = folder_open(m->state->dir, "tmp"), fd;
	struct stat st;

	if (tmp == -1)
		return -1;
	fd = folder_file(tmp, mailbox_file(m, i), &st);
	io_close(tmp);
	if (fd != -1)
		*size = (uint64_t)st.st_size;
	return fd;
}

int
mailbox_read(struct mailbox *m, size_t i, uint64_t *size)
{
	bool seen;
	int fd;

	if (m->msgs[i].gone) {
		errno = ENOENT;
		return -1;
	}
	fd = open_message(m, i, size);
	if (fd != -1 || errno != ENOENT)
		return fd;
	fd = open_unfinished(m, i, size);
	if (fd != -1 || errno != ENOENT)
		return fd;
	if (read_names(m, i, &seen) == -1)
		return -1;
	return open_message(m, i, size);
}

static uint32_t
hint_of(struct span file, uint32_t most)
{
	struct maildir_name name;

	if (!maildir_parse(file, &name) || name.uid > most)
		return 0;
	return name.uid;
}

uint32_t
read_uid_hint(const struct mailbox *m)
{
	uint32_t next = m->uidnext, most;
	DIR *dir = folder_list(m->state->dir, "cur");
	struct dirent *e;

	if (dir == NULL)
		return next;
	most =
	    next < UINT32_MAX - UID_GAP - 1 ? next + UID_GAP : UINT32_MAX - 2;
	while ((e = readdir(dir)) != NULL) {
		uint32_t uid = hint_of(span_str(e->d_name), most);

		next = uid >= next ? uid + 1 : next;
	}
	closedir(dir);
	return next;
}
