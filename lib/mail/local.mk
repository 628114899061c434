# lib/mail
lib_libpostern_a_SOURCES += %D%/header.c %D%/header.h
lib_libpostern_a_SOURCES += \
	%D%/address.c %D%/address.h %D%/bodystructure.c %D%/imap.c %D%/imap.h \
	%D%/lex.c %D%/lex.h %D%/mime.c %D%/mime.h %D%/mime_field.c \
	%D%/mime_field.h
lib_libpostern_a_SOURCES += %D%/mime_value.c %D%/word.c %D%/word.h
lib_libpostern_a_SOURCES += \
	%D%/attach.c %D%/attach.h %D%/html.c %D%/html.h %D%/render.c \
	%D%/render.h
