/*
 * Descriptors: whole reads and writes, small files, waiting, and passing
 * descriptors over a socket.
 *
 * All functions retry EINTR.  Descriptors opened here are close-on-exec.
 */
#ifndef POSTERN_BASE_IO_H
#define POSTERN_BASE_IO_H

#include "base/buf.h"
#include "base/span.h"

#include <stdint.h>
#include <sys/types.h>

/* Writes all n bytes: 0, or -1 with errno. */
int io_write(int fd, const void *p, size_t n);
/* Reads up to n bytes until end of file: how many, or -1 with errno. */
ssize_t io_read_full(int fd, void *p, size_t n);

/*
 * The whole file name in dir (a symbolic link is not followed) into *out.
 * 1; 0 if there is no such file; -1 with errno, EFBIG past out's limit,
 * EINVAL if it is not a regular file.
 */
int io_slurp(int dir, const char *name, struct buf *out);
/* The same from an open file: 0, or -1 with errno. */
int io_slurp_fd(int fd, struct buf *out);

/* Closes fd, unless it is -1; errno stays what it was. */
void io_close(int fd);

/* Monotonic milliseconds. */
int64_t io_now_ms(void);
/* Seconds and microseconds of the wall clock. */
void io_wall(int64_t *sec, uint32_t *usec);

/*
 * Waits until fd can be read (events POLLIN) or written (POLLOUT), or until
 * the monotonic time deadline_ms (-1: for ever).  0, or -1 with errno
 * ETIMEDOUT or another.
 */
int io_wait(int fd, short events, int64_t deadline_ms);

/*
 * Lets the peer of a TCP connection have its acknowledgement at once: a
 * client that sends a message and its line end in two pieces waits 40 ms
 * for it otherwise.  Nothing for any other descriptor.
 */
void io_ack_now(int fd);

/*
 * One packet with up to IO_MAX_FDS descriptors over a SOCK_SEQPACKET
 * socket.  io_send: 0 or -1.  io_recv: the length of the packet, 0 when the
 * peer is gone or the packet has no bytes, -1 with errno (EMSGSIZE: longer than
 * size, or more descriptors than asked for).  No descriptor is kept of what has
 * no length; missing ones are set to -1.
 */
enum {
	IO_MAX_FDS = 4
};
int io_send(int sock, const void *p, size_t n, const int *fds, size_t nfds);
ssize_t io_recv(int sock, void *p, size_t size, int *fds, size_t nfds);

/* A name of our own host for file names: no slash, colon or comma. */
const char *io_hostname(char *out, size_t size);

#endif
