/*
 * Handing a message to enqueue, over one stream socket.
 *
 * The client (smtpd, sendmail, bounce) writes
 *
 *   envelope   one netstring: the envelope fields of queue/envelope.h
 *   body       netstrings of 1..65536 bytes, the message with LF line ends
 *   end        the empty netstring "0:,"
 *
 * and reads one line: "K ID\n" (it is on disk), "Z reason\n" (try later) or
 * "D reason\n" (never).  A stream that ends before "0:," is dropped whole.
 * enqueue believes the submitted envelope's sender and recipients only; who
 * logged in and where from comes from its environment, set by its parent.
 */
#ifndef POSTERN_QUEUE_SUBMIT_H
#define POSTERN_QUEUE_SUBMIT_H

#include "base/out.h"
#include "base/span.h"

enum {
	SUBMIT_CHUNK = 65536,
	SUBMIT_ANSWER = 512
};

struct submit {
	int fd;
	struct out out; /* set up by submit_begin on the caller's array */
};

/* Starts a submission on the socket fd: sends the envelope. */
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

#endif
