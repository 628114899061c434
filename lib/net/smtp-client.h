/*
 * The client's side of one SMTP connection (RFC 5321), over a descriptor.
 *
 * Every step waits for one reply by the time limits of RFC 5321 4.5.3.2.
 * A step gives the reply's code, or 0 when the connection is of no more use
 * (errno: EBADMSG the server broke the protocol, ETIMEDOUT, EPIPE it went
 * away, or another).  The text of the last reply is in .reply.
 */
#ifndef POSTERN_NET_SMTP_CLIENT_H
#define POSTERN_NET_SMTP_CLIENT_H

#include "base/in.h"
#include "base/out.h"
#include "net/smtp-reply.h"
#include "net/tls.h"

enum {
	SMTP_CLIENT_IN = 4096, /* no line of a reply is longer */
	SMTP_CLIENT_OUT = 16384,
	SMTP_CLIENT_COMMAND = 1024
};

struct smtp_client {
	int fd;
	struct tls *tls;
	struct in in;
	struct out out;
	struct smtp_reply reply;
	/* What EHLO offered: */
	bool has_size, has_8bitmime, has_starttls;
	uint64_t size_limit; /* 0: none was told */
	bool text_sent; /* the final dot went out: it may have been accepted */
	char in_buf[SMTP_CLIENT_IN];
	char out_buf[SMTP_CLIENT_OUT];
};

/* fd is a connected stream socket; it stays the caller's. */
void smtp_client_begin(struct smtp_client *c, int fd);

/* The greeting. */
unsigned smtp_client_greeting(struct smtp_client *c);
/* EHLO, or HELO where that is not known. */
unsigned smtp_client_hello(struct smtp_client *c, const char *name);
/*
 * STARTTLS and the handshake: 220 when TLS is there (say hello again), the
 * server's code when it would rather not, 0 when the connection is lost
 * (EBADMSG also where bytes stood behind the reply).
 */
unsigned smtp_client_starttls(
    struct smtp_client *c, struct tls_client *t, const char *name);

/* MAIL with the parameters that the server offered; size: bytes on the wire,
 * or 0. */
unsigned smtp_client_mail(
    struct smtp_client *c, struct span sender, uint64_t size, bool eight_bit);
unsigned smtp_client_rcpt(struct smtp_client *c, struct span address);

/*
 * DATA and the message: the bytes of fd from offset on, size of them.  The
 * code of the last reply (a 354 is followed by the text), or 0 with errno;
 * EIO where the file is shorter: the text is then not ended.
 */
unsigned smtp_client_data(
    struct smtp_client *c, int fd, int64_t offset, uint64_t size);

/* QUIT without waiting for long, and the end of TLS. */
void smtp_client_end(struct smtp_client *c);

#endif
