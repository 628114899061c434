/* Locks between processes, and the account's counter behind one. */
#include "store/lock.h"

#include "base/durable.h"
#include "base/io.h"
#include "base/num.h"
#include "store/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char counter[] = "postern.uidvalidity";

enum {
	COUNTER_TEXT = 11, /* ten digits and a LF, always */
	FIRST_PAUSE_US = 100,
	LAST_PAUSE_US = 2000
};

/* Kernels without locks of open files have those of processes. */
static int
set_lock(int fd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return 0;
	return errno == EINVAL ? fcntl(fd, F_SETLK, &l) : -1;
}

int
lock_take(int fd, int64_t ms)
{
	int64_t end = io_now_ms() + ms;
	long pause_us = FIRST_PAUSE_US;

	while (set_lock(fd, F_WRLCK) == -1) {
		struct timespec t = { .tv_nsec = pause_us * 1000 };

		if (errno != EACCES && errno != EAGAIN && errno != EINTR)
			return -1;
		if (io_now_ms() >= end) {
			errno = ETIMEDOUT;
			return -1;
		}
		nanosleep(&t, NULL);
		pause_us =
		    pause_us * 2 > LAST_PAUSE_US ? LAST_PAUSE_US : pause_us * 2;
	}
	return 0;
}

void
lock_drop(int fd)
{
	(void)set_lock(fd, F_UNLCK);
}

int
lock_account(int dir)
{
	int fd = openat(dir, counter,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd == -1)
		return -1;
	if (lock_take(fd, ACCOUNT_LOCK_MS) == 0)
		return fd;
	io_close(fd);
	return -1;
}

/* What cannot be read counts as nothing: the clock is above it then. */
static uint32_t
last_given(int fd)
{
	char text[COUNTER_TEXT];
	uint32_t last = 0;
	ssize_t n = pread(fd, text, sizeof text, 0);

	if (n > 0)
		(void)num_parse_u32(
		    span_trim(span_of(text, (size_t)n)), UINT32_MAX, &last);
	return last;
}

static uint32_t
next_value(uint32_t last, uint32_t above)
{
	uint32_t usec, value = last > above ? last : above;
	int64_t now;

	io_wall(&now, &usec);
	if (value == UINT32_MAX)
		return 0;
	value++;
	return now > value && now < UINT32_MAX ? (uint32_t)now : value;
}

/* The counter lies in one sector and is never truncated, so that a write
 * that is cut off cannot leave half of it. */
static int
put_value(int dir, int fd, uint32_t value)
{
	char text[COUNTER_TEXT + 1];
	int n = snprintf(text, sizeof text, "%010lu\n", (unsigned long)value);

	if (n != COUNTER_TEXT || pwrite(fd, text, COUNTER_TEXT, 0) != n) {
		errno = ENOSPC;
		return -1;
	}
	return fsync(fd) == -1 ? -1 : durable_sync(dir);
}

uint32_t
lock_uidvalidity(int account, uint32_t above)
{
	int fd = lock_account(account);
	uint32_t value;

	if (fd == -1)
		return 0;
	errno = EOVERFLOW;
	value = next_value(last_given(fd), above);
	/* There is none greater: then at least another one. */
	if (value == 0)
		value = next_value(0, 0);
	if (value > 0 && put_value(account, fd, value) == -1)
		value = 0;
	io_close(fd);
	return value;
}

int
lock_uidvalidity_past(int account, uint32_t value)
{
	int fd = lock_account(account), r = 0;

	if (fd == -1)
		return -1;
	if (last_given(fd) < value)
		r = put_value(account, fd, value);
	io_close(fd);
	return r;
}
