# t/fuzz
EXTRA_DIST += %D%/driver.c

# Bodies, dates, headers, structure and views of messages.
check_PROGRAMS += t/fuzz/base64 t/fuzz/date
t_fuzz_base64_SOURCES = t/fuzz/base64.c t/fuzz/driver.c
t_fuzz_date_SOURCES = t/fuzz/date.c t/fuzz/driver.c
EXTRA_DIST += t/fuzz/seeds/base64 t/fuzz/seeds/date
