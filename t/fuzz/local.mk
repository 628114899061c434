# t/fuzz
EXTRA_DIST += %D%/driver.c %D%/libfuzzer t/fuzz.t
TESTS += t/fuzz.t

# Bodies, dates, headers, structure and views of messages.
check_PROGRAMS += t/fuzz/address t/fuzz/base64 t/fuzz/date \
	t/fuzz/header t/fuzz/imap \
	t/fuzz/mime t/fuzz/qp t/fuzz/render t/fuzz/word
t_fuzz_address_SOURCES = t/fuzz/address.c t/fuzz/driver.c
t_fuzz_base64_SOURCES = t/fuzz/base64.c t/fuzz/driver.c
t_fuzz_date_SOURCES = t/fuzz/date.c t/fuzz/driver.c
t_fuzz_header_SOURCES = t/fuzz/header.c t/fuzz/driver.c
t_fuzz_imap_SOURCES = t/fuzz/imap.c t/fuzz/driver.c
t_fuzz_mime_SOURCES = t/fuzz/mime.c t/fuzz/driver.c
t_fuzz_qp_SOURCES = t/fuzz/qp.c t/fuzz/driver.c
t_fuzz_render_SOURCES = t/fuzz/render.c t/fuzz/driver.c
t_fuzz_word_SOURCES = t/fuzz/word.c t/fuzz/driver.c
EXTRA_DIST += t/fuzz/seeds/address t/fuzz/seeds/base64 t/fuzz/seeds/date \
	t/fuzz/seeds/header t/fuzz/seeds/qp t/fuzz/seeds/word
