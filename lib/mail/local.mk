# lib/mail
lib_libpostern_a_SOURCES += %D%/header.c %D%/header.h
lib_libpostern_a_SOURCES += \
	%D%/address.c %D%/address.h %D%/bodystructure.c %D%/imap.c %D%/imap.h \
	%D%/lex.c %D%/lex.h %D%/mime.c %D%/mime.h %D%/mime_field.c \
	%D%/mime_field.h %D%/mime_line.c %D%/mime_line.h %D%/source.c \
	%D%/source.h
lib_libpostern_a_SOURCES += \
	%D%/mime_value.c %D%/msgid.c %D%/msgid.h %D%/subject.c \
	%D%/subject.h %D%/word.c %D%/word.h
lib_libpostern_a_SOURCES += \
	%D%/attach.c %D%/attach.h %D%/html.c %D%/html.h %D%/render.c \
	%D%/render.h
lib_libpostern_a_SOURCES += \
	%D%/mbox.c %D%/mbox.h %D%/mbox_fields.c %D%/mbox_fields.h \
	%D%/mbox_write.c
check_PROGRAMS += t/fuzz/mbox t/unit/mbox.t
t_fuzz_mbox_SOURCES = t/fuzz/mbox.c t/fuzz/driver.c
t_unit_mbox_t_SOURCES = t/unit/mbox.c t/unit/tap.h
TESTS += t/unit/mbox.t
EXTRA_DIST += t/fuzz/seeds/mbox
