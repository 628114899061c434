/* Checksums of what we write, and identities of messages. */
#include "store/sum.h"

#include "store/bytes.h"

#include <stdlib.h>

/*
 * libc asked the processor at the start of the program; to ask again, as the
 * compiler's __builtin_cpu_supports does at the start of every program, is
 * slow in virtual machines.
 */
#if defined __x86_64__ && defined __has_include
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#ifdef CPU_FEATURE_ACTIVE
#define HAVE_CRC_INSTRUCTION 1
#endif
#endif
#endif

/* The reversed polynomial 0x82f63b78, four bits at a time. */
static const uint32_t nibbles[16] = {
	0x00000000,
	0x105ec76f,
	0x20bd8ede,
	0x30e349b1,
	0x417b1dbc,
	0x5125dad3,
	0x61c69362,
	0x7198540d,
	0x82f63b78,
	0x92a8fc17,
	0xa24bb5a6,
	0xb21572c9,
	0xc38d26c4,
	0xd3d3e1ab,
	0xe330a81a,
	0xf36e6f75,
};

static uint32_t
crc_by_table(uint32_t crc, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned char)s.p[i];
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return crc;
}

#ifdef HAVE_CRC_INSTRUCTION
enum { STREAM = 16384 }; /* bytes of one of three */

static const uint32_t polynomial = 0x82f63b78;
/* x to the power of 8 * STREAM and of 16 * STREAM modulo the polynomial:
 * what so many zeros do to a sum. */
static const uint32_t past_one = 0xbf455269, past_two = 0xe2ea32dc;

/* a * b modulo the polynomial; the highest bit is that of x^0. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a != 0; a <<= 1) {
		product ^= b & (0 - (a >> 31));
		b = b >> 1 ^ (polynomial & (0 - (b & 1)));
	}
	return product;
}

static uint64_t
word(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* The instruction takes three cycles, and one can begin in each. */
__attribute__((target("sse4.2"))) static uint32_t
crc_by_three(uint32_t crc, const char *p)
{
	uint64_t a = crc, b = 0, c = 0;

	for (size_t i = 0; i < STREAM; i += 8) {
		a = __builtin_ia32_crc32di(a, word(p + i));
		b = __builtin_ia32_crc32di(b, word(p + STREAM + i));
		c = __builtin_ia32_crc32di(
		    c, word(p + (size_t)2 * STREAM + i));
	}
	return multiply((uint32_t)a, past_two) ^
	       multiply((uint32_t)b, past_one) ^ (uint32_t)c;
}

__attribute__((target("sse4.2"))) static uint32_t
crc_by_instruction(uint32_t crc, struct span s)
{
	uint64_t wide;

	for (; s.n >= (size_t)3 * STREAM; s = span_skip(s, (size_t)3 * STREAM))
		crc = crc_by_three(crc, s.p);
	wide = crc;

	for (; s.n >= 8; s = span_skip(s, 8))
		wide = __builtin_ia32_crc32di(wide, get64(s.p));
	crc = (uint32_t)wide;
	for (; s.n > 0; s = span_skip(s, 1))
		crc = __builtin_ia32_crc32qi(crc, (unsigned char)s.p[0]);
	return crc;
}
#endif

uint32_t
sum_crc(uint32_t before, struct span s)
{
#ifdef HAVE_CRC_INSTRUCTION
	if (CPU_FEATURE_ACTIVE(SSE4_2))
		return ~crc_by_instruction(~before, s);
#endif
	return ~crc_by_table(~before, s);
}

struct sip {
	uint64_t v[4];
};

static uint64_t
rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void
sip_rounds(struct sip *s, unsigned n)
{
	uint64_t *v = s->v;

	while (n-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void
sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_rounds(s, 2);
	s->v[0] ^= word;
}

static uint64_t
siphash(struct span in)
{
	struct sip s = { { 0x736f6d6570736575, 0x646f72616e646f6d,
	    0x6c7967656e657261, 0x7465646279746573 } };
	uint64_t last = (uint64_t)in.n << 56;

	for (; in.n >= 8; in = span_skip(in, 8))
		sip_word(&s, get64(in.p));
	for (size_t i = 0; i < in.n; i++)
		last |= (uint64_t)(unsigned char)in.p[i] << (8 * i);
	sip_word(&s, last);
	s.v[2] ^= 0xff;
	sip_rounds(&s, 4);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

uint64_t
sum_id(struct span base)
{
	uint64_t id = siphash(base) >> 4;

	return id ? id : 1;
}

uint64_t
sum_message(uint32_t uid, uint64_t id)
{
	char bytes[16];

	put64(bytes, uid);
	put64(bytes + 8, id);
	return siphash(span_of(bytes, sizeof bytes));
}

static int
by_id(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

size_t
sum_once(void *records, size_t n, size_t size)
{
	char *p = records;
	size_t kept = n > 0;

	for (size_t i = 1; i < n; i++)
		if (by_id(p + (kept - 1) * size, p + i * size) != 0)
			memmove(p + kept++ * size, p + i * size, size);
	return kept;
}

const void *
sum_find(const void *records, size_t n, size_t size, uint64_t id)
{
	return n == 0 ? NULL : bsearch(&id, records, n, size, by_id);
}
