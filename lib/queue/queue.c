/* The queue's folders, names and trigger. */
#include "queue/queue.h"

#include "base/durable.h"
#include "base/io.h"
#include "base/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = { "tmp", "mess", "state", "bad" };

enum {
	FOLDERS = sizeof folders / sizeof *folders,
	OPEN_FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
};

static int
close_keep_errno(int fd)
{
	io_close(fd);
	return -1;
}

/*
 * A folder that others pass, whatever the umask: in one step, for one that
 * was made and not yet opened to them would stay so after a kill.
 */
static int
make_public(const char *path)
{
	mode_t mask = umask(022);
	int r = mkdir(path, 0755);

	umask(mask);
	return r == -1 && errno != EEXIST ? -1 : 0;
}

/* The folder that holds the queue, with its parents. */
static int
make_parents(const struct conf *c)
{
	static const char *const parts[] = { "var", "var/spool" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (conf_path(c, parts[i], path) == -1 ||
		    make_public(path) == -1)
			return -1;
	if (conf_path(c, QUEUE_FOLDER, path) == -1 ||
	    (mkdir(path, 0700) == -1 && errno != EEXIST))
		return -1;
	return open(path, OPEN_FOLDER);
}

/* Owner and mode as they must be, through a descriptor: no name is followed
 * twice. */
static int
claim(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (geteuid() == 0 && (st.st_uid != uid || st.st_gid != gid) &&
	    fchown(fd, uid, gid) == -1)
		return -1;
	return (st.st_mode & 07777) == mode ? 0 : fchmod(fd, mode);
}

static int
make_folder(int dir, const char *name, uid_t uid, gid_t gid)
{
	int fd;

	if (mkdirat(dir, name, 0700) == -1 && errno != EEXIST)
		return -1;
	fd = openat(dir, name, OPEN_FOLDER);
	if (fd == -1)
		return -1;
	if (claim(fd, uid, gid, 0700) == -1)
		return close_keep_errno(fd);
	close(fd);
	return 0;
}

static int
make_trigger(int dir, uid_t uid, gid_t gid)
{
	struct stat st;
	int fd;

	if (mkfifoat(dir, "trigger", 0600) == -1 && errno != EEXIST)
		return -1;
	fd = openat(dir, "trigger",
	    O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
	    claim(fd, uid, gid, 0600) == 0) {
		close(fd);
		return 0;
	}
	return close_keep_errno(fd);
}

int
queue_create(const struct conf *c)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int dir, r = 0;

	if (uid == 0 && priv_find(c->queue_user, &uid, &gid) == -1)
		return -1;
	dir = make_parents(c);
	if (dir == -1)
		return -1;
	for (size_t i = 0; r == 0 && i < FOLDERS; i++)
		r = make_folder(dir, folders[i], uid, gid);
	if (r == -1 || make_trigger(dir, uid, gid) == -1 ||
	    claim(dir, uid, gid, 0700) == -1)
		return close_keep_errno(dir);
	close(dir);
	return 0;
}

static bool
is_ours(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	if (st.st_uid == geteuid() && (st.st_mode & 077) == 0)
		return true;
	errno = EPERM;
	return false;
}

static int
open_all(const struct conf *c, struct queue *q)
{
	int *const at[FOLDERS] = { &q->tmp, &q->mess, &q->state, &q->bad };
	char path[PATH_MAX];

	*q = (struct queue){ -1, -1, -1, -1, -1 };
	if (conf_path(c, QUEUE_FOLDER, path) == -1)
		return -1;
	q->dir = open(path, OPEN_FOLDER);
	if (q->dir == -1 || !is_ours(q->dir))
		return -1;
	for (size_t i = 0; i < FOLDERS; i++) {
		*at[i] = openat(q->dir, folders[i], OPEN_FOLDER);
		if (*at[i] == -1 || !is_ours(*at[i]))
			return -1;
	}
	return 0;
}

void
queue_close(struct queue *q)
{
	const int all[] = { q->dir, q->tmp, q->mess, q->state, q->bad };
	int error = errno;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i] != -1)
			close(all[i]);
	*q = (struct queue){ -1, -1, -1, -1, -1 };
	errno = error;
}

int
queue_open(const struct conf *c, struct queue *q)
{
	if (open_all(c, q) == 0)
		return 0;
	queue_close(q);
	if (errno != ENOENT || geteuid() == 0 || queue_create(c) == -1)
		return -1;
	if (open_all(c, q) == 0)
		return 0;
	queue_close(q);
	return -1;
}

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* n letters, the most significant first. */
static char *
put_letters(char *p, uint64_t v, size_t n)
{
	for (size_t i = n; i-- > 0; v >>= 5)
		p[i] = alphabet[v & 31];
	return p + n;
}

int
queue_id(char out[QUEUE_ID])
{
	uint64_t random;
	uint32_t usec;
	int64_t sec;
	char *p = out;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -1;
	io_wall(&sec, &usec);
	p = put_letters(p, (uint64_t)sec, 7);
	p = put_letters(p, usec, 4);
	p = put_letters(p, (uint64_t)getpid(), 5);
	p = put_letters(p, random, 8);
	*p = '\0';
	return 0;
}

bool
queue_is_id(struct span name)
{
	if (name.n != QUEUE_ID - 1)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '\0' || strchr(alphabet, name.p[i]) == NULL)
			return false;
	return true;
}

/* For both directions: it waits for no reader, and finds one that comes
 * before there is something to tell. */
int
queue_trigger(const struct queue *q)
{
	return openat(q->dir, "trigger",
	    O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
}

void
queue_poke(int trigger, const char *id)
{
	char line[QUEUE_ID + 1];
	int n = snprintf(line, sizeof line, "%s\n", id);

	/* Full or without a reader: qsend's own scan finds the message. */
	if (n == QUEUE_ID && write(trigger, line, QUEUE_ID) == -1)
		errno = 0;
}

int
queue_file(int folder, const char *id, bool append)
{
	int mode = append ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY;
	int fd = openat(folder, id,
	    mode | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat st;

	if (fd == -1) {
		if (errno == ELOOP || errno == EISDIR || errno == ENXIO)
			errno = EBADMSG;
		return -1;
	}
	if (fstat(fd, &st) == -1)
		return close_keep_errno(fd);
	/* Another name is no damage: a backup may have made it, or a move
	 * that is under way. */
	if (S_ISREG(st.st_mode) && st.st_uid == geteuid())
		return fd;
	errno = EBADMSG;
	return close_keep_errno(fd);
}

/* A name that is taken in bad, or that is too long, becomes a new one. */
static int
bury_file(int folder, const char *name, int bad)
{
	char other[QUEUE_ID];

	if (durable_move(folder, name, bad, name) == 0)
		return 0;
	if (errno != EEXIST || queue_id(other) == -1)
		return -1;
	return durable_move(folder, name, bad, other);
}

/*
 * The message first: a state without one is forgotten, but a message whose
 * state is gone would be delivered to everybody once more.
 */
int
queue_bury(const struct queue *q, const char *name)
{
	char state[QUEUE_ID + 8];

	if (bury_file(q->mess, name, q->bad) == -1)
		return -1;
	if (queue_is_id(span_str(name)) &&
	    snprintf(state, sizeof state, "%s.state", name) > 0 &&
	    durable_move(q->state, name, q->bad, state) == -1 &&
	    errno != ENOENT)
		return -1;
	return durable_sync(q->bad);
}
