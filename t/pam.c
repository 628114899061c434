/*
 * A program with the classic interface of checkpassword that asks PAM, for
 * t/systemd.t: the service is `postern', the user what is before the @.
 *
 * Reads:   user, password and time from descriptor 3, each with its NUL.
 * Writes:  nothing.
 * Runs as: auth_user.
 * Exits:   as the program of its arguments; 1 wrong; 111 no PAM here.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LATER = 111, INPUT = 1024 };

/* security/_pam_types.h, which need not be installed. */
struct pam_message;
struct pam_response {
	char *text;
	int code;
};
struct pam_conv {
	int (*talk)(int n, const struct pam_message **asked,
	    struct pam_response **answers, void *secret);
	void *secret;
};
typedef int start_function(const char *service, const char *user,
    const struct pam_conv *c, void **handle);
typedef int authenticate_function(void *handle, int flags);

/* Whatever is asked for is the password. */
static int
talk(int n, const struct pam_message **asked, struct pam_response **answers,
    void *secret)
{
	(void)asked;
	*answers = calloc((size_t)n, sizeof **answers);
	if (*answers == NULL)
		return 1;
	for (int i = 0; i < n; i++)
		(*answers)[i].text = strdup(secret);
	return 0;
}

static int
ask(const char *user, char *secret)
{
	struct pam_conv conv = { talk, secret };
	void *pam = dlopen("libpam.so.0", RTLD_NOW), *handle;
	start_function *start;
	authenticate_function *authenticate;

	if (pam == NULL)
		return LATER;
	*(void **)&start = dlsym(pam, "pam_start");
	*(void **)&authenticate = dlsym(pam, "pam_authenticate");
	if (start == NULL || authenticate == NULL ||
	    start("postern", user, &conv, &handle) != 0)
		return LATER;
	return authenticate(handle, 0) == 0 ? 0 : 1;
}

int
main(int argc, char *argv[])
{
	char input[INPUT + 1], *secret;
	ssize_t n = read(3, input, INPUT);
	int r;

	if (argc < 2 || n <= 0)
		return 2;
	input[n] = '\0';
	secret = memchr(input, '\0', (size_t)n);
	if (secret++ == NULL || secret >= input + n)
		return 2;
	input[strcspn(input, "@")] = '\0';
	r = ask(input, secret);
	if (r != 0)
		return r;
	execv(argv[1], argv + 1);
	return LATER;
}
