/* SCRAM: the examples of RFC 5802 5 and RFC 7677 3, and what is refused. */
#include "auth/scram.h"
#include "tap.h"
#include "text/base64.h"

static const struct scram_binding none[] = { { NULL, { NULL, 0 } } };
static const struct scram_binding bound[] = {
	{ "tls-exporter", SPAN("0123456789abcdef0123456789abcdef") },
	{ "tls-unique", { NULL, 0 } },
	{ NULL, { NULL, 0 } },
};

struct example {
	const char *name;
	enum scram_hash hash;
	const char *salt, *first, *nonce, *challenge, *final, *answer;
};

static const struct example examples[] = {
	{ "RFC 5802", SCRAM_SHA_1, "QSXCR+Q6sek8bf92",
	    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	    "3rfcNHYJY1ZVvWVs7j",
	    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	    "s=QSXCR+Q6sek8bf92,i=4096",
	    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
	{ "RFC 7677", SCRAM_SHA_256, "W22ZaJ0SNY7soEsUEjb6gQ==",
	    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
};

static struct scram_keys
keys_of(const struct example *e, const char *password)
{
	struct scram_keys k = { .hash = e->hash, .iterations = 4096 };
	struct buf salt = buf_new(SCRAM_SALT);

	if (base64_decode(span_str(e->salt), &salt)) {
		memcpy(k.salt, salt.p, salt.n);
		k.nsalt = salt.n;
	}
	buf_free(&salt);
	scram_derive(span_str(password), &k);
	return k;
}

/* Runs the first half: false, it was refused. */
static bool
open_half(struct scram *s, const struct example *e, struct buf *out)
{
	struct scram_keys k = keys_of(e, "pencil");

	return scram_first(s, span_str(e->first)) &&
	       scram_challenge(s, &k, span_str(e->nonce), out) == 0;
}

static void
try_example(struct tap *t, const struct example *e)
{
	struct scram s = scram_new(e->hash, false, false, none);
	struct scram_keys k = keys_of(e, "pencil"), other = keys_of(e, "x");
	struct buf out = buf_new(SCRAM_MESSAGE);

	tap_ok(t, open_half(&s, e, &out), e->name);
	tap_is(t, span_str(s.user), "user", "the user's name");
	tap_is(t, buf_span(&out), e->challenge, "the challenge");
	tap_ok(t, scram_final(&s, span_str(e->final)), "the final message");
	tap_ok(t, scram_verify(&s, &k) == 1, "is right");
	tap_ok(t, scram_verify(&s, &other) == 0, "and wrong for another");
	buf_reset(&out);
	scram_answer(&s, &k, &out);
	tap_is(t, buf_span(&out), e->answer, "the answer");
	scram_free(&s);
	buf_free(&out);
}

static void
try_finals(struct tap *t)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{ "another nonce", "c=biws,r=fyko+d2lbbFgONRv9qkxdawLx,"
				   "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
		{ "the client's nonce alone",
		    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL,"
		    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
		{ "another header", "c=eSws,"
		    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
		    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
		{ "no proof", "c=biws,"
		    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j" },
		{ "a short proof", "c=biws,"
		    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=AAAA" },
		{ "a mandatory extension", "c=biws,"
		    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,m=1,"
		    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
		{ "not in order",
		    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,c=biws,"
		    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
		{ "nothing", "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scram s = scram_new(SCRAM_SHA_1, false, false, none);
		struct buf out = buf_new(SCRAM_MESSAGE);

		tap_ok(t, open_half(&s, &examples[0], &out) &&
			      !scram_final(&s, span_str(cases[i].text)),
		    cases[i].name);
		scram_free(&s);
		buf_free(&out);
	}
}

static void
try_first(struct tap *t, const char *text, bool plus, bool offered,
    const struct scram_binding *b, bool want, const char *name)
{
	struct scram s = scram_new(SCRAM_SHA_256, plus, offered, b);

	tap_ok(t, scram_first(&s, span_str(text)) == want, name);
	scram_free(&s);
}

static void
try_firsts(struct tap *t)
{
	static const char *const bad[] = { "", "n", "n,", "n,,", "n,,n=,r=x",
		"n,,n=a", "n,,n=a,r=", "n,,r=x,n=a", "n,,m=1,n=a,r=x",
		"n,,n=a,r=x,m=1", "n,b=x,n=a,r=x", "n,a=,n=a,r=x",
		"n,,n=a=2,r=x", "n,,n=a=,r=x", "n,,n=a,r=x y", "x,,n=a,r=x",
		"p=,,n=a,r=x", "p=tls-exporter,,n=a,r=x", "n,n=a,r=x" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		try_first(t, bad[i], false, false, none, false, bad[i]);
	try_first(t, "y,,n=a,r=x", false, false, none, true,
	    "y where no -PLUS was offered");
	try_first(t, "y,,n=a,r=x", false, true, bound, false,
	    "y where it was: a downgrade");
	try_first(t, "n,,n=a,r=x", false, true, bound, true,
	    "n: a client without channel binding");
	try_first(t, "n,,n=a,r=x", true, true, bound, false, "n with -PLUS");
	try_first(t, "y,,n=a,r=x", true, true, bound, false, "y with -PLUS");
	try_first(t, "p=tls-exporter,,n=a,r=x", true, true, bound, true,
	    "p with -PLUS");
	try_first(t, "p=tls-exporter,,n=a,r=x", false, true, bound, false,
	    "p without -PLUS");
	try_first(t, "p=tls-unique,,n=a,r=x", true, true, bound, false,
	    "a binding that this connection has not");
	try_first(t, "p=tls-other,,n=a,r=x", true, true, bound, false,
	    "a binding that nobody knows");
	try_first(t, "n,,n=a,r=x,y=1", false, false, none, true,
	    "an extension that may be passed over");
}

static void
try_names(struct tap *t)
{
	struct scram s = scram_new(SCRAM_SHA_256, false, false, none);

	tap_ok(t, scram_first(&s, span_str("n,a=o=3Db=2C,n=a=2Cb=3Dc,r=x")),
	    "escapes in names");
	tap_is(t, span_str(s.user), "a,b=c", "the name");
	tap_is(t, span_str(s.authzid), "o=b,", "the authzid");
	scram_free(&s);
}

static void
try_binding(struct tap *t)
{
	struct scram_keys k = keys_of(&examples[1], "pencil");

	for (int wrong = 0; wrong < 2; wrong++) {
		struct scram s = scram_new(SCRAM_SHA_256, true, true, bound);
		struct buf out = buf_new(SCRAM_MESSAGE);
		struct buf final = buf_new(SCRAM_MESSAGE);
		struct buf header = buf_new(SCRAM_MESSAGE);

		buf_addf(&header, "p=tls-exporter,,%s",
		    wrong ? "0123456789abcdef0123456789abcdeg"
			  : "0123456789abcdef0123456789abcdef");
		buf_add_str(&final, "c=");
		base64_encode(buf_span(&header), &final);
		buf_add_str(&final,
		    ",r=xy,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
		tap_ok(t, scram_first(&s,
			      span_str("p=tls-exporter,,n=a,r=x")) &&
			      scram_challenge(
				  &s, &k, span_str("y"), &out) == 0 &&
			      scram_final(&s, buf_span(&final)) == !wrong,
		    wrong ? "another channel" : "the channel");
		scram_free(&s);
		buf_free(&out);
		buf_free(&final);
		buf_free(&header);
	}
}

int
main(void)
{
	struct tap t = { 0 };

	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
		try_example(&t, &examples[i]);
	try_finals(&t);
	try_firsts(&t);
	try_names(&t);
	try_binding(&t);
	return tap_end(&t);
}
