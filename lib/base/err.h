/*
 * Messages of programs to whoever started them, and their last words.
 *
 * Only programs call these; lib/ never prints and never exits (err_nomem
 * apart).  Exit codes: 0 done, 1 the answer is no, 100 will never work,
 * 111 try again later.
 */
#ifndef POSTERN_BASE_ERR_H
#define POSTERN_BASE_ERR_H

enum {
	EXIT_NO = 1,
	EXIT_NEVER = 100,
	EXIT_LATER = 111
};

/* The name printed before each message; keeps the pointer. */
void err_program(const char *name);
const char *err_name(void);

/* "name: text" on fd 2; *_sys adds ": " and the text of errno. */
void err_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void err_warn_sys(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void err_die(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void err_die_sys(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Out of memory: the one place where the library ends the process (111). */
_Noreturn void err_nomem(void);

#endif
