/*
 * Handing a message to enqueue, over one stream socket.
 *
 * The client (smtpd, sendmail) writes
 *
 *   envelope   one netstring: the envelope fields of queue/envelope.h
 *   body       netstrings of 1..65536 bytes, the message with LF line ends
 *   end        the empty netstring "0:,"
 *
 * and reads one line: "K ID\n" (it is on disk), "Z reason\n" (try later) or
 * "D reason\n" (never).  A stream that ends before "0:," is dropped whole.
 * enqueue believes the submitted envelope's sender and recipients only; who
 * logged in and where from are its arguments, or what the kernel says of a
 * local socket.
 */
#ifndef POSTERN_QUEUE_SUBMIT_H
#define POSTERN_QUEUE_SUBMIT_H

#include "base/buf.h"
#include "base/in.h"
#include "base/out.h"
#include "base/span.h"

enum {
	SUBMIT_CHUNK = 65536,
	SUBMIT_ANSWER = 512,
	SUBMIT_WRITE_MS = 300000 /* for enqueue to take what is written */
};

struct submit {
	int fd;
	struct out out; /* set up by submit_begin on the caller's array */
};

/*
 * Starts a submission on the socket fd: sends the envelope.  *s stays where
 * it is until the end.  enqueue may answer before the end of the stream and
 * go; the rest is then dropped here, without a SIGPIPE.
 */
void submit_begin(struct submit *s, int fd, char *buf, size_t size,
    struct span envelope);
/* Message bytes, any number of calls; errors are told by submit_end. */
void submit_body(struct submit *s, struct span bytes);
/*
 * Ends it and waits for the verdict: its first letter 'K', 'Z' or 'D', with
 * the rest of the line in answer.  'Z' where enqueue went away.
 */
char submit_end(struct submit *s, char answer[SUBMIT_ANSWER],
    int64_t deadline_ms);

/* enqueue's side.  Both read from in, whose array is SUBMIT_CHUNK or less. */
struct submit_reader {
	struct in *in;
	size_t left; /* bytes of the current netstring */
	bool begun;  /* one of the body was begun */
};
/* The envelope's fields: 0, or -1 with errno (EBADMSG: not a netstring,
 * EMSGSIZE: more than fields may hold, EPIPE: the client went away). */
int submit_read_envelope(struct submit_reader *r, struct buf *fields);
/* Some bytes of the message: 1; 0 at the end; -1 with errno as above. */
int submit_read_body(struct submit_reader *r, struct span *bytes);

#endif
