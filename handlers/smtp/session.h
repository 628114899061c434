/* One SMTP session: its state, and what the files of smtpd share. */
#ifndef POSTERN_SMTP_SESSION_H
#define POSTERN_SMTP_SESSION_H

#include "auth/users.h"
#include "base/buf.h"
#include "net/conn.h"
#include "net/smtp-path.h"

enum {
	SMTP_COMMAND = 512,   /* a command line with its end, 4.5.3.1.4 */
	SMTP_MAIL = 1100,     /* MAIL with the parameters of extensions */
	SMTP_SASL = 12288,    /* RFC 4954 4 */
	SMTP_HOPELESS = 8192, /* no command but AUTH is so long: close */
	SMTP_INPUT = 16384,   /* the reader's array */
	SMTP_HELO = 256,
	SMTP_ERRORS = 10,          /* then 421 */
	SMTP_BAD_RCPT = 10,        /* unknown recipients, then 421 */
	SMTP_RCPT_BYTES = 32767,   /* of a stranger's recipients */
	SMTP_OVER_RCPT = 50,       /* recipients over the limit, then 421 */
	SMTP_IDLE_COMMANDS = 1000, /* without a message, then 421 */
	SMTP_LOG_LINES = 100,      /* about the refusals of one connection */
	SMTP_DIRTY_MS = 2000,      /* silence after a bare CR, LF or NUL */
	SMTP_TEXT_LINE = 65536,    /* a line of a message */
	SMTP_QUEUE_MS = 300000     /* for enqueue's verdict */
};

/* When a command may come. */
enum stage {
	START = 1, /* nothing said, or TLS has just begun */
	GREETED = 2,
	MAIL = 4, /* a sender, no recipient */
	RCPT = 8,
	ANY = START | GREETED | MAIL | RCPT
};

enum verdict {
	GO_ON,
	STOP, /* the last reply was given: lingering close */
	GONE  /* the peer left, or is not to be answered */
};

/* One message's envelope; all zeros and an empty list between them. */
struct transaction {
	char sender[SMTP_ADDRESS];
	bool eight_bit;
	size_t nrcpt;     /* accepted commands */
	size_t over_rcpt; /* refused for their number */
	struct buf rcpt;  /* addresses, each with its NUL */
};

struct smtp {
	struct conn c;
	enum stage stage;
	bool esmtp; /* EHLO, not HELO */
	bool logged_in;
	int users_fd; /* -1: no database */
	char helo[SMTP_HELO];
	char user[USERS_ADDRESS]; /* who logged in */
	struct transaction t;
	int64_t login_deadline_ms; /* submission before the login; else -1 */
	unsigned errors, bad_rcpts, idle_commands;
	unsigned messages;  /* accepted */
	unsigned log_lines; /* about refusals */
	char in_buf[SMTP_INPUT];
};

/* Adds CR LF. */
void reply(struct smtp *s, const char *text);
void replyf(struct smtp *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Answers a mistake of the client, with a line in the log that says what it
 * was about; one mistake too many is answered with 421.
 */
enum verdict refuse(struct smtp *s, const char *text, struct span about);
/* Answers trouble of our own: logged, not counted. */
enum verdict refuse_later(struct smtp *s, const char *text, struct span about);
/* Answers for the last time. */
enum verdict refuse_all(struct smtp *s, const char *text, struct span about);
/* A line in the log about the session's end without a word to the peer. */
enum verdict lost(const struct smtp *s, const char *where, int error);

/* After every end of a transaction, good or bad. */
void transaction_reset(struct smtp *s);

/*
 * The next line into *line.  Output is flushed before it is waited for.
 * GO_ON; or STOP or GONE when there is none and never will be.
 */
enum verdict read_line(struct smtp *s, struct span *line);
/* The handshake, in no more time than it has, than silence has and than a
 * login has: 0, or -1 after a line in the log. */
int shake_hands(struct smtp *s);

/* commands.c: the whole session after the banner. */
enum verdict smtp_serve(struct smtp *s);

/* auth.c */
bool auth_offered(const struct smtp *s);
enum verdict smtp_auth(struct smtp *s, struct span arg);

/* envelope.c */
enum verdict smtp_mail(struct smtp *s, struct span arg);
enum verdict smtp_rcpt(struct smtp *s, struct span arg);

/* data.c */
enum verdict smtp_data(struct smtp *s, struct span arg);

#endif
